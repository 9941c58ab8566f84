"""Folder names in modified UTF-7 (RFC 3501 §5.1.3)."""

import base64
import binascii
import contextlib
import re

_SHIFTED = re.compile(rb"&([^-]*)-")
_NO_LETTERS = re.compile("[\x80-\x9f\xa0\uf8f0-\uf8f3]")  # what cp932 makes of bytes that are none of Shift_JIS
_UNPRINTABLE = re.compile("[^\x20-\x7e]+")


def encode(name: str) -> bytes:
    """A folder's name as a server knows it."""
    escaped = name.replace("&", "&-")
    return _UNPRINTABLE.sub(lambda run: f"&{_to_base64(run[0])}-", escaped).encode("ascii")


def decode(raw: bytes) -> str:
    """A name from a server for people to read; never fails, and never holds NUL, which no database takes.

    Servers that send 8-bit names against the rule are taken to mean UTF-8, or the Shift_JIS of Windows where all of it
    is that; what is no modified UTF-7 is shown as it is.
    """
    return _decode(raw).replace("\0", "\ufffd")


def _decode(raw: bytes) -> str:
    if raw.isascii():
        try:
            return _decode_strictly(raw)
        except ValueError:
            return raw.decode("ascii")
    for charset in ("utf-8", "cp932"):
        with contextlib.suppress(UnicodeDecodeError):
            name = raw.decode(charset)
            if not _NO_LETTERS.search(name):
                return name
    return raw.decode("utf-8", "replace")


def _decode_strictly(raw: bytes) -> str:
    parts: list[str] = []
    end = 0
    for shifted in _SHIFTED.finditer(raw):
        parts.append(_plain(raw[end : shifted.start()]))
        parts.append(_from_base64(shifted[1]) if shifted[1] else "&")
        end = shifted.end()
    parts.append(_plain(raw[end:]))
    return "".join(parts)


def _plain(raw: bytes) -> str:
    if b"&" in raw:
        raise ValueError("a shift without an end")
    return raw.decode("ascii")


def _to_base64(text: str) -> str:
    encoded = base64.b64encode(text.encode("utf-16-be", "surrogatepass"), b"+,")
    return encoded.rstrip(b"=").decode("ascii")


def _from_base64(encoded: bytes) -> str:
    try:
        padded = encoded + b"=" * (-len(encoded) % 4)
        return base64.b64decode(padded, b"+,", validate=True).decode("utf-16-be")
    except binascii.Error as error:
        raise ValueError("no base64") from error
