"""Figures and times as pages say them: units beside numbers, never parted from them (no-break space)."""

from datetime import date, datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, ngettext, pgettext

register = template.Library()

NBSP = "\u00a0"
KB = 1000  # bytes; mail programs and hosts count in thousands


@register.filter
def num(value: int | None) -> str:
    """A count with separators: 12,526. Nothing known is an en dash."""
    return "–" if value is None else f"{value:,}"


@register.filter
def letters(value: int | None) -> str:
    """A count of mails with its unit: 12,526 通."""
    if value is None:
        return "–"
    return unparted(ngettext("%(n)s message", "%(n)s messages", value) % {"n": num(value)})


@register.filter
def files(value: int) -> str:
    """A count of files with its unit: 2,044 件."""
    return unparted(ngettext("%(n)s file", "%(n)s files", value) % {"n": num(value)})


@register.filter
def size(value: int | None) -> str:
    """A size in bytes for people: 184 KB, 2.1 MB. Nothing known is an en dash."""
    if value is None:
        return "–"
    if value < KB:
        return f"{value}{NBSP}B"
    amount, unit = value / KB, "KB"
    for larger in ("MB", "GB", "TB"):
        if round(amount) < KB:
            break
        amount, unit = amount / KB, larger
    digits = 0 if unit == "KB" or amount >= 10 else 1
    return f"{amount:,.{digits}f}{NBSP}{unit}"


@register.filter
def moment(value: datetime | None) -> str:
    """When something was, for a sentence or a letter's head: 今日 9:42, 11月24日 10:24, 2024年3月5日 10:24."""
    return "" if value is None else told(value, long=True)


@register.filter
def day(value: datetime | None) -> str:
    """When something was, for a narrow column: 10:24 today, 昨日, 11/20, 2024/3/5."""
    return "" if value is None else told(value, long=False)


def told(value: datetime, *, long: bool) -> str:
    """`value` seen from now, in the reader's time zone."""
    local, today = timezone.localtime(value), timezone.localdate()
    clock = date_format(local, "G:i")
    if local.date() == today:
        return gettext("Today %(time)s") % {"time": clock} if long else clock
    if local.date() == today - timedelta(days=1):
        return gettext("Yesterday %(time)s") % {"time": clock} if long else gettext("Yesterday")
    if local.year == today.year:
        return date_format(local, pgettext("date format", "M j, G:i") if long else pgettext("date format", "M j"))
    return date_format(local, pgettext("date format", "M j, Y, G:i") if long else pgettext("date format", "Y-m-d"))


@register.filter
def date_of(value: date | None) -> str:
    """A day in a sentence: 今日, 昨日, 11月24日, 2024年3月5日."""
    if value is None:
        return ""
    today = timezone.localdate()
    if value == today:
        return gettext("today")
    if value == today - timedelta(days=1):
        return gettext("yesterday")
    same = value.year == today.year
    return date_format(value, pgettext("date format", "F j") if same else pgettext("date format", "F j, Y"))


@register.filter
def checked(value: datetime | None) -> str:
    """How long ago the last proof of life was: 12 秒前に確認."""
    if value is None:
        return ""
    seconds = max(0, int((timezone.now() - value).total_seconds()))
    if seconds < 60:
        text, n = ngettext("checked %(n)s second ago", "checked %(n)s seconds ago", seconds), seconds
    elif seconds < 3600:
        n = seconds // 60
        text = ngettext("checked %(n)s minute ago", "checked %(n)s minutes ago", n)
    else:
        return gettext("checked: %(when)s") % {"when": moment(value)}
    return unparted(text % {"n": n})


@register.filter
def left(seconds: float | None) -> str:
    """How long work will still take, roughly: あと約 2 分. Nothing known is nothing said."""
    if seconds is None:
        return ""
    if seconds < 60:
        return gettext("less than a minute left")
    minutes = round(seconds / 60)
    if minutes < 90:
        return unparted(ngettext("about %(n)s minute left", "about %(n)s minutes left", minutes) % {"n": minutes})
    hours = round(minutes / 60)
    return unparted(ngettext("about %(n)s hour left", "about %(n)s hours left", hours) % {"n": hours})


@register.filter
def lasting(seconds: float) -> str:
    """How long work will take, roughly: 約 2 分."""
    if seconds < 60:
        return gettext("less than a minute")
    minutes = round(seconds / 60)
    return unparted(ngettext("about %(n)s minute", "about %(n)s minutes", minutes) % {"n": minutes})


@register.simple_tag
def gap() -> str:
    """What stands between two sentences: a space, in Japanese nothing."""
    return "" if (get_language() or "ja").startswith("ja") else " "


@register.simple_tag
def dot() -> str:
    """What stands between two facts in a line."""
    return pgettext("between two facts", " · ")


@register.filter
def heading(sentence: str) -> str:
    """A sentence as a heading: without its full stop."""
    return sentence.rstrip("。.")


@register.filter
def nbsp(text: str) -> str:
    """`text` that never breaks at its spaces."""
    return unparted(text)


def unparted(text: str) -> str:
    """`text` with no-break spaces."""
    return SafeString(text.replace(" ", NBSP)) if isinstance(text, SafeString) else text.replace(" ", NBSP)
