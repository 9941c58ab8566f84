"""One logical line of a server, literals included, to a response (RFC 9051 §9).

Theory of operation: `_UNTAGGED` finds number and keyword in any spacing, with or without "*"; `fetching` reads FETCH,
the functions below the rest. Servers break every rule of the grammar, so each takes what makes sense and passes over
what does not: a name may lack its quotes, a list its parentheses, a number its value. A line of which nothing can be
read is `Other(damaged=True)`: it costs that line and nothing else.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from . import fetching, mutf7
from .responses import (
    Capabilities,
    Condition,
    Continuation,
    Enabled,
    Exists,
    Expunged,
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
from .values import Body, GrammarError, Literal, Reader, Value, text_of

LONGEST_WORDS = 1000  # characters of a server's text that are kept
USUAL_CAPABILITIES = 4000  # characters of a capability list that is shared between connections

_CONDITIONS = frozenset({b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"})
_UNTAGGED = re.compile(
    rb"\s*(?:\*\s*(?:(-?\d+)\s*)?([A-Za-z][A-Za-z0-9-]*):?|(\d+)\s+(FETCH|EXISTS|EXPUNGE|RECENT)\b)\s?", re.IGNORECASE
)
_TAGGED = re.compile(rb"\s*([A-Za-z0-9.]{1,32})\s+(OK|NO|BAD)(?:\s+|$|(?=\[))", re.IGNORECASE)
_TEXT = re.compile(rb"\s*+(?:\[\s*+([^\s\]]++)(?:\s++([^\]]*+))?\] ?)?(.*)", re.DOTALL)
_OPEN_CODE = re.compile(rb"\[([A-Za-z-]+) (\d+)\b(.*)", re.DOTALL)
HIGHEST_NUMBER = 2**32 - 1  # RFC 9051 §9, number


def takes_literals(segment: bytes) -> bool:
    """Whether a line that begins so can hold literals: not where free text follows, which may end in "{5}" as well."""
    found = _UNTAGGED.match(segment)
    return found is not None and (found[2] or found[4]).upper() not in _CONDITIONS


def begins_response(line: bytes) -> bool:
    """Whether a line is a response of its own, not the rest of one that a server has broken into lines."""
    return line.lstrip()[:1] in (b"*", b"+") or _TAGGED.match(line) is not None or _UNTAGGED.match(line) is not None


def parse(segments: Sequence[bytes], literals: Sequence[Literal]) -> Response:
    """A logical line: its text without line ends, split where a literal stood, and the literals in between."""
    first = segments[0]
    head = _UNTAGGED.match(first)
    if head is not None:
        return _parse_untagged(head, segments, literals)
    if first[:1] == b"+":
        return Continuation(_decoded(first[2:]))
    tagged = _TAGGED.match(first)
    if tagged is None:
        return Other("", damaged=True)
    return _condition(tagged[2], first[tagged.end() :], tagged[1].decode("ascii"))


def _parse_untagged(head: re.Match[bytes], segments: Sequence[bytes], literals: Sequence[Literal]) -> Response:
    keyword = (head[2] or head[4]).upper()
    digits = head[1] or head[3]
    number = _number(digits) if digits else None
    try:
        if keyword == b"FETCH" and digits:
            return fetching.read(number or 0, segments, literals, head.end())
        if keyword in _CONDITIONS:
            return _condition(keyword, segments[0][head.end() :], None)
        if keyword in _NUMBERED:
            return _numbered(keyword, number if digits else _leading_number(segments[0][head.end() :]))
        if keyword in _PARSERS and not digits:
            if keyword == b"NAMESPACE":
                segments = [_BARE_BACKSLASH.sub(rb'"\\\\"', segment) for segment in segments]
            return _PARSERS[keyword](Reader(segments, literals, head.end()))
    except (GrammarError, ValueError, OverflowError):
        return Other(keyword.decode(), damaged=True)
    return Other(keyword.decode())


def _numbered(keyword: bytes, number: int | None) -> Response:
    if number is None or (keyword == b"EXPUNGE" and not number):
        return Other(keyword.decode(), damaged=True)
    return _NUMBERED[keyword](number)


def _number(raw: bytes) -> int | None:
    """A number of 32 bits; None for anything else."""
    number = int(raw) if len(raw) <= 11 else -1
    return number if 0 <= number <= HIGHEST_NUMBER else None


def _leading_number(raw: bytes) -> int | None:
    found = _DIGITS.match(raw)
    return _number(found[0]) if found else None


_DIGITS = re.compile(rb"\d{1,20}")


def _condition(kind: bytes, rest: bytes, tag: str | None) -> Condition:
    found = _TEXT.fullmatch(rest)
    assert found is not None  # the pattern takes any bytes
    code, argument, words = found.groups()
    if code is None and (unclosed := _OPEN_CODE.match(words)) is not None:
        code, argument, words = unclosed.groups()
    return Condition(
        kind.upper().decode(),
        None if code is None else _decoded(code).upper(),
        _decoded(argument or b"", longest=len(rest)).strip(),
        _decoded(words).strip(),
        tag,
    )


def _decoded(raw: bytes, longest: int = LONGEST_WORDS) -> str:
    return text_of(raw[: 4 * longest])[:longest]


def _first(value: Value) -> bytes | None:
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, bytes) else None


def _optional_text(raw: bytes | None) -> str | None:
    return None if raw is None else text_of(raw)


_FLAG = re.compile(rb'"((?:[^"\\]|\\.)*+)"|([^\s()",]+)', re.DOTALL)
_NIL = re.compile(rb"NIL\s*\Z", re.IGNORECASE)


def _words(raw: bytes) -> tuple[str, ...]:
    """Flags or attributes, in whatever form of list, each once."""
    if _NIL.match(raw.strip()):
        return ()
    words = (quoted.replace(b"\\\\", b"\\") or bare for quoted, bare in _FLAG.findall(raw))
    return tuple(dict.fromkeys(text_of(word) for word in words))


_SPECIAL = (
    *("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash", "\\Important"),  # RFC 6154, 8457
    *("\\Noselect", "\\NonExistent", "\\Noinferiors", "\\HasChildren", "\\HasNoChildren", "\\Subscribed", "\\Remote"),
)
_CANONICAL = {name.lower(): name for name in _SPECIAL}


_ATTRIBUTES = re.compile(rb"\s*(?:\(([^)]*)\)|NIL(?=\s))?\s*", re.IGNORECASE)
_DELIMITER = re.compile(
    rb'(?:"(?:\\?(?P<quoted>[^"])|(?P<backslash>\\)|)"|(?P<nil>NIL)|(?P<bare>[^\s"A-Za-z0-9&]))(?=\s|$)', re.IGNORECASE
)
_EXTENDED_ITEMS_FOLLOW = re.compile(rb' \((?:"|[A-Z-]+ \()')  # RFC 5258 §6, mbox-list-extended


def _listed(reader: Reader) -> Listed:
    attributes = reader.take(_ATTRIBUTES)
    delimiter = reader.take(_DELIMITER)
    if delimiter is None and not (attributes and attributes[0].strip()):
        raise GrammarError("no folder")
    raw = reader.mailbox(_EXTENDED_ITEMS_FOLLOW)
    return Listed(
        raw,
        "INBOX" if raw.upper() == b"INBOX" else mutf7.decode(raw),  # RFC 9051 §5.1: in any case of letters
        _delimiter(delimiter.group("quoted", "backslash", "bare") if delimiter else ()),
        frozenset(_attribute(word) for word in _words(attributes[1] or b"" if attributes else b"")),
        old_name_raw=_old_name(reader),
    )


def _attribute(word: str) -> str:
    """As the RFC writes it; some servers leave out the backslash."""
    return _CANONICAL.get(word.lower()) or _CANONICAL.get("\\" + word.lower(), word)


def _delimiter(forms: Sequence[bytes | None]) -> str | None:
    return next((text_of(form) for form in forms if form), None)


def _old_name(reader: Reader) -> bytes | None:
    """The name before a renaming, among the extended items of LIST (RFC 5465 §5.4)."""
    if not reader.rest().lstrip().startswith(b"("):
        return None
    try:
        extended = reader.whole_list()
    except GrammarError:
        return None
    for key, value in zip(extended[::2], extended[1::2], strict=False):
        if isinstance(key, bytes) and key.upper() == b"OLDNAME":
            return _first(value)
    return None


_STATUS_ITEMS_FOLLOW = re.compile(
    rb" ?\([^()]*+\)?[^()]*+\Z|(?<=\s)(?:MESSAGES|UIDNEXT|UIDVALIDITY|UNSEEN)\s++\d", re.IGNORECASE
)
_STATUS_ITEM = re.compile(rb"([A-Z][A-Z0-9.-]*)\s+\(?(\d{1,20})(?![\w.-])", re.IGNORECASE)


def _status(reader: Reader) -> Status:
    name = reader.mailbox(_STATUS_ITEMS_FOLLOW)
    told = {key.decode("ascii").lower(): int(value) for key, value in _STATUS_ITEM.findall(reader.rest())}
    return Status(name, **{item: told.get(item) for item in STATUS_ITEMS})


STATUS_ITEMS = ("messages", "uidnext", "uidvalidity", "highestmodseq", "size", "unseen")


def _search(reader: Reader) -> Found:
    """RFC 7162 §3.1.5 ends it with "(MODSEQ n)"."""
    words = [word for word in reader.rest().partition(b"(")[0].replace(b",", b" ").split() if word.upper() != b"NIL"]
    numbers = UidSet.of_ranges(_ranges(words))
    return Found(numbers, damaged=not all(map(_RANGE.fullmatch, words)))


_RANGE = re.compile(rb"([1-9]\d{0,9})(?::([1-9]\d{0,9}))?")


def _ranges(words: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Those of the words that are numbers or ranges of numbers."""
    for word in words:
        found = _RANGE.fullmatch(word)
        if found is not None and int(found[1]) <= HIGHEST_NUMBER and int(found[2] or b"0") <= HIGHEST_NUMBER:
            yield int(found[1]), int(found[2] or found[1])


