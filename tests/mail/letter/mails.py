"""Mails for the tests of this room, built from bytes."""

import base64
from pathlib import Path

CORPORA = Path(__file__).resolve().parents[4] / "shared" / "corpora"


def mail(*headers: bytes, body: bytes = b"", line_end: bytes = b"\r\n") -> bytes:
    """Header lines and a body."""
    return line_end.join((*headers, b"", body))


def part(*headers: bytes, body: bytes = b"") -> bytes:
    """A part to put into `multipart`."""
    return b"\r\n".join((*headers, b"", body))


def multipart(subtype: bytes, *parts: bytes, boundary: bytes = b"=_edge", headers: tuple[bytes, ...] = ()) -> bytes:
    """A multipart, itself a part or a mail."""
    kind = b'Content-Type: multipart/%s; boundary="%s"' % (subtype, boundary)
    lines = [*headers, kind, b""]
    for one in parts:
        lines += [b"--" + boundary, one]
    return b"\r\n".join([*lines, b"--" + boundary + b"--", b""])


def encoded_word(charset: str, data: bytes) -> bytes:
    """One encoded word in base64."""
    return b"=?" + charset.encode() + b"?B?" + base64.b64encode(data) + b"?="


def text_part(text: str, subtype: bytes = b"plain") -> bytes:
    """A text part in UTF-8."""
    return part(b"Content-Type: text/" + subtype + b"; charset=UTF-8", body=text.encode())
