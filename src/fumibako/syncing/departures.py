"""What became of mail that is in none of the imported folders any more (design rule 6). Nothing is removed here.

A place that has gone is settled when it is known what became of its message: it has another place, it has left to a
folder that is not imported, or the server has it no more. The last two need QUIET after the last place went, a full
look at all chosen folders since, and a search in the others: by the server's own id of the mail where there is one
(EMAILID of RFC 8474 §5, X-GM-MSGID of Gmail), else by Message-ID and size. The marks of a message hold while it has no
place: pages heed that (``archive.read``), and ``completeness`` clears them.
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row

from fumibako.archive import Stale
from fumibako.mail.imap import CommandRefused, Fetched, ImapClient
from fumibako.syncing.hands import Hands
from fumibako.syncing.mailbox import Mailbox, check_fence

QUIET = 15 * 60.0  # seconds after a message's last place went; moves by mail programs are copies that are seen later
LOOKUPS = 40  # messages that are looked for in one call
TOGETHER = 10  # messages of one SEARCH; its command stays short enough for servers that limit a line
FOLDERS = 30  # folders that are searched at most, trash and archive first
PATIENCE = 20.0  # seconds after which no further folder is opened

OPEN = """
SELECT EXISTS (SELECT 1 FROM placement JOIN folder ON folder.id = folder_id
                WHERE mailbox_id = %(mailbox)s AND unsettled)
"""
"""Whether a mailbox has anything to settle: asked at each round, answered from a small index."""
_LOCK = "SELECT 1 FROM mailbox WHERE id = %(mailbox)s AND generation = %(generation)s FOR SHARE"
_MOVED = """
UPDATE placement SET settled_at = gone_at
  FROM folder
 WHERE folder.id = folder_id AND mailbox_id = %(mailbox)s AND unsettled
   AND EXISTS (SELECT 1 FROM placement p WHERE p.message_id = placement.message_id AND p.gone_at IS NULL)
"""
_ABSENT = """
SELECT message.id, size, emailid, message_id AS name
  FROM message JOIN (
       SELECT message_id AS id, max(gone_at) AS gone_at
         FROM placement JOIN folder ON folder.id = folder_id
        WHERE mailbox_id = %(mailbox)s AND unsettled
        GROUP BY message_id) AS gone USING (id)
 WHERE gone_at < %(looked_at)s AND gone_at < now() - make_interval(secs => %(quiet)s)
   AND NOT EXISTS (SELECT 1 FROM placement WHERE placement.message_id = message.id AND placement.gone_at IS NULL)
 ORDER BY gone_at, id LIMIT %(limit)s
"""
_OTHERS = """
SELECT id, name_raw FROM folder
 WHERE mailbox_id = %s AND NOT chosen AND selectable AND missing_since IS NULL
 ORDER BY array_position(ARRAY['trash', 'archive', 'other', 'junk'], role), name LIMIT %s
"""
_MARK = """
UPDATE message SET left_to_id = found.folder,
       deleted_at = CASE WHEN found.folder IS NULL THEN now() END
  FROM unnest(%(messages)s::bigint[], %(folders)s::bigint[]) AS found (id, folder)
 WHERE message.id = found.id
   AND NOT EXISTS (SELECT 1 FROM placement WHERE placement.message_id = message.id AND gone_at IS NULL)
