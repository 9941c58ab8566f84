"""Bringing a database to this version, and the key file that is made together with an empty database."""

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from fumibako.site.keys import make_keys
from fumibako.site.refusal import Refusal
from fumibako.site.words import gettext


def migrate() -> None:
    """Apply what is missing, one process at a time. Makes the key file for an empty database.

    Raises Refusal when the database holds people but the key file is gone.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('fumibako migrate'))")
        try:
            _ensure_keys()
            call_command("migrate", interactive=False, verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('fumibako migrate'))")


def is_current() -> bool:
    """Whether no migration is missing."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def _ensure_keys() -> None:
    if settings.FUMIBAKO_KEYS:
        return
    if _has_people():
        raise Refusal(
            gettext(
                "The key file %(path)s is missing, and the passwords in this database cannot be read without it. "
                "Put it back from your copy."
            )
            % {"path": settings.FUMIBAKO_KEY_FILE}
        )
    settings.FUMIBAKO_KEY_FILE.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = make_keys(settings.FUMIBAKO_KEY_FILE)
    settings.SECRET_KEY, settings.FUMIBAKO_KEYS = keys.django, list(keys.fernet)


def _has_people() -> bool:
    with connection.cursor() as cursor:
        if "person" not in connection.introspection.table_names(cursor):
            return False
        cursor.execute("SELECT EXISTS (SELECT FROM person)")
        return bool(cursor.fetchone()[0])
