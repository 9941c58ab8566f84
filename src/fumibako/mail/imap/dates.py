"""INTERNALDATE as servers write it: RFC 9051 §9 (date-time), and what comes in its place."""

import functools
import re
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = {
    name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}
_TIME = rb"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
_ZONE = rb"\s*(?P<zone>[+-]\d{1,2}:?\d{2}|[A-Za-z]+)?"
_DATE = re.compile(
    rb"\s*(?:[A-Za-z]{3,9},?\s+)?(?P<day>\d{1,2})[-\s/](?P<month>[A-Za-z]{3})[a-z]*[-\s/](?P<year>\d{2,4})[T\s]+"
    + _TIME
    + _ZONE
)
_ISO_DATE = re.compile(rb"\s*(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})[T\s]+" + _TIME + _ZONE)
_OFFSET = re.compile(rb"([+-])(\d{1,2}):?(\d{2})")
_NAMED_ZONES = {
    b"JST": 9,
    b"KST": 9,
    b"EST": -5,
    b"EDT": -4,
    b"CST": -6,
    b"CDT": -5,
    b"MST": -7,
    b"PST": -8,
    b"PDT": -7,
}


def internal_date(raw: bytes) -> datetime | None:
    """The moment; None where there is no date that exists. A zone that is missing or odd counts as UTC."""
    return _usual(raw) or _unusual(raw)


def _usual(raw: bytes) -> datetime | None:
    """The fixed form of RFC 9051, at a third of the price of a pattern: an import reads one for each mail."""
    if len(raw) != 26 or raw[2:3] != b"-" or raw[20:21] != b" ":
        return None
    try:
        return datetime(
            int(raw[7:11]),
            _MONTHS[raw[3:6].lower()],
            int(raw[:2]),
            int(raw[12:14]),
            int(raw[15:17]),
            int(raw[18:20]),
            tzinfo=_zone(raw[21:]),
        )
    except (ValueError, KeyError):
        return None


def _unusual(raw: bytes) -> datetime | None:
    found = _DATE.match(raw) or _ISO_DATE.match(raw)
    if found is None:
        return None
    month = found["month"].lower()
    year = int(found["year"])
    try:
        return datetime(
            year + (1900 if year >= 70 else 2000) if year < 100 else year,
            int(month) if month.isdigit() else _MONTHS.get(month, 0),
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            min(int(found["second"] or b"0"), 59),  # a leap second
            tzinfo=_zone(found["zone"] or b""),
        )
    except ValueError:
        return None


@functools.lru_cache(maxsize=128)
def _zone(raw: bytes) -> timezone:
    found = _OFFSET.fullmatch(raw)
    if found is None:
        return timezone(timedelta(hours=_NAMED_ZONES.get(raw.upper(), 0))) if raw.upper() in _NAMED_ZONES else UTC
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    if not offset or offset >= timedelta(hours=24):
        return UTC
    return timezone(-offset if found[1] == b"-" else offset)
