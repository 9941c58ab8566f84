"""One logical line of a server, literals included, to a response (RFC 9051 §9).

Theory of operation: most of an import's lines are FETCH answers of one shape, so `_fetched_fast` reads those by one
pattern per item; whatever it does not know goes to `Reader`, which knows the whole grammar of values. A line that
cannot be read is `Other(damaged=True)`: it costs that line and nothing else.
"""

import functools
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from . import mutf7
from .responses import (
    Capabilities,
    Condition,
    Continuation,
    Enabled,
    Exists,
    Expunged,
    Fetched,
    Flags,
    Found,
    Listed,
    Named,
    Namespace,
    Namespaces,
    Other,
    Response,
    Status,
    Vanished,
)
from .uids import UidSet
from .values import Body, GrammarError, Literal, Reader, Value

LONGEST_WORDS = 1000  # characters of a server's text that are kept
USUAL_CAPABILITIES = 4000  # characters of a capability list that is shared between connections

_CONDITIONS = frozenset({b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"})
_UNTAGGED = re.compile(rb"\* +(?:(\d{1,10}) +)?([A-Za-z][A-Za-z0-9-]*) ?")
_TAGGED = re.compile(rb"([A-Za-z0-9.]{1,32}) +(OK|NO|BAD)(?: +|$)", re.IGNORECASE)
_TEXT = re.compile(rb"(?:\[([^\s\]]+)(?: ([^\]]*))?\] ?)?(.*)", re.DOTALL)


def takes_literals(segment: bytes) -> bool:
    """Whether a line that begins so can hold literals: not where free text follows, which may end in "{5}" as well."""
    found = _UNTAGGED.match(segment)
    return found is not None and found[2].upper() not in _CONDITIONS


def is_whole_body(segments: Sequence[bytes]) -> bool:
    """Whether the literal that follows these parts of a line is a whole mail of FETCH."""
    return b" FETCH " in segments[0][:20].upper() and segments[-1][-8:].rstrip().upper().endswith(b"BODY[]")


def parse(segments: Sequence[bytes], literals: Sequence[Literal]) -> Response:
    """A logical line: its text without line ends, split where a literal stood, and the literals in between."""
    first = segments[0]
    if first[:1] == b"*":
        return _parse_untagged(segments, literals)
    if first[:1] == b"+":
        return Continuation(_decoded(first[2:]))
    tagged = _TAGGED.match(first)
    if tagged is None:
        return Other("", damaged=True)
    return _condition(tagged[2], first[tagged.end() :], tagged[1].decode("ascii"))


def _parse_untagged(segments: Sequence[bytes], literals: Sequence[Literal]) -> Response:
    head = _UNTAGGED.match(segments[0])
    if head is None:
        return Other("", damaged=True)
    keyword = head[2].upper()
    number = None if head[1] is None else int(head[1])
    try:
        if keyword == b"FETCH" and number is not None:
            return _fetched_fast(number, segments, literals, head.end()) or _fetched(
                number, Reader(segments, literals, head.end())
            )
        if keyword in _CONDITIONS:
            return _condition(keyword, segments[0][head.end() :], None)
        if number is not None:
            return _NUMBERED[keyword](number) if keyword in _NUMBERED else Other(keyword.decode())
        if keyword in _PARSERS:
            return _PARSERS[keyword](Reader(segments, literals, head.end()))
    except (GrammarError, ValueError, OverflowError):
        return Other(keyword.decode(), damaged=True)
    return Other(keyword.decode())


def _condition(kind: bytes, rest: bytes, tag: str | None) -> Condition:
    found = _TEXT.fullmatch(rest)
    assert found is not None  # the pattern takes any bytes
    code, argument, words = found.groups()
    return Condition(
        kind.upper().decode(),
        None if code is None else _decoded(code).upper(),
        _decoded(argument or b"", longest=len(rest)),
        _decoded(words).strip(),
        tag,
    )


def _decoded(raw: bytes, longest: int = LONGEST_WORDS) -> str:
    return raw[: 4 * longest].decode("utf-8", "replace")[:longest]


_ITEM = re.compile(
    rb" ?(?:UID (?P<uid>\d{1,10})|RFC822\.SIZE (?P<size>\d{1,19})|FLAGS \((?P<flags>[^()\"]*)\)"
    rb'|INTERNALDATE "(?P<date>[^"\\]*)"|MODSEQ \((?P<modseq>\d{1,20})\)|EMAILID \((?P<emailid>[^()\s]+)\)'
    rb"|X-GM-MSGID (?P<gmail>\d{1,20})"
    rb"|(?P<body>BODY\[\]) $|(?P<end>\))$)"
)


def _fetched_fast(seq: int, segments: Sequence[bytes], literals: Sequence[Literal], at: int) -> Fetched | None:
    """The usual answer: known items once each, at most one literal, which is the body and comes last."""
    if len(segments) > 2 or (len(segments) == 2 and segments[1] != b")"):
        return None
    text = segments[0]
    if text[at : at + 1] != b"(":
        return None
    at += 1
    uid = flags = date = size = modseq = emailid = None
    while (item := _ITEM.match(text, at)) is not None:
        at = item.end()
        match item.lastgroup:
            case "uid":
                uid = int(item[1])
            case "size":
                size = int(item[2])
            case "flags":
                flags = _flags(item[3])
            case "date":
                date = _date(item[4])
            case "modseq":
                modseq = int(item[5])
            case "emailid":
                emailid = item[6].decode("ascii", "replace")
            case "gmail":
                emailid = item[7].decode("ascii")
            case "body" if len(segments) == 2 and isinstance(literals[0], Body):
                body = literals[0]
                return Fetched(seq, uid, flags, date, size, modseq, emailid, body.content, body.skipped)
            case "end" if len(segments) == 1:
                return Fetched(seq, uid, flags, date, size, modseq, emailid)
            case _:
                return None
    return None


def _fetched(seq: int, reader: Reader) -> Fetched:
    """Any FETCH answer; items that we do not know are passed over."""
    items = reader.whole_list()
    if len(items) % 2:
        raise GrammarError("an item without a value")
    known: dict[str, Value] = {}
    sections: dict[str, bytes] = {}
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, bytes):
            raise GrammarError("an item without a name")
        name = key.decode("ascii", "replace").upper()
        if "[" in name and name != "BODY[]":
            sections[name] = value if isinstance(value, bytes) else b""
        else:
            known[name] = value
    body = known.get("BODY[]", _ABSENT)
    return Fetched(
        seq,
        uid=_integer(known.get("UID")),
        flags=_names(known["FLAGS"]) if isinstance(known.get("FLAGS"), list) else None,
        internaldate=_date(_first(known.get("INTERNALDATE")) or b""),
        size=_integer(known.get("RFC822.SIZE")),
        modseq=_integer(_first(known.get("MODSEQ"))),
        emailid=_optional_text(_first(known.get("EMAILID")) or _first(known.get("X-GM-MSGID"))),
        body=None if body is _ABSENT else body.content if isinstance(body, Body) else _first(body) or b"",
        skipped=body.skipped if isinstance(body, Body) else 0,
        sections=sections,
    )


_ABSENT: list[Value] = []


def _first(value: Value) -> bytes | None:
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, bytes) else None


