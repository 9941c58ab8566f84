"""Which mailboxes this worker may write for: its shards, and how they go from worker to worker.

Every mailbox is in one of 64 shards. A shard's row names its owner and an epoch, which rises whenever the owner changes
and which every commit asks for last (``fence``): whoever has been overtaken commits nothing, however late it notices.

A worker is alive while it holds its *presence*, an advisory lock of its one direct session. The server gives the lock
free when the process ends, and after TTL when it says nothing (``idle_session_timeout``; a kernel answers keepalives
for a process that is stopped). Each TICK, and at each word on the channel, a worker looks at presences and rows:

- The rows are the truth: a shard whose row names another owner or epoch is closed, one whose row names us is opened.
- An owner without presence for ABSENCE is *buried*: its shards have no owner. Only by a worker whose own session has
  lasted for TTL, so that after a restart of the database everybody is back before anybody counts as dead; but a worker
  that has just begun and is alone need not wait for those of a former life.
- The shards are shared out evenly among the living, those that have most first in line for one more. Who has had too
  many for PATIENCE closes and gives back; who has too few takes at once. A difference of one moves nothing.

While the database is away everything stays open, for FORSAKEN at most.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from psycopg import AsyncConnection, OperationalError
from psycopg.errors import LockNotAvailable

from fumibako.archive import Fence, Stale
from fumibako.events import connect_directly
from fumibako.linking import SHARDS
from fumibako.syncing.errors import PoolerInBetween

TTL = 10.0  # seconds of silence after which a worker counts as dead; a stall of 6 s then moves nothing
TICK = 1.0  # seconds between two looks
ABSENCE = 0.9  # seconds; a session that was lost is back by then
PATIENCE = 1.9  # seconds, so three looks; a worker that comes and goes again moves nothing
RETRY = 0.5  # seconds between tries to reach the database, after the first
FORSAKEN = 60.0  # seconds without the database after which nothing is watched any more
LOCK_TIMEOUT = 2_000  # milliseconds that a statement waits for a row; it is tried again at the next look
PRESENCE = 0x62616B6F  # "bako": the class of the presence locks
CHANNEL = "fumibako_shard"

_PREPARE = "SELECT set_config('idle_session_timeout', %s, false), set_config('lock_timeout', %s, false)"
_FILL = "INSERT INTO shard (id, epoch) SELECT n, 0 FROM generate_series(0, %s) n ON CONFLICT DO NOTHING"
_LOOK = """
SELECT coalesce(alive.worker, owned.owner), alive.worker IS NOT NULL,
       coalesce(owned.shards, '{}'), coalesce(owned.epochs, '{}')
  FROM (SELECT objid::bigint AS worker FROM pg_locks
         WHERE locktype = 'advisory' AND classid = %s::oid AND objsubid = 2 AND granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS alive
  FULL JOIN (SELECT owner, array_agg(id ORDER BY id) AS shards, array_agg(epoch ORDER BY id) AS epochs
               FROM shard GROUP BY owner) AS owned ON owned.owner = alive.worker
"""
_BURY = """
UPDATE shard SET owner = NULL, epoch = epoch + 1
 WHERE id IN (SELECT id FROM shard WHERE owner = ANY(%s) FOR UPDATE SKIP LOCKED)
RETURNING id
"""
_TAKE = """
UPDATE shard SET owner = %s, epoch = epoch + 1
 WHERE id IN (SELECT id FROM shard WHERE owner IS NULL LIMIT %s FOR UPDATE SKIP LOCKED)
RETURNING id, epoch
"""
_GIVE_BACK = "UPDATE shard SET owner = NULL, epoch = epoch + 1 WHERE owner = %s AND id = ANY(%s)"
_GIVE_ALL_BACK = "UPDATE shard SET owner = NULL, epoch = epoch + 1 WHERE owner = %s"

logger = logging.getLogger(__name__)


class Writers(Protocol):
    """Whoever writes for the shards that are held."""

    def open(self, shards: Set[int]) -> None:
        """Begin to write for these."""

    async def close(self, shards: Set[int]) -> None:
        """End all writing for these; their fences raise Stale already."""


@dataclass(frozen=True)
class Seen:
    """A look at presences and rows: how many shards each living worker has, ours with their epochs, whose owners are
    not alive, and how many have no owner."""

    alive: Mapping[int, int]
    mine: Mapping[int, int]
    absent: frozenset[int]
    free: int


class Shards:
    """The shards of this worker. ``run`` takes, keeps and hands them over; all else may be asked at any time."""

    def __init__(
        self, connect: Callable[[], Awaitable[AsyncConnection]] = connect_directly, *, ttl: float = TTL
    ) -> None:
        self._connect = connect
        self._ttl = ttl
        self._me = secrets.randbelow(2**31 - 1) + 1
        self._held: dict[int, int] = {}
        self.held: Mapping[int, int] = MappingProxyType(self._held)
        """The epoch of each shard that is held now."""
        self._writers: Writers
        self._stopping = self._doubted = self._newcomer = False
        self._present = False
        self._nap: asyncio.Timeout | None = None
        self._session_began = self._contact = 0.0
        self._absent: dict[int, float] = {}
        self._too_many_since: float | None = None

    def holds(self, shard: int) -> bool:
        """Whether the shard is held, as far as is known."""
        return shard in self._held

    def fence(self, shard: int) -> Fence:
        """The right to write for a shard. Raises archive.Stale where it is not held."""
        if shard not in self._held:
            raise Stale("the shard has another owner")
        return Fence(shard, self._held[shard])

    def doubt(self) -> None:
        """A commit was refused by its fence: look at once."""
        self._doubted = True
        self._wake()

    def stop(self) -> None:
        """Let ``run`` hand everything over and return."""
        self._stopping = True
        self._wake()

    async def run(self, writers: Writers) -> None:
        """Hold a fair share until ``stop``; an outage of the database is waited for. Raises PoolerInBetween."""
        clock = asyncio.get_running_loop().time
        self._writers, self._newcomer, self._contact = writers, True, clock()
        while not self._stopping:
            began = clock()
            try:
                await self._session()
            except (OperationalError, TimeoutError) as error:
                logger.warning("the session of the presence is lost", extra={"error": type(error).__name__})
            if self._held and clock() - self._contact > FORSAKEN:
                logger.error("the database is away for too long; nothing is watched until it is back")
                await self._lose(self._held.keys())
            if not self._stopping and clock() - began < TICK:
                await asyncio.sleep(RETRY)
        await self._lose(self._held.keys())

    async def _session(self) -> None:
        clock = asyncio.get_running_loop().time
        async with asyncio.timeout(self._ttl):
            connection = await self._connect()
        try:
            async with asyncio.timeout(self._ttl):
                await self._prepare(connection)
            self._session_began, self._present, self._absent = clock(), False, {}
            while not self._stopping:
                async with asyncio.timeout(self._ttl):
                    await self._tick(connection)
                self._contact = clock()
                await self._rest(connection)
            async with asyncio.timeout(self._ttl):
                await self._hand_over(connection)
        finally:
            await connection.close()

    async def _prepare(self, connection: AsyncConnection) -> None:
        cursor = await connection.execute("SELECT pg_backend_pid()")
        if await cursor.fetchone() != (connection.info.backend_pid,):
            raise PoolerInBetween
        await connection.execute(_PREPARE, [str(int(self._ttl * 1000)), str(LOCK_TIMEOUT)])
        await connection.execute(f"LISTEN {CHANNEL}")
        await connection.execute(_FILL, [SHARDS - 1])

    async def _rest(self, connection: AsyncConnection) -> None:
        """Wait for a word, a doubt, or the next tick; sooner where somebody is about to be buried."""
        if self._doubted or self._stopping:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(TICK, ABSENCE) if self._absent else TICK) as self._nap:
                async for _ in connection.notifies(stop_after=1):
                    pass
        self._nap = None

    def _wake(self) -> None:
        if self._nap is not None:
            self._nap.reschedule(asyncio.get_running_loop().time())

    async def _tick(self, connection: AsyncConnection) -> None:
        self._doubted = False
        if not self._present:  # a session that we have lost may still hold it
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", [PRESENCE, self._me])
            self._present = await cursor.fetchone() == (True,)
        seen = await self._look(connection)
        await self._accept(seen.mine)
        try:
            buried = await self._bury(connection, seen)
            await self._share(connection, fair_share(self._me, seen.alive), seen.free + buried)
        except LockNotAvailable:
            logger.warning("a shard's row is locked; trying again")

    async def _look(self, connection: AsyncConnection) -> Seen:
        cursor = await connection.execute(_LOOK, [PRESENCE])
        alive, mine, absent, free = {self._me: 0}, {}, set(), 0
        for worker, lives, shards, epochs in await cursor.fetchall():
            if lives:
                alive[worker] = len(shards)
            if worker == self._me:
                mine = dict(zip(shards, epochs, strict=True))
            elif worker is None:
                free = len(shards)
            elif not lives:
                absent.add(worker)
        return Seen(alive, mine, frozenset(absent), free)

    async def _accept(self, mine: Mapping[int, int]) -> None:
        await self._lose({shard for shard, epoch in self._held.items() if mine.get(shard) != epoch})
        self._win({shard: epoch for shard, epoch in mine.items() if shard not in self._held})

    async def _bury(self, connection: AsyncConnection, seen: Seen) -> int:
        """Take the shards away from those who are dead; returns how many."""
        now = asyncio.get_running_loop().time()
        self._absent = {owner: self._absent.get(owner, now) for owner in seen.absent}
        alone = self._newcomer and len(seen.alive) == 1
        if not alone and now - self._session_began <= self._ttl:
            return 0
        dead = [owner for owner, since in self._absent.items() if now - since >= ABSENCE]
        if not dead:
            return 0
        cursor = await connection.execute(_BURY, [dead])
        await connection.execute(f"NOTIFY {CHANNEL}")
        logger.warning("a worker is gone", extra={"workers": dead, "shards": cursor.rowcount})
        return cursor.rowcount

    async def _share(self, connection: AsyncConnection, share: int, free: int) -> None:
        now = asyncio.get_running_loop().time()
        excess = len(self._held) - share
        self._too_many_since = (self._too_many_since or now) if excess > 0 else None
        if excess < 0 < free:
            cursor = await connection.execute(_TAKE, [self._me, -excess])
            self._win(dict(await cursor.fetchall()))
        elif self._too_many_since and now - self._too_many_since >= PATIENCE:
            self._too_many_since = None
            leaving = set(sorted(self._held)[:excess])
            await self._lose(leaving)
            await connection.execute(_GIVE_BACK, [self._me, list(leaving)])
            await connection.execute(f"NOTIFY {CHANNEL}")

    async def _hand_over(self, connection: AsyncConnection) -> None:
        """Leave: first the presence, then the word, or the others still count us and leave shards for a tick."""
        await self._lose(self._held.keys())
        await connection.execute(_GIVE_ALL_BACK, [self._me])
        await connection.execute("SELECT pg_advisory_unlock_all()")
        await connection.execute(f"NOTIFY {CHANNEL}")

    def _win(self, won: Mapping[int, int]) -> None:
        if won:
            self._newcomer = False
            self._held.update(won)
            logger.info("shards taken", extra={"shards": sorted(won)})
            self._writers.open(won.keys())

    async def _lose(self, lost: Set[int]) -> None:
        if lost := set(lost):
            for shard in lost:
                del self._held[shard]
            logger.info("shards closed", extra={"shards": sorted(lost)})
            await self._writers.close(lost)


def fair_share(me: int, alive: Mapping[int, int]) -> int:
    """How many shards are ``me``'s, given how many each living worker has: those with most get the odd ones."""
    order = sorted(alive, key=lambda worker: (-alive[worker], worker))
    share, odd = divmod(int(SHARDS), len(order))
    return share + (order.index(me) < odd)
