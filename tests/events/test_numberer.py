"""Events are numbered in an order that every reader agrees on, whatever the writers do."""

import asyncio
import random

import psycopg
import pytest

from fumibako.events import number_events
from tests.world import make_world

pytestmark = pytest.mark.lab

WRITERS = 8
EVENTS = 150  # of each writer


@pytest.fixture
def organization(database_url: str) -> int:
    return make_world().organization.pk


async def _write(url: str, organization: int, writer: int) -> None:
    chance = random.Random(writer)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        for n in range(EVENTS):
            await connection.execute(
                "INSERT INTO event (organization_id, kind, message_id) VALUES (%s, 'message.new', %s)",
                [organization, writer * EVENTS + n],
            )
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() * 0.004)  # an open transaction: later ids commit before it
            await connection.commit()


async def _number(url: str, done: asyncio.Event) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while True:
            finished = done.is_set()
            if not await number_events(connection, limit=37) and finished:
                return


async def _read(url: str, organization: int, done: asyncio.Event) -> list[tuple[int, int]]:
    """A reader that polls by number, as feeds and webhooks do."""
    seen: list[tuple[int, int]] = []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while len(seen) < WRITERS * EVENTS:
            after = seen[-1][0] if seen else 0
            cursor = await connection.execute(
                "SELECT seq, message_id FROM event WHERE organization_id = %s AND seq > %s ORDER BY seq",
                [organization, after],
            )
            seen += await cursor.fetchall()
            await asyncio.sleep(0)
    return seen


async def test_a_polling_reader_sees_every_event_of_eight_writers_in_order_without_gap(
    database_url: str, organization: int
) -> None:
    done = asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        numberers = [tasks.create_task(_number(database_url, done)) for _ in range(2)]
        reader = tasks.create_task(_read(database_url, organization, done))
        await asyncio.gather(*(_write(database_url, organization, n) for n in range(WRITERS)))
        done.set()
        await asyncio.gather(*numberers)
    seen = reader.result()
    assert [seq for seq, _ in seen] == list(range(1, WRITERS * EVENTS + 1))
    assert sorted(message for _, message in seen) == list(range(WRITERS * EVENTS))


async def test_an_open_transaction_holds_nobody_up_and_is_numbered_when_it_commits(
    database_url: str, organization: int
) -> None:
    insert = "INSERT INTO event (organization_id, kind) VALUES (%s, %s)"
    async with (
        await psycopg.AsyncConnection.connect(database_url) as slow,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as quick,
    ):
        await slow.execute(insert, [organization, "slow"])
        await quick.execute(insert, [organization, "quick"])
        assert await number_events(quick) == 1
        await slow.commit()
        assert await number_events(quick) == 1
        cursor = await quick.execute("SELECT kind, seq FROM event ORDER BY seq")
        assert await cursor.fetchall() == [("quick", 1), ("slow", 2)]


async def test_numbers_of_two_organizations_run_apart(database_url: str, organization: int) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        cursor = await connection.execute(
            "INSERT INTO organization (public_id, name, language, time_zone, default_range, requires_mail_domain)"
            " VALUES ('og_other', 'other', 'ja', 'Asia/Tokyo', '1y', false) RETURNING id"
        )
        (other,) = await cursor.fetchone() or (0,)
        for owner in (organization, other, other):
            await connection.execute("INSERT INTO event (organization_id, kind) VALUES (%s, 'x')", [owner])
        await number_events(connection)
        cursor = await connection.execute(
            "SELECT organization_id, array_agg(seq ORDER BY seq) FROM event GROUP BY 1 ORDER BY 1"
        )
        assert dict(await cursor.fetchall()) == {organization: [1], other: [1, 2]}
