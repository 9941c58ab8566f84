"""Reading the texts of imported mail when nobody waits for anything else.

An import stores what a list shows; what search looks through is read here afterwards, out of the stored bytes.
"""

import asyncio
import logging

from fumibako.archive import next_due, read_texts
from fumibako.events import AWAY
from fumibako.syncing.hands import Hands

LOOK_SECONDS = 1.0  # between two looks at whether there is anything
LONGEST_WAIT = 30.0  # seconds that an import in full swing may hold the texts back before it shares
OUTAGE_SECONDS = 1.0  # between tries while the database is away

logger = logging.getLogger(__name__)


class Texts:
    """The texts that are due in this worker's mailboxes."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._failed: list[int] = []

    async def run(self) -> None:
        """Read until cancelled; an outage of the database is waited for."""
        while True:
            try:
                if not await self.read_next():
                    await asyncio.sleep(LOOK_SECONDS)
            except AWAY as error:
                logger.warning("texts wait for the database", extra={"error": type(error).__name__})
                await asyncio.sleep(OUTAGE_SECONDS)

    async def read_next(self) -> bool:
        """Read the texts of one stored batch; whether there was one."""
        async with self._hands.pool.connection() as connection:
            due = await next_due(connection, list(self._hands.shards.held), self._failed)
        if due is None:
            return False
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._hands.parsers.calm()
        except TimeoutError:
            pass
        try:
            async with self._hands.pool.connection() as connection:
                await read_texts(connection, self._hands.parsers, due)
        except AWAY:
            raise
        except Exception:
            logger.exception("texts could not be read", extra={"due": due.id})
            self._failed.append(due.id)
        return True