def _integer(value: Value) -> int | None:
    return int(value) if isinstance(value, bytes) and value.isdigit() and len(value) <= 20 else None


def _optional_text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode("utf-8", "replace")


@functools.lru_cache(maxsize=1024)
def _flags(raw: bytes) -> tuple[str, ...]:
    return tuple(raw.decode("utf-8", "replace").split())


def _names(value: Value) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise GrammarError("not a list of names")
    return tuple(item.decode("utf-8", "replace") for item in value if isinstance(item, bytes))


_DATE = re.compile(rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-]\d{4})")
_MONTHS = {
    name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}


def _date(raw: bytes) -> datetime | None:
    """INTERNALDATE; None where the server gives none that exists."""
    found = _DATE.fullmatch(raw)
    if found is None:
        return None
    day, month, year, hour, minute, second, zone = found.groups()
    try:
        return datetime(
            int(year),
            _MONTHS.get(month.lower(), 0),
            int(day),
            int(hour),
            int(minute),
            min(int(second), 59),  # a leap second
            tzinfo=_zone(zone),
        )
    except ValueError:
        return None


@functools.lru_cache(maxsize=128)
def _zone(raw: bytes) -> timezone:
    hours, minutes = int(raw[1:3]), int(raw[3:5])
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if raw[:1] == b"-" else offset) if offset else UTC


_SPECIAL = (
    *("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash", "\\Important"),  # RFC 6154, 8457
    *("\\Noselect", "\\NonExistent", "\\Noinferiors", "\\HasChildren", "\\HasNoChildren", "\\Subscribed", "\\Remote"),
)
_CANONICAL = {name.lower(): name for name in _SPECIAL}


_EXTENDED_ITEMS_FOLLOW = re.compile(rb' \((?:"|[A-Z-]+ \()')  # RFC 5258 §6, mbox-list-extended
_STATUS_ITEMS_FOLLOW = re.compile(rb" \([^()]*\) ?$")


