"""Raw bytes of a mail to a Letter."""

from fumibako.mail.letter.values import Letter

PARSER_VERSION = 1


def parse(raw: bytes | memoryview) -> Letter:
    """Read a mail. Never raises on a bad mail: what cannot be read is empty or replaced by U+FFFD."""
    raise NotImplementedError


def part_bytes(raw: bytes | memoryview, part: str) -> bytes:
    """The decoded bytes of the attachment that `parse` numbered `part`. Raises KeyError where there is none."""
    raise NotImplementedError
