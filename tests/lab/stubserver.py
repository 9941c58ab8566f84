"""A mail server for thousands of mailboxes over TLS, in a process of its own: whoever logs in has one.

    python -m tests.lab.stubserver PORT CONTROL_PORT CERTIFICATE KEY

Each mailbox has an INBOX of as many small mails as were delivered to it, and nothing else. It speaks IMAP4rev1 with
IDLE, as much of it as a client that only reads needs. Who runs the process delivers and looks through the control port:
one line of JSON in, one out.
"""

import asyncio
import base64
import contextlib
import json
import re
import socket
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from .ca import Certificate, CertificateAuthority
from .ports import free_port, running

HOST = "127.0.0.1"
CAPABILITIES = b"IMAP4rev1 AUTH=PLAIN SASL-IR LITERAL+ IDLE ID UIDPLUS"
_BODY = re.compile(rb"BODY(?:\.PEEK)?\[(HEADER)?\]")


def mail(address: str, uid: int) -> bytes:
    """The mail of a UID."""
    return (
        f"From: yamada@kyakusaki.example\r\nTo: {address}\r\nDate: Mon, 2 Nov 2026 10:00:00 +0900\r\n"
        f"Subject: mail {uid}\r\nMessage-ID: <{uid}.{address}>\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{uid}\r\n" + "見積書をお送りします。\r\n" * 20
    ).encode()


class Mailboxes:
    """How many mails each address has, and who is connected."""

    def __init__(self) -> None:
        self.mails: Counter[str] = Counter()
        self.sessions: dict[str, set[Session]] = defaultdict(set)
        self.connections = self.opened = self.closed = 0

    def deliver(self, addresses: list[str]) -> None:
        """One mail more for each."""
        for address in addresses:
            self.mails[address] += 1
            for session in self.sessions[address]:
                session.tell()

    def seen(self) -> "Seen":
        """How things stand."""
        watched = sorted(
            address for address, sessions in self.sessions.items() if any(session.watches for session in sessions)
        )
        return Seen(self.connections, self.opened, self.closed, watched)


@dataclass(frozen=True)
class Seen:
    """Connections now, those opened and closed so far, and whose mailboxes somebody waits for in IDLE."""

    connections: int
    opened: int
    closed: int
    watched: list[str]


class Session(asyncio.Protocol):
    """One connection. ``watches``: it has entered IDLE."""

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes
        self._transport: asyncio.Transport
        self._buffer = b""
        self._address = ""
        self._idle = b""
        self._told: int | None = None
        self.watches = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._mailboxes.connections += 1
        self._mailboxes.opened += 1
        self._transport.write(b"* OK [CAPABILITY " + CAPABILITIES + b"] stub\r\n")

    def connection_lost(self, error: Exception | None) -> None:
        self._mailboxes.connections -= 1
        self._mailboxes.closed += 1
        self._mailboxes.sessions[self._address].discard(self)

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\r\n")
        self._transport.write(b"".join(self._answer(line) for line in lines))

    def tell(self) -> None:
        """A mail has come."""
        if self._idle:
            self._transport.write(self._news())

    def _news(self) -> bytes:
        count = self._mailboxes.mails[self._address]
        if self._told is None or self._told == count:
            return b""
        self._told = count
        return b"* %d EXISTS\r\n" % count

    def _answer(self, line: bytes) -> bytes:
        if self._idle:
            tag, self._idle = self._idle, b""
            return self._news() + tag + b" OK done\r\n"
        tag, _, rest = line.partition(b" ")
        verb, _, rest = rest.partition(b" ")
        if verb == b"IDLE":
            self._idle, self.watches = tag, True
            return b"+ idling\r\n" + self._news()
        if verb == b"UID":
            verb, _, rest = rest.partition(b" ")
        answer = _ANSWERS[verb](self, rest) if verb in _ANSWERS else b""
        return answer + (b"" if verb in (b"SEARCH", b"FETCH") else self._news()) + tag + b" OK done\r\n"

    def _authenticate(self, rest: bytes) -> bytes:
        self._address = base64.b64decode(rest.split()[1]).split(b"\0")[1].decode()
        self._mailboxes.sessions[self._address].add(self)
        return b""

    def _examine(self, rest: bytes) -> bytes:
        self._told = count = self._mailboxes.mails[self._address]
        return b"* FLAGS (\\Seen)\r\n* %d EXISTS\r\n* OK [UIDVALIDITY 1] v\r\n* OK [UIDNEXT %d] n\r\n" % (
            count,
            count + 1,
        )

    def _status(self, rest: bytes) -> bytes:
        count = self._mailboxes.mails[self._address]
        return b"* STATUS INBOX (MESSAGES %d UIDNEXT %d UIDVALIDITY 1)\r\n" % (count, count + 1)

    def _search(self, rest: bytes) -> bytes:
        sequence = rest.partition(b"UID ")[2] or b"1:*"
        return b"* SEARCH%s\r\n" % b"".join(b" %d" % uid for uid in self._numbers(sequence))

    def _fetch(self, rest: bytes) -> bytes:
        sequence, _, items = rest.partition(b" ")
        return b"".join(self._fetched(uid, items) for uid in self._numbers(sequence))

    def _fetched(self, uid: int, items: bytes) -> bytes:
        letter = mail(self._address, uid)
        given = b"UID %d FLAGS () RFC822.SIZE %d" % (uid, len(letter))
        given += b' INTERNALDATE "02-Nov-2026 10:00:00 +0900"'
        if asked := _BODY.search(items):
            section = asked.group(1) or b""
            body = letter.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if section else letter
            given += b" BODY[%s] {%d}\r\n" % (section, len(body)) + body
        return b"* %d FETCH (%s)\r\n" % (uid, given)

    def _numbers(self, sequence: bytes) -> list[int]:
        """The UIDs of a sequence set; nothing is ever removed, so they are the message numbers as well."""
        last = self._told or 0
        found: set[int] = set()
        for piece in sequence.split(b","):
            low, high = ([last if end == b"*" else int(end) for end in piece.split(b":")] * 2)[:2]
            found.update(range(max(1, min(low, high)), min(last, max(low, high)) + 1))
        return sorted(found)


