"""Stopping people and letting them back in.

Only the account: their mailboxes are stopped together with it by `linking`.
"""

from django.db import transaction
from django.db.models.functions import Now

from fumibako.accounts.errors import LastAdmin, OneSelf
from fumibako.accounts.links import end_links
from fumibako.accounts.models import Person, PersonState
from fumibako.accounts.people import is_last_admin, lock_organization
from fumibako.accounts.rights import require_admin
from fumibako.accounts.trail import audit


@transaction.atomic
def stop_person(person: Person, *, by: Person | None) -> None:
    """End every login of this person at once and allow no other. Somebody stopped already stays so.

    Raises LastAdmin, OneSelf, NotAllowed.
    """
    require_admin(by, person.organization_id)
    if by is not None and by.pk == person.pk:
        raise OneSelf
    lock_organization(person.organization_id)
    person = Person.objects.select_for_update().get(pk=person.pk)
    if not person.is_active:
        return
    if is_last_admin(person):
        raise LastAdmin
    person.state, person.stopped_at = PersonState.STOPPED, Now()
    person.save(update_fields=["state", "stopped_at"])
    person.sessions.all().delete()
    end_links(person)
    audit(person.organization, by, "person.stopped", subject=person.public_id)


@transaction.atomic
def resume_person(person: Person, *, by: Person | None) -> None:
    """Let a stopped person log in again with the password they had.

    Raises NotAllowed.
    """
    require_admin(by, person.organization_id)
    person = Person.objects.select_for_update().get(pk=person.pk)
    if person.is_active:
        return
    person.state, person.stopped_at = PersonState.ACTIVE, None
    person.save(update_fields=["state", "stopped_at"])
    audit(person.organization, by, "person.resumed", subject=person.public_id)
