"""An IMAP server that says what a test wants it to say."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_network

from fumibako.mail.connect import AllowedNetwork, Authority, IPAddress, Network, Security, Server
from tests.lab.ca import CertificateAuthority

Handler = Callable[["Talk"], Awaitable[None]]
LOOPBACK = (AllowedNetwork(ip_network("127.0.0.0/8")), AllowedNetwork(ip_network("::1/128")))


@dataclass
class Talk:
    """The server's side of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[bytes] = field(default_factory=list)

    async def say(self, *lines: bytes) -> None:
        """Send lines."""
        self.writer.write(b"".join(line + b"\r\n" for line in lines))
        await self.writer.drain()

    async def hear(self) -> bytes:
        """The next line without its tag; `tag` is kept. Empty at the end."""
        line = (await self.reader.readline()).rstrip(b"\r\n")
        self.heard.append(line)
        self.tag, _, rest = line.partition(b" ")
        return rest

    async def ok(self, words: bytes = b"done") -> None:
        """End the last command."""
        await self.say(self.tag + b" OK " + words)

    tag: bytes = b""


@dataclass
class Scripted:
    """A running server: where it is, the network to reach it by, and what it has heard."""

    server: Server
    network: Network
    talks: list[Talk]

    @property
    def heard(self) -> bytes:
        """All lines of all connections."""
        return b"\n".join(line for talk in self.talks for line in talk.heard)


@contextlib.asynccontextmanager
async def scripted(
    authority: CertificateAuthority,
    handler: Handler,
    *,
    security: Security = Security.TLS,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[Scripted]:
    """Serve on a free port with TLS (or in the clear, for STARTTLS) until the block ends."""
    talks: list[Talk] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Talk(reader, writer)
        talks.append(talk)
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            await handler(talk)
        writer.transport.abort()

    if context is None and security is Security.TLS:
        context = authority.issue("127.0.0.1").context()
    running = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    address: tuple[str, int] = running.sockets[0].getsockname()
    try:
        yield Scripted(Server("127.0.0.1", address[1], security), trusting(authority, address[1]), talks)
    finally:
        running.close()
        for talk in talks:
            talk.writer.transport.abort()
        await running.wait_closed()


def trusting(authority: CertificateAuthority, *ports: int) -> Network:
    """A network where loopback may be reached and the tests' authority is believed on these ports."""
    here: IPAddress = ip_network("127.0.0.1/32").network_address
    return Network(
        private=LOOPBACK,
        authorities=(Authority(authority.cafile, frozenset((here, port) for port in ports)),),
    )
