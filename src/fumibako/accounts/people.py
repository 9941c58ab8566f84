"""People are added and changed by admins; name, language and time zone also by themselves."""

from dataclasses import dataclass

from django.db import IntegrityError, transaction

from fumibako.accounts.checks import (
    checked_address,
    checked_language,
    checked_login,
    checked_name,
    checked_role,
    checked_time_zone,
    raise_for,
)
from fumibako.accounts.errors import Invalid, LastAdmin, Problem, Reason
from fumibako.accounts.links import Link, make_link
from fumibako.accounts.models import Organization, Person, PersonState, Role
from fumibako.accounts.names import name_key
from fumibako.accounts.rights import require_admin
from fumibako.accounts.trail import audit


@dataclass(frozen=True)
class Added:
    """A person who was added, and the link by which they set their password."""

    person: Person
    link: Link


def add_person(
    organization: Organization, *, name: str, login: str, role: str, by: Person | None, email: str = ""
) -> Added:
    """Add somebody to an organization and make their first one-time link.

    Raises Invalid (fields name, login, email, role), NotAllowed.
    """
    require_admin(by, organization.pk)
    problems: list[Problem] = []
    values = _checked(None, name, login, email, role, problems)
    raise_for(problems)
    with transaction.atomic():
        person = Person(organization=organization, **values)
        person.set_unusable_password()
        _save(person)
        audit(organization, by, "person.added", subject=person.public_id, login=person.login, role=person.role)
        link = make_link(person, by=by)
    return Added(person, link)


@transaction.atomic
def change_person(person: Person, *, name: str, login: str, email: str, role: str, by: Person | None) -> Person:
    """Change what an admin may change of a person; returns the person as it is now.

    Raises Invalid (fields name, login, email, role), LastAdmin, NotAllowed.
    """
    require_admin(by, person.organization_id)
    lock_organization(person.organization_id)
    person = Person.objects.select_for_update().get(pk=person.pk)
    problems: list[Problem] = []
    values = _checked(person, name, login, email, role, problems)
    raise_for(problems)
    if values["role"] != Role.ADMIN and is_last_admin(person):
        raise LastAdmin
    changed = {field: value for field, value in values.items() if getattr(person, field) != value}
    for field, value in changed.items():
        setattr(person, field, value)
    if changed:
        _save(person)
        audit(
            person.organization,
            by,
            "person.changed",
            subject=person.public_id,
            **{field: value for field, value in changed.items() if field != "name_key"},
        )
    return person


@transaction.atomic
def change_profile(person: Person, *, name: str, language: str, time_zone: str) -> Person:
    """Change what people may change of themselves; returns the person as it is now.

    Raises Invalid (fields name, language, time_zone).
    """
    problems: list[Problem] = []
    name = checked_name("name", name, problems)
    checked_language(language, problems)
    if time_zone:
        checked_time_zone("time_zone", time_zone, problems)
    raise_for(problems)
    person = Person.objects.select_for_update().get(pk=person.pk)
    person.name, person.name_key = name, name_key(name)
    person.language, person.time_zone = language, time_zone
    person.save(update_fields=["name", "name_key", "language", "time_zone"])
    audit(person.organization, person, "profile.changed", subject=person.public_id)
    return person


def choose_language(person: Person, language: str) -> None:
    """Make what somebody chose before logging in their own choice, if they never made one.

    Raises Invalid (field language).
    """
    problems: list[Problem] = []
    checked_language(language, problems)
    raise_for(problems)
    Person.objects.filter(pk=person.pk, language="").update(language=language)


def lock_organization(organization_id: int) -> None:
    """Let one change of who is an active admin happen at a time; held to the end of the transaction."""
    Organization.objects.select_for_update().get(pk=organization_id)


def is_last_admin(person: Person) -> bool:
    """Whether the organization has no active admin but this person."""
    if not (person.is_active and person.is_admin):
        return False
    others = Person.objects.filter(
        organization_id=person.organization_id, role=Role.ADMIN, state=PersonState.ACTIVE
    ).exclude(pk=person.pk)
    return not others.exists()


def _checked(
    person: Person | None, name: str, login: str, email: str, role: str, problems: list[Problem]
) -> dict[str, str]:
    name = checked_name("name", name, problems)
    return {
        "name": name,
        "name_key": name_key(name),
        "login": checked_login(login, person, problems),
        "email": checked_address(email, problems),
        "role": checked_role(role, problems),
    }


def _save(person: Person) -> None:
    """Save a person whose login name somebody else may have taken since it was checked."""
    try:
        with transaction.atomic():
            person.save()
    except IntegrityError as error:
        if "person_login_key" in str(error):
            raise Invalid(Problem("login", Reason.TAKEN)) from error
        raise
