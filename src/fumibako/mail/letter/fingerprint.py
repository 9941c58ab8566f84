"""The fingerprint: a cheap proposal that two mails are the same letter."""


def fingerprint(raw: bytes | memoryview) -> bytes:
    """Version byte and SHA-256 (33 bytes) over four raw headers."""
    raise NotImplementedError
