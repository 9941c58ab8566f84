"""From the bytes of mails to rows of the archive, in PostgreSQL's binary COPY form.

Runs in a child process, without Django and without a database: what it makes is copied into the tables as it is.
The form: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

import hashlib
import json
import secrets
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import zstandard

from fumibako.mail.letter import PARSER_VERSION, Address, Letter, fingerprint, glance, parse

PIECE = 8_100  # bytes of raw mail in a row: the most that fits a page as PLAIN storage
TEXT_LIMIT = 2_000_000  # characters of a mail's text that are kept for reading and searching
THREAD_KEYS = 60  # Message-IDs of one mail that are kept: its own, those it answers, the last of its References
DAY = 86_400_000_000  # microseconds
_EPOCH = 946_684_800_000_000  # microseconds from 1970 to PostgreSQL's 2000-01-01
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_HALF = 62**11

COLUMNS: dict[str, tuple[str, ...]] = {
    "message": (
        "organization_id",
        "id",
        "public_id",
        "mailbox_id",
        "sha256",
        "fingerprint",
        "emailid",
        "size",
        "internal_date",
        "date",
        "sort_at",
        "origin",
        "outgoing",
        "message_id",
        "subject",
        "from_name",
        "from_address",
        "recipients",
        "snippet",
        "attachments",
        "has_html",
        "parser_version",
        "unreadable",
        "skipped",
        "stored_at",
    ),
    "body": ("organization_id", "message_id", "text"),
    "raw": ("organization_id", "message_id", "n", "body"),
    "placement": ("organization_id", "folder_id", "uidvalidity", "uid", "message_id", "flags", "modseq"),
    "attachment": (
        "organization_id",
        "message_id",
        "n",
        "part",
        "name",
        "content_type",
        "size",
        "sha256",
        "content_id",
        "inline",
    ),
    "thread_key": ("organization_id", "message_id", "mailbox_id", "key", "own"),
}
"""The tables in the order in which they are copied, so that foreign keys find their rows."""


@dataclass(frozen=True)
class Where:
    """Which folder the mails are from. ``own`` are the mailbox's own addresses, folded to lower case.

    ``live_since`` is in microseconds since 1970: the last proof of life before the server numbered the folder anew.
    """

    organization: int
    mailbox: int
    folder: int
    uidvalidity: int
    role: str
    linked_uidnext: int
    own: tuple[str, ...]
    live_since: int | None = None

    def is_live(self, entry: "Entry") -> bool:
        """Whether a mail is new and no history (design rule 4)."""
        if entry.uid >= self.linked_uidnext:
            return True
        return self.live_since is not None and entry.internal_date >= self.live_since and not entry.old


class Entry(NamedTuple):
    """One fetched mail: where its bytes lie, and what the server said of it.

    ``internal_date`` is in microseconds since 1970. ``skipped`` says why only the header was fetched, ``unreadable``
    why it is not to be parsed. ``old`` is no new mail whenever it arrived: another server has taken it over.
    """

    offset: int
    length: int
    uid: int
    flags: tuple[str, ...]
    internal_date: int
    size: int
    modseq: int | None = None
    emailid: str | None = None
    skipped: str | None = None
    unreadable: str | None = None
    old: bool = False


class Stored(NamedTuple):
    """What became of an entry: the message it is, whether that message is not stored yet, and whether it is live."""

    uid: int
    message: int
    sha256: str | None
    new: bool
    live: bool


class Scope(StrEnum):
    """What is made of mails: every row; all but the text, which follows (``TEXT``) when nobody waits for it."""

    ALL = "all"
    LIST = "list"
    TEXT = "text"


class Tables:
    """Rows under construction, a list of byte strings per table."""

    def __init__(self) -> None:
        self.rows: dict[str, list[bytes | memoryview]] = {name: [] for name in COLUMNS}


class Builder:
    """Makes the rows of batches; keeps the compressor from one to the next."""

    def __init__(self) -> None:
        self._compress = zstandard.ZstdCompressor(level=1).compress
        self._decompress = zstandard.ZstdDecompressor().decompress

    def build(
        self,
        where: Where,
        entries: Sequence[Entry],
        mails: Sequence[memoryview],
        ids: Sequence[int],
        known: dict[str, int],
        scope: Scope = Scope.ALL,
    ) -> tuple[Tables, list[Stored]]:
        """Return the rows of these mails and what each became.

        ``ids`` are free message ids, one an entry. ``known`` maps a SHA-256 (hex) to the message that has these bytes
        already: such an entry becomes a placement only.
        """
        tables, stored = Tables(), []
        here = dict(known)
        placements = tables.rows["placement"]
        place = _PLACE.pack(7, 8, where.organization, 8, where.folder, 8, where.uidvalidity)
        for entry, mail, new_id in zip(entries, mails, ids, strict=True):
            source = bytes(mail)
            digest = None if entry.skipped else hashlib.sha256(source).digest()
            name = digest.hex() if digest else None
            message = here.get(name) if name else None
            is_new = message is None
            live = where.is_live(entry)
            if message is None:
                message = new_id
                if name:
                    here[name] = message
                self._message(tables, where, entry, source, message, digest, live, scope)
            placements += (
                place,
                _TWO_INT8.pack(8, entry.uid, 8, message),
                _texts(entry.flags),
                _int8(entry.modseq) if entry.modseq is not None else _NULL,
            )
            stored.append(Stored(entry.uid, message, name, is_new, live))
        return tables, stored

    def texts(
        self, where: Where, entries: Sequence[Entry], packed: Sequence[memoryview], ids: Sequence[int]
    ) -> tuple[Tables, list[Stored]]:
        """Return the rows of the texts of stored messages, from their raw bytes as they are stored."""
        tables, stored = Tables(), []
        for entry, mail, message in zip(entries, packed, ids, strict=True):
            text = "" if entry.unreadable else parse(self._decompress(mail)).text
            tables.rows["body"] += (_BEGINNING.pack(3, 8, where.organization, 8, message), _text(text[:TEXT_LIMIT]))
            stored.append(Stored(entry.uid, message, None, new=False, live=False))
        return tables, stored

    def _message(
        self,
        tables: Tables,
        where: Where,
        entry: Entry,
        source: bytes,
        message: int,
        digest: bytes | None,
        live: bool,
        scope: Scope,
    ) -> None:
        read = glance if scope is Scope.LIST else parse
        letter = _UNREAD if entry.unreadable else read(source)
        organization, rows = where.organization, tables.rows
        origin = "live" if live else "history"
        date = _micros(letter)
        sender = letter.from_ or letter.sender
        name, address = (sender[0].name, sender[0].address) if sender else ("", "")
        files = letter.attachments
        rows["message"] += (
            _BEGINNING.pack(len(COLUMNS["message"]), 8, organization, 8, message),
            _text(message_public_id()),
            _int8(where.mailbox),
            _bytes(digest) if digest else _NULL,
            _bytes(letter.fingerprint or fingerprint(source)),
            _text(entry.emailid) if entry.emailid else _NULL,
            _TWO_INT8.pack(8, entry.size, 8, entry.internal_date - _EPOCH),
            _time(date) if date is not None else _NULL,
            _time(_sort_at(entry.internal_date, date, origin)),
            _text(origin),
            _bool(where.role == "sent" or address.casefold() in where.own),
            _text(letter.message_id),
            _text(letter.subject),
            _text(name),
            _text(address),
            _json(_recipients(letter)),
            _text(letter.snippet),
            _int2(min(sum(not file.inline for file in files), 32_767)),
            _bool(letter.html is not None),
            _int2(PARSER_VERSION),
            _text(entry.unreadable) if entry.unreadable else _NULL,
            _text(entry.skipped) if entry.skipped else _NULL,
            _time(time.time_ns() // 1000),
        )
        if scope is Scope.ALL or entry.unreadable:
            rows["body"] += (_BEGINNING.pack(3, 8, organization, 8, message), _text(letter.text[:TEXT_LIMIT]))
        packed = memoryview(self._compress(source))
        for n, at in enumerate(range(0, len(packed), PIECE)):
            piece = packed[at : at + PIECE]
            rows["raw"] += (_RAW.pack(4, 8, organization, 8, message, 2, n, len(piece)), piece)
        for n, file in enumerate(files[:32_767]):
            rows["attachment"] += (
                _BEGINNING.pack(len(COLUMNS["attachment"]), 8, organization, 8, message),
                _int2(n),
                _text(file.part),
                _text(file.name),
                _text(file.content_type),
                _int8(file.size),
                _bytes(file.sha256),
                _text(file.content_id) if file.content_id else _NULL,
                _bool(file.inline),
            )
        for key, own in _thread_keys(letter).items():
            rows["thread_key"].append(
                _THREAD_KEY.pack(5, 8, organization, 8, message, 8, where.mailbox, 8, key, 1, own)
            )


_UNREAD = Letter("", "", (), (), (), (), (), (), None, (), (), "", False, "", None, "", b"", ())


def blob(rows: Iterable[bytes | memoryview]) -> bytes:
    """The rows of one table as a binary COPY stream."""
    return b"".join((_HEADER, *rows, _TRAILER))


def message_public_id() -> str:
    """A new public id of a message: 48 bits of time, so that its index grows at one end, and 80 random bits."""
    high, low = divmod((time.time_ns() // 1_000_000) << 80 | secrets.randbits(80), _HALF)
    digits = []
    for number in (low, high):
        for _ in range(5):
            number, pair = divmod(number, len(_PAIRS))
            digits.append(_PAIRS[pair])
        digits.append(_ALPHABET[number])
    return "ms_" + "".join(reversed(digits))


def thread_key(message_id: str) -> int:
    """A Message-ID as 64 bits, signed as PostgreSQL's bigint is."""
    return int.from_bytes(hashlib.sha256(message_id.encode()).digest()[:8], "big", signed=True)


