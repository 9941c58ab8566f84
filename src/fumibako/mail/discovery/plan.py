"""From a request to a plan: whom to try for reading and for sending. No mail server is spoken to yet."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fumibako.mail.connect import Network
from fumibako.mail.diagnosis import Failure
from fumibako.mail.discovery.address import normalize_address, normalize_server_name, split_address
from fumibako.mail.discovery.book import Host, Service, host_of_domain, host_of_server
from fumibako.mail.discovery.candidates import Candidate, candidates, recognized
from fumibako.mail.discovery.lookup import Records, look_up
from fumibako.mail.discovery.values import DomainSettings, ProbeRequest, Wish


@dataclass(frozen=True)
class Plan:
    """Whom to try, and what was understood of the request. `host` is the mail host, if the book knows it."""

    address: str
    imap_wish: Wish
    smtp_wish: Wish
    settings: DomainSettings | None
    imap: tuple[Candidate, ...]
    smtp: tuple[Candidate, ...]
    host: Host | None

    @property
    def found(self) -> str | None:
        """What to show as found: the host's id, else the name of the server that is tried first."""
        return self.host.id if self.host else self.imap[0].server.host if self.imap else None


async def make_plan(request: ProbeRequest, network: Network) -> Plan:
    """Read the request, look up what has to be looked up, and decide whom to try.

    Raises Failure: wrong_address, wrong_password (none was typed), wrong_server_name, domain_unknown,
    domain_has_no_mail, dns_failure, pop_only, oauth_only.
    """
    address = normalize_address(request.address)
    domain = split_address(address)[1]
    imap_wish, smtp_wish = _checked(request.imap), _checked(request.smtp)
    trusted = frozenset(name.lower().rstrip(".") for name in request.trusted_names)
    settings = request.domain
    given = imap_wish.host or (settings.imap.host if settings else None)
    records = await _records(domain, imap_wish, smtp_wish, settings, network)
    host = _host(given, domain, records)
    if host and not given:
        _refuse_what_cannot_be(host)
    return Plan(
        address,
        imap_wish,
        smtp_wish,
        settings,
        candidates("imap", domain, imap_wish, settings=settings, records=records, trusted=trusted),
        candidates("smtp", domain, smtp_wish, settings=settings, records=records, imap_host=given, trusted=trusted),
        host,
    )


def _checked(wish: Wish) -> Wish:
    if not wish.secret or not _can_be_sent(wish.secret):
        raise Failure("wrong_password", stage="login", detail="no password was given")
    if not _can_be_sent(wish.username or ""):
        raise Failure("wrong_username_shape", detail="a character that cannot be sent")
    return replace(wish, host=normalize_server_name(wish.host)) if wish.host else wish


def _can_be_sent(text: str) -> bool:
    """Whether SASL can carry it: UTF-8 without NUL (RFC 4616 section 2)."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


async def _records(
    domain: str, imap: Wish, smtp: Wish, settings: DomainSettings | None, network: Network
) -> Records | None:
    """DNS is asked only where neither the person, nor the settings, nor the book have a server."""
    known = host_of_domain(domain)

    def is_given(service: Service, wish: Wish) -> bool:
        fixed = settings and (settings.imap if service == "imap" else settings.smtp)
        return bool(wish.host or fixed or (known and any(one.sure for one in known.servers(service))))

    if (is_given("imap", imap) and is_given("smtp", smtp)) or (known and (known.pop_only or known.oauth_only)):
        return None
    try:
        return await look_up(domain, network)
    except Failure:
        if is_given("imap", imap):
            return None  # only the server for sending is missing; it may be the same
        raise


def _host(given: str | None, domain: str, records: Records | None) -> Host | None:
    if given:
        entry = host_of_server(given, "imap")
        return entry[0] if entry else None
    return recognized(domain, records)


def _refuse_what_cannot_be(host: Host) -> None:
    """Some hosts are known to take no password by IMAP: none is sent there in vain."""
    if host.pop_only:
        raise Failure("pop_only", stage="discovery", detail=host.id)
    if host.oauth_only:
        raise Failure("oauth_only", stage="discovery", detail=host.id)
