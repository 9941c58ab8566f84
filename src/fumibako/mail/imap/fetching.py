"""A line of FETCH to a message, however the server wrote it.

Theory of operation. Nearly all lines of an import have one shape, so `_usual` reads those by one pattern per item.
Any other line goes to `_Scan`, item by item. It does not want the grammar kept: spaces may be missing or too many,
values may lack, lists of other things (ENVELOPE, BODYSTRUCTURE, what we do not know) are passed over whole. Where that
does not work out, the rest of the line is searched for items that look right, and of those the last counts, since what
broke may hold text of the mail that looks like an item. Items before the damage count first. What could not be read is
named in `Fetched.damaged`. The literal of a whole mail is found in any case: `protocol` has marked it.
"""

import functools
import re
from collections.abc import Sequence
from datetime import datetime

from .dates import internal_date
from .responses import Fetched, Memory
from .values import Body, Literal, text_of

HIGHEST_UID = 2**32 - 1  # RFC 9051 §2.3.1.1
MOST_VALUES = 20_000  # in one line; a BODYSTRUCTURE of a thousand parts has fewer
HIGHEST_NUMBER = 2**63 - 1  # RFC 9051 §9, number64; RFC 7162 §7, mod-sequence-value

_WHOLE_BODY = re.compile(rb"(?:(?:BODY|BINARY)(?:\.PEEK)?\s*\[\s*\](?:\s*<0?(?:\.\d+)?>)?|RFC822)\s*\Z", re.IGNORECASE)
_HEAD = re.compile(rb"\*?\s*\d*\s*FETCH\b", re.IGNORECASE)


def is_fetch(segment: bytes) -> bool:
    """Whether a line that begins so is one of FETCH."""
    return _HEAD.match(segment) is not None


def is_whole_body(segments: Sequence[bytes]) -> bool:
    """Whether the literal that follows these parts of a line is a whole mail of FETCH."""
    last = segments[-1]
    named = last.endswith(b" BODY[] ") or _WHOLE_BODY.search(last, max(0, len(last) - 40)) is not None
    return named and is_fetch(segments[0])


def is_complete(segments: Sequence[bytes]) -> bool:
    """Whether a line of FETCH can end so: its list is closed, and no quoted string is open."""
    if not segments[-1].rstrip().endswith(b")"):
        return False
    text = b"".join(segments)
    if b'"' in text:
        text = _QUOTED.sub(b"", text)
    return b'"' not in text and text.count(b"(") <= text.count(b")")


_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)"', re.DOTALL)


def read(seq: int, segments: Sequence[bytes], literals: Sequence[Literal], at: int) -> Fetched:
    """The message of a line of FETCH whose items begin at `at` of the first segment."""
    return _usual(seq, segments, literals, at) or _Scan(segments, literals, at).message(seq)


# The usual line

_ITEM = re.compile(
    rb" ?(?:UID (?P<uid>[1-9]\d{0,8})|RFC822\.SIZE (?P<size>\d{1,18})|FLAGS \((?P<flags>[^()\"]*)\)"
    rb'|INTERNALDATE "(?P<date>[^"\\]*)"|MODSEQ \((?P<modseq>\d{1,18})\)|EMAILID \((?P<emailid>[^()\s\"]+)\)'
    rb"|X-GM-MSGID (?P<gmail>\d{1,20})"
    rb"|(?P<body>BODY\[\]) $|(?P<end>\))$)"
)


def _usual(seq: int, segments: Sequence[bytes], literals: Sequence[Literal], at: int) -> Fetched | None:
    """Known items once each, at most one literal, which is the body and comes last."""
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
                date = internal_date(item[4])
                if date is None:
                    return None
            case "modseq":
                modseq = int(item[5])
            case "emailid":
                emailid = text_of(item[6])
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


@functools.lru_cache(maxsize=1024)
def _flags(raw: bytes) -> tuple[str, ...]:
    return tuple(text_of(raw).split())


# Any other line

