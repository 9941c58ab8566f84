"""IMAP without input or output: bytes of a server in, responses out.

Theory of operation. The transport writes into `buffer()` and tells `received(count)`; `next()` gives the next
response, or None when more bytes are needed. A response is a logical line: text, and literals announced by "{n}" at an
end of line. Text is small and copied; the literal of a whole mail (`BODY[]`) goes to the memory that `allocate` gives:
what had come with the line before it is copied there once, and a long rest is received there directly.

Rules:
1. However the input is cut, the responses are the same.
2. A line that cannot be read is a damaged `Other`; a line of FETCH whose list is still open goes on in the next line
   unless that is a response of its own; only what makes the position in the stream unknowable (a literal or
   line beyond any sense) is a ProtocolError.
3. Memory is bounded: LONGEST_LINE for text, SMALL_LITERALS for all literals of a line but bodies, and what `allocate`
   agrees to. While nothing is under way no buffer is held: thousands of connections idle.
4. Before the greeting nothing is believed; its first line must be a mail server's, or NotImap is raised.
"""

import re
from collections.abc import Callable

from .errors import ProtocolError
from .fetching import is_complete, is_fetch, is_whole_body
from .grammar import begins_response, parse, takes_literals
from .responses import Condition, Memory, Response
from .values import Body, Literal

LONGEST_LINE = 8 * 2**20  # bytes of text; a SEARCH of a million UIDs fits
LONGEST_GREETING = 8192  # bytes
SMALL_LITERALS = 2**20  # bytes of names, headers and the like in one line
MOST_LITERALS = 10_000  # in one line
LARGEST_LITERAL = 2**32 - 1  # bytes: a "number" of RFC 9051 §9
LARGEST_BODY = 64 * 2**20  # bytes that are kept without an `allocate` hook
MOST_JOINED = 200  # lines without a literal between them that are taken for one line of FETCH, broken by the server
LONGEST_JOINED = 256 * 1024  # bytes of them
SMALL_BUFFER = 4096  # bytes
BULK_BUFFER = 256 * 1024  # bytes; larger ones won nothing in measurements
DIRECT = 64 * 1024  # bytes still missing of a body from which on it is received straight into its memory

_LITERAL = re.compile(rb"~?\{(\d{1,20})[+-]?\}[ \t]*$")
_SPEAKS = (
    (re.compile(rb"\*\s*(?:OK|PREAUTH|BYE)\b", re.IGNORECASE), "imap"),
    (re.compile(rb"(?:220|4\d\d|5\d\d)[ -]"), "smtp"),
    (re.compile(rb"\+OK|-ERR"), "pop3"),
    (re.compile(rb"HTTP/|<!doctype|<html", re.IGNORECASE), "http"),
    (re.compile(rb"SSH-"), "ssh"),
)


class NotImap(Exception):
    """The first line is no greeting of an IMAP server; `speaks` is what it looks like. Its words are not kept."""

    def __init__(self, speaks: str | None) -> None:
        super().__init__(speaks)
        self.speaks = speaks


def recognize(line: bytes) -> str | None:
    """Which protocol greets so: "imap", "smtp", "pop3", "http", "ssh" or None."""
    return next((name for pattern, name in _SPEAKS if pattern.match(line)), None)


