"""A small IMAP server that serves one person's folders honestly, but for one fault.

    class NamesNoSize(Session):
        def size(self, mail: Mail) -> int:
            return 0

    with running(authority, NamesNoSize) as server:
        server.folder("INBOX").add(b"...")

What a fault changes is a method of `Session`, the server's side of one connection. It runs in a thread of the test's
process over TLS, at a loopback address of its own: budgets and limits of one server are not those of another. It speaks
as much of IMAP4rev1 (RFC 3501) and IDLE as a client needs that only reads, and refuses all that would change a mail.
"""

import asyncio
import contextlib
import re
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from fumibako.mail.imap.mutf7 import encode

from .ca import CertificateAuthority
from .mailhost import loopback_address

PASSWORD = "password"
_EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}$")
_WORDS = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\((?:[^()]|\([^)]*\))*\))|(\S+)')


@dataclass(frozen=True)
class Mail:
    """A mail in a folder; a minute lies between two of them."""

    uid: int
    body: bytes

    @property
    def arrived(self) -> bytes:
        """INTERNALDATE."""
        return (_EPOCH + timedelta(minutes=self.uid)).strftime("%d-%b-%Y %H:%M:%S +0000").encode()


@dataclass
class Folder:
    """A folder by its name on the wire, with what LIST says of it."""

    name: bytes
    attributes: bytes = b""
    mails: dict[int, Mail] = field(default_factory=dict)
    uidnext: int = 1
    uidvalidity: int = 7

    def add(self, *bodies: bytes) -> None:
        """Mails arrive."""
        for body in bodies:
            self.mails[self.uidnext] = Mail(self.uidnext, body)
            self.uidnext += 1


