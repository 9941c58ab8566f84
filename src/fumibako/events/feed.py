"""The feed of live pages: "something of yours changed, ask again".

One connection a web process LISTENs on the channel `fumibako_live`; a payload names whose pages are meant (`pe:` and a
person's key). `Feed.run` hands each to the open `Stream`s of that person, which pages hold by server-sent events.
A stream keeps no events, only whether something changed since it was last asked: a burst becomes one.

What a NOTIFY during a lost connection said is gone, so every stream hears "changed" when the connection is back. Behind
a pooler that shares connections LISTEN succeeds and hears nothing; that is tried at each start, and then every stream
hears "changed" every few seconds instead.
"""

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from psycopg import AsyncConnection, Error, sql

logger = logging.getLogger(__name__)

CHANNEL = "fumibako_live"
PAUSE = 0.2  # seconds between two events of a stream, at least
HEARTBEAT = 15.0  # seconds without an event; proxies cut what is silent for a minute
PROOF = 1.0  # seconds in which LISTEN must hear its own connection
POLL = 3.0  # seconds between two "changed" where LISTEN hears nothing
ALIVE = 60.0  # seconds after which a silent connection is asked whether it lives
RETRY = 1.0  # seconds before a lost connection is made anew

Connect = Callable[[], Awaitable[AsyncConnection]]


def topic_of(person: int) -> str:
    """The payload that means the pages of the person with this key, as the senders' SQL writes it."""
    return f"pe:{person}"


class Stream:
    """One open page. Iterating gives True for "changed" and False for a heartbeat, until `end`."""

    def __init__(self, heartbeat: float = HEARTBEAT) -> None:
        self._heartbeat = heartbeat
        self._news = asyncio.Event()
        self._changed = False
        self._ended = False

    def tell(self) -> None:
        """Something changed."""
        self._changed = True
        self._news.set()

    def end(self) -> None:
        """No more."""
        self._ended = True
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[bool]:
        told = -PAUSE
        while not self._ended:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), self._heartbeat)
            if self._changed and not self._ended:
                await asyncio.sleep(max(0.0, told + PAUSE - time.monotonic()))
            if self._ended:
                return
            changed, self._changed = self._changed, False
            self._news.clear()
            if changed:
                told = time.monotonic()
            yield changed


class Feed:
    """All open streams of a process, by topic, and the connection that wakes them."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._streams: dict[str, set[Stream]] = {}
        self.hears = asyncio.Event()
        """Set while LISTEN is proved to hear; cleared while the connection is lost or polling takes its place."""

    @contextlib.contextmanager
    def stream(self, topic: str, *, heartbeat: float = HEARTBEAT) -> Iterator[Stream]:
        """An open stream of a topic; `heartbeat` in seconds."""
        stream = Stream(heartbeat)
        self._streams.setdefault(topic, set()).add(stream)
        try:
            yield stream
        finally:
            self._streams[topic].discard(stream)
            if not self._streams[topic]:
                del self._streams[topic]

    def tell(self, topic: str) -> None:
        """Wake the streams of a topic."""
        for stream in self._streams.get(topic, ()):
            stream.tell()

    def tell_all(self) -> None:
        """Wake every stream: something may have been missed."""
        for topic in self._streams:
            self.tell(topic)

    def end_all(self) -> None:
        """End every stream, so that the server can stop."""
        for streams in self._streams.values():
            for stream in streams:
                stream.end()

    async def run(self) -> None:
        """Listen until cancelled, through restarts of the database."""
        told = False
        while True:
            try:
                async with await self._connect() as connection:
                    told = False
                    await self._listen(connection)
            except Error:
                if not told:
                    logger.warning("The connection for live pages is lost; trying again every %d s.", RETRY)
                told = True
            self.hears.clear()
            await asyncio.sleep(RETRY)

    async def _listen(self, connection: AsyncConnection) -> None:
        """Hand out what is heard, until the connection is lost (raises psycopg.Error)."""
        proof = f"proof:{secrets.token_hex(8)}"
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        async with await self._connect() as other:
            await other.execute("SELECT pg_notify(%s, %s)", (CHANNEL, proof))
        self.tell_all()
        if not await self._heard(connection, proof):
            await self._poll(connection)
        self.hears.set()
        while True:
            async for notify in connection.notifies(timeout=ALIVE):
                self.tell(notify.payload)
            await connection.execute("SELECT 1")

    async def _heard(self, connection: AsyncConnection, proof: str) -> bool:
        heard = False
        async for notify in connection.notifies(timeout=PROOF):
            self.tell(notify.payload)
            if notify.payload == proof:
                heard = True
                break
        return heard

    async def _poll(self, connection: AsyncConnection) -> None:
        """Without LISTEN: wake everybody now and then, for as long as the database answers."""
        logger.warning(
            "LISTEN hears nothing: DATABASE_URL seems to lead through a connection pooler. Pages are renewed every "
            "%d s; set FUMIBAKO_DATABASE_DIRECT_URL to the database itself to have them live.",
            POLL,
        )
        while True:
            self.tell_all()
            await asyncio.sleep(POLL)
            await connection.execute("SELECT 1")
