"""The one door in: a batch of mails becomes rows, its event and what the folder knows, in one transaction.

The transaction begins with the folder's row, under the generation and UIDVALIDITY that the fetch was made for, and ends
with the shard's fence. Whoever has been unlinked, been given other folders, or lost the shard meanwhile finds no row
and throws the batch away: it is fetched again by whoever may.

What is stored already is found behind the folder's lock, so that storing a batch twice stores it once: after an outage
of the database, which may have taken away the answer to a COMMIT, and where two connections fetched the same mail.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from psycopg import AsyncConnection
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from fumibako.archive.children import Built, Job, Slot
from fumibako.archive.errors import Stale
from fumibako.archive.rows import COLUMNS, Scope, Where

_LOCK = """
SELECT 1 FROM folder JOIN mailbox ON mailbox.id = folder.mailbox_id
 WHERE folder.id = %(folder)s AND folder.uidvalidity = %(uidvalidity)s AND folder.chosen
   AND mailbox.generation = %(generation)s
   FOR UPDATE OF folder FOR SHARE OF mailbox
"""
_STORED = """
SELECT uid, NULL, message_id FROM placement
 WHERE folder_id = %(folder)s AND uidvalidity = %(uidvalidity)s AND uid = ANY(%(uids)s)
UNION ALL
SELECT NULL, encode(sha256, 'hex'), id FROM message WHERE mailbox_id = %(mailbox)s AND sha256 = ANY(%(digests)s)
"""
_COPY = {table: f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)" for table, columns in COLUMNS.items()}
_RETURNED = """
UPDATE message SET deleted_at = NULL, left_to_id = NULL
 WHERE id = ANY(%s) AND (deleted_at IS NOT NULL OR left_to_id IS NOT NULL)
"""
_FINISH = """
WITH grown AS (
  UPDATE folder SET known = known + %(known)s::int8multirange WHERE id = %(folder)s
), told AS (
  INSERT INTO event (organization_id, kind, mailbox_id, folder_id, message_id, count)
  SELECT %(organization)s, 'message.new', %(mailbox)s, %(folder)s, id, 1
    FROM unnest(%(live)s::bigint[]) AS id
  UNION ALL
  SELECT %(organization)s, 'history.stored', %(mailbox)s, %(folder)s, NULL, %(history)s WHERE %(history)s > 0
), due AS (
  INSERT INTO text_due (organization_id, mailbox_id, messages)
  SELECT %(organization)s, %(mailbox)s, %(due)s WHERE cardinality(%(due)s::bigint[]) > 0
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

    May be called again with the same batch after psycopg.OperationalError: what the first call has stored is told as
    if this one had. ``build`` is asked again where some of the mails are here already, at the same place or by the same
    bytes, which is all that makes two mails one; between two transactions, which wait for no child. Raises Stale,
    having stored nothing. Commits of one mailbox must not run at the same time: its unique key refuses the second.
    """
    while True:
        async with connection.transaction():
            await _lock(connection, batch)
            placed, known = await _stored(connection, batch.job.where, built)
            if not placed and not known:
                await _copy(connection, batch.job.slot, built)
                await _finish(connection, batch, built, fence)
                return _committed(built)
        left = tuple(entry for entry in batch.job.entries if entry.uid not in placed)
        if not left:
            return _committed(built, placed)
        ids = dict(zip((entry.uid for entry in batch.job.entries), batch.job.ids, strict=True))
        job = replace(
            batch.job,
            entries=left,
            ids=tuple(ids[entry.uid] for entry in left),
            known={**batch.job.known, **known},
        )
        batch, built = replace(batch, job=job), await build(job)


async def _lock(connection: AsyncConnection, batch: Batch) -> None:
    where = batch.job.where
    cursor = await connection.execute(
        _LOCK, {"folder": where.folder, "uidvalidity": where.uidvalidity, "generation": batch.generation}
    )
    if await cursor.fetchone() is None:
        raise Stale("the mailbox or its folder has changed")


async def _stored(connection: AsyncConnection, where: Where, built: Built) -> tuple[dict[int, int], dict[str, int]]:
    """What of a batch is stored: the message at each of its places that is taken, and the message of each digest."""
    cursor = await connection.execute(
        _STORED,
        {
            "folder": where.folder,
            "uidvalidity": where.uidvalidity,
            "uids": [stored.uid for stored in built.stored],
            "mailbox": where.mailbox,
            "digests": [bytes.fromhex(stored.sha256) for stored in built.stored if stored.sha256 and stored.new],
        },
    )
    placed, known = {}, {}
    for uid, digest, message in await cursor.fetchall():
        if digest is None:
            placed[uid] = message
        else:
            known[digest] = message
    return placed, known


async def _copy(connection: AsyncConnection, slot: Slot, built: Built) -> None:
    async with connection.cursor() as cursor:
        for table, (at, length) in built.tables.items():
            async with cursor.copy(_COPY[table]) as copy:
                await copy.write(slot.rows[at : at + length])


async def _finish(connection: AsyncConnection, batch: Batch, built: Built, fence: Fence) -> None:
    where = batch.job.where
    new = [stored for stored in built.stored if stored.new]
    if len(new) < len(built.stored):
        await connection.execute(_RETURNED, [[stored.message for stored in built.stored]])
    live = [stored.message for stored in new if stored.live]
    cursor = await connection.execute(
        _FINISH,
        {
            "folder": where.folder,
            "known": multirange(batch.known),
            "organization": where.organization,
            "mailbox": where.mailbox,
            "live": live,
            "history": len(new) - len(live),
            "due": _due(batch.job.scope, built),
            "shard": fence.shard,
            "epoch": fence.epoch,
        },
    )
    if await cursor.fetchone() is None:
        raise Stale("the shard has another owner")


def _due(scope: Scope, built: Built) -> list[int]:
    """The new messages whose texts are still to be read."""
    if scope is not Scope.LIST:
        return []
    return [stored.message for stored in built.stored if stored.new and stored.uid not in built.unread]


def _committed(built: Built, placed: dict[int, int] | None = None) -> Committed:
    """What storing ``built`` has done; ``placed``: where it was found to be done, the message at each place."""
    new = [stored for stored in built.stored if stored.new and (placed is None or placed[stored.uid] == stored.message)]
    live = sum(stored.live for stored in new)
    return Committed(live, len(new) - live, len(built.stored), len(built.unread))


def multirange(pairs: Sequence[tuple[int, int]]) -> Multirange[int]:
    """(first, last) pairs as PostgreSQL's half-open ranges."""
    return Multirange([Range(first, last + 1) for first, last in pairs])
