"""What DNS says of a mail domain: MX, SRV (RFC 6186, RFC 8314) and the common names, all asked at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from fumibako.mail.connect import ConnectError, DnsFailure, NameNotFound, Network, Security, Server
from fumibako.mail.diagnosis import Failure
from fumibako.mail.discovery.book import Service

COMMON_NAMES: dict[Service, tuple[str, ...]] = {"imap": ("imap", "mail"), "smtp": ("smtp", "mail")}
"""Labels below a domain that are worth a look, though nobody names them."""

_SRV: tuple[tuple[Service, str, Security], ...] = (
    ("imap", "_imaps._tcp", Security.TLS),
    ("imap", "_imap._tcp", Security.STARTTLS),
    ("smtp", "_submissions._tcp", Security.TLS),
    ("smtp", "_submission._tcp", Security.STARTTLS),
)


@dataclass(frozen=True)
class Records:
    """What was found: `mx` by preference, `srv` by priority for each service, the common names that have an address.

    A domain without MX that has an address is its own MX (RFC 5321 section 5.1).
    """

    mx: tuple[str, ...] = ()
    srv: dict[Service, tuple[Server, ...]] = field(default_factory=dict)
    resolving: frozenset[str] = frozenset()


async def look_up(domain: str, network: Network) -> Records:
    """Ask for everything about a mail domain at once.

    Raises Failure: domain_unknown, domain_has_no_mail, dns_failure (only when nothing else was found either).
    """
    names = {f"{label}.{domain}" for labels in COMMON_NAMES.values() for label in labels}
    mx, own, srv, resolving = await asyncio.gather(
        _mx(domain, network),
        _resolves(domain, network),
        asyncio.gather(*(_srv(f"{label}.{domain}", security, network) for _, label, security in _SRV)),
        _resolving(names, network),
    )
    targets = _by_service(srv)
    if isinstance(mx, NameNotFound):
        raise Failure("domain_unknown", detail=domain)
    if isinstance(mx, DnsFailure) and not targets and not resolving:
        raise Failure("dns_failure", detail=str(mx))
    exchanges = () if isinstance(mx, ConnectError) else mx
    accepts_nothing = exchanges == ("",)  # a null MX, RFC 7505
    if accepts_nothing or (not isinstance(mx, ConnectError) and not exchanges and not own):
        if not targets:
            raise Failure("domain_has_no_mail", detail=domain)
        exchanges = ()
    elif not exchanges and own:
        exchanges = (domain,)
    return Records(mx=exchanges, srv=targets, resolving=resolving)


async def _mx(domain: str, network: Network) -> tuple[str, ...] | ConnectError:
    """The exchanges by preference; a null MX as the empty name."""
    try:
        found = await network.resolve(domain, "MX")
    except ConnectError as error:
        return error
    ordered = sorted(found, key=lambda record: (_of(record, "preference"), _name(record, "exchange")))
    return tuple(dict.fromkeys(_name(record, "exchange") for record in ordered))


async def _srv(name: str, security: Security, network: Network) -> tuple[tuple[int, int, Server], ...]:
    """(priority, minus weight, server) of each target; "." as the target says that the service is not offered."""
    try:
        found = await network.resolve(name, "SRV")
    except ConnectError:
        return ()
    return tuple(
        (_of(record, "priority"), -_of(record, "weight"), Server(target, port, _security(port, security)))
        for record in found
        if (target := _name(record, "target")) and (port := _of(record, "port"))
    )


async def _resolves(name: str, network: Network) -> bool:
    try:
        return bool(await network.addresses(name))
    except ConnectError:
        return False


async def _resolving(names: set[str], network: Network) -> frozenset[str]:
    ordered = sorted(names)
    answers = await asyncio.gather(*(_resolves(name, network) for name in ordered))
    return frozenset(name for name, answer in zip(ordered, answers, strict=True) if answer)


def _by_service(found: list[tuple[tuple[int, int, Server], ...]]) -> dict[Service, tuple[Server, ...]]:
    """TLS from the first byte before STARTTLS (RFC 8314 section 5.1), each by priority and weight (RFC 2782)."""
    result: dict[Service, tuple[Server, ...]] = {}
    for (service, _, _), records in zip(_SRV, found, strict=True):
        if records:
            ordered = sorted(records, key=lambda record: (record[0], record[1], record[2].host))
            result[service] = (*result.get(service, ()), *(server for _, _, server in ordered))
    return result


def _security(port: int, announced: Security) -> Security:
    return Security.TLS if port in (993, 465) else announced


def _of(record: Any, attribute: str) -> int:
    return int(getattr(record, attribute))


def _name(record: Any, attribute: str) -> str:
    return str(getattr(record, attribute).to_text(omit_final_dot=True)).lower().rstrip(".")
