"""The audit trail: one line for everything that somebody did to an account or to what it owns."""

from typing import Any

from fumibako.accounts.models import AuditEvent, Organization, Person


def audit(organization: Organization, by: Person | None, kind: str, *, subject: str = "", **detail: Any) -> None:
    """Write down that ``by`` did ``kind`` (such as ``person.stopped``) to the thing with public id ``subject``.

    ``None`` is the operator or the product itself. ``detail`` holds ids, settings and counts, never a mail's text and
    never a secret. Called in the transaction of what it tells.
    """
    AuditEvent.objects.create(organization=organization, actor=by, kind=kind, subject=subject, detail=detail)
