"""Proof of life: kept in memory by the owner of a mailbox, and written once in a while for all of them together."""

import asyncio
import logging

from psycopg_pool import AsyncConnectionPool

from fumibako.events import AWAY

FLUSH_SECONDS = 15.0

_WRITE = """
INSERT INTO pulse (mailbox_id, organization_id, proved_at)
SELECT mailbox_id, organization_id, now() - make_interval(secs => age)
  FROM unnest(%s::bigint[], %s::bigint[], %s::float8[]) AS proofs (mailbox_id, organization_id, age)
 ORDER BY mailbox_id
ON CONFLICT (mailbox_id) DO UPDATE SET proved_at = greatest(pulse.proved_at, excluded.proved_at)
"""

logger = logging.getLogger(__name__)


class Pulse:
    """When each mailbox of this worker last answered."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._proofs: dict[int, tuple[int, float]] = {}

    def beat(self, mailbox: int, organization: int) -> None:
        """The mailbox's server has just answered."""
        self._proofs[mailbox] = (organization, asyncio.get_running_loop().time())

    async def flush(self) -> None:
        """Write what has been proved since the last time. Raises events.AWAY; the proofs are kept for the next time."""
        proofs, self._proofs = self._proofs, {}
        if not proofs:
            return
        try:
            await self._write(proofs)
        except BaseException:
            self._proofs = {**proofs, **self._proofs}
            raise

    async def _write(self, proofs: dict[int, tuple[int, float]]) -> None:
        now = asyncio.get_running_loop().time()
        organizations, ages = [], []
        for organization, at in proofs.values():
            organizations.append(organization)
            ages.append(now - at)
        async with self._pool.connection() as connection:
            await connection.execute(_WRITE, [list(proofs), organizations, ages])

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except AWAY as error:
                logger.warning("proofs of life wait for the database", extra={"error": type(error).__name__})
