"""A TCP proxy on loopback through which things go wrong: connections cut, silent, slow or far away.

    async with FaultProxy(port, Faults(round_trip=0.05)) as proxy: ...   # in a loop of one's own
    with faulty(port, Faults(cut_after=65536)) as proxy: ...             # in a thread, for tests and processes

`proxy.port` leads to the server. `proxy.faults` may be replaced while it runs: what is under way obeys the new ones.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

CHUNK = 65536  # bytes read at a time
DRIP = 0.05  # seconds between two pieces on a slow way
LOOPBACK = "127.0.0.1"
_CLOSE_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER of no time: the peer gets a reset


@dataclass(frozen=True)
class Faults:
    """What goes wrong. Bytes are those from the server on one connection.

    `round_trip`: seconds that a question and its answer take longer, without a limit on what is under way.
    `rate`: bytes a second. `cut_after`: the byte behind which a connection is reset; `cuts` how many are, None all.
    `silent_after`: the byte behind which nothing comes any more in either direction, though no connection ends.
    """

    round_trip: float = 0.0
    rate: float | None = None
    cut_after: int | None = None
    cuts: int | None = 1
    silent_after: int | None = None


@dataclass
class FaultProxy:
    """Listens from entering to leaving, on `port`."""

    target: int
    faults: Faults = field(default_factory=Faults)
    host: str = LOOPBACK
    port: int = 0
    cut: int = 0
    _server: asyncio.Server | None = None
    _connections: "set[asyncio.Task[None]]" = field(default_factory=set)

    async def __aenter__(self) -> "FaultProxy":
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with contextlib.suppress(asyncio.CancelledError):  # the proxy closes
            await _Passage(self, reader, writer).run()
        self._connections.discard(task)


@dataclass
class _Passage:
    """One connection through the proxy."""

    proxy: FaultProxy
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    answered: int = 0

    async def run(self) -> None:
        writers = [self.writer]
        try:
            reader, writer = await asyncio.open_connection(self.proxy.host, self.proxy.target)
            writers.append(writer)
            if self.proxy.faults.rate is not None:  # little is under way when the server ends
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(self.reader, writer, answers=False))
                both.create_task(self._pump(reader, self.writer, answers=True))
        except* OSError:
            pass
        finally:
            for one in writers:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        """Pass on what comes, each piece half a round trip after it came; ends both ways by ConnectionError."""
        clock = asyncio.get_running_loop().time
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

        async def hand_over() -> None:
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(max(0.0, due - clock()))
                writer.write(data)
                await writer.drain()
                if not data:
                    raise ConnectionResetError

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hand_over())
            while data := await reader.read(self._piece()):
                passed = await self._let_through(data, answers=answers)
                await under_way.put((clock() + self.proxy.faults.round_trip / 2, passed))
            await under_way.put((clock() + self.proxy.faults.round_trip / 2, b""))

    def _piece(self) -> int:
        """Bytes to read at a time: little where the way is slow, so that it drips."""
        rate = self.proxy.faults.rate
        return CHUNK if rate is None else max(1, min(CHUNK, int(rate * DRIP)))

    async def _let_through(self, data: bytes, *, answers: bool) -> bytes:
        """What of this piece is passed on. Raises ConnectionResetError at a cut; never returns after a silence."""
        faults = self.proxy.faults
        if answers:
            before, self.answered = self.answered, self.answered + len(data)
            if faults.cut_after is not None and self.answered >= faults.cut_after and faults.cuts != self.proxy.cut:
                self.proxy.cut += 1
                self._reset(data[: max(0, faults.cut_after - before)])
        if faults.silent_after is not None and self.answered >= faults.silent_after:
            await asyncio.get_running_loop().create_future()
        if answers and faults.rate is not None:
            await asyncio.sleep(len(data) / faults.rate)
        return data

    def _reset(self, last: bytes) -> None:
        self.writer.write(last)
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_AT_ONCE)
        raise ConnectionResetError


@contextlib.contextmanager
def faulty(*targets: int, faults: Faults | list[Faults] | None = None) -> Iterator[list[FaultProxy]]:
    """Run a proxy for each target in a thread until the block ends; `faults` for all alike or one for each."""
    each = faults if isinstance(faults, list) else [faults or Faults()] * len(targets)
    proxies = [FaultProxy(target, one) for target, one in zip(targets, each, strict=True)]
    ready, loop, over = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for proxy in proxies:
                await stack.enter_async_context(proxy)
            ready.set()
            await over.wait()

    def run() -> None:
        with contextlib.closing(loop):
            loop.run_until_complete(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield proxies
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
