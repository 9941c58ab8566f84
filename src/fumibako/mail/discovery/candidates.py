"""Which servers may be tried for an address, in which order, and which of them may see a password.

Pure decisions. A password goes only to a server that has authority (design rule 8): it was typed, or the organization's
settings name it, or the host book does for this domain, or it lies under the address's own domain, or the person has
agreed to its name. Whatever else MX and SRV name is foreign: it can be proposed, no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from fumibako.mail.connect import Security, Server
from fumibako.mail.discovery.book import (
    BookServer,
    Host,
    Service,
    host_of_domain,
    host_of_server,
    hosts_of_mx,
)
from fumibako.mail.discovery.lookup import COMMON_NAMES, Records
from fumibako.mail.discovery.values import DomainSettings, Wish

PORTS: dict[Service, tuple[tuple[int, Security], ...]] = {
    "imap": ((993, Security.TLS), (143, Security.STARTTLS)),
    "smtp": ((465, Security.TLS), (587, Security.STARTTLS)),
}
"""What 自動判別 tries, in this order (RFC 8314 section 3); never without encryption."""

_SECURITY_OF_PORT = {port: security for ports in PORTS.values() for port, security in ports}


class Source(StrEnum):
    """Who named a server."""

    TYPED = "typed"
    SETTINGS = "settings"
    BOOK = "book"
    SRV = "srv"
    MX = "mx"
    COMMON = "common name"


@dataclass(frozen=True)
class Candidate:
    """A server to be tried. Without `authority` no password goes there. `host` is the known host that it belongs to."""

    server: Server
    source: Source
    authority: bool
    host: Host | None = None


def candidates(
    service: Service,
    domain: str,
    wish: Wish,
    *,
    settings: DomainSettings | None = None,
    records: Records | None = None,
    imap_host: str | None = None,
    trusted: frozenset[str] = frozenset(),
) -> tuple[Candidate, ...]:
    """The servers to try for one service of an address, the likeliest first; those with authority before all others.

    A typed server stands alone, else the organization's settings do. `imap_host` is the server for reading that was
    typed or set, when it is `service` smtp that is asked for: the same host sends as well, more often than not.
    """
    if wish.host:
        return _at(service, wish.host, wish, Source.TYPED, authority=True)
    fixed = settings and (settings.imap if service == "imap" else settings.smtp)
    if fixed:
        return (Candidate(fixed, Source.SETTINGS, authority=True, host=_host(fixed.host, service)),)
    named = [*_beside(imap_host, service, domain, wish), *_of_domain(service, domain, wish)]
    if records is not None:
        named += [*_by_srv(service, wish, records), *_by_mx(service, domain, wish, records)]
        named += _common(service, domain, wish, records)
    return _merged(named, domain, service, trusted)


def is_under(name: str, domain: str) -> bool:
    """Whether a server's name is the domain itself or lies below it."""
    return name == domain or name.endswith("." + domain)


def recognized(domain: str, records: Records | None) -> Host | None:
    """The host of an address, by its domain or surely by its MX; None when only leads point there."""
    if found := host_of_domain(domain):
        return found
    for exchange in records.mx if records else ():
        for host in hosts_of_mx(exchange):
            if host.mx_sure:
                return host
        for service in ("imap", "smtp"):
            if (entry := host_of_server(exchange, service)) and entry[1].sure:
                return entry[0]
    return None


def _beside(imap_host: str | None, service: Service, domain: str, wish: Wish) -> Iterator[Candidate]:
    """Where to send when the server for reading is given: what the book knows of its host, then the same name."""
    if imap_host is None:
        return
    if entry := host_of_server(imap_host, "imap"):
        yield from _of_host(entry[0], service, domain, wish)
    yield from _at(service, imap_host, wish, Source.TYPED, authority=True)
    if imap_host.startswith("imap."):
        yield from _at(service, "smtp." + imap_host.removeprefix("imap."), wish, Source.COMMON, authority=False)


