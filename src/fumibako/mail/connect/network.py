"""The outside world as the operator allows it: what a server is, who is believed, how names are looked up."""

import asyncio
import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from itertools import chain, zip_longest
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdata
import dns.resolver
import idna

from .errors import DnsFailure, NameNotFound
from .guard import AllowedNetwork, IPAddress, permitted

DNS_TIMEOUT = 5.0  # seconds for one look-up, retries included
RESOLUTION_DELAY = 0.05  # seconds that a ready A answer waits for AAAA (RFC 8305 §3)
LATE_IPV4_DELAY = 1.0  # seconds that a ready AAAA answer waits for A, without which a dead IPv6 would be the end
HOSTS_FILE = Path("/etc/hosts")
_HOST_NAME = re.compile(r"[a-z0-9_*]([a-z0-9_.-]*[a-z0-9_])?")


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
        wanted = ascii_name(name)
        try:
            answer = await self._resolver().resolve(wanted, kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            raise NameNotFound("no such name", host=name) from None
        except (dns.exception.DNSException, OSError) as error:
            raise DnsFailure(f"no answer to the look-up of {kind} ({type(error).__name__})", host=name) from error
        return tuple(answer)

    def _resolver(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=self.dns_server is None)
        if self.dns_server is not None:
            address, resolver.port = self.dns_server
            resolver.nameservers = [address]
        resolver.lifetime = DNS_TIMEOUT
        return resolver

    async def addresses(self, host: str) -> tuple[IPAddress, ...]:
        """The addresses of a host in the order to try them (families in turn, IPv6 first: RFC 8305 §4).

        An IP literal is its own answer. The system's hosts file counts only while no `dns_server` is set. Not yet
        checked by the guard. Raises NameNotFound or DnsFailure.
        """
        literal = literal_address(host)
        if literal is not None:
            return (literal,)
        name = ascii_name(host)
        listed = () if self.dns_server is not None else await asyncio.to_thread(_in_hosts_file, name)
        found = listed or await self._looked_up(name)
        return _interleaved(found)

    async def _looked_up(self, name: str) -> tuple[IPAddress, ...]:
        """Both families at once; a family that is late is not waited for once the other has an address."""
        four = asyncio.create_task(self._family(name, "A"))
        six = asyncio.create_task(self._family(name, "AAAA"))
        try:
            await asyncio.wait({four, six}, return_when=asyncio.FIRST_COMPLETED)
            early, late, patience = (four, six, RESOLUTION_DELAY) if four.done() else (six, four, LATE_IPV4_DELAY)
            await asyncio.wait({late}, timeout=patience if _has_address(early) else None)
            return _union(task for task in (six, four) if task.done())
        finally:
            four.cancel()
            six.cancel()

    async def _family(self, name: str, kind: str) -> tuple[IPAddress, ...]:
        return tuple(ip_address(record.to_text()) for record in await self.resolve(name, kind))

    def permits(self, address: IPAddress, port: int) -> bool:
        """Whether a mail connection may go there (see `guard`)."""
        return permitted(address, port, private=self.private, never=self.never)


def _has_address(task: asyncio.Task[tuple[IPAddress, ...]]) -> bool:
    return task.exception() is None and bool(task.result())


def _union(tasks: Iterable[asyncio.Task[tuple[IPAddress, ...]]]) -> tuple[IPAddress, ...]:
    """All addresses; without any, the more hopeful of the errors (a failed look-up may succeed later)."""
    finished = tuple(tasks)
    errors = [error for task in finished if (error := task.exception()) is not None]
    found = tuple(address for task in finished if task.exception() is None for address in task.result())
    if found:
        return found
    for error in sorted(errors, key=lambda error: isinstance(error, NameNotFound)):
        raise error
    raise NameNotFound("the name has no address")


def literal_address(host: str) -> IPAddress | None:
    """The address that the text itself is, with or without brackets; None for a name."""
    with contextlib.suppress(ValueError):
        return ip_address(host.removeprefix("[").removesuffix("]"))
    return None


def _in_hosts_file(name: str) -> tuple[IPAddress, ...]:
    try:
        lines = HOSTS_FILE.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    entries = (line.partition("#")[0].split() for line in lines)
    found = (literal_address(entry[0]) for entry in entries if name in (alias.lower() for alias in entry[1:]))
    return tuple(address for address in found if address is not None)


def _interleaved(addresses: Iterable[IPAddress]) -> tuple[IPAddress, ...]:
    known = tuple(dict.fromkeys(addresses))
    six = [address for address in known if address.version == 6]
    four = [address for address in known if address.version == 4]
    return tuple(address for address in chain.from_iterable(zip_longest(six, four)) if address is not None)


def ascii_name(name: str) -> str:
    """A host name in lower-case A-labels (UTS 46), without a final dot. Raises NameNotFound for what cannot be one."""
    bare = name.strip().rstrip(".")
    try:
        encoded = bare.lower() if bare.isascii() else idna.encode(bare, uts46=True).decode("ascii")
        dns.name.from_text(encoded + ".")
    except (UnicodeError, dns.exception.DNSException):
        encoded = ""
    if not encoded or not _HOST_NAME.fullmatch(encoded):
        raise NameNotFound("not a host name", host=name)
    return encoded
