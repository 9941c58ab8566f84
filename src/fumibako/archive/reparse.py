"""A better reader reaches old mail: what an older parser has read, or could not read, is read again from the raw bytes.

The rows come from the children that make them for an import; they are copied into temporary tables and from there into
the messages, which keep ids, places, flags and ``sort_at``. No event tells of it. Each batch is a transaction of its
own: whoever is stopped goes on with what is left, and two at once do the same work only once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import zstandard
from psycopg import AsyncConnection
from psycopg.rows import class_row

from fumibako.archive.children import Built, Job, ParserPool, Slot
from fumibako.archive.rows import COLUMNS, Entry, Where
from fumibako.mail.letter import PARSER_VERSION

BATCH = 200  # messages
BATCH_SIZE = 16 << 20  # bytes of mail in a batch; a larger mail comes alone

_TABLES = ("message", "body", "attachment", "thread_key")
_COPY = {table: f"COPY parsed_{table} ({', '.join(COLUMNS[table])}) FROM STDIN (FORMAT binary)" for table in _TABLES}
_COUNT = "SELECT count(*) FROM message WHERE parser_version < %s"
_MAILBOXES = """
SELECT id, organization_id AS organization, address_key, aliases FROM mailbox
 WHERE id IN (SELECT mailbox_id FROM message WHERE parser_version < %s) ORDER BY id
"""
_NEXT = """
SELECT id, size, internal_date, sort_at, emailid, skipped FROM message
 WHERE mailbox_id = %(mailbox)s AND parser_version < %(version)s AND (sort_at, id) < (%(sort_at)s, %(id)s)
 ORDER BY sort_at DESC, id DESC LIMIT %(limit)s
"""
_RAW = """
SELECT message_id, string_agg(body, ''::bytea ORDER BY n) FROM raw
 WHERE organization_id = %s AND message_id = ANY(%s) GROUP BY message_id
"""
_LOCK = "SELECT id FROM message WHERE id = ANY(%s) AND parser_version < %s ORDER BY id FOR NO KEY UPDATE"
_READ = """
UPDATE message SET
       date = parsed.date, message_id = parsed.message_id, subject = parsed.subject, from_name = parsed.from_name,
       from_address = parsed.from_address, recipients = parsed.recipients, snippet = parsed.snippet,
       attachments = parsed.attachments, has_html = parsed.has_html, unreadable = NULL,
       outgoing = CASE WHEN message.from_address = parsed.from_address THEN message.outgoing
                       ELSE parsed.outgoing
                         OR EXISTS (SELECT 1 FROM placement JOIN folder ON folder.id = folder_id
                                     WHERE placement.message_id = message.id AND role = 'sent') END,
       parser_version = parsed.parser_version
  FROM parsed_message AS parsed
 WHERE message.id = parsed.id AND message.id = ANY(%s) AND parsed.unreadable IS NULL
RETURNING message.id
"""
_UNREAD = """
UPDATE message SET parser_version = parsed.parser_version,
       unreadable = CASE WHEN message.unreadable IS NOT NULL THEN parsed.unreadable END
  FROM parsed_message AS parsed
 WHERE message.id = parsed.id AND message.id = ANY(%s) AND parsed.unreadable IS NOT NULL
"""
_TEXTS = """
UPDATE body SET text = parsed.text FROM parsed_body AS parsed
 WHERE body.message_id = parsed.message_id AND body.message_id = ANY(%s) AND body.text <> parsed.text
"""
_FILES_GONE = """
DELETE FROM attachment WHERE message_id = ANY(%s)
   AND NOT EXISTS (SELECT 1 FROM parsed_attachment AS parsed
                    WHERE parsed.message_id = attachment.message_id
                      AND ROW(parsed.*) IS NOT DISTINCT FROM ROW(attachment.*))
"""
_FILES = "INSERT INTO attachment SELECT * FROM parsed_attachment WHERE message_id = ANY(%s) ON CONFLICT DO NOTHING"
_KEYS_GONE = """
DELETE FROM thread_key WHERE message_id = ANY(%s)
   AND NOT EXISTS (SELECT 1 FROM parsed_thread_key AS parsed
                    WHERE parsed.message_id = thread_key.message_id AND ROW(parsed.*) = ROW(thread_key.*))
