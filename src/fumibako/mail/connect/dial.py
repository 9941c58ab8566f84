"""Opening the socket: resolve once, keep what the guard permits, connect to exactly that (RFC 8305)."""

import asyncio
import errno
import os
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from .errors import AddressRefused, ConnectError, Dropped, Refused, TimedOut, Unreachable
from .guard import IPAddress
from .network import Network, Server
from .tls import tls_failure

DIAL_TIMEOUT = 15.0  # seconds for look-up and TCP connection together
ATTEMPT_DELAY = 0.25  # seconds before the next address is tried beside the last (RFC 8305 §5)
MOST_ADDRESSES = 8  # of one host that are tried


@dataclass(frozen=True)
class Dialed:
    """A connected, non-blocking TCP socket, the address that it leads to, and how long it took."""

    sock: socket.socket
    address: IPAddress
    ms: int


async def dial(server: Server, network: Network, *, timeout: float = DIAL_TIMEOUT) -> Dialed:
    """Resolve once, keep what the guard permits, connect to the first of those that answers (RFC 8305).

    The caller owns the socket. `timeout` in seconds covers look-up and connection. Raises AddressRefused, NameNotFound,
    DnsFailure, Refused, Unreachable, TimedOut, Dropped.
    """
    started = time.monotonic()
    try:
        async with asyncio.timeout(timeout):
            found = await network.addresses(server.host)
            allowed = [address for address in found if network.permits(address, server.port)]
            if not allowed:
                raise AddressRefused("not an address that mail connections may go to")
            sock, address = await _race(allowed[:MOST_ADDRESSES], server)
    except TimeoutError:
        raise TimedOut("no connection in time", host=server.host, port=server.port) from None
    except ConnectError as error:
        error.host, error.port = server.host, server.port
        raise
    return Dialed(sock, address, round((time.monotonic() - started) * 1000))


async def _race(addresses: Sequence[IPAddress], server: Server) -> tuple[socket.socket, IPAddress]:
    """One attempt after the other, the next as soon as the last has failed or taken ATTEMPT_DELAY."""
    waiting = list(addresses)
    attempts: dict[asyncio.Task[socket.socket], IPAddress] = {}
    failures: list[ConnectError] = []
    try:
        while waiting or attempts:
            if waiting:
                address = waiting.pop(0)
                attempts[asyncio.create_task(_attempt(address, server.port))] = address
            done, _ = await asyncio.wait(
                attempts, timeout=ATTEMPT_DELAY if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                address = attempts.pop(task)
                error = task.exception()
                if error is None:
                    return task.result(), address
                if not isinstance(error, OSError):
                    raise error
                failures.append(connect_failure(error, server, address))
    finally:
        await _give_up(attempts)
    raise min(failures, key=lambda failure: _TELLING.index(type(failure)))


async def _attempt(address: IPAddress, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
    except BaseException:
        sock.close()
        raise
    return sock


async def _give_up(attempts: Iterable[asyncio.Task[socket.socket]]) -> None:
    """End the attempts that lost, and close the socket of one that came in at the same moment."""
    tasks = list(attempts)
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, socket.socket):
            outcome.close()


_TELLING = (Refused, Dropped, TimedOut, Unreachable)
_ERRNO = {
    errno.ECONNREFUSED: Refused,
    errno.ECONNRESET: Dropped,
    errno.ECONNABORTED: Dropped,
    errno.EPIPE: Dropped,
    errno.ENOTCONN: Dropped,
    errno.ETIMEDOUT: TimedOut,
}


def connect_failure(error: OSError, server: Server, address: IPAddress | None = None) -> ConnectError:
    """What a failed connection means: an OSError, TimeoutError or ssl.SSLError as one of the ConnectError family."""
    if isinstance(error, ssl.SSLError):
        return tls_failure(error, server, address)
    if isinstance(error, TimeoutError):
        kind: type[ConnectError] = TimedOut
    elif isinstance(error, ConnectionError) and error.errno is None:
        kind = Dropped
    else:
        kind = _ERRNO.get(error.errno or 0, Unreachable)
    reason = os.strerror(error.errno) if error.errno else ""
    return kind(reason, host=server.host, port=server.port, address=address)
