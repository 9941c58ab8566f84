"""Which mailboxes this worker may write for.

There is one worker now: it holds the presence lock and takes every shard, with a new epoch, so that whoever held them
before commits nothing more. A second worker waits for the lock.
"""

import logging

from psycopg import AsyncConnection

from fumibako.linking import SHARDS

PRESENCE = 0x62616B6F  # "bako"

logger = logging.getLogger(__name__)


class PoolerInBetween(Exception):
    """The direct connection goes through a transaction pooler, where session locks and LISTEN do not hold."""


class ShardLost(Exception):
    """Another worker has taken a shard that this one held: it has to ask for its shards anew."""


async def take_presence(connection: AsyncConnection) -> None:
    """Wait until this process is the worker. Raises PoolerInBetween."""
    cursor = await connection.execute("SELECT pg_backend_pid()")
    row = await cursor.fetchone()
    if row is None or row[0] != connection.info.backend_pid:
        raise PoolerInBetween("set FUMIBAKO_DATABASE_DIRECT_URL to the way around the pooler of DATABASE_URL")
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", [PRESENCE])
    row = await cursor.fetchone()
    if row is None or not row[0]:
        logger.info("another worker is at work; waiting for it to end")
        await connection.execute("SELECT pg_advisory_lock(%s)", [PRESENCE])


async def take_shards(connection: AsyncConnection, owner: int) -> dict[int, int]:
    """Take every shard for ``owner``; returns the epoch of each."""
    await connection.execute(
        "INSERT INTO shard (id, epoch) SELECT n, 0 FROM generate_series(0, %s) n ON CONFLICT DO NOTHING", [SHARDS - 1]
    )
    cursor = await connection.execute("UPDATE shard SET owner = %s, epoch = epoch + 1 RETURNING id, epoch", [owner])
    return dict(await cursor.fetchall())


async def give_back(connection: AsyncConnection, owner: int) -> None:
    """Leave the shards to the next worker."""
    await connection.execute("UPDATE shard SET owner = NULL, epoch = epoch + 1 WHERE owner = %s", [owner])