_ANSWERS: dict[bytes, Callable[[Session, bytes], bytes]] = {
    b"CAPABILITY": lambda session, rest: b"* CAPABILITY " + CAPABILITIES + b"\r\n",
    b"ID": lambda session, rest: b"* ID NIL\r\n",
    b"LIST": lambda session, rest: b'* LIST (\\HasNoChildren) "/" INBOX\r\n',
    b"LOGOUT": lambda session, rest: b"* BYE\r\n",
    b"AUTHENTICATE": Session._authenticate,
    b"EXAMINE": Session._examine,
    b"STATUS": Session._status,
    b"SEARCH": Session._search,
    b"FETCH": Session._fetch,
}


@dataclass(frozen=True)
class StubServer:
    """A running server."""

    authority: CertificateAuthority
    imaps_port: int
    control_port: int

    @property
    def imap_port(self) -> int:
        """There is only the one with TLS."""
        return self.imaps_port

    def deliver(self, *addresses: str) -> None:
        """Deliver a mail to each."""
        self._say(list(addresses))

    def seen(self) -> Seen:
        """Who is connected."""
        return Seen(**self._say(None))

    def _say(self, words: list[str] | None) -> dict:
        with socket.create_connection((HOST, self.control_port), timeout=30) as control:
            control.sendall(json.dumps(words).encode() + b"\n")
            return json.loads(control.makefile().readline())


@contextlib.contextmanager
def running_stubserver(authority: CertificateAuthority) -> Iterator[StubServer]:
    """Run it until the block ends."""
    certificate = authority.issue(HOST)
    server = StubServer(authority, free_port(HOST), free_port(HOST))
    ports = (server.imaps_port, server.control_port)
    argv = [sys.executable, "-m", "tests.lab.stubserver", *map(str, ports), certificate.cert, certificate.key]
    with running(argv, *ports):
        yield server


async def serve(port: int, control_port: int, certificate: Certificate) -> None:
    """Serve until ended."""
    mailboxes = Mailboxes()

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            if line := await reader.readline():
                mailboxes.deliver(json.loads(line) or [])
                writer.write(json.dumps(asdict(mailboxes.seen())).encode() + b"\n")
                await writer.drain()

    loop = asyncio.get_running_loop()
    mail = await loop.create_server(lambda: Session(mailboxes), HOST, port, ssl=certificate.context(), backlog=4096)
    async with mail, await asyncio.start_server(control, HOST, control_port, limit=1 << 20):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), Certificate(Path(sys.argv[3]), Path(sys.argv[4]))))
