"""Submission (RFC 6409) by aiosmtplib, over connections of `mail.connect` alone.

What it can do today is prove a login: greet, TLS, AUTH, MAIL FROM the mailbox's own address, RSET. Every step that the
server refuses is told apart (`Refused.step`), since each has its own remedy.
"""

from fumibako.mail.submission.client import SubmissionClient
from fumibako.mail.submission.errors import (
    ConnectionLost,
    LoginUnavailable,
    Refused,
    StartTlsMissing,
    SubmissionError,
    TimedOut,
)

__all__ = [
    "ConnectionLost",
    "LoginUnavailable",
    "Refused",
    "StartTlsMissing",
    "SubmissionClient",
    "SubmissionError",
    "TimedOut",
]
