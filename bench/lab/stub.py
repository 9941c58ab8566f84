"""A mail server with empty mailboxes for everybody, over TLS in a process of its own: connections are cheap.

python -m bench.lab.stub HOST PORT CERTIFICATE KEY
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import uvloop

from tests.lab.ca import Certificate
from tests.lab.ports import free_port, running

CAPABILITIES = b"IMAP4rev1 SASL-IR LITERAL+ IDLE ID UIDPLUS SPECIAL-USE"
_ANSWERS = {
    b"CAPABILITY": b"* CAPABILITY " + CAPABILITIES + b"\r\n",
    b"ID": b"* ID NIL\r\n",
    b"LIST": b'* LIST (\\HasNoChildren) "/" INBOX\r\n* LIST (\\HasNoChildren \\Sent) "/" Sent\r\n',
    b"EXAMINE": b"* FLAGS (\\Seen)\r\n* 0 EXISTS\r\n* OK [UIDVALIDITY 1] v\r\n* OK [UIDNEXT 1] n\r\n",
    b"UID": b"* SEARCH\r\n",
    b"LOGOUT": b"* BYE\r\n",
}


class Session(asyncio.Protocol):
    """One connection."""

    __slots__ = ("_idle", "_transport")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._idle = b""
        transport.write(b"* OK [CAPABILITY " + CAPABILITIES + b"] stub\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer whole lines: clients of the bench send no line in two pieces."""
        for line in data.splitlines():
            self._transport.write(self._answer(line))

    def _answer(self, line: bytes) -> bytes:
        if line.upper() == b"DONE":
            return self._idle + b" OK done\r\n"
        tag, verb, *words = line.split()
        if verb == b"IDLE":
            self._idle = tag
            return b"+ idling\r\n"
        if verb == b"STATUS":
            return b"* STATUS %s (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 1)\r\n%s OK done\r\n" % (words[0], tag)
        return _ANSWERS.get(verb, b"") + tag + b" OK done\r\n"


@contextlib.contextmanager
def running_stub(certificate: Certificate, host: str = "127.0.0.1") -> Iterator[int]:
    """Run it until the block ends; gives its port."""
    port = free_port(host)
    argv = [sys.executable, "-m", "bench.lab.stub", host, str(port), certificate.cert, certificate.key]
    with running(argv, port, host=host):
        yield port


async def serve(host: str, port: int, certificate: Certificate) -> None:
    """Serve until ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Session, host, port, ssl=certificate.context(), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), Certificate(Path(sys.argv[3]), Path(sys.argv[4]))))
