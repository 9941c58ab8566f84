"""Mail servers of a few lines that say what a test wants and record every byte they get.

They stand in for hosts that cannot be had: one that must never see a password, one that locks, one that greets late.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from .ca import Certificate

IMAP_GREETING = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n"


@dataclass
class Recorder:
    """A running server: `got` is what clients have sent, inside TLS; `connections` how many came."""

    greeting: bytes
    login: bytes = b"NO [AUTHENTICATIONFAILED] no"
    got: bytearray = field(default_factory=bytearray)
    connections: int = 0
    logins: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client, line by line: commands of IMAP with a tag, else those of SMTP."""
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            writer.write(self.greeting)
            while line := await reader.readline():
                self.got += line
                if answer := self._answer(line.strip()):
                    writer.write(answer + b"\r\n")
                    await writer.drain()
        writer.transport.abort()

    def _answer(self, line: bytes) -> bytes:
        if self.greeting.startswith(b"220"):
            return self._smtp_answer(line.split(b" ")[0].upper())
        tag, _, rest = line.partition(b" ")
        verb = rest.split(b" ")[0].upper()
        if verb in (b"AUTHENTICATE", b"LOGIN"):
            self.logins += 1
            return self.login if self.login.startswith(b"*") else tag + b" " + self.login
        if verb == b"STARTTLS":
            return tag + b" BAD no"
        if verb == b"CAPABILITY":
            return b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\n" + tag + b" OK done"
        return tag + b" OK done"

    def _smtp_answer(self, verb: bytes) -> bytes:
        if verb == b"EHLO":
            return b"250-recorder\r\n250 AUTH PLAIN LOGIN"
        if verb == b"AUTH":
            self.logins += 1
            return self.login
        return b"221 bye" if verb == b"QUIT" else b"250 ok"


@contextlib.asynccontextmanager
async def recorder(
    host: str,
    port: int,
    certificate: Certificate | ssl.SSLContext | None,
    *,
    greeting: bytes = IMAP_GREETING,
    login: bytes = b"NO [AUTHENTICATIONFAILED] no",
) -> AsyncIterator[Recorder]:
    """Serve until the block ends; without a certificate in the clear. `login` is the answer to every login."""
    made = Recorder(greeting, login)
    context = certificate.context() if isinstance(certificate, Certificate) else certificate
    server = await asyncio.start_server(made.serve, host, port, ssl=context)
    try:
        yield made
    finally:
        server.close()
        for writer in made.writers:
            writer.transport.abort()
