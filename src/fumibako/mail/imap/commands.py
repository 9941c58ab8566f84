"""Commands to bytes. Only those of `Verb` can be written, and none of them can change a mailbox.

A command's representation shows its name and never an argument: arguments hold passwords.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from .. import sasl

LONGEST_QUOTED = 1000  # bytes; longer strings go as literals, since servers limit a line
LITERAL_MINUS_LIMIT = 4096  # bytes of a non-synchronizing literal under LITERAL- (RFC 7888 §5)


class Verb(StrEnum):
    """Everything that this client can say. Folders are opened by EXAMINE alone."""

    AUTHENTICATE = "AUTHENTICATE"
    CAPABILITY = "CAPABILITY"
    COMPRESS = "COMPRESS"
    ENABLE = "ENABLE"
    EXAMINE = "EXAMINE"
    FETCH = "FETCH"
    ID = "ID"
    IDLE = "IDLE"
    LIST = "LIST"
    LOGIN = "LOGIN"
    LOGOUT = "LOGOUT"
    NAMESPACE = "NAMESPACE"
    NOOP = "NOOP"
    NOTIFY = "NOTIFY"
    STARTTLS = "STARTTLS"
    STATUS = "STATUS"
    UID_FETCH = "UID FETCH"
    UID_SEARCH = "UID SEARCH"


@dataclass(frozen=True)
class String:
    """An argument whose bytes are the server's or the person's: quoted, or a literal where it must be."""

    value: bytes


@dataclass(frozen=True)
class Words:
    """A list in parentheses as an argument."""

    members: tuple["Argument", ...]


Argument = bytes | String | Words


@dataclass(frozen=True, repr=False)
class Command:
    """A verb, its arguments (bytes go as they are), and what is said when the server asks for more."""

    verb: Verb
    arguments: tuple[Argument, ...] = ()
    answers: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        raw = [part for part in (*_flat(self.arguments), *self.answers) if isinstance(part, bytes)]
        if any(byte in part for part in raw for byte in (b"\r", b"\n", b"\0")):
            raise ValueError(f"{self.verb}: an argument holds a line break")

    def __repr__(self) -> str:
        return f"<{self.verb} …>" if self.arguments or self.answers else f"<{self.verb}>"


def _flat(arguments: Sequence[Argument]) -> Iterator[bytes | String]:
    """The arguments with lists spelled out, parentheses as members of their own."""
    for argument in arguments:
        if isinstance(argument, Words):
            yield from (b"(", *_flat(argument.members), b")")
        else:
            yield argument


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def encode(tag: str, command: Command, capabilities: frozenset[str]) -> list[bytes]:
    """The command in the pieces to send: after each but the last, wait until the server says "+" (RFC 9051 §2.2.1)."""
    pieces = [f"{tag} {command.verb}".encode()]
    before: bytes | String = b""
    for argument in _flat(command.arguments):
        if argument != b")" and before != b"(":
            pieces[-1] += b" "
        before = argument
        if isinstance(argument, bytes):
            pieces[-1] += argument
        elif _quotable(argument.value):
            pieces[-1] += _quoted(argument.value)
        elif _without_waiting(len(argument.value), capabilities):
            pieces[-1] += b"{%d+}\r\n" % len(argument.value) + argument.value
        else:
            pieces[-1] += b"{%d}\r\n" % len(argument.value)
            pieces.append(argument.value)
    pieces[-1] += b"\r\n"
    return pieces + [answer + b"\r\n" for answer in command.answers]


def _quotable(value: bytes) -> bool:
    return len(value) <= LONGEST_QUOTED and all(0x20 <= byte < 0x7F for byte in value)


def _quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _without_waiting(length: int, capabilities: frozenset[str]) -> bool:
    """A server of IMAP4rev2 alone has LITERAL- within (RFC 9051 §4.3)."""
    only_rev2 = "IMAP4REV2" in capabilities and "IMAP4REV1" not in capabilities
    short = length <= LITERAL_MINUS_LIMIT and (only_rev2 or "LITERAL-" in capabilities)
    return short or "LITERAL+" in capabilities


def authenticate_plain(username: str, secret: str, *, at_once: bool) -> Command:
    """AUTHENTICATE PLAIN; `at_once` where SASL-IR is announced (RFC 4959)."""
    message = base64.b64encode(sasl.plain(username, secret))
    if at_once:
        return Command(Verb.AUTHENTICATE, (b"PLAIN", message))
    return Command(Verb.AUTHENTICATE, (b"PLAIN",), (message,))


def authenticate_login(username: str, secret: str) -> Command:
    """AUTHENTICATE LOGIN, for servers that have neither PLAIN nor the command LOGIN."""
    return Command(Verb.AUTHENTICATE, (b"LOGIN",), tuple(map(base64.b64encode, sasl.login(username, secret))))


def login(username: str, secret: str) -> Command:
    """The command LOGIN; what is not ASCII goes as a literal in UTF-8."""
    name, password = sasl.login(username, secret)
    return Command(Verb.LOGIN, (String(name), String(password)))


def identify(fields: dict[str, str]) -> Command:
    """ID with what we say of ourselves (RFC 2971)."""
    words = (word for pair in fields.items() for word in pair)
    return Command(Verb.ID, (b"(" + b" ".join(_quoted(word.encode("ascii")) for word in words) + b")",))


def enable(extensions: Sequence[str]) -> Command:
    """ENABLE (RFC 5161)."""
    return Command(Verb.ENABLE, tuple(name.encode("ascii") for name in extensions))


def list_folders(*, special_use: bool, status: Sequence[str] = ()) -> Command:
    """LIST of everything; `special_use` asks for what each folder is for (RFC 6154 §5.1), `status` as RFC 5819."""
    asked = ["SPECIAL-USE"] if special_use else []
    if status:
        asked.append(f"STATUS ({' '.join(status)})")
    extension = (f"RETURN ({' '.join(asked)})".encode("ascii"),) if asked else ()
    return Command(Verb.LIST, (b'""', b'"*"', *extension))


def status(name_raw: bytes, items: Sequence[str]) -> Command:
    """STATUS of a folder by its name as the server gave it."""
    return Command(Verb.STATUS, (String(name_raw), f"({' '.join(items)})".encode("ascii")))


def examine(name_raw: bytes, *, condstore: bool) -> Command:
    """EXAMINE; `condstore` makes the server tell HIGHESTMODSEQ (RFC 7162 §3.1.8)."""
    return Command(Verb.EXAMINE, (String(name_raw), *((b"(CONDSTORE)",) if condstore else ())))


def resync(name_raw: bytes, uidvalidity: int, modseq: int, known: str) -> Command:
    """EXAMINE that tells what has changed since; `known` is a sequence set or empty (RFC 7162 §3.2.5)."""
    parameter = f"(QRESYNC ({uidvalidity} {modseq}{' ' if known else ''}{known}))"
    return Command(Verb.EXAMINE, (String(name_raw), parameter.encode("ascii")))


def notify(names: Sequence[bytes], *, personal: bool) -> Command:
    """NOTIFY SET (RFC 5465 §4): changes of the open folder and of those named; `personal`: folders come and go."""
    events = b"(MessageNew MessageExpunge FlagChange)"
    groups: list[Argument] = [Words((b"selected", events))]
    if names:
        groups.append(Words((b"mailboxes", Words(tuple(map(String, names))), events)))
    if personal:
        groups.append(b"(personal (MailboxName))")
    return Command(Verb.NOTIFY, (b"SET", *groups))


def uid_search(criteria: bytes, *, extended: bool) -> Command:
    """UID SEARCH; `extended` for an answer in ranges (RFC 4731)."""
    return Command(Verb.UID_SEARCH, (*((b"RETURN (ALL)",) if extended else ()), criteria))


_SEQUENCE = re.compile(r"(?:\d+|\*)(?::(?:\d+|\*))?(?:,(?:\d+|\*)(?::(?:\d+|\*))?)*")
_SETS_SEEN = re.compile(r"(?<![\w.-])(?:BODY\[|BINARY\[|RFC822(?!\.SIZE|\.HEADER))", re.IGNORECASE)  # RFC 9051 §6.4.5


def since(day: date) -> bytes:
    """Search criteria: what arrived on ``day`` or later (RFC 9051 §6.4.4); English months whatever the locale."""
    return f"SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}".encode()


def fetch(sequence: str, items: str, *, uid: bool, changed_since: int | None = None) -> Command:
    """FETCH or UID FETCH. Raises ValueError for items that would set \\Seen, and for what is no sequence set."""
    if not _SEQUENCE.fullmatch(sequence):
        raise ValueError(f"not a sequence set: {sequence[:40]!r}")
    if _SETS_SEEN.search(items):
        raise ValueError(f"these items would mark the mail as read: {items}")
    modifier = () if changed_since is None else (b"(CHANGEDSINCE %d)" % changed_since,)  # RFC 7162 §3.1.4.1
    return Command(Verb.UID_FETCH if uid else Verb.FETCH, (sequence.encode(), items.encode("ascii"), *modifier))
