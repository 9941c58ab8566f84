"""Proving drafts: a worker takes those that wait, tries both logins, and writes what it saw as it goes."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar, cast

from django.db import OperationalError, connection, connections, transaction
from django.db.models import Q
from django.db.models.functions import Now

from fumibako.accounts.models import Person
from fumibako.linking.drafts import FAILED_LIFE, failure_json
from fumibako.linking.limit_key import place
from fumibako.linking.link import folder_key, keep_secrets, leave_login, may_take_up
from fumibako.linking.models import LinkDraft, Mailbox, MailboxPerson, MailDomain
from fumibako.linking.secrets import SecretLost, open_secret
from fumibako.linking.states import ACTIVE, MOVE, State, move
from fumibako.mail.connect import Network, Security, Server
from fumibako.mail.diagnosis import Failure, Stage, Words
from fumibako.mail.discovery import (
    DomainSettings,
    FolderFound,
    LoginShape,
    ProbeRequest,
    Proven,
    ProvenLogin,
    Wish,
    prove,
)

CLAIM = timedelta(seconds=60)  # a proof ends within about 20 s; an older claim was of a worker that is gone

T = TypeVar("T")


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run database work of the ORM in a thread, and give its connection back."""

    def run() -> T:
        try:
            return work(*args)
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)


def take_drafts() -> list[int]:
    """Claim the drafts that wait to be proved; returns their ids."""
    abandoned = Q(state=LinkDraft.State.PROVING, claimed_at__lt=Now() - CLAIM)
    with transaction.atomic():
        waiting = LinkDraft.objects.select_for_update(skip_locked=True).filter(
            Q(state=LinkDraft.State.WAITING) | abandoned, expires_at__gt=Now()
        )
        ids = list(waiting.values_list("id", flat=True))
        LinkDraft.objects.filter(pk__in=ids).update(state=LinkDraft.State.PROVING, claimed_at=Now())
    return ids


def claim_draft(draft: int) -> bool:
    """Claim one draft that waits; False where a worker was quicker."""
    waiting = LinkDraft.objects.filter(pk=draft, state=LinkDraft.State.WAITING)
    return bool(waiting.update(state=LinkDraft.State.PROVING, claimed_at=Now()))


def expire_drafts() -> int:
    """Delete drafts whose time is over, with their secrets; returns how many."""
    deleted, _ = LinkDraft.objects.filter(expires_at__lt=Now()).delete()
    return deleted


async def prove_draft(draft: int, network: Network) -> None:
    """Try both logins of a claimed draft and write the outcome into it; the person's pages are told at each stage.

    What a newer attempt or the person's leaving has overtaken is written nowhere. Raises nothing for a failed proof;
    a fault of ours is raised, and ends the attempt, so that no worker repeats its logins.
    """
    begun = await in_thread(_request, draft)
    if begun is None:
        return
    request, attempt = begun
    seen: list[Stage] = []
    try:
        outcome = await _prove(request, network, seen, partial(_write_stages, draft, attempt, seen))
        if isinstance(outcome, Failure):
            await in_thread(_fail, draft, attempt, outcome, seen)
        else:
            await in_thread(_succeed, draft, attempt, outcome, seen)
    except OperationalError:  # the database is away; the draft is claimed anew when it is back
        raise
    except Exception:
        await in_thread(_fail, draft, attempt, our_fault(), seen)
        raise


async def _prove(
    request: ProbeRequest, network: Network, seen: list[Stage], write: Callable[[], object]
) -> Proven | Failure:
    """Prove, and have each change of the stages written while it goes on."""
    changed = asyncio.Event()

    def on_stage(stage: Stage) -> None:
        if seen and seen[-1].name == stage.name:
            seen.pop()
        seen.append(stage)
        changed.set()

    async def write_stages() -> None:
        while True:
            await changed.wait()
            changed.clear()
            await in_thread(write)

    writer = asyncio.create_task(write_stages())
    try:
        return await prove(request, network, on_stage)
    except Failure as failure:
        return failure
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


