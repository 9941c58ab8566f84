"""The feed of live pages, against a real PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import AsyncConnection

from fumibako.events import feed as feeds
from fumibako.events.feed import CHANNEL, Feed, topic_of
from fumibako.site import postgres

TARO, HANAKO = topic_of(1), topic_of(2)


@pytest.fixture
async def feed(cluster: postgres.Cluster) -> AsyncIterator[Feed]:
    """A feed that listens."""

    async def connect() -> AsyncConnection:
        return await AsyncConnection.connect(cluster.conninfo(), autocommit=True)

    feed = Feed(connect)
    running = asyncio.create_task(feed.run())
    await asyncio.wait_for(feed.hears.wait(), 5)
    yield feed
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def notify(cluster: postgres.Cluster, *topics: str) -> None:
    with psycopg.connect(cluster.conninfo(), autocommit=True) as connection:
        for topic in topics:
            connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, topic))


async def first(stream, timeout: float = 5.0) -> bool:
    return await asyncio.wait_for(anext(aiter(stream)), timeout)


@pytest.mark.lab
async def test_a_notice_reaches_the_pages_of_its_person_and_nobody_elses(feed, cluster):
    with feed.stream(TARO) as one, feed.stream(TARO) as other, feed.stream(HANAKO) as foreign:
        await asyncio.to_thread(notify, cluster, TARO)
        assert await first(one) is True
        assert await first(other) is True
        with pytest.raises(TimeoutError):
            await first(foreign, timeout=0.3)


@pytest.mark.lab
async def test_a_lost_connection_is_made_anew_and_every_page_asks_again(feed, cluster):
    with feed.stream(TARO) as stream:
        with psycopg.connect(cluster.conninfo(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%fumibako_live%%'"
            )
        assert await first(stream) is True
        await asyncio.wait_for(feed.hears.wait(), 5)
        await asyncio.to_thread(notify, cluster, TARO)
        assert await first(stream) is True


@pytest.mark.lab
async def test_where_listen_hears_nothing_pages_are_woken_now_and_then(cluster, monkeypatch):
    """Behind a pooler the proof is sent by another connection of the pool, or heard by nobody."""
    monkeypatch.setattr(feeds, "PROOF", 0.1)
    monkeypatch.setattr(feeds, "POLL", 0.05)

    class Deaf(AsyncConnection):
        async def notifies(self, **options):
            await asyncio.sleep(options["timeout"])
            return
            yield

    async def connect() -> AsyncConnection:
        return await Deaf.connect(cluster.conninfo(), autocommit=True)

    feed = Feed(connect)
    running = asyncio.create_task(feed.run())
    with feed.stream(TARO) as stream:
        changes = aiter(stream)
        for _ in range(3):
            assert await asyncio.wait_for(anext(changes), 5) is True
    assert not feed.hears.is_set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def never() -> AsyncConnection:
    raise AssertionError("no connection is needed")


async def test_a_burst_becomes_one_event_and_the_last_of_it_is_never_lost():
    feed = Feed(never)
    with feed.stream(TARO) as stream:
        changes = aiter(stream)
        for _ in range(50):
            feed.tell(TARO)
        assert await anext(changes) is True
        begin = time.monotonic()
        feed.tell(TARO)
        assert await asyncio.wait_for(anext(changes), 5) is True
        assert time.monotonic() - begin > feeds.PAUSE * 0.9


async def test_a_silent_stream_beats():
    feed = Feed(never)
    with feed.stream(TARO, heartbeat=0.05) as stream:
        changes = aiter(stream)
        assert [await anext(changes), await anext(changes)] == [False, False]


async def test_the_end_of_the_server_ends_every_stream():
    feed = Feed(never)
    with feed.stream(TARO) as one, feed.stream(HANAKO) as other:
        waiting = asyncio.gather(*(anext(aiter(stream), "ended") for stream in (one, other)))
        await asyncio.sleep(0)
        feed.end_all()
        assert await asyncio.wait_for(waiting, 5) == ["ended", "ended"]


async def test_closed_pages_are_forgotten():
    feed = Feed(never)
    with feed.stream(TARO):
        pass
    feed.tell(TARO)
    feed.tell_all()
