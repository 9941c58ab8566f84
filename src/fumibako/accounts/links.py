"""One-time links: how people set a password, at first and when they have forgotten it.

The token is in the link alone. Kept is its SHA-256, which needs no key: a token of 128 random bits cannot be guessed.
A new link replaces the person's older ones; looking at a link does not use it up, so a mail scanner does no harm.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now

from fumibako.accounts.checks import check_password, raise_for
from fumibako.accounts.errors import DeadLink, Problem, Stopped
from fumibako.accounts.ids import public_id
from fumibako.accounts.logins import forget_wrong_logins
from fumibako.accounts.models import OneTimeLink, Person
from fumibako.accounts.rights import require_admin
from fumibako.accounts.trail import audit

LIFETIME = timedelta(hours=24)  # mock 8: リンクは 24 時間、1 回だけ使えます


@dataclass(frozen=True)
class Link:
    """A new one-time link. ``token`` is nowhere else: shown once, then forgotten."""

    token: str
    expires_at: datetime


@transaction.atomic
def make_link(person: Person, *, by: Person | None) -> Link:
    """Make a link that sets this person's password once within 24 hours; their older links end.

    Raises NotAllowed, Stopped.
    """
    require_admin(by, person.organization_id)
    person = Person.objects.select_for_update().get(pk=person.pk)
    if not person.is_active:
        raise Stopped
    end_links(person)
    token = public_id("in")
    row = OneTimeLink.objects.create(
        organization_id=person.organization_id,
        person=person,
        token_hash=_hash(token),
        made_by=by,
        expires_at=Now() + LIFETIME,
    )
    row.refresh_from_db(fields=["expires_at"])
    audit(person.organization, by, "link.made", subject=person.public_id)
    return Link(token, row.expires_at)


def open_link(token: str) -> Person:
    """Return the person whose password this link sets, without using it up. Raises DeadLink."""
    waiting = OneTimeLink.objects.waiting().select_related("person__organization")
    try:
        link = waiting.get(token_hash=_hash(token))
    except OneTimeLink.DoesNotExist:
        raise DeadLink from None
    return link.person


def use_link(token: str, password: str) -> Person:
    """Set the password of the link's person. The link ends, and so does every login that the person had.

    Raises DeadLink, Invalid (field password).
    """
    person = open_link(token)
    problems: list[Problem] = []
    check_password(password, person, problems)
    raise_for(problems)
    with transaction.atomic():
        Person.objects.select_for_update().get(pk=person.pk)
        person = open_link(token)
        person.set_password(password)
        person.save(update_fields=["password"])
        end_links(person)
        person.sessions.all().delete()
        forget_wrong_logins(person.login)
        audit(person.organization, person, "link.used", subject=person.public_id)
    return person


def end_links(person: Person) -> None:
    """Make every link of this person useless."""
    person.links.filter(used_at=None).update(used_at=Now())


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
