"""Content-Type and Content-Disposition: a value and its parameters (RFC 2045 §5.1, RFC 2183, RFC 2231)."""

import functools
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from fumibako.mail.letter import charsets
from fumibako.mail.letter.words import decode_words, raw_text, tidy

_PARAMETER = re.compile(r';\s*([^=;\s"]{1,100})\s*=\s*(?:"((?:[^"\\]|\\.)*+)"|([^;]*))', re.DOTALL)
_SECTION = re.compile(r"(.+?)\*(\d{1,4})?(\*)?$")
_RAW_SECTIONS = re.compile(rb"\*\d+\*?=")
_QUOTED_PAIR = re.compile(r'\\(["\\])')
_OFTEN = 200  # bytes of a header that may come again as it is
_COMMENT = re.compile(r"\([^()]*\)")


def parse_parameters(line: bytes, hint: str = "") -> tuple[str, Mapping[str, str]]:
    """An unfolded header's value in lower case and its parameters by lower-case name.

    The pieces of RFC 2231 §3 are joined as bytes, then decoded. Encoded words are decoded too, although RFC 2047 §5
    forbids them here, and also where a sender cut one into pieces: most senders in Japan do one or the other.
    """
    return _parse_often(line, hint) if len(line) <= _OFTEN else _parse(line, hint)


@functools.lru_cache(maxsize=1024)
def _parse_often(line: bytes, hint: str) -> tuple[str, Mapping[str, str]]:
    """Most parts have the same few headers."""
    return _parse(line, hint)


def _parse(line: bytes, hint: str) -> tuple[str, Mapping[str, str]]:
    # Pieces of raw 8-bit data may cut a character in two: they are joined before anything is decoded.
    in_bytes = not line.isascii() and _RAW_SECTIONS.search(line) is not None
    text = line.decode("latin-1") if in_bytes else raw_text(line, hint)
    value, _, _ = text.partition(";")
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, quoted, bare in _PARAMETER.findall(text):
        piece = _QUOTED_PAIR.sub(r"\1", quoted) if quoted else bare.strip().strip('"')
        match = _SECTION.match(name.lower()) if "*" in name else None
        if match is None:
            plain.setdefault(name.lower(), piece)
        else:
            sections.setdefault(match[1], {}).setdefault(int(match[2] or 0), (piece, _is_extended(match)))
    found = {name: tidy(decode_words(_as_text(piece, in_bytes, hint))) for name, piece in plain.items()}
    for name, pieces in sections.items():
        found[name] = tidy(_join([pieces[number] for number in sorted(pieces)], in_bytes, hint))
    return _COMMENT.sub("", value).strip().lower(), found


def _is_extended(match: re.Match[str]) -> bool:
    return match[3] is not None or match[2] is None


def _as_text(piece: str, in_bytes: bool, hint: str) -> str:
    return raw_text(piece.encode("latin-1"), hint) if in_bytes else piece


def _join(pieces: list[tuple[str, bool]], in_bytes: bool, hint: str) -> str:
    if not any(extended for _, extended in pieces):
        return decode_words(_as_text("".join(piece for piece, _ in pieces), in_bytes, hint))
    charset, data = "", []
    for number, (piece, extended) in enumerate(pieces):
        if number == 0 and piece.count("'") >= 2:
            charset, _, piece = piece.split("'", 2)
        raw = piece.encode("latin-1" if in_bytes else "utf-8")
        data.append(unquote_to_bytes(raw) if extended else raw)
    return decode_words(charsets.decode(b"".join(data), charset, hint))
