"""One folder's mail from the server into the archive: newest first, many fetches under way, bounded memory.

Windows of UIDs are asked for while fewer than AHEAD bytes are under way; bodies land in the current slot's memory; a
full slot is a batch, parsed by a child and stored by one transaction while the next one fills. No slot free: reading
stops until there is one, so TCP holds the server back. Batches of a folder may be stored out of order, since what is
known of it is a set.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime

from fumibako.archive import Batch, Entry, Job, Region, Slot, Where, analyze_young, commit_batch, take_ids
from fumibako.mail.imap import Fetched, ImapClient, UidSet, since
from fumibako.syncing.hands import Hands
from fumibako.syncing.mailbox import Folder, Looked, Mailbox, begin_folder, note_look

FIRST = 50  # mails of the first window: the first screen
SIZES = 2_500  # mails whose sizes are listed by one FETCH
WINDOW = 4 << 20  # bytes of mail asked for by one FETCH
AHEAD = 24 << 20  # bytes asked for and not yet here
BATCH = 4 << 20  # bytes of mail in a transaction
TOO_LARGE = 64 << 20  # bytes; of larger mails the header is kept and the body left on the server
SLOTS = 4  # batches of one folder on their way: one filling, two parsed, one written
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
    hands: Hands, client: ImapClient, box: Mailbox, looked: Looked, *, newest: int | None = None
) -> int:
    """Fetch and store what ``looked`` wants from the folder that the client has open; returns how many mails came.

    ``newest`` is how many at most, the newest first; None for all. A mail that the server lists but does not give is
    asked for ROUNDS times, then it is skipped by name; one that is gone meanwhile needs no fetch. Raises
    ``archive.Stale`` when the mailbox, the folder or the shard has changed, and what the client raises.
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
        pipeline = _Pipeline(hands, client, box, looked.folder, before)
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


class _Pipeline:
    """The fetches of one folder under way, and the batches that they fill.

    ``before`` gives for each UID the next lower one that is to be fetched at all: what lies between needs no fetch.
    """

    def __init__(self, hands: Hands, client: ImapClient, box: Mailbox, folder: Folder, before: dict[int, int]) -> None:
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
        )
        self._sizes: dict[int, int] = {}
        self._wanted: set[int] = set()
        self._before = before
        self._slots = asyncio.Semaphore(SLOTS)
        self._slot: Slot | None = None
        self._entries: list[Entry] = []
        self._too_large: list[int] = []
        self._commits = asyncio.Lock()
        self._under_way = 0
        self._room = asyncio.Event()
        self._tasks: asyncio.TaskGroup
        self.given: set[int] = set()

    async def run(self, wanted: UidSet) -> None:
        """Fetch all of ``wanted``; returns when the last batch is stored."""
        order = wanted.newest_first()
        self._wanted = set(order)
        await self._take_slot()
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
            if self._slot is not None:
                self._hands.parsers.release(self._slot)
                self._slots.release()

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
        extra = " EMAILID" if "OBJECTID" in self._client.capabilities else ""
        return f"(UID FLAGS INTERNALDATE RFC822.SIZE{extra} {body})"

    def _allocate(self, size: int) -> Region | None:
        if size > TOO_LARGE or self._slot is None:
            return None
        return self._slot.allocate(size)

    def _on_size(self, fetched: Fetched) -> None:
        if fetched.uid is not None:
            self._sizes[fetched.uid] = fetched.size or 0

    def _on_message(self, fetched: Fetched) -> None:
        if fetched.uid not in self._wanted or fetched.uid in self.given:
            return
        if fetched.skipped:
            self._too_large.append(fetched.uid)
        elif isinstance(fetched.body, Region):
            self._add(fetched, fetched.body, skipped=None)
        elif isinstance(fetched.body, bytes):
            self._add(fetched, self._copy(fetched.body), skipped=None)

    def _on_header(self, fetched: Fetched) -> None:
        header = fetched.body if fetched.body is not None else fetched.sections.get("BODY[HEADER]")
        if fetched.uid not in self._wanted or fetched.uid in self.given:
            return
        if isinstance(header, bytes):
            header = self._copy(header)
        if isinstance(header, Region):
            self._add(fetched, header, skipped="too_large")

    def _copy(self, data: bytes) -> Region:
        if self._slot is None:
            raise MemoryError("no slot")
        region = self._slot.allocate(len(data))
        region.view[:] = data
        return region

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
                emailid=fetched.emailid,
                skipped=skipped,
            )
        )
        if self._slot is not None and self._slot.filled >= BATCH:
            self._close_batch()

    def _close_batch(self) -> None:
        """Hand what has come so far to a child, and go on in another slot; where none is free, stop reading."""
        if not self._entries or self._slot is None:
            return
        slot, self._slot = self._slot, None
        entries, self._entries = tuple(self._entries), []
        self._client.pause_reading()
        self._tasks.create_task(self._store(slot, entries))
        self._tasks.create_task(self._next_slot())

    async def _take_slot(self) -> None:
        await self._slots.acquire()
        self._slot = await self._hands.parsers.take_slot()

    async def _next_slot(self) -> None:
        await self._take_slot()
        self._client.resume_reading()

    async def _store(self, slot: Slot, entries: tuple[Entry, ...]) -> None:
        parsers = self._hands.parsers
        try:
            async with self._hands.pool.connection() as connection:
                ids = await take_ids(connection, len(entries))
            job = Job(slot=slot, where=self._where, entries=entries, ids=ids)
            built = await parsers.build(job)
            known = tuple((self._before[entry.uid] + 1, entry.uid) for entry in entries)
            batch = Batch(job=job, generation=self._box.generation, known=known)
            async with self._commits, self._hands.pool.connection() as connection:
                fence = self._hands.fence(self._box.shard)
                done = await commit_batch(connection, batch, built, fence, parsers.build)
                await analyze_young(connection, next(self._hands.commits))
        finally:
            parsers.release(slot)
            self._slots.release()
        self._hands.numberer.wake()
        self._hands.pulse.beat(self._box.id, self._box.organization)
        if done.unreadable:
            logger.warning("mails stored unread", extra={"folder": self._folder.id, "count": done.unreadable})


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
