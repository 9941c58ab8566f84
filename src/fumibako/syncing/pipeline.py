"""The fetches of one folder under way, and the batches that they fill: many fetches, bounded memory.

Windows of UIDs are asked for while fewer than AHEAD bytes are under way; bodies land in the current slot's memory; a
full slot is a batch, parsed by a child and stored by one transaction while the next one fills. A slot is taken when a
body begins, so that a silent server holds none. None free: the body lands beside, and reading stops until there is one,
so TCP holds the server back. Batches of a folder may be stored out of order, since what is known of it is a set.

What is urgent is stored whole; of a long import the texts follow when nobody waits (``texts``).
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime
from functools import partial

from fumibako.archive import (
    Batch,
    Built,
    Committed,
    Entry,
    Job,
    Region,
    Scope,
    Slot,
    Where,
    analyze_young,
    commit_batch,
    take_ids,
)
from fumibako.mail.imap import Fetched, ImapClient, UidSet
from fumibako.syncing.database import steadily
from fumibako.syncing.hands import Hands
from fumibako.syncing.mailbox import Folder, Looked, Mailbox

FIRST = 50  # mails of the first window: the first screen
SIZES = 2_500  # mails whose sizes are listed by one FETCH
WINDOW = 4 << 20  # bytes of mail asked for by one FETCH
AHEAD = 24 << 20  # bytes asked for and not yet here
BATCH = 4 << 20  # bytes of mail in a transaction
TOO_LARGE = 64 << 20  # bytes; of larger mails the header is kept and the body left on the server
SLOTS = 4  # batches of one folder on their way: one filling, two parsed, one written
STALLED = 1.0  # seconds without another mail after which what has come is stored

logger = logging.getLogger(__name__)


class Beside:
    """Memory for a body that has come while no slot was free."""

    def __init__(self, size: int) -> None:
        self.view = memoryview(bytearray(size))


class Pipeline:
    """One run over UIDs of a folder that a client has open and that has been ``looked`` at.

    ``urgent`` is what somebody waits for, a first screen or new mail: it goes before other mailboxes' long imports.
    """

    def __init__(self, hands: Hands, client: ImapClient, box: Mailbox, looked: Looked, *, urgent: bool) -> None:
        folder = looked.folder
        self._hands = hands
        self._client = client
        self._box = box
        self._folder = folder
        self._where = Where(
            organization=box.organization,
            mailbox=box.id,
            folder=folder.id,
            uidvalidity=folder.uidvalidity or 0,
            role=folder.role,
            linked_uidnext=folder.linked_uidnext or 0,
            own=box.own,
            live_since=live_since(folder),
        )
        self._urgent = urgent
        self._modseq = looked.highest_modseq is not None  # RFC 7162 §3.1.2.2 forbids to ask a folder that has none
        self._old = looked.old
        self._sizes: dict[int, int] = {}
        self._wanted: set[int] = set()
        self._held = 0  # slots
        self._given_back = asyncio.Event()
        self._slot: Slot | None = None
        self._filling = False  # a body is landing in the slot
        self._beside: list[tuple[Fetched, Beside, str | None]] = []
        self._stalled: asyncio.TimerHandle | None = None
        self._entries: list[Entry] = []
        self._too_large: list[int] = []
        self._commits = box.commits
        self._under_way = 0
        self._room = asyncio.Event()
        self._tasks: asyncio.TaskGroup
        self.given: set[int] = set()

    async def run(self, wanted: UidSet) -> None:
        """Fetch all of ``wanted``; returns when the last batch is stored."""
        order = wanted.newest_first()
        self._wanted = set(order)
        self._client.allocate = self._allocate
        try:
            async with asyncio.TaskGroup() as self._tasks:
                first = self._fetch(order[:FIRST])
                sizes = [self._list_sizes(piece) for piece in pieces(order[FIRST:], SIZES)]
                await first
                self._close_batch()
                for listing in sizes:
                    await listing
                await self._fetch_windows(order[FIRST:])
                for uid in self._too_large:
                    await self._fetch_header(uid)
                self._close_batch()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._client.allocate = None
            if self._stalled is not None:
                self._stalled.cancel()
            if self._slot is not None:
                self._give_back(self._slot)

    async def _fetch_windows(self, order: list[int]) -> None:
        under_way: set[asyncio.Task[None]] = set()
        self._too_large += [uid for uid in order if self._sizes.get(uid, 0) > TOO_LARGE]
        for window in windows([uid for uid in order if self._sizes.get(uid, 0) <= TOO_LARGE], self._sizes):
            size = sum(self._sizes.get(uid, 0) for uid in window)
            while self._under_way and self._under_way + size > AHEAD:
                self._room.clear()
                await self._room.wait()
            self._under_way += size
            task = self._tasks.create_task(self._fetch_window(window, size))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            await asyncio.sleep(0)  # the command is sent when the task first runs
        if under_way:
            await asyncio.wait(under_way)

    async def _fetch_window(self, window: list[int], size: int) -> None:
        try:
            await self._fetch(window)
        finally:
            self._under_way -= size
            self._room.set()

    def _fetch(self, uids: list[int]) -> Awaitable[None]:
        return self._client.fetch(str(UidSet.of(uids)), self._items(), uid=True, on_message=self._on_message)

    def _list_sizes(self, uids: list[int]) -> Awaitable[None]:
        return self._client.fetch(str(UidSet.of(uids)), "(UID RFC822.SIZE)", uid=True, on_message=self._on_size)

    async def _fetch_header(self, uid: int) -> None:
        items = self._items("BODY.PEEK[HEADER]")
        await self._client.fetch(str(uid), items, uid=True, on_message=self._on_header)

    def _items(self, body: str = "BODY.PEEK[]") -> str:
        extra = f" {self._client.identity}" if self._client.identity else ""
        if self._modseq:
            extra += " MODSEQ"
        return f"(UID FLAGS INTERNALDATE RFC822.SIZE{extra} {body})"

    def _allocate(self, size: int) -> Region | Beside | None:
        if size > TOO_LARGE:
            return None
        if self._slot is None and self._held < SLOTS:
            self._take(self._hands.parsers.take_slot_at_once(urgent=self._urgent))
        if self._slot is None:
            self._client.pause_reading()
            self._tasks.create_task(self._wait_for_slot())
            return Beside(size)
        self._filling = True
        return self._slot.allocate(size)

    def _on_size(self, fetched: Fetched) -> None:
        if fetched.uid is not None:
            self._sizes[fetched.uid] = fetched.size or 0

    def _on_message(self, fetched: Fetched) -> None:
        self._filling = False
        if fetched.uid not in self._wanted or fetched.uid in self.given:
            return
        if fetched.skipped:
            self._too_large.append(fetched.uid)
        elif isinstance(fetched.body, Region | Beside):
            self._put(fetched, fetched.body)
        elif isinstance(fetched.body, bytes) and (fetched.body or not fetched.size):  # NIL is no mail
            self._put(fetched, self._copy(fetched.body))

    def _on_header(self, fetched: Fetched) -> None:
        self._filling = False
        header = fetched.body if fetched.body is not None else fetched.sections.get("BODY[HEADER]")
        if fetched.uid not in self._wanted or fetched.uid in self.given:
            return
        if isinstance(header, bytes):
            header = self._copy(header)
        if isinstance(header, Region | Beside):
            self._put(fetched, header, skipped="too_large")

    def _copy(self, data: bytes) -> Region | Beside:
        region = self._allocate(len(data)) or Beside(len(data))
        region.view[:] = data
        self._filling = False
        return region

    def _put(self, fetched: Fetched, body: Region | Beside, *, skipped: str | None = None) -> None:
        """Add a mail whose bytes may lie beside the slots."""
        if isinstance(body, Region):
            self._add(fetched, body, skipped=skipped)
        elif self._slot is None:
            self._beside.append((fetched, body, skipped))
        else:
            region = self._slot.allocate(len(body.view))
            region.view[:] = body.view
            self._add(fetched, region, skipped=skipped)

    def _add(self, fetched: Fetched, region: Region, *, skipped: str | None) -> None:
        uid = fetched.uid or 0
        arrived = fetched.internaldate or datetime.now(UTC)
        self.given.add(uid)
        self._entries.append(
            Entry(
                offset=region.offset,
                length=region.length,
                uid=uid,
                flags=fetched.flags or (),
                internal_date=int(arrived.timestamp() * 1_000_000),
                size=fetched.size or region.length,
                modseq=fetched.modseq,
                emailid=fetched.emailid,
                skipped=skipped,
                old=uid in self._old,
            )
        )
        if self._slot is not None and self._slot.filled >= BATCH:
            self._close_batch()

    def _close_batch(self) -> None:
        """Hand what has come so far to a child."""
        if not self._entries or self._slot is None:
            return
        slot, self._slot = self._slot, None
        entries, self._entries = tuple(self._entries), []
        self._tasks.create_task(self._store(slot, entries))

    def _take(self, slot: Slot | None) -> None:
        if slot is None:
            return
        self._slot = slot
        self._held += 1
        self._look_later(0)

    def _give_back(self, slot: Slot) -> None:
        self._hands.parsers.release(slot)
        self._held -= 1
        self._given_back.set()

    async def _wait_for_slot(self) -> None:
        while self._held == SLOTS:
            self._given_back.clear()
            await self._given_back.wait()
        self._take(await self._hands.parsers.take_slot(urgent=self._urgent))
        beside, self._beside = self._beside, []
        for fetched, body, skipped in beside:
            self._put(fetched, body, skipped=skipped)
        self._client.resume_reading()

    def _look_later(self, seen: int) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
        self._stalled = asyncio.get_running_loop().call_later(STALLED, self._check_stalled, seen)

    def _check_stalled(self, seen: int) -> None:
        """Store what has come where no more comes: others may need the slot, and somebody the mail."""
        if self._slot is None:
            return
        if self._filling or len(self._entries) != seen:
            self._look_later(len(self._entries))
        elif seen:
            self._close_batch()
        else:
            slot, self._slot = self._slot, None
            self._give_back(slot)

    async def _store(self, slot: Slot, entries: tuple[Entry, ...]) -> None:
        parsers = self._hands.parsers
        try:
            ids = await steadily(partial(self._take_ids, len(entries)))
            scope = Scope.ALL if self._urgent else Scope.LIST
            job = Job(slot=slot, where=self._where, entries=entries, ids=ids, urgent=self._urgent, scope=scope)
            built = await parsers.build(job)
            known = UidSet.of(entry.uid for entry in entries)
            batch = Batch(job=job, generation=self._box.generation, known=known.ranges)
            async with self._commits:
                done = await steadily(partial(self._commit, batch, built))
        finally:
            self._give_back(slot)
        self._hands.numberer.wake()
        self._hands.pulse.beat(self._box.id, self._box.organization)
        if done.unreadable:
            logger.warning("mails stored unread", extra={"folder": self._folder.id, "count": done.unreadable})

    async def _take_ids(self, count: int) -> tuple[int, ...]:
        async with self._hands.pool.connection() as connection:
            ids: tuple[int, ...] = await take_ids(connection, count)
        return ids

    async def _commit(self, batch: Batch, built: Built) -> Committed:
        async with self._hands.pool.connection() as connection:
            fence = self._hands.fence(self._box.shard)
            done = await commit_batch(connection, batch, built, fence, self._hands.parsers.build)
            await analyze_young(connection, next(self._hands.commits))
        return done


def live_since(folder: Folder) -> int | None:
    """The moment from which on mail of a folder that was numbered anew is new, in microseconds since 1970."""
    return None if folder.live_since is None else round(folder.live_since.timestamp() * 1_000_000)


def pieces(order: list[int], size: int) -> list[list[int]]:
    """``order`` in pieces of at most ``size``."""
    return [order[at : at + size] for at in range(0, len(order), size)]


def windows(order: list[int], sizes: dict[int, int]) -> Iterable[list[int]]:
    """``order`` in windows of about WINDOW bytes by the sizes that the server listed; a mail without one counts 0."""
    window: list[int] = []
    total = 0
    for uid in order:
        size = sizes.get(uid, 0)
        if window and (total + size > WINDOW or len(window) >= SIZES):
            yield window
            window, total = [], 0
        window.append(uid)
        total += size
    if window:
        yield window
