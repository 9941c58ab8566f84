"""Small settings of a linked mailbox, changed in place."""

from django.db import connection, transaction

from fumibako.accounts.models import Person
from fumibako.linking.errors import BadInput
from fumibako.linking.models import Mailbox
from fumibako.linking.overview import own_mailbox
from fumibako.linking.states import MOVE, State, move
from fumibako.mail.diagnosis import Failure
from fumibako.mail.discovery import normalize_address

CONNECTED = frozenset({State.IMPORTING, State.LIVE})
"""The states in which a worker is logged in."""


def set_sent_copy(person: Person, mailbox: str, choice: str) -> None:
    """Choose whether mail sent from here is copied to the server: auto, on or off. Raises NotFound, BadInput."""
    box = own_mailbox(person, mailbox)
    if choice not in Mailbox.SentCopy.values:
        raise BadInput("sent_copy", "unknown")
    Mailbox.objects.filter(pk=box.pk).update(sent_copy=choice)


def add_alias(person: Person, mailbox: str, address: str) -> None:
    """Name another address that this mailbox receives for. Raises NotFound, BadInput."""
    with transaction.atomic():
        box = _locked(person, mailbox)
        if not address.strip():
            raise BadInput("alias", "empty")
        try:
            address = normalize_address(address)
        except Failure as failure:
            raise BadInput("alias", failure.cause, failure.sentence) from None
        if address.casefold() in {box.address_key, *(alias.casefold() for alias in box.aliases)}:
            raise BadInput("alias", "same_address")
        Mailbox.objects.filter(pk=box.pk).update(aliases=[*box.aliases, address])


def remove_alias(person: Person, mailbox: str, address: str) -> None:
    """Take an address away again; nothing happens where it is not there. Raises NotFound."""
    with transaction.atomic():
        box = _locked(person, mailbox)
        kept = [alias for alias in box.aliases if alias != address]
        Mailbox.objects.filter(pk=box.pk).update(aliases=kept)


def try_now(person: Person, mailbox: str) -> None:
    """Let a mailbox that waits for its next try, or for a person, be tried at once. Raises NotFound."""
    with transaction.atomic(), connection.cursor() as cursor:
        box = _locked(person, mailbox)
        if box.state == State.RETRYING:
            cursor.execute("SELECT pg_notify('fumibako_work', %s)", [f"try:{box.pk}"])
        elif box.state == State.NEEDS_ATTENTION:
            cursor.execute(MOVE, move(box.pk, State.LINKING))
            cursor.execute("SELECT pg_notify('fumibako_work', %s)", [f"mb:{box.pk}"])


def ask_proof(person: Person, mailbox: str) -> bool:
    """Let a worker compare a mailbox with its server at once; False where it is not connected. Raises NotFound.

    The result is what ``proofs_of`` gives, once its ``at`` has moved.
    """
    box = own_mailbox(person, mailbox)
    if box.state not in CONNECTED:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('fumibako_work', %s)", [f"prove:{box.pk}"])
    return True


def _locked(person: Person, mailbox: str) -> Mailbox:
    return Mailbox.objects.select_for_update().get(pk=own_mailbox(person, mailbox).pk)