def our_fault() -> Failure:
    """What a person is told when not a mail server but Fumibako itself has failed."""
    sentence = Words(
        "文箱の内部でエラーが起き、確認を最後まで行えませんでした。", "Fumibako had an internal error while checking."
    )
    return Failure("server_refused_unclear", sentence=sentence)


def domain_settings(organization: int, address: str) -> DomainSettings | None:
    """The organization's recommended settings for the domain of this address, if an admin has made them."""
    row = MailDomain.objects.filter(organization=organization, domain=address.rpartition("@")[2].lower()).first()
    if row is None:
        return None
    smtp = None
    if row.smtp_host:
        smtp = Server(row.smtp_host, row.smtp_port or 465, Security(row.smtp_security or "tls"))
    return DomainSettings(
        domain=row.domain,
        imap=Server(row.imap_host, row.imap_port or 993, Security(row.imap_security or "tls")),
        smtp=smtp,
        imap_login=cast(LoginShape, row.login_shape),
        smtp_login=cast(LoginShape, row.login_shape),
    )


def _request(draft: int) -> tuple[ProbeRequest, int] | None:
    row = LinkDraft.objects.filter(pk=draft, state=LinkDraft.State.PROVING).first()
    if row is None or row.imap_sealed is None:
        return None
    try:
        imap = open_secret(row.imap_sealed, owner=row.public_id, service="imap")
        smtp = open_secret(row.smtp_sealed, owner=row.public_id, service="smtp") if row.smtp_sealed else imap
    except SecretLost:
        _fail(draft, row.attempt, our_fault(), [])
        raise
    request = ProbeRequest(
        address=row.address,
        imap=_wish(row.wishes.get("imap", {}), imap),
        smtp=_wish(row.wishes.get("smtp", {}), smtp),
        domain=None if row.manual else domain_settings(row.organization_id, row.address),
        trusted_names=frozenset(row.trusted),
    )
    return request, row.attempt


def _wish(typed: dict[str, Any], secret: str) -> Wish:
    security = typed.get("security")
    return Wish(
        username=typed.get("username"),
        secret=secret,
        host=typed.get("host"),
        port=typed.get("port"),
        security=Security(security) if security else None,
    )


def _write(draft: int, attempt: int, values: dict[str, Any]) -> bool:
    """Write into the draft, if this attempt is still the one that counts, and tell its person's pages."""
    rows = LinkDraft.objects.filter(pk=draft, attempt=attempt, state=LinkDraft.State.PROVING)
    if not rows.update(**values, changed_at=Now()):
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify('fumibako_live', 'pe:' || person_id) FROM link_draft WHERE id = %s", [draft])
    return True


def _write_stages(draft: int, attempt: int, seen: list[Stage]) -> None:
    _write(draft, attempt, {"stages": [asdict(stage) for stage in seen]})


def _fail(draft: int, attempt: int, failure: Failure, seen: list[Stage]) -> None:
    consent = failure.cause == "server_needs_consent"
    values: dict[str, Any] = {
        "stages": [asdict(stage) for stage in failure.stages or seen],
        "failure": failure_json(failure),
        "state": LinkDraft.State.CONSENT if consent else LinkDraft.State.FAILED,
    }
    if not consent:
        values |= {"imap_sealed": None, "smtp_sealed": None, "expires_at": Now() + FAILED_LIFE}
    _write(draft, attempt, values)


def _succeed(draft: int, attempt: int, proven: Proven, seen: list[Stage]) -> None:
    stages = [asdict(stage) for stage in proven.stages or seen]
    values: dict[str, Any] = {"stages": stages, "proven": _proven_json(proven), "state": LinkDraft.State.PROVED}
    with transaction.atomic():
        row = LinkDraft.objects.select_for_update().filter(pk=draft, attempt=attempt).first()
        if row is None or row.state != LinkDraft.State.PROVING:
            return
        if clash := _linked_already(row, proven):
            values |= {"state": LinkDraft.State.COLLEAGUE, "imap_sealed": None, "smtp_sealed": None, "proven": None}
            values |= {"mailbox": clash if _is_of(clash, row.person) else None}
        elif row.purpose != LinkDraft.Purpose.LINK:
            _switch(row, proven)
            values |= {"state": LinkDraft.State.DONE, "imap_sealed": None, "smtp_sealed": None}
        _write(draft, attempt, values)


