"""Content-Transfer-Encoding to bytes (RFC 2045 §6), forgiving.

fast-mail-parser decodes base64 four times as fast as the standard library (0.4 ms against 1.5 ms for 600 KB) but
refuses anything unusual; then the standard library reads it group by group. Quoted-printable is faster here.
"""

import binascii
import re

from fast_mail_parser import ParseError, parse_email_tree

_WORTH_A_CALL = 4096  # bytes of base64 from which the faster decoder pays for its call
_BASE64_PART = b"Content-Transfer-Encoding: base64\r\n\r\n"
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_PADDING = re.compile(rb"=+")
_FOREIGN_LINE = re.compile(rb"[^A-Za-z0-9+/=\s]|[A-Za-z0-9+/=][ \t]+[A-Za-z0-9+/=]")
_PIECE = re.compile(rb"[^=]+=*")
_UU_BODY = re.compile(rb"^begin [0-7]{3,4} [^\r\n]*\r?\n(.*?)(?:^end|\Z)", re.DOTALL | re.MULTILINE)


def decode_transfer(data: memoryview, encoding: str) -> bytes:
    """The bytes that were sent. An unknown encoding is taken as none."""
    if encoding == "base64":
        return _base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return _uudecode(bytes(data))
    return bytes(data)


def _base64(data: memoryview) -> bytes:
    if len(data) < _WORTH_A_CALL:
        return lenient_base64(bytes(data))
    try:
        return parse_email_tree(b"".join((_BASE64_PART, data))).content or b""
    except ParseError:
        return lenient_base64(bytes(data))


def lenient_base64(data: bytes) -> bytes:
    """Base64 as it comes: strange characters skipped, padding missing, several padded pieces in a row; what stands
    behind the padding and is no base64 (a mailing list's footer) is left out."""
    try:
        if b"=" not in data[:-4] and not _NOT_BASE64.search(data):
            return binascii.a2b_base64(data)
    except binascii.Error:
        pass
    padding = _PADDING.search(data)
    if padding and _FOREIGN_LINE.search(data, padding.end()):
        data = data[: padding.end()]
    return b"".join(_group(piece) for piece in _PIECE.findall(_NOT_BASE64.sub(b"", data)))


def _group(piece: bytes) -> bytes:
    digits = piece.rstrip(b"=")
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def _uudecode(data: bytes) -> bytes:
    match = _UU_BODY.search(data)
    return b"".join(_uu_line(line) for line in match[1].splitlines()) if match else data


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        if not line:
            return b""
        # The length byte counts; what stands behind it is padding of careless encoders.
        wanted = (((line[0] - 32) & 63) * 4 + 5) // 3
        try:
            return binascii.a2b_uu(line[:wanted])
        except binascii.Error:
            return b""
