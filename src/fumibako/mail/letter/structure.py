"""The parts of a mail (RFC 2046 §5.1) as places in its bytes: no body is copied or decoded here.

A multipart's region is split at the lines of its own boundary and each piece is read in turn; an inner boundary cannot
reach beyond its piece, so every byte is looked at once a level, and levels and parts are bounded. A message inside a
message is one part: it is shown as a file, not taken apart.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fumibako.mail.letter.headers import Headers
from fumibako.mail.letter.parameters import parse_parameters

MAX_DEPTH = 100  # levels of multiparts; what lies deeper stays one part
MAX_PARTS = 10_000  # of one mail; what comes after them is in the raw mail only
_MAX_HEADER = 1024 * 1024  # bytes of a header block that are read

_HEADER_END = re.compile(rb"\n\r?\n")
_BOUNDARY = re.compile(rb'\bboundary\s*=\s*(?:"([^"]+)"|([^;\s"]+))', re.IGNORECASE)
_TYPE = re.compile(r"[^\s/]+/[^\s/]+")
# A byte order mark, empty lines and the line of an mbox before the first header.
_LEADING = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t]*\r?\n)*(?:>?From (?!\s*:)[^\n]*\n)?")


@dataclass(slots=True)
class Part:
    """A part: its number as IMAP counts, its headers, where its body lies, and its parts if it is a multipart."""

    number: str
    headers: Headers
    start: int
    end: int
    type: str
    parameters: Mapping[str, str]
    disposition: str
    disposition_parameters: Mapping[str, str]
    children: list["Part"] = field(default_factory=list)

    @property
    def file_name(self) -> str:
        """As the part's headers give it, "" where they do not."""
        return self.disposition_parameters.get("filename") or self.parameters.get("name") or ""

    @property
    def transfer_encoding(self) -> str:
        """In lower case, "" where there is none."""
        return self.headers.token("content-transfer-encoding")

    def leaves(self) -> Iterator["Part"]:
        """Every part that is no multipart, in the order of the mail."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


def head(source: bytes) -> Headers:
    """The headers of a mail, without a look at its body."""
    return _split_head(source, _beginning(source), len(source))[0]


def read_structure(source: bytes) -> Part:
    """The tree of a mail's parts. A multipart whose boundary never comes is read as text."""
    return _Reader(source).read()


def _beginning(source: bytes) -> int:
    match = _LEADING.match(source)
    return match.end() if match else 0


def _split_head(source: bytes, start: int, end: int) -> tuple[Headers, int]:
    """The headers of a region and where its body begins. A region without any field is all body."""
    match = _HEADER_END.search(source, max(start - 1, 0), end)
    head_end, body = (match.start() + 1, match.end()) if match else (end, end)
    headers = Headers(source[start : min(max(head_end, start), start + _MAX_HEADER)])
    if not headers and head_end > start:
        return headers, start
    return headers, body


class _Reader:
    def __init__(self, source: bytes) -> None:
        self._source = source
        self._parts = 0

    def read(self) -> Part:
        return self._part("", _beginning(self._source), len(self._source), 0, "text/plain", "")

    def _part(self, number: str, start: int, end: int, depth: int, default_type: str, hint: str) -> Part:
        self._parts += 1
        headers, body = _split_head(self._source, start, end)
        line = headers.line("content-type")
        content_type, parameters = parse_parameters(line, hint) if line else (default_type, {})
        match = _TYPE.match(content_type)
        content_type = match[0] if match else default_type
        disposition_line = headers.line("content-disposition")
        disposition, disposition_parameters = (
            parse_parameters(disposition_line, parameters.get("charset", hint)) if disposition_line else ("", {})
        )
        part = Part(number, headers, body, end, content_type, parameters, disposition, disposition_parameters)
        if content_type.startswith("multipart/") and depth < MAX_DEPTH:
            self._read_children(part, _boundary(line), depth, hint)
        if not part.children:
            part.number = number or "1"
            if content_type.startswith("multipart/") and depth < MAX_DEPTH:
                part.type = "text/plain"
        return part

    def _read_children(self, part: Part, boundary: bytes, depth: int, hint: str) -> None:
        if not boundary:
            return
        default_type = "message/rfc822" if part.type == "multipart/digest" else "text/plain"
        prefix = f"{part.number}." if part.number else ""
        for number, (start, end) in enumerate(_pieces(self._source, part.start, part.end, boundary), 1):
            if self._parts >= MAX_PARTS:
                break
            part.children.append(self._part(f"{prefix}{number}", start, end, depth + 1, default_type, hint))


def _boundary(content_type: bytes) -> bytes:
    match = _BOUNDARY.search(content_type)
    return (match[1] or match[2]).rstrip() if match else b""


def _pieces(source: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
    """What stands between the boundary's lines. Pieces that follow a closing line are taken too: a sender who uses one
    boundary on two levels closes the outer one too early."""
    opened: int | None = None
    for line, line_end, closing in _delimiters(source, start, end, boundary):
        if opened is not None:
            yield opened, _before_line_end(source, opened, line)
        opened = None if closing else min(line_end + 1, end)
    if opened is not None:
        yield opened, end


def _delimiters(source: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int, bool]]:
    needle = b"\n--" + boundary
    at = start if source.startswith(needle[1:], start, end) else _next_line(source, needle, start, end)
    while at >= 0:
        behind = at + len(needle) - 1
        line_end = source.find(b"\n", behind, end)
        line_end = end if line_end < 0 else line_end
        rest = source[behind : min(line_end, behind + 200)].strip()
        closing = rest.startswith(b"--")
        if closing or not rest:
            yield at, line_end, closing
        at = _next_line(source, needle, line_end, end)


def _next_line(source: bytes, needle: bytes, start: int, end: int) -> int:
    """Where the next line that begins so begins, -1 where there is none; the line end makes it a quick find."""
    at = source.find(needle, start, end)
    return at if at < 0 else at + 1


def _before_line_end(source: bytes, start: int, line: int) -> int:
    """The line end before a boundary belongs to the boundary (RFC 2046 §5.1.1)."""
    end = line - 1
    if end > start and source[end - 1] == 0x0D:
        end -= 1
    return max(end, start)
