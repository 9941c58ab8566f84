"""The link wizard's state on the server: what was typed, what was proved, and what failed."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from fumibako.accounts.models import Person
from fumibako.linking.errors import AlreadyLinked, BadInput, NotFound, OwnPassword
from fumibako.linking.models import LinkDraft, Mailbox, MailboxSecret
from fumibako.linking.overview import own_mailbox
from fumibako.linking.secrets import open_secret, seal_secret
from fumibako.linking.states import State
from fumibako.mail.connect import Security
from fumibako.mail.diagnosis import Failure
from fumibako.mail.discovery import normalize_address, normalize_server_name

DRAFT_LIFE = timedelta(hours=1)
FAILED_LIFE = timedelta(days=30)
PORTS = range(1, 65536)


@dataclass(frozen=True)
class SecretsTyped:
    """The passwords as typed; ``smtp`` is None where sending uses the same one."""

    imap: str = field(repr=False)
    smtp: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ServerWish:
    """What the manual form says of one login; None and "" stand for 自動判別."""

    username: str = ""
    host: str = ""
    port: str = ""
    security: str = ""


@dataclass(frozen=True)
class Draft:
    """A draft as pages and commands see it. ``stages``, ``failure`` and ``proven`` are plain JSON values.

    ``failure``: cause, stage, server_words, detail, proposed, sentence and remedy (each ja, en), retry.
    ``proven``: provider, imap, smtp (host, port, security, username, mechanism), smtp_failure, folders.
    """

    id: int
    public_id: str
    purpose: str
    mailbox: str | None
    address: str
    manual: bool
    wishes: dict[str, Any]
    state: str
    attempt: int
    stages: list[dict[str, Any]]
    failure: dict[str, Any] | None
    proven: dict[str, Any] | None
    changed_at: datetime
    expires_at: datetime


def as_draft(row: LinkDraft) -> Draft:
    """The value of a row."""
    return Draft(
        id=row.id,
        public_id=row.public_id,
        purpose=row.purpose,
        mailbox=row.mailbox.public_id if row.mailbox else None,
        address=row.address,
        manual=row.manual,
        wishes=row.wishes,
        state=row.state,
        attempt=row.attempt,
        stages=row.stages,
        failure=row.failure,
        proven=row.proven,
        changed_at=row.changed_at,
        expires_at=row.expires_at,
    )


def start_link(
    person: Person,
    address: str,
    secrets: SecretsTyped,
    *,
    imap: ServerWish | None = None,
    smtp: ServerWish | None = None,
    trusted: Iterable[str] = (),
) -> Draft:
    """Begin to link ``address``; a worker proves the login. With ``imap`` or ``smtp`` it is the manual form.

    An unfinished draft of the same person and address is begun anew. Raises BadInput, OwnPassword (nothing was sent
    anywhere), AlreadyLinked (by this person).
    """
    address = _address(address)
    _check_secret(person, secrets)
    wishes = {"imap": _wish("imap", imap), "smtp": _wish("smtp", smtp)}
    key = address.casefold()
    linked = Mailbox.objects.filter(organization=person.organization, address_key=key).exclude(state=State.UNLINKED)
    if mine := linked.filter(mailboxperson__person=person, mailboxperson__until__isnull=True).first():
        raise AlreadyLinked(mine.public_id)
    with transaction.atomic():
        row = _unfinished(person, address)
        row.address, row.manual, row.wishes, row.trusted = address, bool(imap or smtp), wishes, list(trusted)
        row.purpose, row.mailbox = LinkDraft.Purpose.LINK, None
        _begin(row, secrets)
    return get_draft(person, row.public_id)


def start_password(person: Person, mailbox: str, secrets: SecretsTyped) -> Draft:
    """Prove a new password of a linked mailbox; folder choice and what is known stay.

    Where sending has a password of its own, the one that was not typed stays as it is. Raises NotFound, BadInput,
    OwnPassword.
    """
    box = _linked(person, mailbox)
    secrets = _with_stored(box, secrets)
    _check_secret(person, secrets)
    return _start_for(person, box, LinkDraft.Purpose.PASSWORD, secrets, _wishes_of(box))


def start_settings(person: Person, mailbox: str, secrets: SecretsTyped, *, imap: ServerWish, smtp: ServerWish) -> Draft:
    """Prove other servers or user names of a linked mailbox; an empty password means the stored one.

    Raises NotFound, BadInput (an empty password where none is stored, a bad server name or port), OwnPassword.
    """
    box = _linked(person, mailbox)
    stored = _stored_secrets(box)
    typed = SecretsTyped(secrets.imap or stored.get("imap", ""), secrets.smtp or stored.get("smtp"))
    _check_secret(person, typed)
    wishes = {"imap": _wish("imap", imap), "smtp": _wish("smtp", smtp)}
    return _start_for(person, box, LinkDraft.Purpose.SETTINGS, typed, wishes)


def retry_link(person: Person, draft: str, *, secrets: SecretsTyped | None = None, trust: Iterable[str] = ()) -> Draft:
    """Prove a draft again, with a password typed anew or the one that the draft still holds.

    ``trust`` names servers that the person has agreed to. Raises NotFound (also when the draft has done its work),
    BadInput (the password is needed again), OwnPassword.
    """
    with transaction.atomic():
        row = _own(person, draft, lock=True)
        if row.state == LinkDraft.State.DONE:
            raise NotFound(draft)
        if secrets is not None:
            if row.mailbox is not None and row.purpose != LinkDraft.Purpose.LINK:
                secrets = _with_stored(row.mailbox, secrets)
            _check_secret(person, secrets)
        elif row.imap_sealed is None:
            raise BadInput("password", "empty")
        else:
            secrets = _draft_secrets(row)
        row.trusted = sorted({*row.trusted, *trust})
        _begin(row, secrets)
    return get_draft(person, draft)


def get_draft(person: Person, draft: str) -> Draft:
    """The draft of this public id. Raises NotFound when it is another's, has ended or is not there."""
    return as_draft(_own(person, draft))


