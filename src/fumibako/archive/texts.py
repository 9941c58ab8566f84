"""The texts of mail that was stored without them, read when nobody waits: lists are there at once, search follows."""

from dataclasses import dataclass

from psycopg import AsyncConnection

from fumibako.archive.children import Built, Job, ParserPool, Slot
from fumibako.archive.rows import COLUMNS, Entry, Scope, Where

BATCH = 8 << 20  # bytes of mail whose texts are read at once; a larger mail comes alone

_DUE = """
SELECT text_due.id, text_due.organization_id, mailbox_id, messages
  FROM text_due JOIN mailbox ON mailbox.id = mailbox_id
 WHERE shard = ANY(%s) AND NOT text_due.id = ANY(%s) ORDER BY text_due.id LIMIT 1
"""
_SIZES = """
SELECT id, size FROM message
 WHERE id = ANY(%s) AND organization_id = %s AND unreadable IS NULL
   AND NOT EXISTS (SELECT 1 FROM body WHERE body.message_id = message.id)
 ORDER BY id
"""
_RAW = """
SELECT message_id, string_agg(body, ''::bytea ORDER BY n) FROM raw
 WHERE organization_id = %s AND message_id = ANY(%s) GROUP BY message_id
"""
_LOCK = "SELECT 1 FROM text_due WHERE id = %s FOR UPDATE"
_THERE = "SELECT 1 FROM body WHERE message_id = ANY(%s) LIMIT 1"
_COPY = f"COPY body ({', '.join(COLUMNS['body'])}) FROM STDIN (FORMAT binary)"
_UNREAD = """
UPDATE message SET unreadable = told.reason
  FROM unnest(%s::bigint[], %s::text[]) AS told (id, reason) WHERE message.id = told.id
"""
_DONE = "DELETE FROM text_due WHERE id = %s"


@dataclass(frozen=True)
class Due:
    """Messages of a mailbox that have no text yet; ``id`` is the row that says so."""

    id: int
    organization: int
    mailbox: int
    messages: list[int]


async def next_due(connection: AsyncConnection, shards: list[int], failed: list[int]) -> Due | None:
    """What has waited longest for its texts in mailboxes of these shards, but for what has ``failed``, by id."""
    cursor = await connection.execute(_DUE, [shards, failed])
    row = await cursor.fetchone()
    return None if row is None else Due(*row)


async def read_texts(connection: AsyncConnection, parsers: ParserPool, due: Due) -> None:
    """Read the texts of these messages and store them, piece by piece; the connection is in autocommit mode.

    Whoever is stopped goes on with what is left, and two at once store each text once.
    """
    cursor = await connection.execute(_SIZES, [due.messages, due.organization])
    piece: list[int] = []
    total = 0
    for message, size in await cursor.fetchall():
        if piece and total + size > BATCH:
            await _read(connection, parsers, due, piece)
            piece, total = [], 0
        piece.append(message)
        total += size
    if piece:
        await _read(connection, parsers, due, piece)
    await connection.execute(_DONE, [due.id])


async def _read(connection: AsyncConnection, parsers: ParserPool, due: Due, messages: list[int]) -> None:
    slot = await parsers.take_slot()
    try:
        job = await _load(connection, slot, due, messages)
        built = await parsers.build(job)
        await _store(connection, due, slot, built)
    finally:
        parsers.release(slot)


async def _load(connection: AsyncConnection, slot: Slot, due: Due, messages: list[int]) -> Job:
    """Put the packed bytes of the mails into the slot; the child unpacks them."""
    entries = []
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(_RAW, [due.organization, messages])
        async for message, packed in cursor:
            region = slot.allocate(len(packed))
            region.view[:] = packed
            entries.append(Entry(region.offset, region.length, message, (), 0, len(packed)))
    where = Where(due.organization, due.mailbox, folder=0, uidvalidity=0, role="other", linked_uidnext=0, own=())
    ids = tuple(entry.uid for entry in entries)
    return Job(slot, where, tuple(entries), ids, scope=Scope.TEXT)


async def _store(connection: AsyncConnection, due: Due, slot: Slot, built: Built) -> None:
    async with connection.transaction():
        cursor = await connection.execute(_LOCK, [due.id])
        if await cursor.fetchone() is None or "body" not in built.tables:
            return
        cursor = await connection.execute(_THERE, [[stored.message for stored in built.stored]])
        if await cursor.fetchone() is not None:
            return
        at, length = built.tables["body"]
        async with connection.cursor() as copying, copying.copy(_COPY) as copy:
            await copy.write(slot.rows[at : at + length])
        if built.unread:
            await connection.execute(_UNREAD, [list(built.unread), list(built.unread.values())])
