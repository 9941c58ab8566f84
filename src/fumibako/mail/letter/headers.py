"""The header block of a mail or of a part: names and raw values (RFC 5322 §2.2)."""

import re

from fumibako.mail.letter.words import header_text, raw_text, unfold

# A field with the lines that continue it, or a line that is none with those that continue it.
_FIELD = re.compile(
    rb"([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)\n?|[^\n]*+(?:\n[ \t][^\n]*+)*+\n?",
)

MAX_VALUE = 256 * 1024  # bytes of one value that are read; what is longer is an attack or an accident


class Headers:
    """The fields of one header block, in their order, by lower-case name, values raw and still folded.

    Lines that are no field are skipped with what continues them; they hide nothing behind them.
    """

    __slots__ = ("_fields",)

    def __init__(self, block: bytes) -> None:
        self._fields: dict[bytes, list[bytes]] = {}
        for name, value in _FIELD.findall(block):
            if name:
                self._fields.setdefault(name.lower(), []).append(value)

    def __bool__(self) -> bool:
        return bool(self._fields)

    def __contains__(self, name: str) -> bool:
        return name.encode("ascii") in self._fields

    def raw(self, name: str) -> bytes:
        """The first value of this name, folded as it came; b"" where there is none."""
        values = self._fields.get(name.encode("ascii"))
        return values[0] if values else b""

    def line(self, name: str) -> bytes:
        """The first value of this name on one line, not decoded; b"" where there is none."""
        return unfold(self.raw(name)[:MAX_VALUE])

    def lines(self, name: str) -> list[bytes]:
        """Every value of this name on one line, not decoded."""
        return [unfold(value[:MAX_VALUE]) for value in self._fields.get(name.encode("ascii"), ())]

    def text(self, name: str, hint: str = "") -> str:
        """The first value of this name as a person reads it."""
        return header_text(self.raw(name)[:MAX_VALUE], hint)

    def token(self, name: str) -> str:
        """The first value of this name up to its first space, semicolon or comment, in lower case."""
        words = raw_text(self.line(name)).lower().replace(";", " ").replace("(", " ").split()
        return words[0] if words else ""
