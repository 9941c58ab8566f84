"""The time zones that a profile offers: where people of a Japanese company work, by the hour."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy

CITIES = {
    "Pacific/Honolulu": pgettext_lazy("city", "Honolulu"),
    "America/Los_Angeles": pgettext_lazy("city", "Los Angeles"),
    "America/Chicago": pgettext_lazy("city", "Chicago"),
    "America/New_York": pgettext_lazy("city", "New York"),
    "America/Sao_Paulo": pgettext_lazy("city", "São Paulo"),
    "UTC": pgettext_lazy("city", "Coordinated Universal Time"),
    "Europe/London": pgettext_lazy("city", "London"),
    "Europe/Paris": pgettext_lazy("city", "Paris, Berlin"),
    "Asia/Dubai": pgettext_lazy("city", "Dubai"),
    "Asia/Kolkata": pgettext_lazy("city", "Mumbai, Delhi"),
    "Asia/Bangkok": pgettext_lazy("city", "Bangkok"),
    "Asia/Ho_Chi_Minh": pgettext_lazy("city", "Ho Chi Minh City, Hanoi"),
    "Asia/Jakarta": pgettext_lazy("city", "Jakarta"),
    "Asia/Singapore": pgettext_lazy("city", "Singapore"),
    "Asia/Shanghai": pgettext_lazy("city", "Shanghai, Beijing"),
    "Asia/Hong_Kong": pgettext_lazy("city", "Hong Kong"),
    "Asia/Taipei": pgettext_lazy("city", "Taipei"),
    "Asia/Manila": pgettext_lazy("city", "Manila"),
    "Asia/Tokyo": pgettext_lazy("city", "Tokyo"),
    "Asia/Seoul": pgettext_lazy("city", "Seoul"),
    "Australia/Sydney": pgettext_lazy("city", "Sydney"),
    "Pacific/Auckland": pgettext_lazy("city", "Auckland"),
}


def time_zone_choices(chosen: str) -> list[tuple[str, str]]:
    """IANA names with what is shown for them, from west to east as clocks stand now; ``chosen`` is always there."""
    now = timezone.now()
    names = [*CITIES, *([chosen] if chosen not in CITIES else [])]
    minutes = {name: _minutes_east(name, now) for name in names}
    return [(name, _label(name, minutes[name])) for name in sorted(names, key=minutes.__getitem__)]


def _minutes_east(name: str, now: datetime) -> int:
    offset = now.astimezone(ZoneInfo(name)).utcoffset() or timedelta()
    return int(offset.total_seconds()) // 60


def _label(name: str, minutes: int) -> str:
    sign = "−" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    offset = f"{sign}{hours}:{rest:02}" if rest else f"{sign}{hours}"
    return gettext("%(city)s (UTC%(offset)s)") % {"city": CITIES.get(name, name), "offset": offset}