def _linked_already(row: LinkDraft, proven: Proven) -> Mailbox | None:
    """A mailbox that stands in the way: linked with this address or login, or of this address and a colleague's."""
    same = Q(address_key=row.address_key) | Q(imap_host=proven.imap.server.host, imap_username=proven.imap.username)
    boxes = Mailbox.objects.filter(same, organization=row.organization)
    linked = boxes.exclude(state=State.UNLINKED)
    if row.purpose != LinkDraft.Purpose.LINK:
        return linked.exclude(pk=cast(int, row.mailbox_id)).first()
    login = _login_json(proven.imap)
    of_address = boxes.filter(address_key=row.address_key)
    return linked.first() or next((box for box in of_address if not may_take_up(box, row.person, login)), None)


def _is_of(box: Mailbox, person: Person) -> bool:
    return MailboxPerson.objects.filter(mailbox=box, person=person, until__isnull=True).exists()


def _switch(row: LinkDraft, proven: Proven) -> None:
    """Give a linked mailbox the logins just proved: its folders and what is known of them stay as they are."""
    box = Mailbox.objects.select_for_update().get(pk=cast(int, row.mailbox_id))
    if box.state == State.UNLINKED or not _is_of(box, row.person):
        return
    imap = proven.imap
    same_login = Mailbox.objects.filter(imap_host=imap.server.host, imap_username=imap.username)
    for other in same_login.filter(organization=box.organization).exclude(pk=box.pk):
        leave_login(other)
    box.imap_host, box.imap_port = imap.server.host, imap.server.port
    box.imap_security, box.imap_username = imap.server.security, imap.username
    box.imap_mechanism = imap.mechanism
    box.refusals, box.refused_at = 0, None  # these were of another secret
    place(box)
    if smtp := proven.smtp:
        box.smtp_host, box.smtp_port = smtp.server.host, smtp.server.port
        box.smtp_security, box.smtp_username = smtp.server.security, smtp.username
        box.smtp_mechanism, box.smtp_cause, box.smtp_words = smtp.mechanism, "", ""
    elif failure := proven.smtp_failure:
        box.smtp_username, box.smtp_mechanism = "", ""
        box.smtp_cause, box.smtp_words = failure.cause, failure.server_words or ""
    box.generation += 1
    box.save()
    keep_secrets(box, row)
    with connection.cursor() as cursor:
        if box.state in {*ACTIVE, State.NEEDS_ATTENTION}:
            cursor.execute(MOVE, move(box.pk, State.LINKING))
        cursor.execute("SELECT pg_notify('fumibako_work', %s)", [f"mb:{box.pk}"])


def _proven_json(proven: Proven) -> dict[str, Any]:
    return {
        "provider": proven.provider,
        "imap": _login_json(proven.imap),
        "smtp": _login_json(proven.smtp) if proven.smtp else None,
        "smtp_failure": failure_json(proven.smtp_failure) if proven.smtp_failure else None,
        "folders": [_folder_json(found) for found in proven.folders],
    }


def _login_json(login: ProvenLogin) -> dict[str, Any]:
    return {
        "host": login.server.host,
        "port": login.server.port,
        "security": str(login.server.security),
        "username": login.username,
        "mechanism": login.mechanism,
    }


def _folder_json(found: FolderFound) -> dict[str, Any]:
    return {
        "key": folder_key(found.name_raw),
        "name": found.name,
        "delimiter": found.delimiter,
        "role": found.role,
        "selectable": found.selectable,
        "messages": found.messages,
        "size": found.size,
        "newest": found.newest.isoformat() if found.newest else None,
        "counts": found.counts,
    }