class Receiver:
    """The server's side of one connection."""

    def __init__(self, allocate: Callable[[int], Memory | None] | None = None) -> None:
        self.allocate = allocate
        self.bulk = False
        """Whether bodies are expected: then the buffer is large and kept."""
        self._buffer = bytearray()
        self._view = memoryview(self._buffer)
        self._start = self._end = self._searched = 0  # in the buffer: unread bytes, and where no line end was found
        self._greeted = False
        self._begin_line()
        self._begin_connection()

    def _begin_connection(self) -> None:
        self._missing = 0  # bytes of the literal under way
        self._target: memoryview | None = None  # the rest of its memory; None: passed over
        self._kept: bytearray | None = None  # its memory where nobody else gave one
        self._finished: Literal = None  # what it is once all of it is there
        self._directly = False  # the transport was given self._target

    def _begin_line(self) -> None:
        self._segments: list[bytes] = []
        self._literals: list[Literal] = []
        self._open: list[bytes] = []  # lines of FETCH since the last literal, as long as its list is not closed
        self._text_length = 0
        self._literal_length = 0

    @property
    def in_body(self) -> bool:
        """Whether a literal is under way."""
        return self._missing > 0

    @property
    def filling(self) -> bool:
        """Whether bytes go straight into a body that wants more of them, so that `next()` has nothing to give."""
        return self._directly and self._missing > 0

    def unread(self) -> bytes:
        """The beginning of what has come and makes no whole line yet."""
        return bytes(self._view[self._start : min(self._end, self._start + 80)])

    def take_unread(self) -> bytes:
        """Hand over what has come after the last response: it is not the protocol's (COMPRESS)."""
        taken = bytes(self._view[self._start : self._end])
        self._start = self._end = self._searched = 0
        return taken

    def forget(self) -> None:
        """Throw away whatever has come: what was said before TLS does not count after it (RFC 9051 §11.1)."""
        self._start = self._end = self._searched = 0
        self._begin_line()
        self._begin_connection()

    # Bytes in

    def buffer(self) -> memoryview:
        """Where the next bytes of the server belong; never empty."""
        self._directly = False
        if self._start == self._end:
            if self._target is not None and self._missing >= DIRECT:
                self._directly = True
                return self._target
            self._start = self._end = self._searched = 0
            wanted = BULK_BUFFER if self.bulk else SMALL_BUFFER
            if len(self._buffer) != wanted:
                self._replace(wanted)
        elif self._end == len(self._buffer):
            self._make_room()
        return self._view[self._end :]

    def _make_room(self) -> None:
        """Move the unread bytes to the front, into a larger buffer when they fill more than half of this one."""
        unread = bytes(self._view[self._start : self._end])
        if len(unread) * 2 > len(self._buffer):
            self._replace(len(self._buffer) * 2)
        self._view[: len(unread)] = unread
        self._searched -= self._start
        self._start, self._end = 0, len(unread)

    def _replace(self, size: int) -> None:
        self._buffer = bytearray(size)
        self._view = memoryview(self._buffer)

    def received(self, count: int) -> None:
        """So many bytes were written into the last `buffer()`."""
        if self._directly and self._target is not None:
            self._target = self._target[count:]
            self._missing -= count
        else:
            self._end += count

    def feed(self, data: bytes) -> None:
        """Take bytes that lie elsewhere. Between two calls, read `next()` until it gives None."""
        at = 0
        while at < len(data):
            room = self.buffer()
            count = min(len(room), len(data) - at)
            room[:count] = data[at : at + count]
            self.received(count)
            at += count

    # Responses out

    def next(self) -> Response | None:
        """The next response; None until more bytes have come. Raises ProtocolError, NotImap."""
        while self._literal_complete():
            end = self._buffer.find(b"\n", max(self._searched, self._start), self._end)
            if end < 0:
                self._searched = self._end
                self._check_length(self._end - self._start)
                self._release()
                return None
            line = bytes(self._view[self._start : end]).rstrip(b"\r")
            if self._open and begins_response(line):
                return self._whole()
            self._start = self._searched = end + 1
            response = self._line(line)
            if response is not None:
                return response
        self._release()
        return None

    def _release(self) -> None:
        """Hold no buffer while nothing is unread and no body is expected."""
        if self._start == self._end and not self.bulk and self._buffer:
            self._start = self._end = self._searched = 0
            self._replace(0)

    def _check_length(self, unread: int) -> None:
        if not self._greeted and unread > LONGEST_GREETING:
            raise NotImap(recognize(self.unread()))
        if self._text_length + unread > LONGEST_LINE:
            raise ProtocolError("a line does not end")

    def _line(self, text: bytes) -> Response | None:
        """A line has ended: a response, or None when a literal follows."""
        if not self._greeted:
            return self._greeting(text)
        self._check_length(len(text))
        self._text_length += len(text)
        first = self._segments[0] if self._segments else self._open[0] if self._open else text
        announced = _LITERAL.search(text, max(0, len(text) - 40)) if text.rstrip(b" \t").endswith(b"}") else None
        if announced and takes_literals(first):
            if len(self._literals) == MOST_LITERALS:
                raise ProtocolError("a line holds too many literals")
            self._segments.append(b"\r\n".join((*self._open, text[: announced.start()])))
            self._open.clear()
            self._begin_literal(int(announced[1]))
            return None
        if not self._segments and not text and not self._open:
            return None
        self._open.append(text)
        return None if text != b")" and self._goes_on(first) else self._whole()

    def _goes_on(self, first: bytes) -> bool:
        """Whether the line under way is one of FETCH whose list is not closed yet."""
        few = len(self._open) < MOST_JOINED and self._text_length < LONGEST_JOINED
        return few and is_fetch(first) and not is_complete([*self._segments, b"\r\n".join(self._open)])

    def _whole(self) -> Response:
        response = parse([*self._segments, b"\r\n".join(self._open)], self._literals)
        self._begin_line()
        return response

    def _greeting(self, text: bytes) -> Response:
        speaks = recognize(text)
        response = parse([text], []) if speaks == "imap" else None
        if not isinstance(response, Condition):
            raise NotImap(speaks)
        self._greeted = True
        return response

    # Literals

    def _begin_literal(self, size: int) -> None:
        if size > LARGEST_LITERAL:
            raise ProtocolError("a literal is longer than the protocol allows")
        self._missing = size
        if is_whole_body(self._segments) and not any(isinstance(literal, Body) for literal in self._literals):
            self._begin_body(size)
        else:
            self._literal_length += size
            if self._literal_length <= SMALL_LITERALS:
                self._keep(size)
        if not size:
            self._end_literal()

    def _begin_body(self, size: int) -> None:
        memory = self.allocate(size) if self.allocate else None
        if memory is not None:
            self._target = memory.view[:size]
        elif self.allocate is None and size <= LARGEST_BODY:
            self._keep(size)
        self._finished = Body(memory, 0 if self._target is not None else size)

    def _keep(self, size: int) -> None:
        self._kept = bytearray(size)
        self._target = memoryview(self._kept)

    def _literal_complete(self) -> bool:
        """Move what is unread into the literal under way; whether none is left open."""
        if not self._missing and self._target is None:
            return True
        count = min(self._missing, self._end - self._start)
        if self._target is not None:
            self._target[:count] = self._view[self._start : self._start + count]
            self._target = self._target[count:]
        self._start += count
        self._searched = self._start
        self._missing -= count
        if self._missing:
            return False
        self._end_literal()
        return True

    def _end_literal(self) -> None:
        finished = self._finished
        if self._kept is not None:
            kept = bytes(self._kept)
            finished = Body(kept) if isinstance(finished, Body) else kept
        self._literals.append(finished)
        self._target = self._kept = self._finished = None
