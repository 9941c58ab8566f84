"""How mailboxes stand, for ``fumibako status``."""

import time
from typing import Any

from django.db import connection

from fumibako import archive, linking
from fumibako.accounts.models import Person
from fumibako.archive import FolderNumbers, MailboxNumbers
from fumibako.linking import MailboxCard
from fumibako.linking.models import LinkDraft
from fumibako.site.refusal import Refusal
from fumibako.site.words import gettext

LOOK = 0.1  # seconds between two looks at what a worker is doing
PROOF_SECONDS = 300.0


def mailbox_status(address: str | None = None) -> list[dict[str, Any]]:
    """Linked, unlinked and failed mailboxes of this address, or all: linked ones first."""
    found = linking.find_mailboxes(address)
    ids = [box.id for _, box in found]
    folders, numbers = archive.folder_numbers(ids), archive.mailbox_numbers(ids)
    boxes = [_linked(person, box, folders[box.id], numbers[box.id]) for person, box in found]
    failed = LinkDraft.objects.filter(state=LinkDraft.State.FAILED, purpose=LinkDraft.Purpose.LINK)
    if address is not None:
        failed = failed.filter(address_key=address.strip().casefold())
    return boxes + [_failed(draft) for draft in failed.select_related("person__organization").order_by("id")]


def compare(address: str) -> None:
    """Have a worker compare the mailboxes of this address with their servers, and wait until it has. Raises Refusal."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        (asked,) = cursor.fetchone()
    waiting = []
    for person, box in linking.find_mailboxes(address):
        if linking.ask_proof(person, box.public_id):
            waiting.append(box.id)
    if not waiting:
        raise Refusal(gettext("%(address)s is not connected to its mail server now.") % {"address": address})
    end = time.monotonic() + PROOF_SECONDS
    while True:
        proofs = linking.proofs_of(waiting)
        waiting = [box for box in waiting if box not in proofs or not proofs[box].complete or proofs[box].at < asked]
        if not waiting:
            return
        if time.monotonic() > end:
            raise Refusal(gettext("The comparison with the mail server did not end in time. Does a worker run?"))
        time.sleep(LOOK)


def _linked(
    person: Person, box: MailboxCard, chosen: tuple[FolderNumbers, ...], numbers: MailboxNumbers
) -> dict[str, Any]:
    folders = [
        {
            "name": folder.name,
            "role": folder.role,
            "on_server": folder.on_server,
            "stored": folder.stored,
            "skipped": folder.skipped,
            "waiting": folder.waiting,
            "missing": folder.missing,
            "last_proof": folder.proved_at.isoformat() if folder.proved_at else None,
            "refused": folder.refused,
            "missing_since": folder.missing_since.isoformat() if folder.missing_since else None,
        }
        for folder in chosen
    ]
    return {
        "address": box.address,
        "mailbox": box.public_id,
        "organization": person.organization.public_id,
        "person": person.login,
        "state": str(box.state),
        "cause": box.cause or None,
        "stage": box.cause_stage or None,
        "server_words": box.server_words or None,
        "since": box.state_since.isoformat(),
        "next_try": box.next_try_at.isoformat() if box.next_try_at else None,
        "last_proof": box.proved_at.isoformat() if box.proved_at else None,
        "receive_only": box.smtp is None,
        "messages": numbers.stored,
        "unreadable": numbers.unreadable,
        "on_server": sum(folder.on_server or 0 for folder in chosen),
        "stored": sum(folder.stored for folder in chosen),
        "folders": folders,
    }


def _failed(draft: LinkDraft) -> dict[str, Any]:
    failure = draft.failure or {}
    return {
        "address": draft.address,
        "mailbox": None,
        "organization": draft.person.organization.public_id,
        "person": draft.person.login,
        "state": "failed",
        "cause": failure.get("cause"),
        "stage": failure.get("stage"),
        "server_words": failure.get("server_words"),
        "since": draft.changed_at.isoformat(),
        "next_try": None,
        "last_proof": None,
        "receive_only": False,
        "messages": 0,
        "unreadable": 0,
        "on_server": 0,
        "stored": 0,
        "folders": [],
    }
