"""One connection to a submission server: proven TLS, one login, the question whether our address may send.

Everything goes over a socket of `connect.dial`; aiosmtplib does the talking. Nothing here can send a mail: RCPT and
DATA have no method.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable
from types import TracebackType
from typing import Self

import aiosmtplib

from fumibako.mail import connect, sasl
from fumibako.mail.connect import Dialed, Network, Security, Server
from fumibako.mail.submission.errors import (
    ConnectionLost,
    LoginUnavailable,
    Refused,
    StartTlsMissing,
    SubmissionError,
    TimedOut,
)

CONNECT_TIMEOUT = 30.0  # seconds from look-up to an answer to EHLO over proven TLS; some hosts greet after 10 s
COMMAND_TIMEOUT = 30.0  # seconds for the answer to a command
QUIT_TIMEOUT = 2.0  # seconds; the connection is closed anyway
PLAIN, LOGIN = "PLAIN", "LOGIN"
UNRECOGNIZED_MECHANISM = 504  # RFC 4954 section 6


Answer = Awaitable[aiosmtplib.SMTPResponse]


class _Smtp(aiosmtplib.SMTP):
    """aiosmtplib closes by an exchange of TLS goodbyes, which a silent server can draw out; ours ends at once."""

    def close(self) -> None:
        transport = self.transport
        super().close()
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()


class SubmissionClient:
    """One connection. Use `async with`, or call `close`."""

    def __init__(self, server: Server, smtp: aiosmtplib.SMTP) -> None:
        """Take over a connection that `connect` has made."""
        self.server = server
        self._smtp = smtp

    @classmethod
    async def connect(
        cls,
        server: Server,
        network: Network,
        *,
        timeout: float = CONNECT_TIMEOUT,
    ) -> SubmissionClient:
        """Connect, prove the certificate, greet; with STARTTLS, TLS before anything else is said.

        Raises the ConnectError family until a mail server has greeted (NotAMailServer when none does), then Refused,
        StartTlsMissing, ConnectionLost, TimedOut.
        """
        try:
            async with asyncio.timeout(timeout):
                dialed = await connect.dial(server, network, timeout=timeout)
                try:
                    return await cls._greet(server, network, dialed, timeout)
                except BaseException:
                    dialed.sock.close()
                    raise
        except TimeoutError:
            raise connect.TimedOut("no greeting in time", host=server.host, port=server.port) from None

    @classmethod
    async def _greet(cls, server: Server, network: Network, dialed: Dialed, seconds: float) -> SubmissionClient:
        smtp = _Smtp(
            hostname=connect.server_name(server),
            sock=dialed.sock,
            use_tls=server.security is Security.TLS,
            start_tls=False,
            tls_context=connect.tls_context(server, network, dialed.address),
            local_hostname=_own_name(dialed),
            timeout=COMMAND_TIMEOUT,
        )
        try:
            try:
                await smtp.connect(timeout=seconds)
            except (aiosmtplib.SMTPException, OSError) as error:
                raise _before_greeting(error, server, dialed) from None
            client = cls(server, smtp)
            await client._command("smtp-ehlo", smtp.ehlo())
            if server.security is Security.STARTTLS:
                await client._start_tls(dialed)
        except BaseException:
            smtp.close()
            raise
        return client

    async def _start_tls(self, dialed: Dialed) -> None:
        if not self._smtp.supports_extension("starttls"):
            raise StartTlsMissing("STARTTLS is not offered")
        try:
            await self._smtp.starttls(server_hostname=connect.server_name(self.server))
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error, "smtp-ehlo") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _broken(error, self.server, dialed) from None
        await self._command("smtp-ehlo", self._smtp.ehlo())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def mechanisms(self) -> frozenset[str]:
        """The mechanisms of AUTH that the server offers, in capitals."""
        return frozenset(name.upper() for name in self._smtp.server_auth_methods)

    @property
    def tls(self) -> str:
        """The TLS version in use, such as "TLSv1.3"."""
        return str(self._smtp.get_transport_info("ssl_object").version())

    async def login(self, username: str, secret: str, mechanism: str | None = None) -> str:
        """Log in; returns the mechanism used. AUTH PLAIN in UTF-8 where offered (RFC 4616 section 2), else LOGIN.

        One refusal is one try: LOGIN follows PLAIN only when the server says that it does not know PLAIN. Raises
        Refused (step "smtp-auth"), LoginUnavailable, ConnectionLost, TimedOut.
        """
        usable = [name for name in (PLAIN, LOGIN) if name in self.mechanisms and mechanism in (name, None)]
        if not usable:
            raise LoginUnavailable(self.mechanisms)
        for name in usable[:-1]:
            try:
                return await self._authenticate(name, username, secret)
            except Refused as refusal:
                if refusal.code != UNRECOGNIZED_MECHANISM:
                    raise
        return await self._authenticate(usable[-1], username, secret)

    async def _authenticate(self, mechanism: str, username: str, secret: str) -> str:
        say = self._smtp.auth_plain if mechanism == PLAIN else self._smtp.auth_login
        try:
            await self._command("smtp-auth", say(username, secret))
        except Refused as refusal:
            raise Refused(refusal.code, sasl.hidden(refusal.words, username, secret), refusal.step) from None
        return mechanism

    async def try_sender(self, address: str) -> None:
        """Ask whether this address may send (MAIL FROM), and take the question back (RSET); no mail comes of it.

        Raises Refused (step "smtp-mail"), ConnectionLost, TimedOut.
        """
        words = [b"FROM:<" + address.encode() + b">"]
        if not address.isascii():
            words.append(b"SMTPUTF8")  # RFC 6531 section 3.4
        response = await self._command("smtp-mail", self._smtp.execute_command(b"MAIL", *words))
        if response.code != 250:
            raise Refused(response.code, response.message, "smtp-mail")
        with contextlib.suppress(SubmissionError):
            await self._command("smtp-mail", self._smtp.rset())

    async def quit(self) -> None:
        """Say QUIT, wait a moment for the answer, close. Never raises."""
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):
            await self._smtp.execute_command(b"QUIT", timeout=QUIT_TIMEOUT)
        self.close()

    def close(self) -> None:
        """End the connection now, without waiting for the other side to say that it ends TLS. May be called twice."""
        self._smtp.close()

    async def _command(self, step: str, answer: Answer) -> aiosmtplib.SMTPResponse:
        try:
            return await answer
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error, step) from None
        except aiosmtplib.SMTPTimeoutError:
            raise TimedOut(f"{step}: no answer in time") from None
        except (aiosmtplib.SMTPException, OSError):
            raise ConnectionLost(f"{step}: the connection ended") from None
        except BaseException:
            self.close()
            raise


def _own_name(dialed: Dialed) -> str:
    """Our name for EHLO, the address literal of this end: no host name is given away (RFC 5321 section 4.1.4)."""
    own = ipaddress.ip_address(dialed.sock.getsockname()[0].partition("%")[0])
    return f"[{own}]" if own.version == 4 else f"[IPv6:{own}]"


def _refused(error: aiosmtplib.SMTPResponseException, step: str) -> SubmissionError:
    if error.code < 0:
        return ConnectionLost(f"{step}: the answer cannot be read")
    return Refused(error.code, " ".join(error.message.split()), step)


def _before_greeting(error: Exception, server: Server, dialed: Dialed) -> Exception:
    """What a connection without a greeting means. Words count only as those of a mail server (220, 4xx, 5xx)."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        if 400 <= error.code < 600:
            return Refused(error.code, " ".join(error.message.split()), "smtp-connect")
        return connect.NotAMailServer(host=server.host, port=server.port, address=dialed.address)
    return _broken(error, server, dialed)


def _broken(error: Exception, server: Server, dialed: Dialed) -> connect.ConnectError:
    """The ConnectError of what aiosmtplib has wrapped: a failed handshake, a time-out, a closed connection."""
    if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, aiosmtplib.SMTPException):
        return connect.connect_failure(error.__cause__, server, dialed.address)
    if isinstance(error, OSError):
        return connect.connect_failure(error, server, dialed.address)
    return connect.Dropped("closed without a word", host=server.host, port=server.port, address=dialed.address)
