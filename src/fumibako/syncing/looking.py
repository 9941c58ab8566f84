"""Looking at one folder: what is new in it, what is gone, which flags have changed. As little as the server allows.

With QRESYNC (RFC 7162) opening the folder tells all of it; with CONDSTORE the flags that have changed; else the newest
FLAGS mails are compared each time, and all of them in a whole look. As long as the numbers of messages agree, only
UIDs above the last known one are asked for. UIDs only rise (RFC 9051 §2.3.1.1), so what is not there below UIDNEXT at
a look is not asked for again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from fumibako.mail.imap import Examined, Fetched, ImapClient, Synced, UidSet, since
from fumibako.syncing.hands import Hands
from fumibako.syncing.importing import Backlog, fetch_mail, first_screen, skipped_for_good
from fumibako.syncing.mailbox import (
    Flagged,
    Folder,
    Looked,
    Mailbox,
    begin_folder,
    load_folder,
    note_look,
    number_anew,
    settle,
)
from fumibako.syncing.matching import Matched, match, same_mails

FLAGS = 500  # newest mails whose flags are compared at each look where the server does not count changes
LEEWAY = timedelta(days=2)  # a mail that was written so long before the last look did not come since


async def refresh(
    hands: Hands, client: ImapClient, box: Mailbox, folder: int, waiting: UidSet, *, whole: bool = False
) -> Looked:
    """Open a folder and bring what is stored up to it: new mail, flags, what is gone. Raises Stale and the client's.

    ``waiting`` are UIDs that an import under way brings. ``whole`` trusts no earlier look.
    """
    looked = await look(hands, client, box, await load_folder(hands, folder), waiting, whole=whole)
    await fetch_mail(hands, client, box, looked, urgent=True)
    flags = await changed_flags(client, looked, whole=whole)
    await settle(hands, box, looked, flags, finished=not len(waiting))
    return looked


async def begin(hands: Hands, client: ImapClient, box: Mailbox, folder: int, backlog: Backlog, *, screen: bool) -> None:
    """The first look of a session at a folder: its first ``screen`` is brought, the rest joins the backlog."""
    looked = await look(hands, client, box, await load_folder(hands, folder), UidSet())
    first = first_screen(looked.wanted) if screen else UidSet()
    await fetch_mail(hands, client, box, replace(looked, wanted=first), urgent=True)
    rest = looked.wanted.minus(first)
    flags = await changed_flags(client, looked, whole=False)
    await settle(hands, box, looked, flags, finished=not len(rest))
    backlog.add(looked, rest)


async def look(
    hands: Hands, client: ImapClient, box: Mailbox, folder: Folder, waiting: UidSet, *, whole: bool = False
) -> Looked:
    """Open a folder and find out what it has that is not known; mails from before the range are skipped by name.

    What is here already under another place is placed. Raises Stale and the client's errors.
    """
    complete = not whole and folder.complete(waiting) and folder.numbered_by == box.imap_host
    opened = await client.examine(folder.name_raw, _synced(client, folder) if complete and not len(waiting) else None)
    if not await _numbered_as_before(hands, client, box, folder, opened, whole=whole):
        folder = await number_anew(hands, box, folder, opened, await _uidnext(client, opened))
        complete, waiting = False, UidSet()
    found = await (_changes if complete else _everything)(client, folder, opened, waiting)
    folder = await begin_folder(hands, box, folder, opened, found.uidnext)
    matched = await match(hands, client, box, folder, found.fresh)
    fresh = found.fresh.minus(matched.known)
    before = await _before_range(client, box, folder, fresh, matched)
    wanted = fresh.minus(before)
    looked = Looked(
        folder=folder,
        messages=opened.exists,
        uidnext=found.uidnext,
        highest_modseq=opened.highestmodseq,
        wanted=wanted,
        there=found.there,
        gone=found.gone,
        flags=found.flags,
        old=_old(folder, wanted, matched),
    )
    to_import = None
    if found.there is not None:
        to_import = len(found.there) - await skipped_for_good(hands, folder) - len(before)
    await note_look(
        hands,
        box,
        looked,
        known=_below(found.uidnext).minus(wanted).minus(waiting),
        skipped={"before_range": before},
        to_import=to_import,
    )
    return looked


async def changed_flags(client: ImapClient, looked: Looked, *, whole: bool) -> Mapping[int, Flagged]:
    """The flags that may have changed since the last look, by UID; the client has the folder open."""
    if looked.flags or not looked.messages:
        return looked.flags
    flags: dict[int, Flagged] = {}

    def on_message(fetched: Fetched) -> None:
        if fetched.uid is not None and fetched.flags is not None:
            flags[fetched.uid] = Flagged(fetched.flags, fetched.modseq)

    before = looked.folder.highest_modseq
    if looked.highest_modseq is None:
        first = 1 if whole else max(1, looked.messages - FLAGS + 1)
        await client.fetch(f"{first}:*", "(UID FLAGS)", uid=False, on_message=on_message)
    elif whole or (before is None and looked.folder.looked_at is not None):
        await client.fetch("1:*", "(UID FLAGS)", uid=True, on_message=on_message)
    elif before is not None and before != looked.highest_modseq:
        await client.fetch("1:*", "(UID FLAGS)", uid=True, on_message=on_message, changed_since=before)
    return flags


@dataclass(frozen=True)
class _Found:
    fresh: UidSet
    uidnext: int
    there: UidSet | None = None
    gone: UidSet = field(default_factory=UidSet)
    flags: Mapping[int, Flagged] = field(default_factory=dict)


async def _everything(client: ImapClient, folder: Folder, opened: Examined, waiting: UidSet) -> _Found:
    there = await client.uid_search(b"ALL") if opened.exists else UidSet()
    uidnext = max(opened.uidnext or folder.uidnext or 1, there.ranges[-1][1] + 1 if there.ranges else 1)
    return _Found(there.minus(folder.known_uids).minus(waiting), uidnext, there)


async def _changes(client: ImapClient, folder: Folder, opened: Examined, waiting: UidSet) -> _Found:
    """What has changed since the last look, which had left nothing open."""
    last = folder.uidnext or 1
    told = {one.uid: Flagged(one.flags, one.modseq) for one in opened.changed if one.uid and one.flags is not None}
    fresh = UidSet.of(uid for uid in told if uid >= last)
    if not len(fresh) and opened.uidnext != last and opened.exists:
        fresh = (await client.uid_search(f"UID {last}:*".encode())).minus(_below(last))
    uidnext = max(opened.uidnext or last, fresh.ranges[-1][1] + 1 if fresh.ranges else last)
    if opened.resynced:
        return _Found(fresh, uidnext, gone=opened.vanished, flags=told)
    if folder.messages is None or opened.exists != folder.messages + len(fresh):
        return await _everything(client, folder, opened, waiting)
    return _Found(fresh, uidnext)


def _below(uid: int) -> UidSet:
    return UidSet(((1, uid - 1),)) if uid > 1 else UidSet()


def _synced(client: ImapClient, folder: Folder) -> Synced | None:
    if folder.uidvalidity is None or folder.highest_modseq is None or "QRESYNC" not in client.enabled:
        return None
    return Synced(folder.uidvalidity, folder.highest_modseq, None)


async def _numbered_as_before(
    hands: Hands, client: ImapClient, box: Mailbox, folder: Folder, opened: Examined, *, whole: bool
) -> bool:
    """Whether UIDs mean what they meant. Where that is in doubt some mails are compared.

    That is where another server answers, or UIDNEXT has fallen, and in a whole look.
    """
    if folder.uidvalidity is None:
        return True
    if opened.uidvalidity != folder.uidvalidity:
        return False
    elsewhere = folder.numbered_by not in {"", box.imap_host}
    fallen = opened.uidnext is not None and opened.uidnext < (folder.uidnext or 0)
    return not (whole or elsewhere or fallen) or await same_mails(hands, client, folder)


async def _uidnext(client: ImapClient, opened: Examined) -> int:
    if opened.uidnext is not None:
        return opened.uidnext
    there = await client.uid_search(b"ALL") if opened.exists else UidSet()
    return there.ranges[-1][1] + 1 if there.ranges else 1


async def _before_range(client: ImapClient, box: Mailbox, folder: Folder, fresh: UidSet, matched: Matched) -> UidSet:
    """Those of ``fresh`` that are history from before the mailbox's range, by INTERNALDATE.

    Where mail has been carried to another server that may be the day of the move: then by the Date of the mail too.
    """
    history = fresh.below(folder.linked_uidnext or 0)
    if box.history_since is None or not len(history):
        return UidSet()
    before = history.minus(await client.uid_search(since(box.history_since)))
    written = UidSet.of(uid for uid, at in matched.written.items() if uid in history and at.date() < box.history_since)
    return UidSet.of_ranges([*before.ranges, *written.ranges])


def _old(folder: Folder, wanted: UidSet, matched: Matched) -> UidSet:
    if folder.live_since is None:
        return UidSet()
    latest = folder.live_since - LEEWAY
    return UidSet.of(uid for uid, at in matched.written.items() if at < latest and uid in wanted)
