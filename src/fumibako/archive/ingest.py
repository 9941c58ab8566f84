"""The one door in: a batch of mails becomes rows, its event and what the folder knows, in one transaction.

The transaction begins with the folder's row, under the generation and UIDVALIDITY that the fetch was made for, and ends
with the shard's fence. Whoever has been unlinked, been given other folders, or lost the shard meanwhile finds no row
and throws the batch away: it is fetched again by whoever may.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from psycopg import AsyncConnection
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from fumibako.archive.children import Built, Job
from fumibako.archive.errors import Stale
from fumibako.archive.rows import COLUMNS

_LOCK = """
SELECT 1 FROM folder JOIN mailbox ON mailbox.id = folder.mailbox_id
 WHERE folder.id = %(folder)s AND folder.uidvalidity = %(uidvalidity)s AND folder.chosen
   AND mailbox.generation = %(generation)s
   FOR UPDATE OF folder FOR SHARE OF mailbox
"""
_SAME_BYTES = "SELECT encode(sha256, 'hex'), id FROM message WHERE mailbox_id = %s AND sha256 = ANY(%s)"
_COPY = {table: f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)" for table, columns in COLUMNS.items()}
_FINISH = """
WITH grown AS (
  UPDATE folder SET known = known + %(known)s::int8multirange WHERE id = %(folder)s
), told AS (
  INSERT INTO event (organization_id, kind, mailbox_id, folder_id, message_id, count)
  SELECT %(organization)s, 'message.new', %(mailbox)s, %(folder)s, id, 1
    FROM unnest(%(live)s::bigint[]) AS id
  UNION ALL
  SELECT %(organization)s, 'history.stored', %(mailbox)s, %(folder)s, NULL, %(history)s WHERE %(history)s > 0
)
SELECT 1 FROM shard WHERE id = %(shard)s AND epoch = %(epoch)s FOR SHARE
"""


@dataclass(frozen=True)
class Fence:
    """The right to write for a shard: no commit succeeds once the shard has another epoch."""

    shard: int
    epoch: int


@dataclass(frozen=True)
class Batch:
    """Rows to store. ``known`` are the UIDs that need no fetch afterwards, as (first, last) pairs."""

    job: Job
    generation: int
    known: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Committed:
    """What a commit stored: messages that are new here, by origin, and placements."""

    live: int
    history: int
    placements: int
    unreadable: int


async def take_ids(connection: AsyncConnection, count: int) -> tuple[int, ...]:
    """Take free message ids; those of a batch that is thrown away leave a gap and nothing else."""
    cursor = await connection.execute(
        "SELECT nextval(pg_get_serial_sequence('message', 'id')) FROM generate_series(1, %s)", [count]
    )
    return tuple(row[0] for row in await cursor.fetchall())


async def commit_batch(
    connection: AsyncConnection, batch: Batch, built: Built, fence: Fence, build: Callable[[Job], Awaitable[Built]]
) -> Committed:
    """Store a batch whose rows are ``built``; the connection is in autocommit mode, the transaction is this call's.

    ``build`` is asked once more where some of the mails are here already under another place: by the same bytes, which
    is all that makes two mails one. That is before the transaction, which waits for no child; between the two nobody
    else stores into the mailbox, or its unique key refuses the batch. Raises Stale, having stored nothing.
    """
    job = batch.job
    if known := await _same_bytes(connection, job.where.mailbox, built):
        built = await build(replace(job, known=known))
    async with connection.transaction():
        cursor = await connection.execute(
            _LOCK,
            {"folder": job.where.folder, "uidvalidity": job.where.uidvalidity, "generation": batch.generation},
        )
        if await cursor.fetchone() is None:
            raise Stale("the mailbox or its folder has changed")
        async with connection.cursor() as copying:
            for table, (at, length) in built.tables.items():
                async with copying.copy(_COPY[table]) as copy:
                    await copy.write(job.slot.rows[at : at + length])
        new = [stored for stored in built.stored if stored.new]
        live = [stored.message for stored in new if stored.uid >= job.where.linked_uidnext]
        cursor = await connection.execute(
            _FINISH,
            {
                "folder": job.where.folder,
                "known": multirange(batch.known),
                "organization": job.where.organization,
                "mailbox": job.where.mailbox,
                "live": live,
                "history": len(new) - len(live),
                "shard": fence.shard,
                "epoch": fence.epoch,
            },
        )
        if await cursor.fetchone() is None:
            raise Stale("the shard has another owner")
    return Committed(len(live), len(new) - len(live), len(built.stored), built.unreadable)


def multirange(pairs: Sequence[tuple[int, int]]) -> Multirange[int]:
    """(first, last) pairs as PostgreSQL's half-open ranges."""
    return Multirange([Range(first, last + 1) for first, last in pairs])


async def _same_bytes(connection: AsyncConnection, mailbox: int, built: Built) -> dict[str, int]:
    digests = [bytes.fromhex(stored.sha256) for stored in built.stored if stored.sha256 and stored.new]
    cursor = await connection.execute(_SAME_BYTES, [mailbox, digests])
    return dict(await cursor.fetchall())
