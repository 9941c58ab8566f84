"""Passwords at rest: sealed with keys that lie outside the database.

A sealed secret names what it belongs to (a draft or a mailbox, and which of its two logins), so that a row copied to
another mailbox does not open there. Fernet: AES-128-CBC with HMAC-SHA-256; the first key seals, all of them open.
"""

import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SecretLost(Exception):
    """A sealed secret cannot be opened: its key is not among ours, or it belongs to something else."""


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FUMIBAKO_KEYS])


def seal_secret(secret: str, *, owner: str, service: str) -> bytes:
    """Seal ``secret`` for ``service`` (imap or smtp) of ``owner``, the public id of a draft or a mailbox."""
    return _fernet().encrypt(json.dumps([owner, service, secret]).encode())


def open_secret(sealed: bytes | memoryview | None, *, owner: str, service: str) -> str:
    """Open what ``seal_secret`` has sealed for the same owner and service. Raises SecretLost, also for None."""
    try:
        sealed_owner, sealed_service, secret = json.loads(_fernet().decrypt(bytes(sealed or b"")))
    except InvalidToken:
        raise SecretLost(owner) from None
    if (sealed_owner, sealed_service) != (owner, service):
        raise SecretLost(owner)
    return str(secret)
