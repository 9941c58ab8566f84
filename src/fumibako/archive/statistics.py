"""The planner's statistics of a young archive.

On tables that were never analyzed, the cached plans of foreign-key checks walk an index by organization alone: a first
import was measured to take eight times as long. PostgreSQL's own autovacuum comes a minute too late.
"""

from psycopg import AsyncConnection

YOUNG = 10_000  # rows of ``message`` below which statistics are made by hand
COMMITS = frozenset({1, 8})  # of a worker, after which they are made

_ROWS = "SELECT reltuples FROM pg_class WHERE oid = 'message'::regclass"
_ANALYZE = "ANALYZE message, body, raw, placement, attachment, thread_key"


async def analyze_young(connection: AsyncConnection, commits: int) -> None:
    """Make statistics when the worker's ``commits``-th batch has been stored and the archive is young."""
    if commits not in COMMITS:
        return
    cursor = await connection.execute(_ROWS)
    row = await cursor.fetchone()
    if row is not None and row[0] < YOUNG:
        await connection.execute(_ANALYZE)
