"""Folder names in modified UTF-7 (RFC 3501 §5.1.3)."""

import base64
import binascii
import re

_SHIFTED = re.compile(rb"&([^-]*)-")
_UNPRINTABLE = re.compile("[^\x20-\x7e]+")


def encode(name: str) -> bytes:
    """A folder's name as a server knows it."""
    escaped = name.replace("&", "&-")
    return _UNPRINTABLE.sub(lambda run: f"&{_to_base64(run[0])}-", escaped).encode("ascii")


def decode(raw: bytes) -> str:
    """A name from a server for people to read; never fails.

    Servers that send 8-bit names against the rule are taken to mean UTF-8; what is no modified UTF-7 is shown as it is.
    """
    if not raw.isascii():
        return raw.decode("utf-8", "backslashreplace")
    try:
        return _decode_strictly(raw)
    except ValueError:
        return raw.decode("ascii")


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