_NAMES = (
    rb"(?P<section>(?:BODY|BINARY)(?:\.PEEK)?\s*\[[^\]\r\n]{0,400}\](?:\s*<\d*(?:\.\d+)?>)?|RFC822(?:\.HEADER|\.TEXT)?(?![.\w]))"
    rb"|(?P<plain>UID|RFC822\.SIZE|FLAGS|INTERNALDATE|MODSEQ|EMAILID|X-GM-MSGID)(?![A-Z.\[-])"
    rb"|(?P<opaque>ENVELOPE|BODYSTRUCTURE|BODY)(?![\w.\[-])"
)
_NAME = re.compile(_NAMES, re.IGNORECASE)
_SPACE = re.compile(rb"\s*")
_WORD = re.compile(rb'[^\s()"\[]+(?:\[[^\]]{0,400}\])?|\[[^\s\]]*\]?')
_NIL = re.compile(rb"NIL(?!\w)", re.IGNORECASE)
_NUMBER = re.compile(rb'"?(-?\d+)"?')
_LIST_OF_NUMBER = re.compile(rb'\(?\s*"?(-?\d+)"?\s*\)?')
_LIST_OF_WORD = re.compile(rb'\(?\s*"?([^\s()"]+)"?\s*\)?')
_FLAG_LIST = re.compile(rb"\(((?:[^()]|\([^()]*\))*)\)")
_FLAG_WORDS = re.compile(rb"(?:\s*[\\$][^\s()\"]+)+")
_FLAG = re.compile(rb'"((?:[^"\\]|\\.)*+)"|([^\s"]+)')
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)

_LOOKS_RIGHT = re.compile(
    rb"(?<![^\s()\"\]>])(?:UID\s+(?P<uid>\d{1,10})|RFC822\.SIZE\s+(?P<size>\d{1,19})|FLAGS\s*\((?P<flags>[^()]*)\)"
    rb'|INTERNALDATE\s*"(?P<date>[^"]{0,60})"|MODSEQ\s*\((?P<modseq>\d{1,19})\)|EMAILID\s*\((?P<emailid>[^()\s]+)\)'
    rb"|X-GM-MSGID\s+(?P<gmail>\d{1,20}))(?=[\s()]|$)"
    rb"|(?P<section>(?:BODY|BINARY)(?:\.PEEK)?\[[^\]\r\n]{0,400}\](?:<\d*>)?)\s*$",
    re.IGNORECASE,
)
_ITEM_IN_LIST = re.compile(
    rb"(?:UID|RFC822\.SIZE)\s+\d|(?:FLAGS|MODSEQ|EMAILID)\s*\(|INTERNALDATE\s*\"|(?:BODY|BINARY)(?:\.PEEK)?\[",
    re.IGNORECASE,
)
_GROUP_NAMES = {"uid": "UID", "size": "RFC822.SIZE", "flags": "FLAGS", "date": "INTERNALDATE", "modseq": "MODSEQ"}


class _Broken(Exception):
    """A value has no end that can be found."""


