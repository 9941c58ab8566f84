"""Names as people type them, and as they are compared and sorted."""

import re
import unicodedata

LOGIN_LENGTH = 150  # characters; an address fits
LOGIN_PATTERN = r"^[a-z0-9][a-z0-9._@+-]*$"

_LOGIN = re.compile(LOGIN_PATTERN)


def normalize_login(text: str) -> str:
    """Return a login name as it is stored and compared: full-width and capital letters are no difference."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


def is_login(text: str) -> bool:
    """Whether a normalized text may be a login name: ASCII letters, digits, ``. _ - + @``; a letter or digit first."""
    return len(text) <= LOGIN_LENGTH and _LOGIN.fullmatch(text) is not None


def tidy_name(text: str) -> str:
    """Return a person's or a company's name without spaces around it and with one space where there were more.

    Control characters are dropped: PostgreSQL refuses NUL, and none of them is part of a name.
    """
    words = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(letter for letter in words if unicodedata.category(letter) != "Cc")


def tidy_address(text: str) -> str:
    """Return a mail address as people mean it: full-width letters and spaces around it are slips of the keyboard."""
    return unicodedata.normalize("NFKC", text).strip()


def name_key(text: str) -> str:
    """Return what names are sorted by: half-width kana, full-width letters and capitals fall together."""
    return unicodedata.normalize("NFKC", text).casefold().replace(" ", "")[:400]
