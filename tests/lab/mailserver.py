"""What the tests may do with a mail server, whichever it is, and a person's other mail program that uses it.

Folder names are text, as the server lists them; `folder_name` makes one of its levels.
"""

import contextlib
import email.utils
import imaplib
import itertools
import re
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from fumibako.mail.imap.mutf7 import encode

from .ca import CertificateAuthority

HOUR = 3600.0  # seconds between two filled mails
_TAG = "PHONE"
_serial = itertools.count()
_COMMAND = re.compile(r"(\w+) ((?:UID )?[A-Z]{3,}\b.*)")
_ITEMS = re.compile(rb"UID (\d+)|RFC822\.SIZE (\d+)|FLAGS \(([^)]*)\)")


class MailServer(Protocol):
    """A real IMAP server on loopback. Its ports stay the same over `stop` and `start`."""

    name: str
    host: str
    imap_port: int
    imaps_port: int
    authority: CertificateAuthority

    def start(self) -> None:
        """Start it; returns once it answers."""

    def stop(self) -> None:
        """End it and every session that it serves."""

    def add_user(self, address: str, password: str) -> None:
        """Let a user log in with the address; done when the server knows it."""

    def folder_name(self, *levels: str) -> str:
        """The name of a folder beside INBOX, given its levels."""

    def fill(self, address: str, mails: Iterable[bytes], *, folder: str = "INBOX", seen: bool = True) -> int:
        """Put mails into a folder before it is first opened, an hour between them and the newest now; how many."""

    def deliver(self, address: str, mail: bytes) -> None:
        """A mail arrives in INBOX, unseen."""

    def reset_uidvalidity(self, address: str, folder: str = "INBOX") -> int:
        """Have the server number a folder's mails anew; returns the new UIDVALIDITY."""

    def record(self, address: str) -> None:
        """Write down from now on what the sessions of a user ask for."""

    def commands(self, address: str) -> list[str]:
        """The commands of recorded sessions, without tags and without those of `phone`."""

    def phone(self, address: str) -> "contextlib.AbstractContextManager[Phone]":
        """Log in as the user with another mail program."""


@dataclass(frozen=True)
class Listed:
    """A mail as the server lists it; without \\Recent, which every session changes."""

    uid: int
    size: int
    flags: frozenset[str]


class Phone:
    """Another mail program of the same person."""

    def __init__(self, session: imaplib.IMAP4) -> None:
        self._session = session

    def create(self, folder: str) -> None:
        """Create a folder."""
        _told(self._session.create(_quoted(folder)))

    def rename(self, folder: str, to: str) -> None:
        """Rename a folder."""
        _told(self._session.rename(_quoted(folder), _quoted(to)))

    def delete(self, folder: str) -> None:
        """Delete a folder with its mails."""
        _told(self._session.delete(_quoted(folder)))

    def open(self, folder: str) -> None:
        """Open a folder as one that may be changed."""
        _told(self._session.select(_quoted(folder)))

    def append(self, folder: str, mail: bytes, *flags: str, when: datetime | None = None) -> None:
        """Put a mail into a folder, with flags and its INTERNALDATE (now)."""
        date = imaplib.Time2Internaldate(when or datetime.now().astimezone())
        _told(self._session.append(_quoted(folder), f"({' '.join(flags)})", date, mail))

    def store(self, folder: str, uid: int, change: str, *flags: str) -> None:
        """Change the flags of a mail; `change` is "+FLAGS", "-FLAGS" or "FLAGS"."""
        self.open(folder)
        _told(self._session.uid("STORE", str(uid), f"{change}.SILENT", f"({' '.join(flags)})"))

    def copy(self, folder: str, uid: int, to: str) -> None:
        """Copy a mail."""
        self.open(folder)
        _told(self._session.uid("COPY", str(uid), _quoted(to)))

    def move(self, folder: str, uid: int, to: str) -> None:
        """Move a mail: by MOVE where the server can (RFC 6851), else by COPY and EXPUNGE."""
        if "MOVE" in self._session.capabilities:
            self.open(folder)
            _told(self._session.uid("MOVE", str(uid), _quoted(to)))
        else:
            self.copy(folder, uid, to)
            self.expunge(folder, uid)

    def expunge(self, folder: str, uid: int) -> None:
        """Remove a mail."""
        self.store(folder, uid, "+FLAGS", "\\Deleted")
        _told(self._session.expunge())

    def listing(self, folder: str) -> list[Listed]:
        """Every mail of a folder by UID, changing nothing."""
        if self._examine(folder) == 0:
            return []
        rows = _told(self._session.uid("FETCH", "1:*", "(UID RFC822.SIZE FLAGS)"))
        return sorted((_listed(row) for row in rows), key=lambda mail: mail.uid)

    def mails(self, folder: str) -> list[bytes]:
        """The bytes of every mail of a folder, changing nothing."""
        if self._examine(folder) == 0:
            return []
        rows = _told(self._session.fetch("1:*", "(BODY.PEEK[])"))
        return [row[1] for row in rows if isinstance(row, tuple)]

    def uidvalidity(self, folder: str) -> int:
        """The folder's UIDVALIDITY."""
        told = _told(self._session.status(_quoted(folder), "(UIDVALIDITY)"))
        return int(told[0].partition(b"(UIDVALIDITY ")[2].partition(b")")[0])

    def allow_all(self, folder: str, address: str) -> None:
        """Give a user every right over a folder (RFC 4314)."""
        _told(self._session.setacl(_quoted(folder), address, "lrswipkxtecdan"))

    def _examine(self, folder: str) -> int:
        return int(_told(self._session.select(_quoted(folder), readonly=True))[0])


