"""Connections of the hot path: psycopg's own pool beside the ORM, and one direct connection for locks and LISTEN."""

from django.conf import settings
from django.db import connection
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

POOL_SIZE = 8  # four slots being written, the rest for looks and states
IDLE_IN_TRANSACTION = 5_000  # milliseconds: a frozen worker must not hold a folder's row (its commit is fenced anyway)


def connection_string() -> str:
    """The ORM's database as a libpq connection string."""
    known = connection.settings_dict
    options = {name: value for name, value in known["OPTIONS"].items() if isinstance(value, str | int)}
    parts = {
        "dbname": known["NAME"],
        "user": known["USER"],
        "password": known["PASSWORD"],
        "host": known["HOST"],
        "port": known["PORT"],
    }
    return make_conninfo(**{name: value for name, value in {**parts, **options}.items() if value})


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


async def connect_directly() -> AsyncConnection:
    """A connection that no pooler stands before, for session locks and LISTEN."""
    address = settings.FUMIBAKO_DATABASE_DIRECT_URL or connection_string()
    return await AsyncConnection.connect(address, autocommit=True)
