"""Seeing what changes on the server, on one connection: the first folder by IDLE, the others by STATUS.

Every INTERVAL the folders of sent mail and one other in turn are looked at. A busy first folder does not put that off.
"""

import asyncio
import logging
from itertools import cycle

from fumibako.archive import Stale
from fumibako.mail.imap import CommandRefused, Fetched, ImapClient
from fumibako.syncing.hands import Hands
from fumibako.syncing.importing import fetch_mail, look
from fumibako.syncing.mailbox import Folder, Looked, Mailbox, check_fence, load_folders, multirange_of

INTERVAL = 45.0  # seconds of IDLE between two rounds of STATUS
ITEMS = ("MESSAGES", "UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ")  # SIZE and UNSEEN cost some servers a walk
FLAGS = 500  # newest mails whose flags are compared at each look

_FLAGS = """
UPDATE placement SET flags = told.flags
  FROM (SELECT uid, string_to_array(flags, ' ') AS flags
          FROM unnest(%(uids)s::bigint[], %(flags)s::text[]) AS t (uid, flags)) AS told
 WHERE placement.folder_id = %(folder)s AND placement.uidvalidity = %(uidvalidity)s AND placement.uid = told.uid
   AND placement.flags <> told.flags
"""
_GONE = """
UPDATE placement SET gone_at = now()
 WHERE folder_id = %(folder)s AND uidvalidity = %(uidvalidity)s AND gone_at IS NULL
   AND NOT uid <@ %(there)s::int8multirange AND uid < %(uidnext)s
"""
_TELL = """
SELECT pg_notify('fumibako_live', 'pe:' || person_id) FROM mailbox_person WHERE mailbox_id = %s AND until IS NULL
"""

logger = logging.getLogger(__name__)


async def watch(hands: Hands, client: ImapClient, box: Mailbox) -> None:
    """Watch until the connection ends (raises what the client raises) or the mailbox has changed (raises Stale)."""
    while not (folders := await load_folders(hands.pool, box.id)):
        await asyncio.sleep(INTERVAL)
        await client.noop()
        hands.pulse.beat(box.id, box.organization)
    first, *others = folders
    sent = [folder for folder in others if folder.role == "sent"]
    turns = cycle([folder for folder in others if folder.role != "sent"] or [None])
    await refresh(hands, client, box, first)
    clock = asyncio.get_running_loop().time
    round_at = clock() + INTERVAL
    while True:
        if await client.idle(max(round_at - clock(), 0.0)):
            await refresh(hands, client, box, first)
        hands.pulse.beat(box.id, box.organization)
        if clock() >= round_at:
            if await _round(hands, client, box, [*sent, *filter(None, [next(turns)])]):
                await refresh(hands, client, box, first)
            round_at = clock() + INTERVAL


async def _round(hands: Hands, client: ImapClient, box: Mailbox, folders: list[Folder]) -> bool:
    """Look at folders by STATUS, and open those that have changed; whether there was any."""
    opened = False
    for folder in folders:
        fresh = await _fresh(hands, box, folder)
        if await _changed(client, fresh):
            await refresh(hands, client, box, fresh)
            opened = True
    return opened


async def refresh(hands: Hands, client: ImapClient, box: Mailbox, folder: Folder) -> Looked:
    """Open a folder, fetch what is new, and compare flags and what is gone. Nothing stored is removed by it."""
    looked = await look(hands, client, box, folder)
    await fetch_mail(hands, client, box, looked, urgent=True)
    await _compare(hands, client, box, looked)
    return looked


async def _fresh(hands: Hands, box: Mailbox, folder: Folder) -> Folder:
    now = {one.id: one for one in await load_folders(hands.pool, box.id)}
    if folder.id not in now:
        raise Stale("a folder is no longer chosen")
    return now[folder.id]


async def _changed(client: ImapClient, folder: Folder) -> bool:
    try:
        return not folder.unchanged(await client.status(folder.name_raw, ITEMS))
    except CommandRefused as refused:
        logger.warning("a folder cannot be looked at", extra={"folder": folder.id, "reply": refused.code})
        return False


async def _compare(hands: Hands, client: ImapClient, box: Mailbox, looked: Looked) -> None:
    flags: dict[int, tuple[str, ...]] = {}

    def on_message(fetched: Fetched) -> None:
        if fetched.uid is not None and fetched.flags is not None:
            flags[fetched.uid] = fetched.flags

    if len(looked.there):
        newest = f"{max(1, len(looked.there) - FLAGS + 1)}:*"
        await client.fetch(newest, "(UID FLAGS)", uid=False, on_message=on_message)
    folder = {"folder": looked.folder.id, "uidvalidity": looked.folder.uidvalidity}
    async with hands.pool.connection() as connection, connection.transaction():
        told = {"uids": list(flags), "flags": [" ".join(names) for names in flags.values()]}
        cursor = await connection.execute(_FLAGS, {**folder, **told})
        changed = cursor.rowcount
        there = {"there": multirange_of(looked.there), "uidnext": looked.uidnext}
        cursor = await connection.execute(_GONE, {**folder, **there})
        changed += cursor.rowcount
        if changed:
            await connection.execute(_TELL, [box.id])
        await check_fence(connection, hands.fence(box.shard))
