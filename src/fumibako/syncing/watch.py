"""Seeing what changes on the server, on one connection.

The first folder is open, and the server tells of it: by NOTIFY (RFC 5465), then of all chosen folders at once, else by
IDLE (RFC 2177), and the others are looked at by STATUS every INTERVAL. A busy first folder does not put that off. What
is still to be imported is brought in pieces in between, where no other connection brings it.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fumibako.mail.imap import Change, CommandRefused, ImapClient, Listed, Status
from fumibako.syncing import departures
from fumibako.syncing.completeness import folders_due, prove_folder
from fumibako.syncing.database import now, steadily
from fumibako.syncing.folders import note_folders
from fumibako.syncing.hands import Hands
from fumibako.syncing.importing import Backlog
from fumibako.syncing.looking import refresh
from fumibako.syncing.mailbox import Folder, Mailbox, load_folder, load_folders, note_refusal

INTERVAL = 45.0  # seconds between two looks at the other folders; also how long a silent cut stays unseen
NOTIFIED_INTERVAL = 90.0  # seconds, where the server tells of all of them: the end of IDLE proves that it is there
ROUND_INTERVAL = 300.0  # seconds: what a server has forgotten to tell is seen all the same
LIST_INTERVAL = 900.0  # seconds between two looks at which folders there are
FIRST_PROOFS = (5.0, 60.0)  # seconds after the begin of a watch: many that begin together do not prove together
PROOFS_INTERVAL = 300.0  # seconds between two looks at whether a proof of completeness is due
A_ROUND = 10  # folders of a round; where there are more, the rest waits for its turn
ITEMS = ("MESSAGES", "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ")  # SIZE and UNSEEN cost some servers a walk

logger = logging.getLogger(__name__)


@dataclass
class Errands:
    """What others want of a watch: a proof of completeness now, or its place at a host that allows few connections."""

    prove: bool = False
    leave: Callable[[], bool] = lambda: False


class Watch:
    """The watch over a mailbox on a connection that is logged in.

    ``backlog`` is what is still to be imported: the watch brings it itself when it ``brings``, and says ``imported``
    at the end of it.
    """

    def __init__(
        self,
        hands: Hands,
        client: ImapClient,
        box: Mailbox,
        backlog: Backlog,
        errands: Errands,
        *,
        brings: bool,
        imported: Callable[[], Awaitable[None]],
    ) -> None:
        self._hands = hands
        self._client = client
        self._box = box
        self._backlog = backlog
        self._errands = errands
        self._brings = brings
        self._imported = imported
        self._folders: list[Folder] = []
        self._notified = False
        self._turn = 0
        self._looked_at: dict[int, datetime] = {}
        self._clock = asyncio.get_running_loop().time
        self._round_at = self._list_at = self._proofs_at = 0.0

    async def run(self) -> None:
        """Watch until the place is wanted. Raises Stale when the mailbox has changed, and what the client raises."""
        await self._begin()
        while not self._errands.leave():
            changes = await self._wait()
            self._beat()
            await self._follow(changes)
            if self._brings and len(self._backlog):
                await self._bring()
            if self._clock() >= self._round_at:
                await self._round()
            if self._clock() >= self._list_at:
                await self._list()
            if (self._errands.prove or self._clock() >= self._proofs_at) and not len(self._backlog):
                await self._prove()

    async def _begin(self) -> None:
        self._folders = await load_folders(self._hands, self._box.id)
        begun = self._clock()
        self._round_at, self._list_at = begun + INTERVAL, begun + LIST_INTERVAL
        self._proofs_at = begun + random.uniform(*FIRST_PROOFS)  # noqa: S311
        if self._folders:
            await self._open_first()
            if "NOTIFY" in self._client.capabilities:
                self._notified = await self._client.notify([folder.name_raw for folder in self._folders])

    def _beat(self) -> None:
        self._hands.pulse.beat(self._box.id, self._box.organization)

    async def _wait(self) -> Sequence[Change]:
        """Return what happens, at the latest when there is something to do."""
        if self._brings and len(self._backlog):
            return await self._client.noop()
        seconds = max(min(self._round_at, self._list_at, self._proofs_at) - self._clock(), 0.0)
        if not self._folders:
            await self._client.wait(seconds)
            return await self._client.noop()
        return await self._client.idle(min(seconds, NOTIFIED_INTERVAL))

    async def _follow(self, changes: Sequence[Change]) -> None:
        """Look at the folders that have changed; the first one last, since it stays open."""
        named = {change.name_raw for change in changes if isinstance(change, Status)}
        if any(isinstance(change, Listed) for change in changes):
            self._list_at = 0.0
        first = any(not isinstance(change, Status | Listed) for change in changes)
        others = [folder for folder in self._folders[1:] if folder.name_raw in named]
        for folder in others:
            await self._refresh(folder)
        if self._folders and (first or others or self._folders[0].name_raw in named):
            await self._open_first()

    async def _refresh(self, folder: Folder, *, whole: bool = False) -> None:
        """Bring a folder up to date. One that cannot be opened is left alone until the folders are listed again."""
        waiting = self._backlog.waiting(folder.id)
        try:
            await refresh(self._hands, self._client, self._box, folder.id, waiting, whole=whole)
        except CommandRefused as refused:
            await self._leave_out(folder, refused)
        self._beat()

    async def _leave_out(self, folder: Folder, refused: CommandRefused) -> None:
        logger.warning("a folder cannot be opened", extra={"folder": folder.id, "reply": refused.code})
        await note_refusal(self._hands, self._box, folder, refused.reply)
        self._folders = [one for one in self._folders if one.id != folder.id]

    async def _open_first(self) -> None:
        """Have the first folder open again, since the server tells most of that one."""
        while self._folders:
            first = self._folders[0]
            await self._refresh(first)
            if self._folders and self._folders[0] is first:
                return

    async def _bring(self) -> None:
        await self._backlog.bring(self._client, at_once=False)
        await self._open_first()
        if not len(self._backlog):
            await self._imported()

    async def _round(self) -> None:
        """Look at the folders by STATUS, and open those that have changed."""
        began = await now(self._hands.pool)
        asked = self._next_turn()
        answers = await self._client.statuses([folder.name_raw for folder in asked], ITEMS)
        opened = False
        for folder, status in zip(asked, answers, strict=True):
            if isinstance(status, CommandRefused):
                await self._leave_out(folder, status)
                self._list_at = 0.0  # it may have gone, or have another name
                continue
            fresh = await load_folder(self._hands, folder.id)
            if not fresh.unchanged(status):
                await self._refresh(fresh)
                opened = True
        self._looked_at.update((folder.id, began) for folder in asked)
        looked_at = [self._looked_at.get(folder.id) for folder in self._folders]
        if None not in looked_at and not len(self._backlog):
            opened |= await self._settle_departures(min(filter(None, looked_at)))
        if opened:
            await self._open_first()
        self._round_at = self._clock() + (ROUND_INTERVAL if self._notified else INTERVAL)

    def _next_turn(self) -> list[Folder]:
        """The folders of this round: those of received and sent mail, and of the others as many as A_ROUND leaves."""
        always = [folder for folder in self._folders if folder.role in {"inbox", "sent"}][:A_ROUND]
        others = [folder for folder in self._folders if folder not in always]
        count = min(max(A_ROUND - len(always), 1), len(others))
        picked = [others[(self._turn + n) % len(others)] for n in range(count)]
        self._turn += count
        return always + picked

    async def _settle_departures(self, looked_at: datetime) -> bool:
        """Find out what became of mail that is in no folder any more; whether another folder may be open now."""
        done = await steadily(lambda: departures.settle(self._hands, self._client, self._box, looked_at))
        return done.opened

    async def _list(self) -> None:
        """See which folders there are; with other ones than before, watch those."""
        before = self._folders
        self._folders = await note_folders(self._hands, self._client, self._box)
        self._list_at = self._clock() + LIST_INTERVAL
        names = [folder.name_raw for folder in self._folders]
        for folder in self._folders:
            if folder.id not in {one.id for one in before}:
                await self._refresh(folder)
        if names != [folder.name_raw for folder in before]:
            if self._notified:
                self._notified = await self._client.notify(names)
            if self._folders:
                await self._open_first()

    async def _prove(self) -> None:
        """Prove the folders that it is time for, or all of them when asked to; what is missing is fetched at once."""
        due = await steadily(lambda: folders_due(self._hands, self._box))
        asked, self._errands.prove = self._errands.prove, False
        for folder in [one for one in self._folders if asked or one.id in due]:
            await self._prove_folder(folder)
        if due or asked:
            await self._open_first()
        self._proofs_at = self._clock() + PROOFS_INTERVAL

    async def _prove_folder(self, folder: Folder) -> None:
        await self._refresh(folder, whole=True)
        if all(one.id != folder.id for one in self._folders):
            return  # it could not be opened: there is nothing to compare with
        looked = await load_folder(self._hands, folder.id)
        waiting = self._backlog.waiting(folder.id)
        proof = await steadily(lambda: prove_folder(self._hands, self._client, self._box, looked, waiting))
        if len(proof.missing):
            await self._refresh(folder)
