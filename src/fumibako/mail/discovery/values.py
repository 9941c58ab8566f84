"""What discovery is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from fumibako.mail.connect import Security, Server
from fumibako.mail.diagnosis import Failure, Stage

Role = Literal["inbox", "sent", "drafts", "junk", "trash", "archive", "all", "other"]
LoginShape = Literal["address", "local", "percent", "ask"]
"""How a host wants the user name: whole address; part before the @; address with % for @; nobody can tell."""

RANGE_DAYS: dict[str, int | None] = {"3m": 92, "1y": 365, "all": None}
"""The ranges of mail that can be wanted, in days back by INTERNALDATE; None for everything."""

RANGES: tuple[str, ...] = tuple(RANGE_DAYS)


def range_start(key: str) -> date | None:
    """The first day of a range that ends today (UTC), None for everything: counts and imports use the same."""
    days = RANGE_DAYS[key]
    return None if days is None else datetime.now(UTC).date() - timedelta(days=days)


@dataclass(frozen=True)
class Wish:
    """What a person (or nobody) has entered for one of the two logins; None stands for 自動判別."""

    username: str | None = None
    secret: str = field(default="", repr=False)
    host: str | None = None
    port: int | None = None
    security: Security | None = None


@dataclass(frozen=True)
class DomainSettings:
    """An organization's recommended settings for a mail domain; they win alone over whatever could be looked up."""

    domain: str
    imap: Server
    smtp: Server | None = None
    imap_login: LoginShape = "address"
    smtp_login: LoginShape = "address"


@dataclass(frozen=True)
class ProbeRequest:
    """An address and its two logins, to be proven; `trusted_names` are server names that the person has agreed to."""

    address: str
    imap: Wish
    smtp: Wish
    domain: DomainSettings | None = None
    trusted_names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ProvenLogin:
    """A login that has worked: server, user name and the SASL mechanism it was made with."""

    server: Server
    username: str
    mechanism: str


@dataclass(frozen=True)
class FolderFound:
    """A folder of the mailbox as the survey saw it; numbers are None where the folder cannot be opened or gave none.

    `name_raw` are the bytes that open it again (D4), `counts` mails per range key of RANGES by INTERNALDATE; a folder
    that was not counted has only "all". `newest` is filled for folders that may be Sent and have mail.
    """

    name_raw: bytes
    name: str
    delimiter: str | None
    role: Role
    selectable: bool
    messages: int | None = None
    size: int | None = None
    newest: date | None = None
    counts: dict[str, int] = field(default_factory=dict)
    uidvalidity: int | None = None
    uidnext: int | None = None


@dataclass(frozen=True)
class Proven:
    """A mailbox whose logins work. Without `smtp` it can be linked for receiving, `smtp_failure` says why.

    `provider` is the host's id in the host book, None when it is not known.
    """

    provider: str | None
    imap: ProvenLogin
    smtp: ProvenLogin | None
    smtp_failure: Failure | None
    folders: tuple[FolderFound, ...]
    stages: tuple[Stage, ...]
