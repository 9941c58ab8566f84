"""`python -m fumibako.site.first_run`: what `up` has done once its database runs and before anything uses it.

Makes the database and its tables, on an empty one the first organization with its logins, and recommends the sample's
servers to its members.
"""

import errno
import json
import sys
from collections.abc import Callable

import click
import psycopg
from psycopg import errors, sql

from fumibako.site.data_folder import DataFolder, Running, write_private
from fumibako.site.refusal import Refusal
from fumibako.site.setup import read_settings, set_up
from fumibako.site.words import gettext


def main() -> None:
    """Exit code 1 with a sentence when it cannot be done."""
    try:
        _told(prepare)
    except click.ClickException as refusal:
        refusal.show()
        sys.exit(1)


def prepare() -> None:
    """All of it; every part is done once and finds itself done the next time."""
    settings = read_settings()
    running = settings.DATA_FOLDER.running()
    if running and running.sockets:
        make_database(running.sockets)
    set_up(keys=False)

    from django.db import transaction

    from fumibako.site.migrate import migrate
    from fumibako.site.organizations import make_first_organization, recommend_sample

    migrate()
    with transaction.atomic():
        logins = make_first_organization()
        if logins and running:  # before the COMMIT: no password is ever in force that nobody can read
            write_first_login(settings.DATA_FOLDER, running, logins)
    if running and running.sample:
        recommend_sample(running.sample)


def make_database(sockets: str) -> None:
    """The database `fumibako` of the embedded server."""
    with psycopg.connect(f"host='{sockets}' user=postgres dbname=postgres", autocommit=True) as connection:
        known = connection.execute("SELECT FROM pg_database WHERE datname = 'fumibako'").fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier("fumibako")))


def write_first_login(folder: DataFolder, running: Running, logins: dict[str, dict[str, str]]) -> None:
    """Keep the first passwords where only the operator reads them."""
    sample = {"address": running.sample.address, "password": running.sample.password} if running.sample else None
    write_private(folder.first_login, json.dumps({"url": running.url, **logins, "sample": sample}, indent=2) + "\n")


def _told(work: Callable[[], None]) -> None:
    """Say in a sentence what an operator can mend."""
    from django.db import DatabaseError

    try:
        work()
    except (psycopg.Error, DatabaseError) as error:
        if isinstance(error, errors.DiskFull) or isinstance(error.__cause__, errors.DiskFull):
            raise Refusal(gettext("The disk is full: the database has no room to write.")) from error
        if isinstance(error, psycopg.OperationalError) or isinstance(error.__cause__, psycopg.OperationalError):
            words = str(error).strip().splitlines()[0]
            raise Refusal(gettext("The database does not answer: %(words)s") % {"words": words}) from error
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise Refusal(gettext("The disk is full: the data folder has no room to write.")) from error
        raise


if __name__ == "__main__":
    main()
