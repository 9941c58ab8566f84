"""The survey of a mailbox: its folders, what each is for and how much is in it, without changing anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from fumibako.mail.discovery.folders import has_sent_flag, may_be_sent, role_of
from fumibako.mail.discovery.values import FolderFound, Role, range_start
from fumibako.mail.imap import CommandRefused, Fetched, ImapClient, Listed, Status, since

COUNTED_FOLDERS = 60  # that are opened to count their ranges; the rest show their whole number only
STATUS_AT_ONCE = 16  # commands under way at once
COUNTED_RANGES = ("1y", "3m")  # the longer first: none within a year means none within three months
SURVEY_SECONDS = 15.0  # after which the folders not yet opened stay without numbers of their ranges

_ORDER: tuple[Role, ...] = ("inbox", "sent", "other", "archive", "drafts", "junk", "trash", "all")
_NOT_COUNTED: tuple[Role, ...] = ("junk", "trash", "all")


async def survey(client: ImapClient, *, seconds: float = SURVEY_SECONDS) -> tuple[FolderFound, ...]:
    """Every folder with its role and numbers: inbox first, then Sent (the one in use before others), then the rest.

    LIST and STATUS always; then folders are opened by EXAMINE to count ranges by INTERNALDATE, as many as `seconds`
    and COUNTED_FOLDERS allow. A folder that cannot be opened is shown without numbers; \\Noselect is never opened (D3).
    Raises what the client raises when the connection is lost.
    """
    until = time.monotonic() + seconds
    listed = await client.list_folders()
    statuses = await _statuses(client, listed, until)
    found = _with_sent(listed, [_found(folder, status) for folder, status in zip(listed, statuses, strict=True)])
    by_worth = sorted(range(len(found)), key=lambda index: (_ORDER.index(found[index].role), index))
    for index in by_worth[:COUNTED_FOLDERS]:
        if time.monotonic() >= until:
            break
        if found[index].messages and found[index].role not in _NOT_COUNTED:
            found[index] = await _counted(client, found[index])
    return tuple(_ordered(found, flagged={folder.name_raw for folder in listed if has_sent_flag(folder)}))


async def _statuses(client: ImapClient, listed: list[Listed], until: float) -> list[Status | None]:
    """STATUS of each folder, a few under way at once; None from the moment on when the time is over."""
    statuses: list[Status | None] = []
    for first in range(0, len(listed), STATUS_AT_ONCE):
        some = listed[first : first + STATUS_AT_ONCE]
        if time.monotonic() < until:
            statuses += await asyncio.gather(*(_status(client, folder) for folder in some))
        else:
            statuses += [None] * len(some)
    return statuses


async def _status(client: ImapClient, folder: Listed) -> Status | None:
    if not folder.selectable:
        return None
    try:
        return await client.status(folder.name_raw)
    except CommandRefused:
        return None


def _found(folder: Listed, status: Status | None) -> FolderFound:
    messages = status.messages if status else None
    return FolderFound(
        name_raw=folder.name_raw,
        name=folder.name,
        delimiter=folder.delimiter,
        role=role_of(folder),
        selectable=folder.selectable,
        messages=messages,
        size=status.size if status else None,
        counts=_counts(messages),
        uidvalidity=status.uidvalidity if status else None,
        uidnext=status.uidnext if status else None,
    )


def _counts(messages: int | None) -> dict[str, int]:
    """What the whole number tells of the ranges: everything when there is nothing."""
    if messages is None:
        return {}
    return {"all": messages} if messages else {"all": 0, **dict.fromkeys(COUNTED_RANGES, 0)}


def _with_sent(listed: Iterable[Listed], found: list[FolderFound]) -> list[FolderFound]:
    """Where no folder is surely Sent, one of an ambiguous name (送信箱) that holds mail is taken for it."""
    if any(folder.role == "sent" and folder.selectable for folder in found):
        return found
    return [
        replace(folder, role="sent") if folder.role == "other" and folder.messages and may_be_sent(one) else folder
        for one, folder in zip(listed, found, strict=True)
    ]


async def _counted(client: ImapClient, folder: FolderFound) -> FolderFound:
    try:
        await client.examine(folder.name_raw)
        counts = dict(folder.counts)
        for key in COUNTED_RANGES:
            longer = next(reversed(counts.values()))
            counts[key] = len(await client.uid_search(since(range_start(key) or date.min))) if longer else 0
        newest = await _newest(client) if folder.role == "sent" else None
    except CommandRefused:
        return folder
    return replace(folder, counts=counts, newest=newest)


async def _newest(client: ImapClient) -> date | None:
    """The day on which the last mail came in."""
    seen: list[Fetched] = []
    await client.fetch("*", "(UID INTERNALDATE)", uid=False, on_message=seen.append)
    days = [one.internaldate.date() for one in seen if one.internaldate]
    return max(days, default=None)


def _ordered(found: list[FolderFound], flagged: set[bytes]) -> list[FolderFound]:
    """D5: of several Sent folders first the one that the server calls so, then by the newest mail; else as LIST has."""

    def key(folder: FolderFound) -> tuple[int, bool, int]:
        if folder.role == "sent" and folder.selectable:
            return 1, folder.name_raw not in flagged, -(folder.newest or date.min).toordinal()
        return (0 if folder.role == "inbox" else 2), False, 0

    return sorted(found, key=key)
