"""The folders that a server lists, beside those that are known: new ones, missing ones, and those with another name.

A folder with another name is known again by its own id (MAILBOXID, RFC 8474 §4), or by its numbering and the mails in
it; where the server numbers it anew too (Courier), by its newest mails alone. After a move to another server, whose
names differ (with INBOX before them or not, another delimiter), by the path of its name, else by what it is for. New
folders are told of, never imported unasked.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from fumibako.archive import Stale
from fumibako.mail.discovery import role_of
from fumibako.mail.imap import CommandRefused, Examined, ImapClient, Listed
from fumibako.syncing.database import steadily
from fumibako.syncing.hands import Hands
from fumibako.syncing.mailbox import Folder, Mailbox, check_fence, load_folders
from fumibako.syncing.matching import holds_mails_of, same_mails

MOST_CANDIDATES = 50  # new folders that are compared with one that is missing

_SAME = "SELECT 1 FROM mailbox WHERE id = %s AND generation = %s FOR SHARE"
_INSERT = """
INSERT INTO folder (organization_id, public_id, mailbox_id, name_raw, name, delimiter, role, selectable,
                    chosen, to_import)
SELECT %(organization)s, 'fo_' || replace(gen_random_uuid()::text, '-', ''), %(mailbox)s, name_raw, name, delimiter,
       role, selectable, false, 0
  FROM unnest(%(names_raw)s::bytea[], %(names)s::text[], %(delimiters)s::text[], %(roles)s::text[],
              %(selectables)s::bool[]) AS t (name_raw, name, delimiter, role, selectable)
ON CONFLICT (mailbox_id, name_raw) DO NOTHING
"""
_LISTED = "UPDATE folder SET missing_since = NULL, selectable = %s WHERE id = %s"
_MISSING = "UPDATE folder SET missing_since = now() WHERE id = ANY(%s)"
_FREE_NAME = """
UPDATE folder SET name_raw = name_raw || '\\x00'::bytea || convert_to(public_id, 'UTF8'), missing_since = now()
 WHERE mailbox_id = %s AND name_raw = %s
"""
_RENAME = """
UPDATE folder SET name_raw = %s, name = %s, delimiter = %s, missing_since = NULL, selectable = true WHERE id = %s
"""

logger = logging.getLogger(__name__)


async def note_folders(hands: Hands, client: ImapClient, box: Mailbox) -> list[Folder]:
    """Ask for the folders and note what has changed; returns the chosen ones that are there. Raises Stale."""
    listed = {one.name_raw: one for one in await client.list_folders()}
    known = await load_folders(hands, box.id, all_of_them=True)
    renamed = await _renamed(hands, client, box, known, listed)
    await _write(hands, box, known, listed, renamed)
    for folder in known:
        if folder.id in renamed:
            logger.info("a folder has another name", extra={"folder": folder.id})
        elif folder.chosen and folder.missing_since is None and folder.name_raw not in listed:
            logger.warning("a folder is missing", extra={"folder": folder.id})
    return await load_folders(hands, box.id)


async def _renamed(
    hands: Hands, client: ImapClient, box: Mailbox, known: Sequence[Folder], listed: dict[bytes, Listed]
) -> dict[int, Listed]:
    """The chosen folders that are missing under their name, with the listed ones that they are now, by id."""
    missing = [folder for folder in known if folder.chosen and folder.selectable and folder.name_raw not in listed]
    if not missing:
        return {}
    used = {folder.name_raw for folder in known if folder.chosen}
    free = [one for one in listed.values() if one.selectable and one.name_raw not in used]
    moved = [folder for folder in missing if folder.numbered_by not in {"", box.imap_host}]
    found = _by_name(moved, free)
    here = [folder for folder in missing if folder not in moved]
    found.update(await _by_numbering(hands, client, here, free[:MOST_CANDIDATES]))
    twice = Counter(one.name_raw for one in found.values())
    return {folder: one for folder, one in found.items() if twice[one.name_raw] == 1}


def _by_name(missing: Iterable[Folder], free: Sequence[Listed]) -> dict[int, Listed]:
    """On another server: the same path, else the only folder with the same special use."""
    found = {}
    for folder in missing:
        same = [one for one in free if _path(one.name) == _path(folder.name)]
        same = same or [one for one in free if folder.role not in {"other", "inbox"} and role_of(one) == folder.role]
        if len(same) == 1:
            found[folder.id] = same[0]
    return found


def _path(name: str) -> tuple[str, ...]:
    parts = tuple(name.casefold().replace("/", ".").split("."))
    return parts[1:] if len(parts) > 1 and parts[0] == "inbox" else parts


async def _by_numbering(
    hands: Hands, client: ImapClient, missing: Sequence[Folder], free: Sequence[Listed]
) -> dict[int, Listed]:
    found: dict[int, Listed] = {}
    for one in free if missing else ():
        try:
            opened = await client.examine(one.name_raw)
        except CommandRefused:
            continue
        for folder in missing:
            if folder.id not in found and await _is(hands, client, folder, opened):
                found[folder.id] = one
    return found


async def _is(hands: Hands, client: ImapClient, folder: Folder, opened: Examined) -> bool:
    if folder.mailboxid and opened.mailboxid:
        return folder.mailboxid == opened.mailboxid
    if folder.uidvalidity == opened.uidvalidity and (opened.uidnext or 0) >= (folder.uidnext or 0):
        return await same_mails(hands, client, folder)
    return await holds_mails_of(hands, client, folder, opened.exists)


async def _write(
    hands: Hands, box: Mailbox, known: Sequence[Folder], listed: dict[bytes, Listed], renamed: dict[int, Listed]
) -> None:
    names = {folder.name_raw for folder in known}
    taken = {one.name_raw for one in renamed.values()}
    new = [one for one in listed.values() if one.name_raw not in names | taken]
    missing = [
        folder.id
        for folder in known
        if folder.name_raw not in listed and folder.id not in renamed and folder.missing_since is None
    ]
    back = [
        (listed[folder.name_raw].selectable, folder.id)
        for folder in known
        if folder.name_raw in listed
        and folder.name_raw not in taken
        and (folder.missing_since is not None or folder.selectable != listed[folder.name_raw].selectable)
    ]
    if not (new or missing or back or renamed):
        return
    inserted = {
        "organization": box.organization,
        "mailbox": box.id,
        "names_raw": [one.name_raw for one in new],
        "names": [one.name for one in new],
        "delimiters": [one.delimiter or "" for one in new],
        "roles": [role_of(one) for one in new],
        "selectables": [one.selectable for one in new],
    }

    async def write() -> None:
        async with hands.pool.connection() as connection, connection.transaction():
            if await (await connection.execute(_SAME, [box.id, box.generation])).fetchone() is None:
                raise Stale("the mailbox has changed")
            for folder, one in renamed.items():
                await connection.execute(_FREE_NAME, [box.id, one.name_raw])
                await connection.execute(_RENAME, [one.name_raw, one.name, one.delimiter or "", folder])
            for values in back:
                await connection.execute(_LISTED, values)
            await connection.execute(_MISSING, [missing])
            await connection.execute(_INSERT, inserted)
            await check_fence(connection, hands.fence(box.shard))

    await steadily(write)
