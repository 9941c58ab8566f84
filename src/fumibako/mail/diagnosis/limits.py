"""What a host says of its limits when it refuses: how many connections, for whom, and how long to wait."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fumibako.mail.diagnosis.failure import Failure

CONNECTIONS = frozenset({"too_many_connections"})
PACE = frozenset({"rate_limited", "bandwidth_exceeded"})

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TIMES = (
    ("ms", r"milli ?sec(?:ond)?s?|msecs?|ms|ミリ秒"),
    ("s", r"sec(?:ond)?s?|s|秒"),
    ("m", r"min(?:ute)?s?|m|分"),
    ("h", r"hours?|hrs?|h|時間"),
)
_WAIT = re.compile(
    r"(?:(?:wait|again|retry|after|within|in|for|back-?off(?: time)?)\b[^0-9\n]{0,20})?(?P<number>\d+(?:\.\d+)?) ?"
    + "(?:"
    + "|".join(f"(?P<{unit}>{names})" for unit, names in _TIMES)
    + r")(?![a-z])",
    re.IGNORECASE,
)
_OF_USER = re.compile(
    r"user\+ip|this user|of \d+ for \S|for (this|your) (account|mailbox)|per (user|account)", re.IGNORECASE
)
_NUMBER = re.compile(r"mail_max_userip_connections=(\d+)|\d+ of (\d+)\b|(?:limit|maximum)\D{0,20}(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class LimitTold:
    """A limit that a host has named by refusing.

    `connections`: too many are open; else it is the pace. `of_user`: it counts those of one user, whatever others have
    open. `allowed` is the number of connections in its words, `wait` the seconds in them; None where it names none.
    """

    connections: bool
    of_user: bool = False
    allowed: int | None = None
    wait: float | None = None


def limit_told(failure: Failure) -> LimitTold | None:
    """The limit that a failure tells of; None where it tells of none.

    Seen, for example: "Suggested Backoff Time: 92415 milliseconds" (Exchange Online), "Maximum number of connections
    from user+IP exceeded (mail_max_userip_connections=10)" (Dovecot), "Too many open connections (10 of 10 for taro)"
    (Cyrus).
    """
    words = failure.server_words or ""
    if failure.cause in PACE:
        return LimitTold(connections=False, wait=wait_told(words))
    if failure.cause not in CONNECTIONS:
        return None
    number = _NUMBER.search(words)
    return LimitTold(
        connections=True,
        of_user=_OF_USER.search(words) is not None,
        allowed=int(next(filter(None, number.groups()))) if number else None,
        wait=wait_told(words),
    )


def wait_told(words: str) -> float | None:
    """How many seconds a server's words ask to wait ("wait 300 seconds", "try again in 5 minutes"); None without."""
    found = _WAIT.search(words)
    if found is None:
        return None
    unit = next(unit for unit in _UNITS if found[unit])
    return float(found["number"]) * _UNITS[unit]