class Session:
    """One connection to an honest server. Answers are lists of lines without their CRLF."""

    capabilities: ClassVar[bytes] = b"IMAP4rev1 AUTH=PLAIN SASL-IR IDLE UIDPLUS"

    def __init__(self, server: "OddServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer
        self.open: Folder | None = None
        self.seen: list[int] = []  # UIDs by message number, as this connection has been told
        self.changed = asyncio.Event()

    async def run(self) -> None:
        """Talk until one side has enough."""
        await self.say(b"* OK [CAPABILITY " + self.capabilities + b"] ready")
        while (command := await self._hear()) is not None:
            tag, _, rest = command.partition(b" ")
            verb, _, rest = rest.partition(b" ")
            if verb.upper() == b"UID":
                verb, _, rest = rest.partition(b" ")
                verb = b"UID " + verb
            self.server.commands.append(f"{verb.decode()} {rest.decode('latin-1')}")
            answer = getattr(self, "on_" + verb.decode().lower().replace(" ", "_"), None)
            end = b"BAD unknown" if answer is None else await answer([_word(word) for word in _WORDS.findall(rest)])
            await self.say(tag + b" " + (end or b"OK done"))
            if verb == b"LOGOUT":
                return

    async def say(self, *lines: bytes) -> None:
        """Send lines."""
        self.writer.write(b"".join(line + b"\r\n" for line in lines))
        await self.writer.drain()

    async def _hear(self) -> bytes | None:
        """The next command, its literals as quoted strings; None at the end."""
        command = b""
        while line := await self.reader.readline():
            command += line.rstrip(b"\r\n")
            if (literal := _LITERAL.search(command)) is None:
                return command
            if not literal[2]:
                await self.say(b"+ go on")
            text = await self.reader.readexactly(int(literal[1]))
            command = command[: literal.start()] + b'"' + re.sub(rb'(["\\])', rb"\\\1", text) + b'"'
        return None

    async def on_capability(self, words: list[bytes]) -> None:
        await self.say(b"* CAPABILITY " + self.capabilities)

    async def on_authenticate(self, words: list[bytes]) -> None:
        self.server.logins += 1

    async def on_list(self, words: list[bytes]) -> None:
        await self.say(*(b'* LIST (%s) "/" %s' % (one.attributes, _quoted(one.name)) for one in self.server.folders))

    async def on_status(self, words: list[bytes]) -> bytes | None:
        folder = self.server.find(words[0])
        if folder is None or b"\\Noselect" in folder.attributes:
            return b"NO [NONEXISTENT] there is no such folder"
        told = b" ".join(
            b"%s %d" % (item, value)
            for item, value in self.numbers(folder).items()
            if item in words[1].strip(b"()").split()
        )
        await self.say(b"* STATUS %s (%s)" % (_quoted(folder.name), told))
        return None

    def numbers(self, folder: Folder) -> dict[bytes, int]:
        """What STATUS tells."""
        return {b"MESSAGES": len(folder.mails), b"UIDNEXT": folder.uidnext, b"UIDVALIDITY": folder.uidvalidity}

    async def on_examine(self, words: list[bytes]) -> bytes | None:
        self.open = self.server.find(words[0])
        if self.open is None or b"\\Noselect" in self.open.attributes:
            return b"NO [NONEXISTENT] there is no such folder"
        self.seen = sorted(self.open.mails)
        codes = {name: value for name, value in self.numbers(self.open).items() if name != b"MESSAGES"}
        await self.say(
            b"* FLAGS (\\Seen)",
            b"* %d EXISTS" % len(self.seen),
            *(b"* OK [%s %d]" % code for code in codes.items()),
        )
        return b"OK [READ-ONLY] opened"

    async def on_uid_search(self, words: list[bytes]) -> None:
        found = set(self.seen)
        if b"UID" in words:
            found &= set(self.uids(words[words.index(b"UID") + 1]))
        await self.say(b"* SEARCH" + b"".join(b" %d" % uid for uid in sorted(found)))

    async def on_uid_fetch(self, words: list[bytes]) -> None:
        await self.give([self.mail(uid) for uid in self.uids(words[0])], words[1])

    async def on_fetch(self, words: list[bytes]) -> None:
        asked = numbers(words[0], len(self.seen))
        await self.give([self.mail(self.seen[n - 1]) for n in asked if n <= len(self.seen)], words[1])

    async def give(self, mails: list[Mail], items: bytes) -> None:
        """Answer a FETCH."""
        for mail in mails:
            await self.say(self.fetched(mail, items))

    def fetched(self, mail: Mail, items: bytes) -> bytes:
        """One mail's answer to a FETCH."""
        told = [b"UID %d" % mail.uid, b"FLAGS (\\Seen)"]
        if b"INTERNALDATE" in items:
            told.append(b'INTERNALDATE "%s"' % mail.arrived)
        if b"RFC822.SIZE" in items:
            told.append(b"RFC822.SIZE %d" % self.size(mail))
        if b"BODY.PEEK[" in items:
            told.append(self.body(mail, items))
        return b"* %d FETCH (%s)" % (self.seen.index(mail.uid) + 1, b" ".join(told))

    def size(self, mail: Mail) -> int:
        """What the server says of a mail's size."""
        return len(mail.body)

    def body(self, mail: Mail, items: bytes) -> bytes:
        """The item with a mail's bytes."""
        part = re.search(rb"BODY\.PEEK(\[[^\]]*\])", items)
        assert part is not None
        given = mail.body if part[1] == b"[]" else mail.body.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return b"BODY%s {%d}\r\n%s" % (part[1], len(given), given)

    def mail(self, uid: int) -> Mail:
        """A mail of the open folder."""
        assert self.open is not None
        return self.open.mails[uid]

    def uids(self, sequence: bytes) -> list[int]:
        """The UIDs of a sequence set that are there."""
        named = set(numbers(sequence, self.seen[-1] if self.seen else 0))
        return [uid for uid in self.seen if uid in named and uid in (self.open.mails if self.open else ())]

    async def on_noop(self, words: list[bytes]) -> None:
        await self.tell()

    async def on_idle(self, words: list[bytes]) -> None:
        await self.say(b"+ idling")
        done = asyncio.ensure_future(self.reader.readline())
        try:
            while not done.done():
                await self.tell()
                self.changed.clear()
                change = asyncio.ensure_future(self.changed.wait())
                await asyncio.wait((done, change), return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
        finally:
            done.cancel()

    async def tell(self) -> None:
        """Say what has changed in the open folder since this connection was last told."""
        if self.open is None:
            return
        for uid in [uid for uid in self.seen if uid not in self.open.mails]:
            await self.say(b"* %d EXPUNGE" % (self.seen.index(uid) + 1))
            self.seen.remove(uid)
        if new := [uid for uid in sorted(self.open.mails) if uid not in self.seen]:
            self.seen += new
            await self.say(b"* %d EXISTS" % len(self.seen))

    async def on_unselect(self, words: list[bytes]) -> None:
        self.open = None

    on_close = on_unselect

    async def on_logout(self, words: list[bytes]) -> None:
        await self.say(b"* BYE see you")


class OddServer:
    """A running server: its folders, and what it has been asked for by all connections together."""

    def __init__(self, session: type[Session], authority: CertificateAuthority, host: str) -> None:
        self.session = session
        self.authority = authority
        self.host = host
        self.imaps_port = 0
        self.folders = [Folder(b"INBOX")]
        self.commands: list[str] = []
        self.logins = 0
        self.connections: set[Session] = set()
        self.loop = asyncio.new_event_loop()

    def add_folder(self, name: str | bytes, attributes: bytes = b"") -> Folder:
        """One more folder; text is encoded as its name is on the wire (RFC 3501 section 5.1.3)."""
        folder = Folder(name if isinstance(name, bytes) else encode(name), attributes)
        self.folders.append(folder)
        return folder

    def find(self, name: bytes) -> Folder | None:
        """The folder of a name on the wire."""
        return next((one for one in self.folders if one.name == name), None)

    @property
    def imap_port(self) -> int:
        """There is only the one with TLS."""
        return self.imaps_port

    @property
    def inbox(self) -> Folder:
        """The first folder."""
        return self.folders[0]

    def deliver(self, *bodies: bytes) -> None:
        """Mails arrive in INBOX, and whoever waits is told."""
        self.loop.call_soon_threadsafe(self._deliver, bodies)

    def _deliver(self, bodies: tuple[bytes, ...]) -> None:
        self.inbox.add(*bodies)
        for connection in self.connections:
            connection.changed.set()

    def asked(self, verb: str) -> list[str]:
        """The commands that began so."""
        return [command for command in list(self.commands) if command.startswith(verb)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client."""
        session = self.session(self, reader, writer)
        self.connections.add(session)
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await session.run()  # cancelled at the end of the block
        self.connections.discard(session)
        writer.transport.abort()

    @contextlib.asynccontextmanager
    async def listening(self, context: ssl.SSLContext) -> AsyncIterator[None]:
        """Serve until the block ends, on a free port of the server's address."""
        server = await asyncio.start_server(self.serve, self.host, 0, ssl=context)
        self.imaps_port = server.sockets[0].getsockname()[1]
        yield
        server.close()
        for session in list(self.connections):
            session.writer.transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def running(authority: CertificateAuthority, session: type[Session] = Session) -> Iterator[OddServer]:
    """Run a server in a thread until the block ends."""
    server = OddServer(session, authority, loopback_address())
    context = authority.issue(server.host).context()
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with server.listening(context):
            ready.set()
            await over.wait()

    def run() -> None:
        with contextlib.closing(server.loop):
            server.loop.run_until_complete(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        server.loop.call_soon_threadsafe(over.set)
        thread.join(10)


def numbers(sequence: bytes, last: int) -> list[int]:
    """The numbers of a sequence set (RFC 3501 section 9), in its order."""
    found: list[int] = []
    for piece in sequence.split(b","):
        low, high = sorted(last if end == b"*" else int(end) for end in (piece.split(b":") * 2)[:2])
        found += range(low, min(high, max(last, low)) + 1)
    return found


def _word(found: tuple[bytes, bytes, bytes]) -> bytes:
    quoted, listed, plain = found
    return re.sub(rb"\\(.)", rb"\1", quoted) if not (listed or plain) else listed or plain


def _quoted(name: bytes) -> bytes:
    return b'"' + re.sub(rb'(["\\])', rb"\\\1", name) + b'"'
