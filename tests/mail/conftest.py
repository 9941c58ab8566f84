"""The real Dovecot and its authority, for the mail room's tests."""

from tests.lab.dovecot import authority, dovecot

__all__ = ["authority", "dovecot"]
