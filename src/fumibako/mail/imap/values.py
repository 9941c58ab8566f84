"""The values inside a response: atoms, quoted strings, literals, lists, NIL (RFC 9051 §4)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .responses import Memory

DEEPEST = 64  # lists within lists; a BODYSTRUCTURE that is deeper is given up


def text_of(raw: bytes) -> str:
    """Bytes of a server as text that a database takes: UTF-8, with U+FFFD for what is none and for NUL."""
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


class GrammarError(Exception):
    """The line is not what the grammar says."""


@dataclass(frozen=True)
class Body:
    """A whole mail that came as a literal: where it lies, or how many bytes of it were passed over."""

    content: Memory | bytes | None
    skipped: int = 0


Literal = bytes | Body | None
"""None stands for a literal that was too long to keep."""

Value = bytes | Body | list["Value"] | None

_QUOTED = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_ATOM = re.compile(rb'[^\s()"\[]+')
_SPACES = re.compile(rb" *")


class Reader:
    """Reads values one after the other from a logical line; lenient about spaces and about characters of atoms."""

    def __init__(self, segments: Sequence[bytes], literals: Sequence[Literal], at: int = 0) -> None:
        self._segments = segments
        self._literals = literals
        self._segment = 0
        self._at = at

    @property
    def _text(self) -> bytes:
        return self._segments[self._segment]

    def _peek(self) -> bytes:
        """The next character after spaces; empty where a literal stands or the line ends."""
        spaces = _SPACES.match(self._text, self._at)
        assert spaces is not None  # the pattern takes nothing as well
        self._at = spaces.end()
        return self._text[self._at : self._at + 1]

    def value(self) -> Value:
        """The next value, lists with all that is in them; NIL is None."""
        lists: list[list[Value]] = []
        while True:
            character = self._peek()
            if character == b"(":
                self._at += 1
                if len(lists) == DEEPEST:
                    raise GrammarError("lists too deep")
                lists.append([])
                continue
            if character == b")":
                if not lists:
                    raise GrammarError("a list ends that did not begin")
                self._at += 1
                value: Value = lists.pop()
            else:
                value = self._single(character)
            if not lists:
                return value
            lists[-1].append(value)

    def _single(self, character: bytes) -> Value:
        if character == b"":
            return self._literal()
        if character == b'"':
            return self._quoted()
        atom = self._atom()
        return None if atom.upper() == b"NIL" else atom

    def _literal(self) -> Literal:
        if self._segment >= len(self._literals):
            raise GrammarError("the line ends too early")
        literal = self._literals[self._segment]
        self._segment += 1
        self._at = 0
        return literal

    def _quoted(self) -> bytes:
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            raise GrammarError("a quoted string does not end")
        self._at = found.end()
        return _ESCAPED.sub(rb"\1", found[1]) if b"\\" in found[1] else found[1]

    def _atom(self) -> bytes:
        """An atom, with a section in brackets that may hold spaces and lists: BODY[HEADER.FIELDS (TO)]<0>."""
        text, start, at = self._text, self._at, self._at
        while True:
            found = _ATOM.match(text, at)
            at = found.end() if found else at
            if text[at : at + 1] != b"[":
                break
            closing = text.find(b"]", at)
            if closing < 0:
                raise GrammarError("a bracket does not close")
            at = closing + 1
        if at == start:
            raise GrammarError("a value is missing")
        self._at = at
        return text[start:at]

    def whole_list(self) -> list[Value]:
        """The next value, which must be a list."""
        value = self.value()
        if not isinstance(value, list):
            raise GrammarError("not a list")
        return value

    def take(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """What matches here, and go on behind it."""
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def mailbox(self, follows: re.Pattern[bytes]) -> bytes:
        """A folder's name in any form of string; `follows` is where one without quotes ends, else with the line.

        Some servers forget the quotes around spaces and brackets, or to escape those within.
        """
        character = self._peek()
        if character == b'"':
            quoted = _QUOTED.match(self._text, self._at)
            if quoted is not None and self._text[quoted.end() : quoted.end() + 1] in (b"", b" ", b"\t", b"("):
                return self._quoted()
            self._at += 1
            end = self._text.rfind(b'"', self._at)
            raw, self._at = self._text[self._at : end if end >= 0 else None], end + 1 if end >= 0 else len(self._text)
            return raw.rstrip(b" ") if end < 0 else raw
        if character == b"" and self._segment < len(self._literals):
            literal = self._literal()
            if not isinstance(literal, bytes):
                raise GrammarError("not a name")
            return literal
        following = follows.search(self._text, self._at)
        start, self._at = self._at, following.start() if following else len(self._text)
        return self._text[start : self._at].rstrip(b" ")

    def rest(self) -> bytes:
        """What is left of the line as it stands."""
        return self._text[self._at :]
