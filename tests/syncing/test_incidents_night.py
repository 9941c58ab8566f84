"""A night's directory failure: 500 mailboxes of one host, refused for an hour, then right again. Time is virtual."""

import asyncio
from dataclasses import dataclass, field

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from fumibako.events.models import Event
from fumibako.linking import MOVE, State, move
from fumibako.mail.diagnosis import Failure, Reply, diagnose
from fumibako.syncing.budget import Budgets
from fumibako.syncing.incidents import Incidents
from fumibako.syncing.refusals import record_failure, record_login
from tests.syncing.refusing_host import HOST, link_many, workers
from tests.world import World

OUTAGE = 3600.0  # seconds
REFUSED = Reply("NO [AUTHENTICATIONFAILED] Authentication failed.")


@dataclass
class Night:
    """A worker whose actors do nothing but log in, at a host whose directory is away at first."""

    pool: AsyncConnectionPool
    boxes: list[int]
    wrong: int
    logins: list[tuple[float, int]] = field(default_factory=list)
    live: dict[int, float] = field(default_factory=dict)
    asked: dict[int, float] = field(default_factory=dict)
    open: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        self.budgets = Budgets(self.pool)
        self.incidents = Incidents(self.pool, self.now)
        self.try_now = {box: asyncio.Event() for box in self.boxes}

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def refuses(self, box: int) -> bool:
        return self.now() < OUTAGE or box == self.wrong

    async def actor(self, box: int) -> None:
        while True:
            async with self.pool.connection() as connection:
                cursor = await connection.execute(
                    "SELECT state, coalesce(extract(epoch FROM next_try_at - now()), 0)::float8"
                    " FROM mailbox WHERE id = %s",
                    [box],
                )
                state, seconds = await cursor.fetchone() or ("", 0.0)
            if state == State.NEEDS_ATTENTION:
                self.asked[box] = self.now()
                return
            if state == State.RETRYING:
                await self.incidents.wait(box, seconds, self.try_now[box])
            try:
                await self.session(box)
            except Failure as failure:
                await record_failure(self.pool, box, 1, failure, pause=5.0, ahead=self.now)

    async def session(self, box: int) -> None:
        async with self.budgets.connection(HOST) as lease:
            self.open += 1
            self.most = max(self.most, self.open)
            try:
                await asyncio.sleep(0.2)
                self.logins.append((self.now(), box))
                if self.refuses(box):
                    raise diagnose(REFUSED, stage="login")
                lease.logged_in()
                await record_login(self.pool, box, ahead=self.now)
                async with self.pool.connection() as connection:
                    await connection.execute(MOVE, move(box, State.LIVE))
                self.live.setdefault(box, self.now())
                await lease.until_wanted()
            finally:
                self.open -= 1
        await asyncio.sleep(OUTAGE)

    async def hear(self, direct: psycopg.AsyncConnection) -> None:
        """Hand on the words ``try:ID``, as a foreman does; in virtual time they are asked for."""
        direct.add_notify_handler(lambda word: self.try_now[int(word.payload.removeprefix("try:"))].set())
        await direct.execute("LISTEN fumibako_work")
        while True:
            await direct.execute("SELECT 1")
            await asyncio.sleep(10.0)


def test_a_night_s_directory_failure_asks_nobody_but_the_one_whose_password_is_wrong(
    database_url: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fumibako.syncing.incidents.LOOK_SECONDS", 10.0)
    boxes = link_many(world, 500)

    async def main(pool: AsyncConnectionPool) -> Night:
        night = Night(pool, boxes, wrong=boxes[7])
        async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as direct:
            tasks = [asyncio.create_task(work) for work in (night.incidents.run(), night.hear(direct))]
            tasks += [asyncio.create_task(night.actor(box)) for box in boxes]
            await asyncio.sleep(OUTAGE + 1600)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        failed = [result for result in results if isinstance(result, Exception)]
        assert not failed, failed[:3]
        return night

    with workers(database_url) as worker:
        night = worker.run(main(worker.pool))
    wrong = night.wrong
    assert set(night.asked) == {wrong}
    assert set(night.live) == set(boxes) - {wrong}
    assert max(night.live.values()) < OUTAGE + 600
    assert night.most <= 10
    begun, ended = Event.objects.filter(kind="host.incident").order_by("id").values_list("detail", flat=True)
    assert (begun["ended"], ended["ended"]) == (False, True)
    assert not Event.objects.filter(kind="mailbox.state", detail__state="needs_attention").exclude(mailbox_id=wrong)
    probes = [box for at, box in night.logins if 300 < at < OUTAGE]
    assert 10 <= len(probes) <= 12 and len(set(probes)) == len(probes)
