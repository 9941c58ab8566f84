"""One folder's mail from the server into the archive: newest first, many fetches under way, bounded memory.

The fetching itself is a ``pipeline``; here stands what is to be fetched, and what becomes of a mail that does not come.
"""

import logging

from fumibako.mail.imap import ImapClient, UidSet, since
from fumibako.syncing.hands import Hands
from fumibako.syncing.mailbox import Folder, Looked, Mailbox, begin_folder, note_look
from fumibako.syncing.pipeline import Pipeline

ROUNDS = 3  # times a mail that the server lists and does not give is asked for

logger = logging.getLogger(__name__)


async def look(hands: Hands, client: ImapClient, box: Mailbox, folder: Folder) -> Looked:
    """Open a folder, and find out which of its mails are not known yet; those before the range are skipped by name."""
    opened = await client.examine(folder.name_raw)
    everything = await client.uid_search(b"ALL") if opened.exists else UidSet()
    uidnext = opened.uidnext or (everything.ranges[-1][1] + 1 if everything.ranges else 1)
    folder = await begin_folder(hands.pool, box, folder, opened.uidvalidity, uidnext)
    linked = folder.linked_uidnext or uidnext
    unknown = everything.minus(folder.known_uids)
    before = UidSet()
    if box.history_since and any(low < linked for low, _ in unknown.ranges):
        recent = await client.uid_search(since(box.history_since))
        before = unknown.minus(recent).below(linked)
    looked = Looked(folder, opened.exists, uidnext, opened.highestmodseq, everything, unknown.minus(before))
    to_import = len(everything) - await _skipped(hands, folder, len(before))
    fence = hands.fence(box.shard)
    await note_look(hands.pool, box, looked, fence, skipped={"before_range": before}, to_import=to_import)
    return looked


async def fetch_mail(
    hands: Hands,
    client: ImapClient,
    box: Mailbox,
    looked: Looked,
    *,
    newest: int | None = None,
    urgent: bool = False,
) -> int:
    """Fetch and store what ``looked`` wants from the folder that the client has open; returns how many mails came.

    ``newest`` is how many at most, the newest first; None for all. ``urgent`` is what somebody waits for: it goes
    before other mailboxes' imports. A mail that the server lists but does not give is asked for ROUNDS times, then it
    is skipped by name; one that is gone meanwhile needs no fetch. Raises ``archive.Stale`` when the mailbox, the folder
    or the shard has changed, and what the client raises.
    """
    wanted = looked.wanted
    order = wanted.newest_first()
    before = dict(zip(order, [*order[1:], 0], strict=True)) if order else {}
    if newest is not None:
        wanted = UidSet.of(order[:newest])
    stored = 0
    for _ in range(ROUNDS):
        if not len(wanted):
            return stored
        pipeline = Pipeline(
            hands,
            client,
            box,
            looked.folder,
            before,
            urgent=urgent,
            modseq=looked.highest_modseq is not None,
        )
        await pipeline.run(wanted)
        stored += len(pipeline.given)
        missing = wanted.minus(UidSet.of(pipeline.given))
        if not len(missing):
            return stored
        wanted = await client.uid_search(f"UID {missing}".encode())
        await note_look(hands.pool, box, looked, hands.fence(box.shard), known=missing.minus(wanted))
    if len(wanted):
        logger.warning("mails listed and not given", extra={"folder": looked.folder.id, "count": len(wanted)})
        await note_look(hands.pool, box, looked, hands.fence(box.shard), skipped={"not_given": wanted})
    return stored


async def _skipped(hands: Hands, folder: Folder, newly: int) -> int:
    """Mails of the folder that are left out for good, ``newly`` more than are noted."""
    async with hands.pool.connection() as connection:
        cursor = await connection.execute(
            "SELECT coalesce(sum(upper(piece) - lower(piece)), 0) FROM skip, unnest(uids) AS piece"
            " WHERE folder_id = %s AND uidvalidity = %s",
            [folder.id, folder.uidvalidity],
        )
        row = await cursor.fetchone()
    return newly + (int(row[0]) if row else 0)
