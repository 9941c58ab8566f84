"""How mailboxes stand, for ``fumibako status``."""

from typing import Any

from fumibako import archive, linking
from fumibako.linking.models import LinkDraft


def mailbox_status(address: str | None = None) -> list[dict[str, Any]]:
    """Linked, unlinked and failed mailboxes of this address, or all: linked ones first."""
    boxes = [_linked(person, box) for person, box in linking.find_mailboxes(address)]
    failed = LinkDraft.objects.filter(state=LinkDraft.State.FAILED, purpose=LinkDraft.Purpose.LINK)
    if address is not None:
        failed = failed.filter(address_key=address.strip().casefold())
    return boxes + [_failed(draft) for draft in failed.select_related("person__organization").order_by("id")]


def _linked(person: Any, box: Any) -> dict[str, Any]:
    folders = [
        {
            "name": folder.name,
            "role": folder.role,
            "on_server": folder.on_server,
            "stored": folder.stored,
            "skipped": folder.skipped,
        }
        for folder in archive.folder_numbers(box.id)
    ]
    numbers = archive.mailbox_numbers([box.id])[box.id]
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
        "on_server": sum(folder["on_server"] or 0 for folder in folders),
        "stored": sum(folder["stored"] for folder in folders),
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