"""
_KEYS = "INSERT INTO thread_key SELECT * FROM parsed_thread_key WHERE message_id = ANY(%s) ON CONFLICT DO NOTHING"


@dataclass(frozen=True)
class Reparsed:
    """How many messages have been read again, and how many could not be."""

    read: int
    unreadable: int


@dataclass(frozen=True)
class _Box:
    id: int
    organization: int
    address_key: str
    aliases: list[str]


@dataclass(frozen=True)
class _Old:
    """A message that an older parser has seen."""

    id: int
    size: int
    internal_date: datetime
    sort_at: datetime
    emailid: str | None
    skipped: str | None


async def read_again(
    connection: AsyncConnection, parsers: ParserPool, on_progress: Callable[[int, int], None]
) -> Reparsed:
    """Read again, mailbox by mailbox and newest first, what a parser older than PARSER_VERSION has read.

    ``connection`` is in autocommit mode and no pooler's: it keeps temporary tables. ``on_progress`` gets the messages
    that are done and all that there were at the beginning. What only the new parser cannot read stays as it was read.
    """
    for table in _TABLES:
        await connection.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS parsed_{table} (LIKE {table}) ON COMMIT DELETE ROWS"
        )
    cursor = await connection.execute(_COUNT, [PARSER_VERSION])
    ((total,),) = await cursor.fetchall()
    async with connection.cursor(row_factory=class_row(_Box)) as rows:
        await rows.execute(_MAILBOXES, [PARSER_VERSION])
        boxes = await rows.fetchall()
    done = Reparsed(0, 0)
    for box in boxes:
        place: dict[str, Any] = {"sort_at": "infinity", "id": 0}
        while batch := await _next(connection, box, place):
            slot = await parsers.take_slot()
            try:
                entries = await _load(connection, box, slot, batch)
                more = await _store(connection, parsers, _job(slot, box, batch, entries))
            finally:
                parsers.release(slot)
            last = batch[len(entries) - 1]
            place = {"sort_at": last.sort_at, "id": last.id}
            done = Reparsed(done.read + more.read, done.unreadable + more.unreadable)
            on_progress(done.read + done.unreadable, total)
    return done


async def _next(connection: AsyncConnection, box: _Box, place: dict[str, Any]) -> list[_Old]:
    async with connection.cursor(row_factory=class_row(_Old)) as rows:
        await rows.execute(_NEXT, {**place, "mailbox": box.id, "version": PARSER_VERSION, "limit": BATCH})
        found = await rows.fetchall()
    size = 0
    batch: list[_Old] = []
    for message in found:
        size += message.size
        if batch and size > BATCH_SIZE:
            break
        batch.append(message)
    return batch


async def _load(connection: AsyncConnection, box: _Box, slot: Slot, batch: list[_Old]) -> list[Entry]:
    """Put the bytes of a batch into a slot: of its first messages, where not all have room."""
    cursor = await connection.execute(_RAW, [box.organization, [message.id for message in batch]])
    packed: dict[int, bytes] = dict(await cursor.fetchall())
    unpack = zstandard.ZstdDecompressor()
    entries: list[Entry] = []
    for n, message in enumerate(batch):
        mail = unpack.decompressobj().decompress(packed.get(message.id, b""))
        try:
            region = slot.allocate(len(mail))
        except MemoryError:
            if entries:
                return entries
            raise
        region.view[:] = mail
        arrived = int(message.internal_date.timestamp()) * 1_000_000
        entries.append(
            Entry(
                region.offset,
                region.length,
                uid=n + 1,
                flags=(),
                internal_date=arrived,
                size=message.size,
                emailid=message.emailid,
                skipped=message.skipped,
            )
        )
    return entries


def _job(slot: Slot, box: _Box, batch: list[_Old], entries: list[Entry]) -> Job:
    own = (box.address_key, *(alias.casefold() for alias in box.aliases))
    where = Where(box.organization, box.id, folder=0, uidvalidity=0, role="other", linked_uidnext=0, own=own)
    return Job(slot, where, tuple(entries), tuple(message.id for message in batch[: len(entries)]))


async def _store(connection: AsyncConnection, parsers: ParserPool, job: Job) -> Reparsed:
    built = await parsers.build(job)
    async with connection.transaction():
        cursor = await connection.execute(_LOCK, [list(job.ids), PARSER_VERSION])
        locked = [row[0] for row in await cursor.fetchall()]
        await _copy(connection, job.slot, built)
        cursor = await connection.execute(_READ, [locked])
        read = [row[0] for row in await cursor.fetchall()]
        await connection.execute(_UNREAD, [locked])
        for statement in (_TEXTS, _FILES_GONE, _FILES, _KEYS_GONE, _KEYS):
            await connection.execute(statement, [read])
    return Reparsed(len(read), len(locked) - len(read))


async def _copy(connection: AsyncConnection, slot: Slot, built: Built) -> None:
    async with connection.cursor() as cursor:
        for table in _TABLES:
            if table in built.tables:
                at, length = built.tables[table]
                async with cursor.copy(_COPY[table]) as copy:
                    await copy.write(slot.rows[at : at + length])
