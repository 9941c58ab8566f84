"""What a client says in SASL mechanisms, as bytes before base64. Text goes as UTF-8 in the form that it was given.

A password is never normalized: what the person typed is what their web mail took.
"""

import base64
import re

HIDDEN = "•••"


def plain(username: str, secret: str) -> bytes:
    """The one message of PLAIN (RFC 4616 §2), with no authorization identity."""
    return b"\0".join((b"", _text(username), _text(secret)))


def login(username: str, secret: str) -> tuple[bytes, bytes]:
    """The two answers of LOGIN (draft-murchison-sasl-login): to "Username:" and to "Password:"."""
    return _text(username), _text(secret)


def hidden(words: str, username: str, secret: str) -> str:
    """A server's words without the secret, in every form in which it went over the wire: servers repeat commands."""
    quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
    encoded = [base64.b64encode(message).decode() for message in (plain(username, secret), secret.encode())]
    forms = sorted({form for form in (*encoded, quoted, secret) if form}, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, forms)), HIDDEN, words, flags=re.IGNORECASE) if forms else words


def _text(value: str) -> bytes:
    if "\0" in value:
        raise ValueError("a login name or secret cannot hold a NUL character")
    return value.encode()