_CORRELATOR = re.compile(rb'\(\s*TAG\s+"?([^")\s]+)"?\s*\)', re.IGNORECASE)  # RFC 4466 §2.6.2
_ALL = re.compile(rb"\bALL\s+([^(]*)", re.IGNORECASE)
_NEXT_ITEM = re.compile(rb"(?<=\s)[A-Z]{3,}(?=\s|\Z)", re.IGNORECASE)


def _esearch(reader: Reader) -> Found:
    text = reader.rest()
    correlator = _CORRELATOR.search(text)
    told = _ALL.search(text, correlator.end() if correlator else 0)
    words = _NEXT_ITEM.split(told[1], maxsplit=1)[0].replace(b",", b" ").split() if told else []
    return Found(
        UidSet.of_ranges(_ranges(words)),
        text_of(correlator[1]) if correlator else None,
        damaged=not all(map(_RANGE.fullmatch, words)),
    )


def _vanished(reader: Reader) -> Vanished:
    text = reader.rest().upper()
    numbers = UidSet.of_ranges(_ranges(text.replace(b",", b" ").split()))
    if not numbers.ranges:
        raise GrammarError("nothing has vanished")
    return Vanished(numbers, b"EARLIER" in text)


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


_BARE_BACKSLASH = re.compile(rb'"\\"(?=[\s)])')  # a delimiter that is not escaped


