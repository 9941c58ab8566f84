"""What is still to be brought of a mailbox, and bringing it: newest first, folder by folder, in pieces.

The fetching itself is a ``pipeline``; here stands what is to be fetched, and what becomes of a mail that does not come.
"""

import asyncio
import logging
from dataclasses import replace

from fumibako.archive import Stale
from fumibako.mail.imap import ImapClient, UidSet
from fumibako.syncing.database import steadily
from fumibako.syncing.hands import Hands
from fumibako.syncing.mailbox import Folder, Looked, Mailbox, note_look
from fumibako.syncing.pipeline import FIRST, Pipeline

ROUNDS = 3  # times a mail that the server lists and does not give is asked for
PIECE = 500  # mails of the first piece; the next ones are as many as take about PIECE_SECONDS
PIECE_SECONDS = 5.0
_SKIPPED = """
SELECT coalesce(sum(upper(piece) - lower(piece)), 0) FROM skip, unnest(uids) AS piece
 WHERE folder_id = %s AND uidvalidity = %s
"""

logger = logging.getLogger(__name__)


async def fetch_mail(hands: Hands, client: ImapClient, box: Mailbox, looked: Looked, *, urgent: bool = False) -> int:
    """Fetch and store what ``looked`` wants from the folder that the client has open; returns how many mails came.

    ``urgent`` is what somebody waits for: it goes before other mailboxes' imports. A mail that the server lists but
    does not give is asked for ROUNDS times, then it is skipped by name; one that is gone meanwhile needs no fetch.
    Raises Stale when the mailbox, the folder or the shard has changed, and what the client raises.
    """
    wanted = looked.wanted
    stored = 0
    for _ in range(ROUNDS):
        if not len(wanted):
            return stored
        pipeline = Pipeline(hands, client, box, looked, urgent=urgent)
        await pipeline.run(wanted)
        stored += len(pipeline.given)
        missing = wanted.minus(UidSet.of(pipeline.given))
        if not len(missing):
            return stored
        wanted = await client.uid_search(f"UID {missing}".encode())
        await note_look(hands, box, looked, known=missing.minus(wanted))
    if len(wanted):
        logger.warning("mails listed and not given", extra={"folder": looked.folder.id, "count": len(wanted)})
        await note_look(hands, box, looked, known=UidSet(), skipped={"not_given": wanted})
    return stored


class Backlog:
    """The mail of a mailbox that is still to be brought, by folder, beside what comes in meanwhile."""

    def __init__(self, hands: Hands, box: Mailbox) -> None:
        self._hands = hands
        self._box = box
        self._looked: dict[int, Looked] = {}
        self._waiting: dict[int, UidSet] = {}
        self._piece = PIECE

    def add(self, looked: Looked, rest: UidSet) -> None:
        """Take what is left of a look at a folder."""
        if len(rest):
            self._looked[looked.folder.id] = looked
            self._waiting[looked.folder.id] = rest

    def waiting(self, folder: int) -> UidSet:
        """The UIDs of a folder that this backlog will bring."""
        return self._waiting.get(folder, UidSet())

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def bring(self, client: ImapClient, *, at_once: bool) -> None:
        """Bring the next piece of the first folder that has one, or ``at_once`` all of that folder.

        Raises Stale when the folder is not what it was, and what the client raises.
        """
        folder = next(iter(self._waiting))
        looked, waiting = self._looked[folder], self._waiting[folder]
        opened = await client.examine(looked.folder.name_raw)
        if opened.uidvalidity != looked.folder.uidvalidity:
            raise Stale("the folder has been numbered anew")
        order = waiting.newest_first()
        piece = waiting if at_once else UidSet.of(order[: self._piece])
        clock = asyncio.get_running_loop().time
        began = clock()
        await fetch_mail(self._hands, client, self._box, replace(looked, wanted=piece))
        if clock() - began < PIECE_SECONDS / 2:
            self._piece *= 2
        elif clock() - began > PIECE_SECONDS * 2:
            self._piece = max(self._piece // 2, FIRST)
        self._waiting[folder] = waiting.minus(piece)
        if not len(self._waiting[folder]):
            del self._waiting[folder], self._looked[folder]


def first_screen(wanted: UidSet) -> UidSet:
    """The newest mails of a folder, as many as a first screen shows."""
    return UidSet.of(wanted.newest_first()[:FIRST])


async def skipped_for_good(hands: Hands, folder: Folder) -> int:
    """How many mails of a folder are left out by name."""

    async def load() -> int:
        async with hands.pool.connection() as connection:
            row = await (await connection.execute(_SKIPPED, [folder.id, folder.uidvalidity])).fetchone()
        return int(row[0]) if row else 0

    return await steadily(load)
