"""A TCP proxy that delays every byte by half a round trip each way, in a process of its own.

python -m bench.lab.delay HOST PORT TARGET_PORT SECONDS
"""

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import Iterator

import uvloop

from tests.lab.ports import free_port, running

MOST = 32 << 20  # bytes on their way; more would be a line without end


class Side(asyncio.Protocol):
    """One end: what it receives is written to the other end after the delay."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._full = False
        self.transport: asyncio.Transport | None = None
        self.other: Side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Hold it for the delay."""
        self._queue.append((self._loop.time() + self._delay, data))
        self._size += len(data)
        if self._size > MOST:
            self.transport.pause_reading()
        if self._timer is None:
            self._timer = self._loop.call_later(self._delay, self.pass_on)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self.other.pass_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._loop.call_later(self._delay, self.other.close)

    def close(self) -> None:
        """Close this end."""
        if self.transport is not None:
            self.transport.close()

    def pass_on(self) -> None:
        """Write what has been held long enough, unless the other end is still busy."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, ready, size = self._loop.time(), [], self._size
        while self._queue and self._queue[0][0] <= now + 0.0005 and self.other.open:
            ready.append(self._queue.popleft()[1])
            self._size -= len(ready[-1])
        if ready:
            self.other.transport.writelines(ready)
        if size > MOST >= self._size:
            self.transport.resume_reading()
        if self._queue and (self.other.open or self.other.transport is None):
            self._timer = self._loop.call_at(max(self._queue[0][0], now + 0.001), self.pass_on)

    @property
    def open(self) -> bool:
        """Whether it can be written to now."""
        return self.transport is not None and not self._full


@contextlib.contextmanager
def delaying(target: int, round_trip: float, host: str = "127.0.0.1") -> Iterator[int]:
    """Run it before a port of the same host until the block ends; gives its own port."""
    port = free_port(host)
    argv = [sys.executable, "-m", "bench.lab.delay", host, str(port), str(target), str(round_trip / 2)]
    with running(argv, port, host=host):
        yield port


async def serve(host: str, port: int, target: int, delay: float) -> None:
    """Serve until ended."""
    loop, pending = asyncio.get_running_loop(), set()

    def accept() -> Side:
        near, far = Side(delay), Side(delay)
        near.other, far.other = far, near
        task = loop.create_task(loop.create_connection(lambda: far, host, target))
        pending.add(task)
        task.add_done_callback(pending.discard)
        return near

    server = await loop.create_server(accept, host, port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