def _thread_keys(letter: Letter) -> dict[int, bool]:
    others = (*letter.in_reply_to, *letter.references[::-1])[: THREAD_KEYS - 1]
    keys = {thread_key(other): False for other in others}
    if letter.message_id:
        keys[thread_key(letter.message_id)] = True
    return keys


def _recipients(letter: Letter) -> dict[str, list[list[str]]]:
    fields: dict[str, tuple[Address, ...]] = {
        "to": letter.to,
        "cc": letter.cc,
        "bcc": letter.bcc,
        "reply_to": letter.reply_to,
        "sender": letter.sender,
    }
    if len(letter.from_) > 1:
        fields["from"] = letter.from_
    return {name: [[who.name, who.address] for who in people] for name, people in fields.items() if people}


def _micros(letter: Letter) -> int | None:
    if letter.date is None:
        return None
    try:
        return int(letter.date.timestamp() * 1_000_000)
    except (OverflowError, ValueError, OSError):
        return None


def _sort_at(internal: int, date: int | None, origin: str) -> int:
    """Live mail by INTERNALDATE; history by a readable Date that is at most a day later, else INTERNALDATE."""
    if origin == "history" and date is not None and date <= internal + DAY:
        return date
    return internal


_INT2 = struct.Struct("!ih")
_INT8 = struct.Struct("!iq")
_LENGTH = struct.Struct("!i")
_TWO_INT8 = struct.Struct("!iqiq")
_BEGINNING = struct.Struct("!hiqiq")  # how many fields, organization and message
_RAW = struct.Struct("!hiqiqihi")
_PLACE = struct.Struct("!hiqiqiq")
_THREAD_KEY = struct.Struct("!hiqiqiqiqi?")
_NULL = _LENGTH.pack(-1)
_TRUE, _FALSE = b"\x00\x00\x00\x01\x01", b"\x00\x00\x00\x01\x00"
_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"
_TEXT_OID = 25
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode


def _int2(value: int) -> bytes:
    return _INT2.pack(2, value)


def _int8(value: int) -> bytes:
    return _INT8.pack(8, value)


def _time(micros: int) -> bytes:
    return _INT8.pack(8, micros - _EPOCH)


def _bool(value: bool) -> bytes:
    return _TRUE if value else _FALSE


def _bytes(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


def _text(value: str) -> bytes:
    if "\x00" in value:
        value = value.replace("\x00", "")
    return _bytes(value.encode("utf-8", "replace"))


def _json(value: object) -> bytes:
    return _bytes(b"\x01" + _ENCODE(value).replace("\\u0000", "").encode("utf-8", "replace"))


@lru_cache(maxsize=1024)
def _texts(values: tuple[str, ...]) -> bytes:
    if not values:
        return _bytes(struct.pack("!iii", 0, 0, _TEXT_OID))
    items = b"".join(_text(value) for value in values)
    return _bytes(struct.pack("!iiiii", 1, 0, _TEXT_OID, len(values), 1) + items)
