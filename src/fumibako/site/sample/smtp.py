"""Submission over SMTP (RFC 6409), TLS from the first byte: own mail reaches the INBOX, all other mail ends here."""

import asyncio
import secrets
import socket
import ssl
from datetime import UTC, datetime
from email.utils import format_datetime

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from fumibako.site.sample.account import Account
from fumibako.site.sample.folders import Folder

MAX_SIZE = 35 * 1024 * 1024  # bytes
HOST = "sample-shoji.example"


class Submission:
    """What aiosmtpd asks about a session's commands."""

    def __init__(self, account: Account, inbox: Folder) -> None:
        self._account = account
        self._inbox = inbox

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, data: object
    ) -> AuthResult:
        """AUTH PLAIN and LOGIN; a refusal becomes 535 5.7.8."""
        known = isinstance(data, LoginPassword) and (
            secrets.compare_digest(data.login, self._account.address.encode())
            and secrets.compare_digest(data.password, self._account.password.encode())
        )
        return AuthResult(success=known, handled=False)

    async def handle_MAIL(
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only who has logged in sends, and only as oneself."""
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        if address.lower() != self._account.address:
            return "553 5.7.1 Sender address rejected: not owned by the user who has logged in"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        """Deliver to the INBOX what is addressed to it; accept and drop the rest."""
        if self._account.address in (address.lower() for address in envelope.rcpt_tos):
            now = datetime.now(UTC).astimezone()
            trace = (
                f"Return-Path: <{envelope.mail_from}>\r\n"
                f"Received: from {session.host_name} (localhost [127.0.0.1])\r\n"
                f"\tby {HOST} with ESMTPSA; {format_datetime(now)}\r\n"
            )
            self._inbox.deliver(trace.encode("ascii", "replace") + (envelope.original_content or b""), now)
        return "250 2.0.0 OK"


async def serve_smtp(
    listening: socket.socket, context: ssl.SSLContext, account: Account, inbox: Folder
) -> asyncio.Server:
    """Serve submission on a bound socket until the server that is returned is closed."""
    submission = Submission(account, inbox)

    def session() -> SMTP:
        return SMTP(
            submission,
            data_size_limit=MAX_SIZE,
            hostname=HOST,
            ident="Fumibako sample",
            auth_require_tls=False,  # aiosmtpd knows STARTTLS only; here TLS came before SMTP
            authenticator=submission.authenticate,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )

    return await asyncio.get_running_loop().create_server(session, sock=listening, ssl=context)
