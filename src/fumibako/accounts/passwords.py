"""Changing one's own password."""

from django.db import transaction

from fumibako.accounts.checks import check_password, raise_for
from fumibako.accounts.errors import Problem, Reason
from fumibako.accounts.links import end_links
from fumibako.accounts.models import Person
from fumibako.accounts.trail import audit


def change_password(person: Person, *, current: str, password: str, keep_session: str | None) -> Person:
    """Set a new password by one who knows the present one; returns the person as it is now.

    All their logins end but the one with the key ``keep_session``; links to set a password end too.
    Raises Invalid (fields current, password).
    """
    problems: list[Problem] = []
    if not person.check_password(current):
        problems.append(Problem("current", Reason.WRONG if current else Reason.MISSING))
    check_password(password, person, problems)
    raise_for(problems)
    with transaction.atomic():
        person = Person.objects.select_for_update().get(pk=person.pk)
        person.set_password(password)
        person.save(update_fields=["password"])
        end_links(person)
        person.sessions.exclude(session_key=keep_session).delete()
        audit(person.organization, person, "password.changed", subject=person.public_id)
    return person
