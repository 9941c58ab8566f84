"""How a process of ours reaches the database beside the ORM."""

from django.conf import settings
from django.db import connection
from psycopg import AsyncConnection, OperationalError
from psycopg.conninfo import make_conninfo
from psycopg.errors import IdleInTransactionSessionTimeout

AWAY = (OperationalError, IdleInTransactionSessionTimeout)
"""How psycopg and its pool say that the database is away, or has ended a session of a process that stood still."""
SILENCE = 10_000  # milliseconds after which a cut link is given up; TCP itself would try for minutes


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


async def connect_directly() -> AsyncConnection:
    """A connection in autocommit mode that no pooler stands before, for session locks and LISTEN.

    Raises psycopg.OperationalError.
    """
    return await AsyncConnection.connect(
        make_conninfo(settings.FUMIBAKO_DATABASE_DIRECT_URL or connection_string(), tcp_user_timeout=SILENCE),
        autocommit=True,
        prepare_threshold=None,
    )