class _Scan:
    """One pass over the items of a line."""

    def __init__(self, segments: Sequence[bytes], literals: Sequence[Literal], at: int) -> None:
        self._segments = segments
        self._literals = literals
        self._segment = 0
        self._at = at
        self._raw: dict[str, bytes] = {}
        self._sections: dict[str, bytes | Body] = {}
        self._damaged: dict[str, None] = {}
        self._values = 0

    def message(self, seq: int) -> Fetched:
        """All that could be read."""
        try:
            while self._skip_space() or self._segment < len(self._literals):
                self._item()
        except _Broken:
            self._search_rest()
        body, skipped = self._body()
        return Fetched(
            seq,
            uid=self._number("UID", HIGHEST_UID),
            flags=self._flags(),
            internaldate=self._date(),
            size=self._number("RFC822.SIZE", HIGHEST_NUMBER),
            modseq=self._number("MODSEQ", HIGHEST_NUMBER),
            emailid=self._emailid(),
            body=body,
            skipped=skipped,
            sections={name: value for name, value in self._sections.items() if isinstance(value, bytes)},
            damaged=tuple(self._damaged),
        )

    # Where it stands

    @property
    def _text(self) -> bytes:
        return self._segments[self._segment]

    def _skip_space(self) -> bool:
        """Go to the next character that is no space; False where a literal stands or the line ends."""
        spaces = _SPACE.match(self._text, self._at)
        assert spaces is not None  # the pattern takes nothing as well
        self._at = spaces.end()
        return self._at < len(self._text)

    def _take(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def _count(self) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            raise _Broken

    def _take_literal(self) -> Literal:
        if self._segment >= len(self._literals):
            raise _Broken
        self._segment += 1
        self._at = 0
        return self._literals[self._segment - 1]

    # Items

    def _item(self) -> None:
        """Read what stands here, if only to pass over it."""
        self._count()
        if not self._skip_space():
            self._take_literal()
        elif self._text[self._at : self._at + 1] in (b"(", b")"):
            self._at += 1
        elif (name := self._take(_NAME)) is None:
            self._unknown()
        elif name.lastgroup == "plain":
            self._plain(name[0].decode("ascii").upper())
        elif name.lastgroup == "opaque":
            self._opaque(name[0].decode("ascii").upper())
        else:
            self._section(_section_name(name[0]))

    def _unknown(self) -> None:
        """A name that we do not know, with its value if there is one."""
        self._pass_over()
        if self._skip_space() and self._text[self._at : self._at + 1] != b")" and not _NAME.match(self._text, self._at):
            self._pass_over()

    def _opaque(self, name: str) -> None:
        """A value that nobody reads. Where it is broken, the rest of the line is searched from its beginning on."""
        segment, at = self._segment, self._at
        try:
            if self._skip_space() and not _NAME.match(self._text, self._at):
                self._pass_over(items_end_it=True)
        except _Broken:
            self._damaged[name] = None
            self._segment, self._at = segment, at
            raise

    def _pass_over(self, *, items_end_it: bool = False) -> None:
        """One value of any kind, lists with all that is in them; `items_end_it`: it cannot hold an item."""
        depth = 0
        while True:
            self._count()
            if not self._skip_space():
                self._take_literal()
            elif self._text[self._at : self._at + 1] == b"(":
                self._at += 1
                depth += 1
                continue
            elif self._text[self._at : self._at + 1] == b")":
                self._at += 1
                depth -= 1
            elif self._text[self._at : self._at + 1] == b'"':
                if self._take(_QUOTED) is None:
                    raise _Broken
            elif (items_end_it and depth and _ITEM_IN_LIST.match(self._text, self._at)) or self._take(_WORD) is None:
                raise _Broken
            if depth <= 0:
                return

    _PATTERNS = {  # noqa: RUF012 - never changed
        "UID": _NUMBER,
        "RFC822.SIZE": _NUMBER,
        "MODSEQ": _LIST_OF_NUMBER,
        "EMAILID": _LIST_OF_WORD,
        "X-GM-MSGID": _LIST_OF_WORD,
    }

    def _plain(self, name: str) -> None:
        raw = self._plain_value(name)
        if raw is None:
            self._damaged[name] = None
        else:
            self._raw.setdefault(name, raw)

    def _plain_value(self, name: str) -> bytes | None:
        if not self._skip_space():
            return self._string()
        if _NAME.match(self._text, self._at):
            return None
        if self._take(_NIL):
            return b"" if name == "FLAGS" else None
        if name == "INTERNALDATE":
            return self._string()
        if name == "FLAGS":
            return self._flag_list()
        found = self._take(self._PATTERNS[name])
        return found[1] if found else None

    def _flag_list(self) -> bytes | None:
        found = self._take(_FLAG_LIST)
        if found is not None:
            return found[1]
        found = self._take(_FLAG_WORDS)
        if found is not None:
            return found[0]
        if self._text[self._at : self._at + 1] == b"(":
            self._damaged["FLAGS"] = None
            raise _Broken
        return None

    def _string(self) -> bytes | None:
        """A quoted string or a literal; None where neither stands."""
        if not self._skip_space():
            literal = self._take_literal()
            return literal if isinstance(literal, bytes) else None
        quoted = self._take(_QUOTED)
        return None if quoted is None else _ESCAPED.sub(rb"\1", quoted[1])

    def _section(self, name: str) -> None:
        if self._skip_space() and self._take(_NIL):
            self._sections.setdefault(name, b"")
            return
        if self._at == len(self._text) and self._segment < len(self._literals):
            self._literal_section(name)
            return
        if self._at < len(self._text) and _NAME.match(self._text, self._at):
            self._damaged[name] = None
            return
        quoted = self._string()
        if quoted is None:
            self._damaged[name] = None
            if self._text[self._at : self._at + 1] == b'"':
                raise _Broken
        else:
            self._sections.setdefault(name, quoted)

    def _literal_section(self, name: str) -> None:
        literal = self._take_literal()
        if literal is None:
            self._damaged[name] = None
            return
        self._sections.setdefault(name, literal)
        if self._skip_space() and self._text[self._at : self._at + 1] != b")" and not _NAME.match(self._text, self._at):
            follows = _WORD.match(self._text, self._at)
            if self._at == 0 or follows is None:
                self._damaged[name] = None  # the mail goes on beyond the length that was announced

    # What is left of a broken line

    def _search_rest(self) -> None:
        guessed: dict[str, bytes] = {}
        for number in range(self._segment, len(self._segments)):
            start = self._at if number == self._segment else 0
            for found in _LOOKS_RIGHT.finditer(self._segments[number], start):
                if found.lastgroup == "section":
                    if number < len(self._literals) and self._literals[number] is not None:
                        self._sections.setdefault(_section_name(found["section"]), self._literals[number] or b"")
                elif found.lastgroup is not None:
                    guessed[found.lastgroup] = found[found.lastgroup]
        for group, raw in guessed.items():
            name = _GROUP_NAMES.get(group, "EMAILID")
            if name not in self._raw:
                self._raw[name] = raw
                self._damaged.pop(name, None)
        if not self._damaged:
            self._damaged["FETCH"] = None

    # Values

    def _body(self) -> tuple[Memory | bytes | None, int]:
        """The mail and how many bytes of it were read past: the marked literal, wherever it stands, else a string."""
        marked = next((literal for literal in self._literals if isinstance(literal, Body)), None)
        named = self._sections.pop("BODY[]", None)
        if marked is not None:
            return marked.content, marked.skipped
        return (named, 0) if isinstance(named, bytes) else (None, 0)

    def _date(self) -> datetime | None:
        raw = self._raw.get("INTERNALDATE")
        if raw is None:
            return None
        date = internal_date(raw)
        if date is None:
            self._damaged["INTERNALDATE"] = None
        return date

    def _number(self, name: str, highest: int) -> int | None:
        raw = self._raw.get(name)
        if raw is None:
            return None
        if len(raw) <= 20 and 0 <= (number := int(raw)) <= highest and (number or name != "UID"):
            return number
        self._damaged[name] = None
        return None

    def _flags(self) -> tuple[str, ...] | None:
        raw = self._raw.get("FLAGS")
        if raw is None:
            return None
        words = (_ESCAPED.sub(rb"\1", quoted) if quoted else bare for quoted, bare in _FLAG.findall(raw))
        return tuple(dict.fromkeys(text_of(word) for word in words if word))

    def _emailid(self) -> str | None:
        raw = self._raw.get("EMAILID") or self._raw.get("X-GM-MSGID")
        return text_of(raw) if raw else None


def _section_name(raw: bytes) -> str:
    """As it should have been written; any form of the whole mail is BODY[]."""
    name = text_of(raw).upper()
    name = _ODD_SPACE.sub("", name).replace(".PEEK[", "[").removesuffix("<0>")
    return "BODY[]" if name in ("RFC822", "BINARY[]") else name


_ODD_SPACE = re.compile(r"\s+(?=[\[\]<])|(?<=\[)\s+")