def drafts_of(person: Person) -> tuple[Draft, ...]:
    """The person's unfinished and failed links, newest first, for the list of linked mailboxes."""
    rows = LinkDraft.objects.filter(person=person, expires_at__gt=Now(), purpose=LinkDraft.Purpose.LINK)
    rows = rows.exclude(state=LinkDraft.State.DONE).select_related("mailbox").order_by("-changed_at")
    return tuple(as_draft(row) for row in rows)


def cancel_draft(person: Person, draft: str) -> None:
    """Leave the wizard, or unlink a failed link: the draft and its secrets are gone. Raises NotFound."""
    _own(person, draft).delete()


def _own(person: Person, draft: str, *, lock: bool = False) -> LinkDraft:
    rows = LinkDraft.objects.select_for_update(of=("self",)) if lock else LinkDraft.objects
    row = rows.filter(person=person, public_id=draft, expires_at__gt=Now()).select_related("mailbox").first()
    if row is None:
        raise NotFound(draft)
    return row


def _unfinished(person: Person, address: str) -> LinkDraft:
    """The person's one draft of this address that is not done, made if need be, locked."""
    row, _ = (
        LinkDraft.objects.select_for_update()
        .exclude(state=LinkDraft.State.DONE)
        .get_or_create(
            organization=person.organization,
            person=person,
            address_key=address.casefold(),
            defaults={"address": address, "expires_at": Now() + DRAFT_LIFE},
        )
    )
    return row


def _linked(person: Person, mailbox: str) -> Mailbox:
    box = own_mailbox(person, mailbox)
    if box.state == State.UNLINKED:
        raise NotFound(mailbox)
    return box


def _address(text: str) -> str:
    if not text.strip():
        raise BadInput("address", "empty")
    try:
        return normalize_address(text)
    except Failure as failure:
        raise BadInput("address", failure.cause, failure.sentence) from None