@contextlib.contextmanager
def logged_in(host: str, port: int, address: str, password: str) -> Iterator[Phone]:
    """Log in in the clear until the block ends."""
    with imaplib.IMAP4(host, port) as session:
        answers = re.compile(rf"(?P<tag>{_TAG}\d+) (?P<type>[A-Z]+) (?P<data>.*)".encode(), re.DOTALL)
        vars(session).update(tagpre=_TAG.encode(), tagre=answers)
        session.authenticate("PLAIN", lambda _: f"\0{address}\0{password}".encode())
        yield Phone(session)


def commands_of(lines: Iterable[str]) -> list[str]:
    """The commands among the lines that a server has recorded, without tags and without a phone's."""
    found = (_COMMAND.fullmatch(line.strip()) for line in lines)
    return [command[2] for command in found if command and not command[1].startswith(_TAG)]


def append_many(
    host: str, port: int, address: str, password: str, folder: str, mails: list[bytes], *, seen: bool
) -> None:
    """Put mails into a folder by one APPEND (RFC 3502, 7888), an hour between them and the newest now."""
    flags, now = "\\Seen" if seen else "", time.time()
    with socket.create_connection((host, port), timeout=60) as sock, sock.makefile("rb") as answers:
        sock.sendall(f'{_TAG}L LOGIN "{address}" {{{len(password.encode())}+}}\r\n{password}\r\n'.encode())
        sock.sendall(f"{_TAG}A APPEND {_quoted(folder)}".encode())
        for number, mail in enumerate(mails):
            when = imaplib.Time2Internaldate(now - HOUR * (len(mails) - number))
            sock.sendall(f" ({flags}) {when} {{{len(mail)}+}}\r\n".encode() + mail)
        sock.sendall(f"\r\n{_TAG}Q LOGOUT\r\n".encode())
        refused = [line for line in answers if line.startswith(_TAG.encode()) and line.split(b" ")[1] != b"OK"]
    if refused:
        raise RuntimeError(f"APPEND refused: {refused[0]!r}")


@dataclass(frozen=True)
class Filed:
    """A mail as a file of a Maildir: its name there, and its time in seconds, which becomes INTERNALDATE."""

    name: str
    mail: bytes
    when: float


def filed(mails: Iterable[bytes], *, seen: bool, newest: float | None = None) -> list[Filed]:
    """Mails as files of a Maildir, an hour between them; their names sort like they do.

    ``newest``: the time of the last, in seconds; an hour ago where it is not said.
    """
    letters, end = list(mails), time.time() - HOUR if newest is None else newest
    made = []
    for number, mail in enumerate(letters):
        when = end - HOUR * (len(letters) - 1 - number)
        virtual = len(mail) + mail.count(b"\n") - mail.count(b"\r\n")
        name = f"{int(when)}.M{next(_serial):06d}P1.lab,S={len(mail)},W={virtual}:2,{'S' if seen else ''}"
        made.append(Filed(name, mail, when))
    return made


def sample_mail(number: int, size: int = 3000, to: str = "taro@example.jp") -> bytes:
    """A plausible Japanese mail of about `size` bytes."""
    line = "お世話になっております。見積書をお送りします。\r\n"
    body = line * (size // len(line.encode()) + 1)
    date = email.utils.formatdate(1_700_000_000 + number * HOUR)
    return (
        f"From: =?UTF-8?B?5bGx55Sw?= <yamada{number % 50}@kyakusaki{number % 20}.example>\r\nTo: {to}\r\n"
        f"Date: {date}\r\nSubject: =?UTF-8?B?6KaL56mN?= {number}\r\nMessage-ID: <mail{number}@kyakusaki.example>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        f"{number}\r\n{body}"
    ).encode()


def _quoted(folder: str) -> str:
    return f'"{encode(folder).decode()}"'


def _told(answer: tuple[str, Any]) -> list[Any]:
    """What the server said. Raises RuntimeError for NO and BAD."""
    if answer[0] != "OK":
        raise RuntimeError(f"{answer[0]}: {answer[1]!r}")
    return list(answer[1])


def _listed(row: bytes) -> Listed:
    values = {match.lastindex: match[match.lastindex or 0] for match in _ITEMS.finditer(row)}
    flags = frozenset(values[3].decode().split()) - {"\\Recent"}
    return Listed(int(values[1]), int(values[2]), flags)
