"""Connections of the hot path: psycopg's own pool beside the ORM."""

from psycopg_pool import AsyncConnectionPool

from fumibako.events import connection_string

POOL_SIZE = 8  # four slots being written, the rest for looks and states
IDLE_IN_TRANSACTION = 5_000  # milliseconds: a frozen worker must not hold a folder's row (its commit is fenced anyway)


def make_pool() -> AsyncConnectionPool:
    """The pool of a worker, not yet open. Its connections are in autocommit mode."""
    return AsyncConnectionPool(
        connection_string(),
        min_size=1,
        max_size=POOL_SIZE,
        open=False,
        kwargs={
            "autocommit": True,
            "options": f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION}",
            "prepare_threshold": None,
        },
    )
