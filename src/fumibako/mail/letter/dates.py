"""The Date header to a moment."""

import functools
import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz

_ZONES = {"JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "IST": 5.5, "CET": 1, "CEST": 2, "BST": 1, "AEST": 10, "AEDT": 11}
_GMT_PLUS = re.compile(r"(?:GMT|UTC|UT)\s*([+-])(\d{1,2}):?(\d{2})?\b")
_ZONE_NAME = re.compile(r"\b([A-Z]{3,4})\b\)?\s*$")
_NUMERIC_ZONE = re.compile(r"(?:[+-]\d{4}|[+-]\d\d:\d\d|Z)\s*(?:\(.*\))?\s*$")
_YEAR_FIRST = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?"
    r"(?:[T\s(（月火水木金土日)）]*(\d{1,2})[:時](\d{1,2})(?:[:分](\d{1,2}))?(?:\.\d+)?)?\s*(Z|[+-]\d{2}:?\d{2})?"
)
_MAX_LENGTH = 200  # characters
# What nearly every sender writes; all else is read by the standard library and the patterns above.
_USUAL = re.compile(
    r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"
    r"(?: \([A-Z]{1,5}\))?"
)
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}


def parse_date(text: str) -> datetime | None:
    """An aware moment in the header's own zone, or None where the header cannot be read.

    Years are kept as they stand, 2096 too; only 1 and 9999 are refused, at which a change of zone overflows. A missing
    or unknown zone is taken as UTC (RFC 5322 §3.3: "-0000").
    """
    text = text.strip()[:_MAX_LENGTH]
    try:
        if (usual := _USUAL.fullmatch(text)) and usual[2] in _MONTHS:
            moment: datetime | None = _usual(usual)
        else:
            moment = _year_first(text) if _YEAR_FIRST.match(text) else _rfc_5322(text)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    return moment if moment is not None and 1 < moment.year < 9999 else None


def _usual(match: re.Match[str]) -> datetime:
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    seconds = (int(hours) * 60 + int(minutes)) * 60
    zone = _fixed(-seconds if sign == "-" else seconds)
    return datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), min(int(second), 59), tzinfo=zone)


@functools.lru_cache(maxsize=128)
def _fixed(seconds: int) -> timezone:
    return timezone(timedelta(seconds=seconds)) if seconds and abs(seconds) < 24 * 3600 else UTC


def _rfc_5322(text: str) -> datetime | None:
    text = _GMT_PLUS.sub(lambda match: f"{match[1]}{int(match[2]):02}{match[3] or '00'}", text)
    fields = parsedate_tz(text)
    if fields is None:
        return None
    year, month, day, hour, minute, second = fields[:6]
    return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=_zone(fields[9], text))


def _zone(offset: int | None, text: str) -> timezone:
    if not _NUMERIC_ZONE.search(text):
        name = _ZONE_NAME.search(text)
        if name and name[1] in _ZONES:
            return timezone(timedelta(hours=_ZONES[name[1]]))
    if not offset or abs(offset) >= 24 * 3600:
        return UTC
    return timezone(timedelta(seconds=offset))


def _year_first(text: str) -> datetime | None:
    match = _YEAR_FIRST.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(field or 0) for field in match.groups()[:6])
    return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=_iso_zone(match[7], text))


def _iso_zone(zone: str | None, text: str) -> timezone:
    if zone is None or zone == "Z":
        return _zone(None, text)
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if zone[0] == "-" else offset)
