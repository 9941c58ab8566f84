"""Connections of the hot path: psycopg's own pool beside the ORM."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from psycopg_pool import AsyncConnectionPool

from fumibako.events import AWAY, connection_string

POOL_SIZE = 8  # four slots being written, the rest for looks and states
IDLE_IN_TRANSACTION = 5_000  # milliseconds: a frozen worker must not hold a folder's row (its commit is fenced anyway)
OUTAGE_SECONDS = 1.0  # between tries while the database is away
RECONNECT_SECONDS = 2.0  # until the pool gives up a try; whoever asks next makes a new one, without a growing pause

T = TypeVar("T")

logger = logging.getLogger(__name__)


def make_pool() -> AsyncConnectionPool:
    """The pool of a worker, not yet open. Its connections are in autocommit mode."""
    return AsyncConnectionPool(
        connection_string(),
        min_size=1,
        max_size=POOL_SIZE,
        open=False,
        reconnect_timeout=RECONNECT_SECONDS,
        kwargs={
            "autocommit": True,
            "options": f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION}",
            "prepare_threshold": None,
        },
    )


async def steadily(work: Callable[[], Awaitable[T]]) -> T:
    """The result of ``work``, which is done again after each outage of the database.

    ``work`` must do no harm when it is done twice: the answer to its COMMIT may be what was lost.
    """
    while True:
        try:
            return await work()
        except AWAY as error:
            logger.warning("waiting for the database", extra={"error": type(error).__name__})
            await asyncio.sleep(OUTAGE_SECONDS)


async def now(pool: AsyncConnectionPool) -> datetime:
    """The time by the database's clock, which all that is stored goes by."""

    async def ask() -> datetime:
        async with pool.connection() as connection:
            row = await (await connection.execute("SELECT clock_timestamp()")).fetchone()
        assert row is not None
        at: datetime = row[0]
        return at

    return await steadily(ask)
