"""The fingerprint: a cheap proposal that two mails are the same letter."""

import hashlib

from fumibako.mail.letter.headers import Headers
from fumibako.mail.letter.structure import head

_VERSION = b"\x01"
_HEADERS = ("message-id", "date", "from", "subject")
_WHITE_SPACE = b" \t\r\n"


def fingerprint(raw: bytes | memoryview) -> bytes:
    """Version byte and SHA-256: 33 bytes over the raw bytes of Message-ID, Date, From and Subject.

    Version 1: of each of the four, in this order, the first field of that name in any case, its value as it stands
    after the colon, folded or not, without its spaces, tabs, CR and LF (servers fold and unfold), nothing decoded; a
    field that is missing gives nothing. The four values are joined by one NUL and hashed. A header block alone (what
    BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)] returns) gives the same as the whole mail.

    It proposes only: two different mails may share it, so bytes decide wherever it matters.
    """
    return fingerprint_of(head(bytes(raw)))


def fingerprint_of(headers: Headers) -> bytes:
    """The fingerprint of a mail whose headers are read already."""
    values = (headers.raw(name).translate(None, _WHITE_SPACE) for name in _HEADERS)
    return _VERSION + hashlib.sha256(b"\x00".join(values)).digest()
