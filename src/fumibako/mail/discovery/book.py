"""The host book: the mail hosts that are known, how they are recognized, their servers and login shapes.

`hosts.json` holds one host a line, each with its sources and the day they were looked up. A server that is `sure` gives
authority (design rule 8); one that is not is only a lead: a foreign name, used after the person has agreed. The same
holds for recognizing a host by its MX (`mx_sure`). In patterns a leading "*." stands for any labels, "*" elsewhere
for letters, digits and hyphens, "{domain}" for the address's own domain. `limits` (`by` "user", `connections` at once,
`interval` in seconds) has a source of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from fumibako.mail.discovery.values import LoginShape

Service = Literal["imap", "smtp"]


@dataclass(frozen=True)
class BookServer:
    """A server name, or a pattern of names, of a host with its ports, the likeliest first."""

    host: str
    ports: tuple[int, ...]
    sure: bool

    @property
    def is_pattern(self) -> bool:
        """Whether it only recognizes names, and names none itself."""
        return "*" in self.host

    def name_for(self, domain: str) -> str:
        """The name of the server for addresses of a domain."""
        return self.host.replace("{domain}", domain)


@dataclass(frozen=True)
class Limits:
    """What a host allows, as far as it is known.

    `by_user`: it counts each user's connections alone, not all that come from one address. `connections` is how many it
    allows at once, `interval` how many seconds it wants between two looks; None where it says nothing.
    """

    by_user: bool = False
    connections: int | None = None
    interval: float | None = None


@dataclass(frozen=True)
class Host:
    """A mail host. `login` is the shape of its user names; `login_sure` says that no other needs to be tried."""

    id: str
    name_ja: str
    name_en: str
    domains: tuple[str, ...]
    mx: tuple[str, ...]
    mx_sure: bool
    imap: tuple[BookServer, ...]
    smtp: tuple[BookServer, ...]
    login: LoginShape
    smtp_login: LoginShape
    login_sure: bool
    pop_only: bool
    oauth_only: bool
    limits: Limits

    def servers(self, service: Service) -> tuple[BookServer, ...]:
        """Its servers for reading or for sending."""
        return self.imap if service == "imap" else self.smtp

    def login_for(self, service: Service) -> LoginShape:
        """The shape of the user name for reading or for sending; some hosts want different ones (iCloud)."""
        return self.login if service == "imap" else self.smtp_login


def host_of_domain(domain: str) -> Host | None:
    """The host whose own mail domain this is (an ISP, a carrier, a web mail)."""
    exact = (host for host in _HOSTS if domain in host.domains)
    return next(exact, None) or next((host for host in _HOSTS if _fits_any(domain, host.domains)), None)


def hosts_of_mx(name: str) -> tuple[Host, ...]:
    """The hosts that this MX belongs to, the surely recognized first. One MX can stand for several products."""
    found = [host for host in _HOSTS if _fits_any(name, host.mx)]
    return tuple(sorted(found, key=lambda host: not host.mx_sure))


def host_of_server(name: str, service: Service) -> tuple[Host, BookServer] | None:
    """The host that has this server, and the entry that says so; a sure entry wins."""
    found = [
        (host, server)
        for host in _HOSTS
        for server in host.servers(service)
        if "{" not in server.host and _fits(name, server.host)
    ]
    return min(found, key=lambda pair: not pair[1].sure, default=None)


def limits_of(server: str) -> Limits:
    """What the host of an IMAP server allows; nothing is known of a server that is not in the book."""
    found = host_of_server(server.lower(), "imap")
    return found[0].limits if found else Limits()


def host_id_of(server: str) -> str | None:
    """The id of the host that has this IMAP server; None where the book does not know it."""
    found = host_of_server(server.lower(), "imap")
    return found[0].id if found else None


def provider_name(found: str, language: str) -> str:
    """What to show for a host's id, in a language; what is no id (a server's name) is shown as it is."""
    host = _BY_ID.get(found)
    if host is None:
        return found
    return host.name_en if language.startswith("en") else host.name_ja


def _fits_any(name: str, patterns: Iterable[str]) -> bool:
    return any(_fits(name, pattern) for pattern in patterns)


def _fits(name: str, pattern: str) -> bool:
    return _compiled(pattern).fullmatch(name) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    head, rest = (r"(?:[a-z0-9_-]+\.)+", pattern[2:]) if pattern.startswith("*.") else ("", pattern)
    return re.compile(head + "[a-z0-9-]*".join(re.escape(part) for part in rest.split("*")))


def _load() -> tuple[Host, ...]:
    rows = json.loads(files(__package__).joinpath("hosts.json").read_text("utf-8"))
    return tuple(map(_host, rows))


def _limits(row: dict[str, Any]) -> Limits:
    return Limits(row.get("by") == "user", row.get("connections"), row.get("interval"))


def _host(row: dict[str, Any]) -> Host:
    def servers(service: str) -> tuple[BookServer, ...]:
        return tuple(BookServer(one["host"], tuple(one["ports"]), one["sure"]) for one in row.get(service, ()))

    return Host(
        id=row["id"],
        name_ja=row["name_ja"],
        name_en=row["name_en"],
        domains=tuple(row.get("domains", ())),
        mx=tuple(row.get("mx", ())),
        mx_sure=row.get("mx_sure", False),
        imap=servers("imap"),
        smtp=servers("smtp"),
        login=row["login"],
        smtp_login=row.get("smtp_login", row["login"]),
        login_sure=row["login_sure"],
        pop_only=row.get("pop_only", False),
        oauth_only=row.get("oauth_only", False),
        limits=_limits(row.get("limits", {})),
    )


_HOSTS = _load()
_BY_ID = {host.id: host for host in _HOSTS}
