"""The known replies of servers and libraries, in the order in which they are tried.

`replies.json` holds one a line; an `example` is a reply as it was really seen, and a test holds that it still leads to
its cause.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from fumibako.mail.diagnosis.causes import Retry
from fumibako.mail.diagnosis.failure import Words

ANY_STAGE = "any"


@dataclass(frozen=True)
class ReplyRow:
    """One known reply: where it counts (`hosts`, `stage`, `mechanism`), what it looks like, and what it means.

    `hosts` holds host ids of the host book, or "any", or "any:<software>". A row with `exception` describes what a
    library raises and not what a server says; `verify_code` is OpenSSL's, for certificates.
    """

    hosts: frozenset[str]
    stage: str
    pattern: re.Pattern[str]
    cause: str
    mechanism: str | None = None
    exception: str | None = None
    verify_code: int | None = None
    remedy: Words | None = None
    retry: Retry | None = None

    @property
    def rank(self) -> int:
        """0 for rows of a host, 1 of a software, 2 of anybody: narrow before wide."""
        if "any" in self.hosts:
            return 2
        return 1 if any(host.startswith("any:") for host in self.hosts) else 0

    def is_about(self, host_id: str | None) -> bool:
        """Whether the row counts at this host; those of a software count everywhere, greetings rarely name it."""
        return self.rank > 0 or host_id in self.hosts

    def fits(self, text: str, *, stage: str, mechanism: str) -> bool:
        """Whether `text`, met at `stage` while logging in by `mechanism`, is this reply."""
        return (
            self.stage in (stage, ANY_STAGE)
            and self.mechanism in (mechanism, None)
            and self.pattern.search(text) is not None
        )


def replies_of(host_id: str | None) -> Iterator[ReplyRow]:
    """The rows of server replies that count at a host (None: not known), in the order in which to try them."""
    return (row for row in _SPOKEN if row.is_about(host_id))


def raised_by_libraries(host_id: str | None) -> Iterator[ReplyRow]:
    """The rows of library exceptions that count at a host, in the order in which to try them."""
    return (row for row in _RAISED if row.is_about(host_id))


def _load() -> list[ReplyRow]:
    rows = json.loads(files(__package__).joinpath("replies.json").read_text("utf-8"))
    return sorted(map(_row, rows), key=lambda row: row.rank)


def _row(raw: dict[str, Any]) -> ReplyRow:
    return ReplyRow(
        hosts=frozenset([raw["host"], *raw.get("also", ())]),
        stage=raw["stage"],
        pattern=re.compile(raw["pattern"], re.IGNORECASE | re.DOTALL),
        cause=raw["cause"],
        mechanism=raw.get("mechanism"),
        exception=raw.get("exception"),
        verify_code=raw.get("verify_code"),
        remedy=Words(raw["remedy_ja"], raw["remedy_en"]) if "remedy_ja" in raw else None,
        retry=raw.get("retry"),
    )


_ROWS = _load()
_SPOKEN = [row for row in _ROWS if row.exception is None]
_RAISED = [row for row in _ROWS if row.exception is not None]