def _of_domain(service: Service, domain: str, wish: Wish) -> Iterator[Candidate]:
    if host := host_of_domain(domain):
        yield from _of_host(host, service, domain, wish)


def _of_host(host: Host, service: Service, domain: str, wish: Wish, *, sure: bool = True) -> Iterator[Candidate]:
    for server in host.servers(service):
        if not server.is_pattern:
            name = server.name_for(domain)
            yield from _at(service, name, wish, Source.BOOK, authority=sure and server.sure, host=host, book=server)


def _by_srv(service: Service, wish: Wish, records: Records) -> Iterator[Candidate]:
    for server in records.srv.get(service, ()):
        if wish.port is None and wish.security is None:
            yield Candidate(server, Source.SRV, authority=False)
        else:
            yield from _at(service, server.host, wish, Source.SRV, authority=False)


def _by_mx(service: Service, domain: str, wish: Wish, records: Records) -> Iterator[Candidate]:
    """The servers of the hosts that an MX belongs to, then the MX itself, which at small hosts is the one server."""
    for exchange in records.mx:
        for host in hosts_of_mx(exchange):
            yield from _of_host(host, service, domain, wish, sure=host.mx_sure)
    for exchange in records.mx:
        yield from _at(service, exchange, wish, Source.MX, authority=False)


def _common(service: Service, domain: str, wish: Wish, records: Records) -> Iterator[Candidate]:
    for label in COMMON_NAMES[service]:
        name = f"{label}.{domain}"
        if name in records.resolving:
            yield from _at(service, name, wish, Source.COMMON, authority=False)


def _at(
    service: Service,
    name: str,
    wish: Wish,
    source: Source,
    *,
    authority: bool,
    host: Host | None = None,
    book: BookServer | None = None,
) -> tuple[Candidate, ...]:
    """One candidate for each port that a name may answer on."""
    known = host or _host(name, service)
    return tuple(
        Candidate(Server(name, port, security), source, authority, known)
        for port, security in _doors(service, wish, book.ports if book else ())
    )


def _doors(service: Service, wish: Wish, ports: tuple[int, ...]) -> tuple[tuple[int, Security], ...]:
    """Ports with their security, as wished, else as the book has them, else the usual ones."""
    if wish.port is not None:
        usual = _SECURITY_OF_PORT.get(wish.port)
        wanted = wish.security or usual
        return ((wish.port, wanted),) if wanted else tuple((wish.port, security) for security in Security)
    usual_doors = tuple((port, _SECURITY_OF_PORT[port]) for port in ports) or PORTS[service]
    if wish.security is not None:
        fitting = tuple(door for door in usual_doors if door[1] is wish.security)
        return fitting or tuple(door for door in PORTS[service] if door[1] is wish.security)
    return usual_doors


def _host(name: str, service: Service) -> Host | None:
    entry = host_of_server(name, service)
    return entry[0] if entry else None


def _merged(
    named: Iterable[Candidate], domain: str, service: Service, trusted: frozenset[str]
) -> tuple[Candidate, ...]:
    """Each server once, at its likeliest place, with authority if anybody gives it; those that have it first."""
    by_server: dict[Server, Candidate] = {}
    for candidate in named:
        first = by_server.get(candidate.server, candidate)
        authority = first.authority or candidate.authority or _has_authority(candidate, domain, service, trusted)
        by_server[candidate.server] = Candidate(first.server, first.source, authority, first.host or candidate.host)
    return tuple(sorted(by_server.values(), key=lambda candidate: not candidate.authority))


def _has_authority(candidate: Candidate, domain: str, service: Service, trusted: frozenset[str]) -> bool:
    """A name under the own domain, or agreed to, or one that the book recognizes by a sure pattern of a host."""
    name = candidate.server.host
    if is_under(name, domain) or name in trusted:
        return True
    entry = host_of_server(name, service)
    return candidate.source in (Source.SRV, Source.MX) and entry is not None and entry[1].sure