def _check_secret(person: Person, secrets: SecretsTyped) -> None:
    if not secrets.imap:
        raise BadInput("password", "empty")
    if any(secret and person.check_password(secret) for secret in (secrets.imap, secrets.smtp)):
        raise OwnPassword


def _wish(service: str, wish: ServerWish | None) -> dict[str, Any]:
    if wish is None:
        return {}
    port = wish.port.strip()
    if port and not (port.isascii() and port.isdigit() and int(port) in PORTS):
        raise BadInput(f"{service}_port", "wrong_port")
    if wish.security and wish.security not in list(Security):
        raise BadInput(f"{service}_security", "unknown")
    host = wish.host.strip()
    if host:
        try:
            host = normalize_server_name(host)
        except Failure as failure:
            raise BadInput(f"{service}_host", failure.cause, failure.sentence) from None
    typed = {
        "username": wish.username.strip(),
        "host": host,
        "port": int(port) if port else None,
        "security": wish.security or None,
    }
    return {name: value for name, value in typed.items() if value}


def _wishes_of(box: Mailbox) -> dict[str, Any]:
    imap = {
        "username": box.imap_username,
        "host": box.imap_host,
        "port": box.imap_port,
        "security": box.imap_security,
    }
    smtp = {
        "username": box.smtp_username,
        "host": box.smtp_host,
        "port": box.smtp_port,
        "security": box.smtp_security,
    }
    return {"imap": imap, "smtp": {name: value for name, value in smtp.items() if value}}


def _start_for(
    person: Person, box: Mailbox, purpose: LinkDraft.Purpose, secrets: SecretsTyped, wishes: dict[str, Any]
) -> Draft:
    with transaction.atomic():
        row = _unfinished(person, box.address)
        row.purpose, row.mailbox, row.manual, row.wishes = purpose, box, True, wishes
        _begin(row, secrets)
    return get_draft(person, row.public_id)


def _begin(row: LinkDraft, secrets: SecretsTyped) -> None:
    row.attempt += 1
    row.state, row.claimed_at, row.stages = LinkDraft.State.WAITING, None, []
    row.failure = row.proven = None
    row.imap_sealed = seal_secret(secrets.imap, owner=row.public_id, service="imap")
    row.smtp_sealed = None
    if secrets.smtp is not None:
        row.smtp_sealed = seal_secret(secrets.smtp, owner=row.public_id, service="smtp")
    row.changed_at, row.expires_at = Now(), Now() + DRAFT_LIFE
    row.save()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('fumibako_work', 'draft')")


def _draft_secrets(row: LinkDraft) -> SecretsTyped:
    smtp = open_secret(row.smtp_sealed, owner=row.public_id, service="smtp") if row.smtp_sealed else None
    return SecretsTyped(open_secret(row.imap_sealed, owner=row.public_id, service="imap"), smtp)


def _stored_secrets(box: Mailbox) -> dict[str, str]:
    return {
        secret.service: open_secret(secret.sealed, owner=box.public_id, service=secret.service)
        for secret in MailboxSecret.objects.filter(mailbox=box)
    }


def _with_stored(box: Mailbox, typed: SecretsTyped) -> SecretsTyped:
    """What was typed; of two logins that are kept apart, the one left empty stays as it is stored."""
    stored = _stored_secrets(box)
    apart = stored.get("smtp") != stored.get("imap") and bool(box.smtp_username)
    return SecretsTyped(
        typed.imap or (stored.get("imap", "") if typed.smtp else ""),
        typed.smtp or (stored.get("smtp") if apart else None),
    )


def failure_json(failure: Failure) -> dict[str, Any]:
    """A failure as a draft keeps it."""
    return {
        "cause": failure.cause,
        "stage": failure.stage,
        "server_words": failure.server_words,
        "detail": failure.detail,
        "proposed": list(failure.proposed),
        "sentence": asdict(failure.sentence),
        "remedy": asdict(failure.remedy),
        "retry": failure.retry,
    }
