"""Unlinking: the watch stops, the secrets are destroyed, the mail stays."""

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from fumibako import accounts
from fumibako.accounts.models import Person
from fumibako.linking.models import LinkDraft, Mailbox, MailboxPerson, MailboxSecret
from fumibako.linking.overview import own_mailbox
from fumibako.linking.states import MOVE, State, move


def unlink(person: Person, mailbox: str) -> None:
    """Unlink one of the person's mailboxes. What is being fetched at this moment is not stored. Raises NotFound."""
    with transaction.atomic():
        _unlink(own_mailbox(person, mailbox), person)


def stop_person(person: Person, by: Person) -> None:
    """Stop a person: logins end, their mailboxes are unlinked, drafts go. Raises what ``accounts.stop_person`` does."""
    with transaction.atomic():
        accounts.stop_person(person, by=by)
        LinkDraft.objects.filter(person=person).delete()
        owned = MailboxPerson.objects.filter(person=person, until__isnull=True, role=MailboxPerson.Role.OWNER)
        for box in Mailbox.objects.filter(pk__in=owned.values("mailbox")):
            _unlink(box, by)


def _unlink(box: Mailbox, by: Person) -> None:
    box = Mailbox.objects.select_for_update().get(pk=box.pk)
    if box.state == State.UNLINKED:
        return
    Mailbox.objects.filter(pk=box.pk).update(generation=F("generation") + 1, unlinked_at=Now())
    MailboxSecret.objects.filter(mailbox=box).delete()
    LinkDraft.objects.filter(mailbox=box).delete()
    accounts.audit(box.organization, by, "mailbox.unlinked", subject=box.public_id)
    with connection.cursor() as cursor:
        cursor.execute(MOVE, move(box.pk, State.UNLINKED))
        cursor.execute("SELECT pg_notify('fumibako_work', %s)", [f"mb:{box.pk}"])