def _namespaces(reader: Reader) -> Namespaces:
    kinds: list[tuple[Namespace, ...]] = []
    while len(kinds) < 3 and reader.rest().strip():
        kinds.append(_prefixes(reader.value()))
    return Namespaces(*kinds)


def _prefixes(value: Value) -> tuple[Namespace, ...]:
    """One of the three lists; NIL where there are none (RFC 2342 §5)."""
    spaces = value if isinstance(value, list) else []
    return tuple(
        Namespace(space[0] or b"", _delimiter((_first(space[1]),)))
        for space in spaces
        if isinstance(space, list) and len(space) >= 2 and not isinstance(space[0], Body | list)
    )


def _named(reader: Reader) -> Named:
    value = reader.value()
    words = [_optional_text(_first(word)) or "" for word in value] if isinstance(value, list) else []
    return Named(tuple((key.lower(), told) for key, told in zip(words[::2], words[1::2], strict=False)))


_NUMBERED: dict[bytes, Callable[[int], Response]] = {
    b"EXISTS": Exists,
    b"EXPUNGE": Expunged,
    b"RECENT": lambda number: Other("RECENT"),
}
_PARSERS: dict[bytes, Callable[[Reader], Response]] = {
    b"CAPABILITY": _capabilities,
    b"ENABLED": _enabled,
    b"ESEARCH": _esearch,
    b"FLAGS": lambda reader: Flags(_words(reader.rest())),
    b"ID": _named,
    b"LIST": _listed,
    b"NAMESPACE": _namespaces,
    b"SEARCH": _search,
    b"STATUS": _status,
    b"VANISHED": _vanished,
}
