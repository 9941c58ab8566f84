"""Logging in with name and password, and the pause after too many wrong ones.

A try is counted before the password is looked at, in a transaction of its own, so that a hundred tries at once are
still ten. Names that nobody has are counted and answered like any other, and cost the same time.
"""

import hashlib
import hmac
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.db.models.functions import Now

from fumibako.accounts.errors import LoginPaused, LoginRefused, Stopped
from fumibako.accounts.models import Person, WrongLogin
from fumibako.accounts.names import is_login, normalize_login

TRIES = 10  # wrong passwords for one name
PAUSE = timedelta(minutes=15)  # after them; also how long wrong ones are remembered

COUNT = """
INSERT INTO wrong_login AS known (name_hash, tries, last_at) VALUES (%(name)s, 1, clock_timestamp())
ON CONFLICT (name_hash) DO UPDATE SET
    tries = CASE WHEN known.last_at < clock_timestamp() - make_interval(secs => %(pause)s) THEN 1
                 ELSE least(known.tries, %(tries)s) + 1 END,
    last_at = CASE WHEN known.last_at < clock_timestamp() - make_interval(secs => %(pause)s)
                     OR known.tries < %(tries)s THEN clock_timestamp()
                   ELSE known.last_at END
RETURNING tries, last_at
"""


def log_in(login: str, password: str) -> Person:
    """Return the active person with this login name and password.

    Raises LoginRefused, LoginPaused, Stopped (only to who knows the password).
    """
    name = normalize_login(login)
    tries, last_at = _count_try(name)
    if tries > TRIES:
        raise LoginPaused(last_at + PAUSE)
    person = Person.objects.select_related("organization").filter(login=name).first() if is_login(name) else None
    if person is None:
        make_password(password)  # the time that a known name takes
    if person is None or not person.check_password(password):
        if tries == TRIES:
            raise LoginPaused(last_at + PAUSE)
        raise LoginRefused(TRIES - tries)
    forget_wrong_logins(name)
    if not person.is_active:
        raise Stopped
    return person


def forget_wrong_logins(login: str) -> None:
    """Begin counting anew for a login name whose person has proved to be themselves."""
    WrongLogin.objects.filter(name_hash=_hash(normalize_login(login))).delete()


@transaction.atomic
def _count_try(name: str) -> tuple[int, datetime]:
    """Count one try and return how many there were lately, this one included, and when the last was that counted."""
    WrongLogin.objects.filter(last_at__lt=Now() - PAUSE).exclude(name_hash=_hash(name)).delete()
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"name": _hash(name), "tries": TRIES, "pause": PAUSE.total_seconds()})
        tries, last_at = cursor.fetchone()
    return tries, last_at


def _hash(name: str) -> bytes:
    return hmac.digest(settings.SECRET_KEY.encode(), b"wrong login\0" + name.encode(), hashlib.sha256)
