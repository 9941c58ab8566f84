"""Public ids: what stands in URLs, the API and the audit trail in place of a row's number."""

import secrets

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH = 22  # characters of base 62 that hold 128 bits


def public_id(prefix: str) -> str:
    """Return a new opaque id such as ``pe_0c1kRk2…``: the prefix and 128 random bits in 22 characters."""
    number = secrets.randbits(128)
    digits = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return f"{prefix}_{''.join(reversed(digits))}"


def organization_id() -> str:
    """Return a new public id of an organization."""
    return public_id("og")


def person_id() -> str:
    """Return a new public id of a person."""
    return public_id("pe")
