"""Who holds which shard, decided by several workers in one process on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Callable, Set
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from fumibako.archive import Stale
from fumibako.syncing.errors import PoolerInBetween
from fumibako.syncing.shards import PRESENCE, Shards, fair_share

pytestmark = pytest.mark.lab

TTL = 2.0  # seconds
PATIENCE = 10.0  # seconds for anything here
END_SESSION = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE classid = %s::oid AND objid = %s::oid"


@dataclass
class Worker:
    """Shards, and what its writers were told."""

    shards: Shards
    opened: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    running: "asyncio.Task[None] | None" = None

    def open(self, shards: Set[int]) -> None:
        self.opened += shards

    async def close(self, shards: Set[int]) -> None:
        self.closed += shards

    def start(self) -> None:
        self.running = asyncio.create_task(self.shards.run(self))

    async def stop(self) -> None:
        self.shards.stop()
        assert self.running is not None
        await self.running

    async def kill(self) -> None:
        """End it without a word; its session is closed."""
        assert self.running is not None
        self.running.cancel()
        await asyncio.wait([self.running])


Hire = Callable[[], Worker]


@pytest.fixture
async def hire(database_url: str) -> AsyncIterator[Hire]:
    """A new worker, started."""
    hired: list[Worker] = []

    async def connect() -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(database_url, autocommit=True)

    def start() -> Worker:
        worker = Worker(Shards(connect, ttl=TTL))
        worker.start()
        hired.append(worker)
        return worker

    yield start
    for worker in hired:
        await worker.kill()


async def until(what: Callable[[], object], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.01)


def counts(*workers: Worker) -> list[int]:
    return sorted(len(worker.shards.held) for worker in workers)


@pytest.mark.parametrize(
    ("alive", "shares"),
    [
        ({7: 64}, {7: 64}),
        ({7: 64, 8: 0}, {7: 32, 8: 32}),
        ({7: 21, 8: 22, 9: 21}, {7: 21, 8: 22, 9: 21}),
        ({7: 32, 8: 0, 9: 32}, {7: 22, 8: 21, 9: 21}),
        ({7: 0, 8: 0, 9: 0}, {7: 22, 8: 21, 9: 21}),
    ],
)
def test_shares_are_even_and_the_odd_shards_stay_where_most_are(alive: dict[int, int], shares: dict[int, int]) -> None:
    assert {worker: fair_share(worker, alive) for worker in alive} == shares


async def test_a_worker_that_is_alone_takes_every_shard_at_once(hire: Hire) -> None:
    worker = hire()
    await until(lambda: counts(worker) == [64], 1.0)
    assert sorted(worker.opened) == list(range(64))


async def test_the_shards_of_a_former_life_are_taken_without_waiting_for_its_time(hire: Hire) -> None:
    former = hire()
    await until(lambda: counts(former) == [64])
    await former.kill()
    worker = hire()
    await until(lambda: counts(worker) == [64], TTL)


async def test_a_third_worker_moves_as_few_shards_as_can_be(hire: Hire) -> None:
    first, second = hire(), hire()
    await until(lambda: counts(first, second) == [32, 32])
    before = [dict(worker.shards.held) for worker in (first, second)]
    third = hire()
    await until(lambda: counts(first, second, third) == [21, 21, 22])
    for worker, held in zip((first, second), before, strict=True):
        assert worker.shards.held.items() <= held.items()
    assert len(third.opened) == 21


async def test_a_worker_that_ends_hands_over_before_it_returns(hire: Hire) -> None:
    first, second = hire(), hire()
    await until(lambda: counts(first, second) == [32, 32])
    await first.stop()
    assert counts(first) == [0]
    await until(lambda: counts(second) == [64], 1.0)


async def test_the_shards_of_a_worker_that_is_gone_go_to_the_others(hire: Hire) -> None:
    workers = [hire(), hire(), hire()]
    await until(lambda: counts(*workers) == [21, 21, 22])
    gone, *left = workers
    fence = gone.shards.fence(next(iter(gone.shards.held)))
    await gone.kill()
    await until(lambda: counts(*left) == [32, 32], 2 * TTL)
    now = next(worker.shards.fence(fence.shard) for worker in left if worker.shards.holds(fence.shard))
    assert now.epoch > fence.epoch


async def test_a_session_that_the_server_ends_closes_nothing(hire: Hire, database_url: str) -> None:
    first, second = hire(), hire()
    await until(lambda: counts(first, second) == [32, 32])
    epochs = dict(first.shards.held)
    closed = len(first.closed)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        cursor = await connection.execute("SELECT owner FROM shard WHERE id = %s", [next(iter(epochs))])
        (owner,) = await cursor.fetchone() or (0,)
        for _ in range(3):
            cursor = await connection.execute(END_SESSION, [PRESENCE, owner])
            assert cursor.rowcount == 1
            await until(present(database_url, owner))
    assert (dict(first.shards.held), len(first.closed)) == (epochs, closed)


def present(url: str, owner: int) -> Callable[[], bool]:
    """Whether the worker's presence is held."""

    def look() -> bool:
        with psycopg.connect(url) as connection:
            query = "SELECT 1 FROM pg_locks WHERE classid = %s::oid AND objid = %s::oid AND granted"
            return connection.execute(query, [PRESENCE, owner]).fetchone() is not None

    return look


async def test_a_shard_that_was_taken_away_is_closed_as_soon_as_it_is_doubted(hire: Hire, database_url: str) -> None:
    worker = hire()
    await until(lambda: counts(worker) == [64])
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE shard SET owner = 1, epoch = epoch + 1 WHERE id = 5")
    worker.shards.doubt()
    await until(lambda: not worker.shards.holds(5), 0.5)
    assert worker.closed == [5]
    with pytest.raises(Stale):
        worker.shards.fence(5)


class Pooled:
    """A connection through a pooler: the process that it was told of at first is not the one that answers."""

    def __init__(self, connection: psycopg.AsyncConnection) -> None:
        self._connection = connection
        self.info = SimpleNamespace(backend_pid=connection.info.backend_pid + 1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def test_behind_a_transaction_pooler_it_refuses_and_names_the_setting(database_url: str) -> None:
    async def connect() -> Any:
        return Pooled(await psycopg.AsyncConnection.connect(database_url, autocommit=True))

    shards = Shards(connect)
    with pytest.raises(PoolerInBetween, match="FUMIBAKO_DATABASE_DIRECT_URL"):
        await shards.run(Worker(shards))