"""
_SETTLED = """
UPDATE placement SET settled_at = gone_at WHERE message_id = ANY(%(messages)s) AND gone_at < %(looked_at)s
"""
_TELL = """
SELECT pg_notify('fumibako_live', 'pe:' || person_id) FROM mailbox_person WHERE mailbox_id = %s AND until IS NULL
"""
_EMAILID = re.compile(r"[A-Za-z0-9_-]{1,255}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Departures:
    """How many messages were found to be deleted and to have left, and whether more wait to be looked for.

    ``opened``: other folders were opened, so that the client does not have the one open that it had.
    """

    deleted: int = 0
    left: int = 0
    more: bool = False
    opened: bool = False


@dataclass(frozen=True)
class _Absent:
    """A message without a place. ``name`` is its Message-ID, ``size`` what the server said of it."""

    id: int
    size: int
    emailid: str | None
    name: str

    def key(self, identity: str | None) -> bytes | None:
        """How a server is asked for it, whose own ids are called ``identity``; None where it cannot be."""
        if identity and self.emailid and _EMAILID.fullmatch(self.emailid):
            return f"{identity} {self.emailid}".encode()
        if self.name and self.name.isascii() and self.name.isprintable():
            quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
            return f'HEADER Message-ID "{quoted}"'.encode()
        return None

    def same(self, fetched: Fetched) -> bool:
        """Whether what was found is this mail, and no other that has its Message-ID."""
        if self.emailid and fetched.emailid:
            return self.emailid == fetched.emailid
        header = b"".join(b"".join(fetched.sections.values()).split())
        return fetched.size == self.size and bool(self.name) and self.name.encode() in header


async def settle(hands: Hands, client: ImapClient, box: Mailbox, looked_at: datetime) -> Departures:
    """Mark the messages that are in no chosen folder any more.

    Call it after a full look at all chosen folders, which began at ``looked_at`` by the database's clock. Folders that
    are not chosen may be opened by EXAMINE (``opened``): then the client has another folder open, or none, and knows
    no changes of the one before. At most LOOKUPS messages are looked for; what is not found in FOLDERS folders, or
    until PATIENCE is over, counts as deleted. Raises Stale when the mailbox or the shard has changed, and what the
    client raises.
    """
    values = {"mailbox": box.id, "generation": box.generation, "looked_at": looked_at}
    async with hands.pool.connection() as connection:
        cursor = await connection.execute(OPEN, values)
        if not (await cursor.fetchone() or (False,))[0]:
            return Departures()
        async with connection.transaction():
            await _lock(connection, box)
            await connection.execute(_MOVED, values)
            await check_fence(connection, hands.fence(box.shard))
        async with connection.cursor(row_factory=class_row(_Absent)) as rows:
            await rows.execute(_ABSENT, {**values, "quiet": QUIET, "limit": LOOKUPS})
            absent = await rows.fetchall()
        cursor = await connection.execute(_OTHERS, [box.id, FOLDERS])
        others: list[tuple[int, bytes]] = await cursor.fetchall()
    if not absent:
        return Departures()
    found = await _search(client, absent, others)
    messages = [message.id for message in absent]
    async with hands.pool.connection() as connection, connection.transaction():
        await _lock(connection, box)
        folders = [found.get(message) for message in messages]
        await connection.execute(_MARK, {"messages": messages, "folders": folders})
        await connection.execute(_SETTLED, {"messages": messages, "looked_at": looked_at})
        await connection.execute(_TELL, [box.id])
        await check_fence(connection, hands.fence(box.shard))
    return Departures(len(messages) - len(found), len(found), more=len(absent) == LOOKUPS, opened=bool(others))


async def _lock(connection: AsyncConnection, box: Mailbox) -> None:
    cursor = await connection.execute(_LOCK, {"mailbox": box.id, "generation": box.generation})
    if await cursor.fetchone() is None:
        raise Stale("the mailbox has changed")


async def _search(client: ImapClient, absent: Sequence[_Absent], others: list[tuple[int, bytes]]) -> dict[int, int]:
    """Look for messages folder by folder; returns the folder in which each was found first."""
    found: dict[int, int] = {}
    clock = asyncio.get_running_loop().time
    end = clock() + PATIENCE
    for folder, name_raw in others:
        wanted = [message for message in absent if message.id not in found]
        if not wanted or clock() > end:
            break
        try:
            if (await client.examine(name_raw)).exists:
                found.update(dict.fromkeys(await _search_here(client, wanted), folder))
        except CommandRefused as refused:
            logger.info("a folder cannot be searched", extra={"folder": folder, "reply": refused.code})
    return found


async def _search_here(client: ImapClient, wanted: Sequence[_Absent]) -> set[int]:
    """The messages, by id, that the open folder has."""
    identity = client.identity
    asked = [(message, key) for message in wanted if (key := message.key(identity))]
    candidates: list[Fetched] = []
    for at in range(0, len(asked), TOGETHER):
        *keys, last = (key for _, key in asked[at : at + TOGETHER])
        uids = await client.uid_search(b"".join(b"OR " + key + b" " for key in keys) + last)
        if uids.ranges:
            items = f"(UID RFC822.SIZE{f' {identity}' if identity else ''} BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
            await client.fetch(str(uids), items, uid=True, on_message=candidates.append)
    return {message.id for message, _ in asked if any(message.same(fetched) for fetched in candidates)}