def _listed(reader: Reader) -> Listed:
    attributes = _names(reader.value())
    delimiter = reader.value()
    raw = reader.mailbox(_EXTENDED_ITEMS_FOLLOW)
    return Listed(
        raw,
        "INBOX" if raw.upper() == b"INBOX" else mutf7.decode(raw),  # RFC 9051 §5.1: in any case of letters
        _delimiter(delimiter),
        frozenset(_CANONICAL.get(name.lower(), name) for name in attributes),
        old_name_raw=_old_name(reader),
    )


def _delimiter(value: Value) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) and value else None


def _old_name(reader: Reader) -> bytes | None:
    """The name before a renaming, among the extended items of LIST (RFC 5465 §5.4)."""
    if not reader.rest().lstrip().startswith(b"("):
        return None
    extended = reader.whole_list()
    for key, value in zip(extended[::2], extended[1::2], strict=False):
        if isinstance(key, bytes) and key.upper() == b"OLDNAME":
            return _first(value)
    return None


def _status(reader: Reader) -> Status:
    name = reader.mailbox(_STATUS_ITEMS_FOLLOW)
    items = reader.whole_list()
    told = {
        key.decode("ascii", "replace").lower(): _integer(value)
        for key, value in zip(items[::2], items[1::2], strict=False)
        if isinstance(key, bytes)
    }
    return Status(name, **{item: told.get(item) for item in STATUS_ITEMS})


STATUS_ITEMS = ("messages", "uidnext", "uidvalidity", "highestmodseq", "size", "unseen")


def _search(reader: Reader) -> Found:
    words = reader.rest().partition(b"(")[0].split()  # RFC 7162 §3.1.5 ends it with "(MODSEQ n)"
    return Found(UidSet.of(map(_number, words)))


def _esearch(reader: Reader) -> Found:
    correlator = _CORRELATOR.search(reader.rest())
    words = reader.rest().split()
    told = dict(pairwise(word.upper() for word in words))
    return Found(
        _numbers(told[b"ALL"]) if b"ALL" in told else UidSet(),
        correlator[1].decode("ascii", "replace") if correlator else None,
    )


_CORRELATOR = re.compile(rb'\(TAG "?([^")\s]+)"?\)', re.IGNORECASE)  # RFC 4466 §2.6.2


def _vanished(reader: Reader) -> Vanished:
    *earlier, numbers = reader.rest().split()
    return Vanished(_numbers(numbers), bool(earlier))


def _numbers(raw: bytes) -> UidSet:
    pairs = (part.partition(b":") for part in raw.split(b","))
    return UidSet.of_ranges((_number(low), _number(high or low)) for low, _, high in pairs)


def _number(raw: bytes) -> int:
    if not raw.isdigit() or len(raw) > 10:
        raise GrammarError("not a message number")
    return int(raw)


def _capabilities(reader: Reader) -> Capabilities:
    return Capabilities(capability_names(reader.rest().decode("ascii", "replace")))


def capability_names(text: str) -> frozenset[str]:
    """The words of a capability list, in capitals. Connections to servers of one kind share them."""
    return _shared_names(text) if len(text) <= USUAL_CAPABILITIES else frozenset(text.upper().split())


@functools.lru_cache(maxsize=256)
def _shared_names(text: str) -> frozenset[str]:
    return frozenset(text.upper().split())


def _enabled(reader: Reader) -> Enabled:
    return Enabled(capability_names(reader.rest().decode("ascii", "replace")))


def _namespaces(reader: Reader) -> Namespaces:
    personal, others, shared = (_prefixes(reader.value()) for _ in range(3))
    return Namespaces(personal, others, shared)


def _prefixes(value: Value) -> tuple[Namespace, ...]:
    """One of the three lists; NIL where there are none (RFC 2342 §5)."""
    spaces = value if isinstance(value, list) else []
    return tuple(
        Namespace(space[0] or b"", _delimiter(space[1]))
        for space in spaces
        if isinstance(space, list) and len(space) >= 2 and not isinstance(space[0], Body | list)
    )


def _named(reader: Reader) -> Named:
    value = reader.value()
    words = [_optional_text(_first(word)) or "" for word in value] if isinstance(value, list) else []
    return Named(tuple((key.lower(), told) for key, told in zip(words[::2], words[1::2], strict=False)))


_NUMBERED: dict[bytes, Callable[[int], Response]] = {b"EXISTS": Exists, b"EXPUNGE": Expunged}
_PARSERS: dict[bytes, Callable[[Reader], Response]] = {
    b"CAPABILITY": _capabilities,
    b"ENABLED": _enabled,
    b"ESEARCH": _esearch,
    b"FLAGS": lambda reader: Flags(_names(reader.value())),
    b"ID": _named,
    b"LIST": _listed,
    b"NAMESPACE": _namespaces,
    b"SEARCH": _search,
    b"STATUS": _status,
    b"VANISHED": _vanished,
}
