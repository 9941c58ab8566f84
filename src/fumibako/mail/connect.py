"""The one place that looks up mail hosts and opens sockets to mail servers.

What it is for: every connection of the product to a mail server, IMAP or SMTP, begins with `dial`, which resolves the
name once, keeps the addresses that `guard` permits, and connects to exactly those (no second look-up that could answer
otherwise). TLS contexts come from `tls_context`; `tls_failure` turns what OpenSSL says into an error with a meaning.

Errors: `ConnectError` and its family. Each says where (`host`, `port`) and holds no secret; none holds a word that the
other side said, since it has not yet shown to be a mail server.
"""

import asyncio
import contextlib
import errno
import functools
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, ip_address
from itertools import chain, zip_longest
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdata
import dns.resolver
import idna

from .guard import MAIL_PORTS, AllowedNetwork, IPAddress, IPNetwork, parse_private_hosts, permitted

__all__ = [
    "MAIL_PORTS",
    "AddressRefused",
    "AllowedNetwork",
    "Authority",
    "CertificateExpired",
    "CertificateForeignName",
    "CertificateUntrusted",
    "ConnectError",
    "Dialed",
    "DnsFailure",
    "Dropped",
    "IPAddress",
    "IPNetwork",
    "NameNotFound",
    "Network",
    "NotAMailServer",
    "NotTls",
    "Refused",
    "Security",
    "Server",
    "TimedOut",
    "TlsError",
    "TlsTooOld",
    "Unreachable",
    "ascii_name",
    "connect_failure",
    "dial",
    "parse_private_hosts",
    "server_name",
    "tls_context",
    "tls_failure",
]

DIAL_TIMEOUT = 15.0  # seconds for look-up and TCP connection together
DNS_TIMEOUT = 5.0  # seconds for one look-up, retries included
RESOLUTION_DELAY = 0.05  # seconds that a ready A answer waits for AAAA (RFC 8305 §3)
ATTEMPT_DELAY = 0.25  # seconds before the next address is tried beside the last (RFC 8305 §5)
HOSTS_FILE = Path("/etc/hosts")


class Security(StrEnum):
    """How a connection is encrypted; there is no third way."""

    TLS = "tls"
    STARTTLS = "starttls"


@dataclass(frozen=True)
class Server:
    """A mail server as it is dialed: host name (Unicode or A-labels) or IP literal, port, security."""

    host: str
    port: int
    security: Security


@dataclass(frozen=True)
class Authority:
    """A private certificate authority (PEM file) that is believed for these addresses and ports alone."""

    cafile: Path
    addresses: frozenset[tuple[IPAddress, int]]


