"""Gives committed events their numbers, and says so.

Every worker has one; an advisory lock lets one at a time number, over the whole installation. A batch is numbered in
one statement and committed at once, so a reader that polls sees numbers without gap and never n + 1 before n, whatever
order the writers committed in. One NOTIFY a batch and person tells the live pages; writers send none.
"""

import asyncio
import logging

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from fumibako.events.database import AWAY

POLL_SECONDS = 0.2  # events of other processes wait at most so long; our own wake the numberer at once
OUTAGE_SECONDS = 1.0  # between tries while the database is away
PATIENCE_SECONDS = 2.0  # for a connection; asking again makes the pool try to reach the database again
BATCH = 2_000  # events numbered in one transaction
LOCK = 0x66756D69  # "fumi"

_WAITING = "SELECT EXISTS (SELECT FROM event WHERE seq IS NULL)"
_LOCK = "SELECT pg_advisory_xact_lock(%s)"
_NUMBER = """
WITH batch AS (
  SELECT id, organization_id, row_number() OVER (PARTITION BY organization_id ORDER BY id) AS n
    FROM (SELECT id, organization_id FROM event WHERE seq IS NULL ORDER BY id LIMIT %(limit)s) AS waiting
), counted AS (
  INSERT INTO event_counter (organization_id, last_seq)
  SELECT organization_id, max(n) FROM batch GROUP BY organization_id
  ON CONFLICT (organization_id) DO UPDATE SET last_seq = event_counter.last_seq + excluded.last_seq
  RETURNING organization_id, last_seq
), sizes AS (
  SELECT organization_id, max(n) AS size FROM batch GROUP BY organization_id
), numbered AS (
  UPDATE event SET seq = counted.last_seq - sizes.size + batch.n
    FROM batch JOIN counted USING (organization_id) JOIN sizes USING (organization_id)
   WHERE event.id = batch.id
  RETURNING event.mailbox_id
), told AS (
  SELECT pg_notify('fumibako_live', 'pe:' || person_id)
    FROM (SELECT DISTINCT person_id FROM mailbox_person
           WHERE until IS NULL AND mailbox_id IN (SELECT mailbox_id FROM numbered)) AS people
)
SELECT (SELECT count(*) FROM numbered), (SELECT count(*) FROM told)
"""

logger = logging.getLogger(__name__)


async def number_events(connection: AsyncConnection, limit: int = BATCH) -> int:
    """Number at most ``limit`` committed events, after whoever is at it; returns how many.

    The connection is in autocommit mode.
    """
    cursor = await connection.execute(_WAITING)
    if await cursor.fetchone() == (False,):
        return 0
    async with connection.transaction():
        await connection.execute(_LOCK, [LOCK])
        cursor = await connection.execute(_NUMBER, {"limit": limit})
        row = await cursor.fetchone()
        return int(row[0]) if row else 0


class Numberer:
    """The numberer of a worker process: numbers when it is woken, and looks for others' events now and then."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Say that events have been committed."""
        self._wake.set()

    async def run(self) -> None:
        """Number until cancelled; an outage of the database is waited for."""
        while True:
            try:
                async with self._pool.connection(timeout=PATIENCE_SECONDS) as connection:
                    while await number_events(connection) == BATCH:
                        pass
            except AWAY as error:
                logger.warning("events wait for the database", extra={"error": type(error).__name__})
                await asyncio.sleep(OUTAGE_SECONDS)
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