class ConnectError(Exception):
    """A mail server could not be reached; `host` and `port` say which, `address` where it was known."""

    def __init__(self, detail: str = "", *, host: str = "", port: int = 0, address: IPAddress | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.host = host
        self.port = port
        self.address = address

    def __str__(self) -> str:
        where = f"{self.host}:{self.port}" if self.port else self.host
        return ": ".join(part for part in (where, self.detail) if part) or type(self).__name__


class AddressRefused(ConnectError):
    """We do not connect there. The same for every refused address, so that it tells nothing about the inside."""


class NameNotFound(ConnectError):
    """The name does not exist, or has no address."""


class DnsFailure(ConnectError):
    """The look-up got no usable answer (time-out, SERVFAIL): the name may well exist."""


class Refused(ConnectError):
    """The machine answers, nothing listens on the port."""


class Unreachable(ConnectError):
    """No route to any address of the host."""


class TimedOut(ConnectError):
    """No answer in time."""


class Dropped(ConnectError):
    """The other side closed or reset the connection before anything useful was said."""


class NotAMailServer(ConnectError):
    """Something answers that does not greet as the mail server that was asked for.

    Its words are not kept. `speaks` is what was recognized by the first bytes: "imap", "smtp", "pop3", "http", "ssh"
    or None.
    """

    def __init__(
        self,
        *,
        speaks: str | None = None,
        host: str = "",
        port: int = 0,
        address: IPAddress | None = None,
    ) -> None:
        super().__init__(
            "not the mail server that was asked for" + (f" but {speaks}" if speaks else ""),
            host=host,
            port=port,
            address=address,
        )
        self.speaks = speaks


class TlsError(ConnectError):
    """TLS could not be set up; `reason` is OpenSSL's symbol, `verify_code` its X509_V_ERR number where one is known."""

    def __init__(
        self,
        detail: str = "",
        *,
        reason: str | None = None,
        verify_code: int | None = None,
        host: str = "",
        port: int = 0,
        address: IPAddress | None = None,
    ) -> None:
        super().__init__(detail, host=host, port=port, address=address)
        self.reason = reason
        self.verify_code = verify_code


class CertificateUntrusted(TlsError):
    """Self-signed, or by an authority that is not in the store."""


class CertificateForeignName(TlsError):
    """A valid certificate of another name."""


class CertificateExpired(TlsError):
    """Past its last day, or before its first."""


class TlsTooOld(TlsError):
    """The server has only protocol versions, ciphers or keys that are no longer safe."""


class NotTls(TlsError):
    """The port answers without TLS."""


@dataclass(frozen=True)
class Network:
    """The outside world as the operator allows it; made once from the settings and passed down."""

    dns_server: tuple[str, int] | None = None
    """IP and port that replace the system's resolver for everything."""
    private: tuple[AllowedNetwork, ...] = ()
    """Where mail hosts may be private, and on which port."""
    never: tuple[tuple[IPAddress, int], ...] = ()
    """Our own doors (database, web): refused even if listed."""
    authorities: tuple[Authority, ...] = ()

    async def resolve(self, name: str, kind: str) -> tuple[dns.rdata.Rdata, ...]:
        """The records of one kind ("MX", "SRV", "TXT", "PTR", "NS", "A", "AAAA") as dnspython gives them.

        Empty when the name exists without such a record. Raises NameNotFound when it does not exist, DnsFailure when
        nobody could say. The name is taken as absolute; no search list applies.
        """
        raise NotImplementedError

    async def addresses(self, host: str) -> tuple[IPAddress, ...]:
        """The addresses of a host in the order to try them (families in turn, IPv6 first: RFC 8305 §4).

        An IP literal is its own answer. The system's hosts file counts only while no `dns_server` is set. Not yet
        checked by the guard. Raises NameNotFound or DnsFailure.
        """
        raise NotImplementedError

    def permits(self, address: IPAddress, port: int) -> bool:
        """Whether a mail connection may go there (see `guard`)."""
        return permitted(address, port, private=self.private, never=self.never)


@dataclass(frozen=True)
class Dialed:
    """A connected, non-blocking TCP socket, the address that it leads to, and how long it took."""

    sock: socket.socket
    address: IPAddress
    ms: int


async def dial(server: Server, network: Network, *, timeout: float = DIAL_TIMEOUT) -> Dialed:
    """Resolve once, keep what the guard permits, connect to the first of those that answers (RFC 8305).

    The caller owns the socket. `timeout` in seconds covers look-up and connection. Raises AddressRefused, NameNotFound,
    DnsFailure, Refused, Unreachable, TimedOut, Dropped.
    """
    raise NotImplementedError


def tls_context(server: Server, network: Network, address: IPAddress) -> ssl.SSLContext:
    """A client context (TLS 1.2 or newer, certificate and name checked) for a connection to this address.

    Believes the system's store and SSL_CERT_FILE, and a private authority only at the addresses and ports that it was
    listed for. Contexts are shared between connections. Use it with `server_hostname=server_name(server)`.
    """
    raise NotImplementedError


def server_name(server: Server) -> str:
    """The name that the certificate must carry: the host in A-labels, or the IP literal."""
    raise NotImplementedError


def tls_failure(error: ssl.SSLError, server: Server, address: IPAddress | None = None) -> ConnectError:
    """What a failed handshake means, as one of the TlsError family (or Dropped)."""
    raise NotImplementedError


def connect_failure(error: OSError, server: Server, address: IPAddress | None = None) -> ConnectError:
    """What a failed connection means: an OSError, TimeoutError or ssl.SSLError as one of the ConnectError family."""
    raise NotImplementedError


def ascii_name(name: str) -> str:
    """A host name in lower-case A-labels (UTS 46), without a final dot. Raises NameNotFound for what cannot be one."""
    raise NotImplementedError
