"""From a proved draft and a choice of folders to a linked mailbox; and the choice changed later."""

import base64
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from fumibako.accounts.models import Person
from fumibako.linking.errors import BadInput, LinkedByColleague, NotFound
from fumibako.linking.limit_key import place
from fumibako.linking.models import Folder, LinkDraft, Mailbox, MailboxPerson, MailboxSecret, Skip
from fumibako.linking.overview import own_mailbox
from fumibako.linking.secrets import open_secret, seal_secret
from fumibako.linking.states import ACTIVE, MOVE, State, move
from fumibako.mail.discovery import RANGES, range_start


@dataclass(frozen=True)
class FolderRow:
    """A folder to choose from. ``key`` names it in forms; ``counts`` are mails by range key, None where not counted."""

    key: str
    name: str
    role: str
    selectable: bool
    messages: int | None
    size: int | None
    newest: str | None
    counts: dict[str, int]
    chosen: bool = False


@dataclass(frozen=True)
class FolderChoice:
    """Which folders are wanted, by key: one or none for sent mail (more in ``also_sent``), one to receive, others."""

    sent: str | None
    inbox: str | None
    also_sent: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    range: str = "1y"

    @property
    def all(self) -> frozenset[str]:
        """Every chosen folder's key."""
        return self.also_sent | self.others | {key for key in (self.sent, self.inbox) if key}


def folder_key(name_raw: bytes | memoryview) -> str:
    """The name of a folder in forms: its bytes on the wire, in URL-safe base64."""
    return base64.urlsafe_b64encode(bytes(name_raw)).decode().rstrip("=")


def suggest(folders: tuple[FolderRow, ...], range: str) -> FolderChoice:
    """The usual choice: what receives, what holds sent mail (all folders of that role, the first as the main one).

    Folders that were chosen before stand in its place.
    """
    before = tuple(row for row in folders if row.chosen and row.selectable)
    offered = before or tuple(row for row in folders if row.selectable)
    inbox = next((row.key for row in offered if row.role == "inbox"), None)
    sent = [row.key for row in offered if row.role == "sent"]
    also = frozenset(row.key for row in offered if row.key in sent[1:] and (row.messages or row.chosen))
    others = frozenset(row.key for row in before) - {inbox, *sent}
    return FolderChoice(sent=sent[0] if sent else None, inbox=inbox, also_sent=also, others=others, range=range)


def earlier_range(person: Person, draft: str) -> str | None:
    """The range that the draft's mailbox had when it was linked before; None for a new one. Raises NotFound."""
    box = _linked_before(_proved(person, draft))
    return box.range if box else None


def folders_to_choose(person: Person, draft: str | None = None, mailbox: str | None = None) -> tuple[FolderRow, ...]:
    """The folders of a proved draft, or of a linked mailbox as they were last seen. Raises NotFound.

    ``chosen`` are those that the mailbox imports, or did when the same person had it linked before.
    """
    if mailbox is not None:
        box = own_mailbox(person, mailbox)
        rows = Folder.objects.filter(mailbox=box, missing_since__isnull=True)
        return tuple(_row_of(folder) for folder in sorted(rows, key=_order))
    proved = _proved(person, draft or "")
    before = Folder.objects.filter(mailbox=_linked_before(proved), chosen=True)
    chosen = {folder_key(folder.name_raw): folder.role for folder in before}
    return tuple(
        FolderRow(
            key=found["key"],
            name=found["name"],
            role=chosen.get(found["key"], found["role"]),
            selectable=found["selectable"],
            messages=found["messages"],
            size=found["size"],
            newest=found["newest"],
            counts=found["counts"],
            chosen=found["key"] in chosen,
        )
        for found in (proved.proven or {})["folders"]
    )


def finish_link(person: Person, draft: str, choice: FolderChoice) -> str:
    """Link the draft's mailbox with these folders; returns its public id. A worker begins the import at once.

    An unlinked mailbox of the same login or address is taken up again: what is known of it stays, and what is known
    is not fetched or announced again. Raises NotFound, BadInput (no such folder or range), LinkedByColleague.
    """
    with transaction.atomic():
        row = _proved(person, draft, lock=True)
        proven: dict[str, Any] = row.proven or {}
        folders = {found["key"]: found for found in proven["folders"]}
        _check(choice, {key for key, found in folders.items() if found["selectable"]})
        box = _take_up(person, row, proven)
        _set_range(box, choice.range)
        box.save()
        _own(box, person)
        keep_secrets(box, row)
        Folder.objects.bulk_create(
            [_folder(box, found) for found in proven["folders"]],
            update_conflicts=True,
            unique_fields=["mailbox", "name_raw"],
            update_fields=["name", "delimiter", "role", "selectable", "messages", "size", "missing_since"],
            batch_size=1000,
        )
        _choose(box, choice)
        row.state, row.mailbox, row.imap_sealed, row.smtp_sealed = LinkDraft.State.DONE, box, None, None
        row.save()
        _start(box)
    return box.public_id


def change_folders(person: Person, mailbox: str, choice: FolderChoice) -> None:
    """Choose other folders or another range for a linked mailbox. What was imported stays; a wider range is imported.

    Raises NotFound, BadInput.
    """
    with transaction.atomic():
        box = own_mailbox(person, mailbox)
        box = Mailbox.objects.select_for_update().get(pk=box.pk)
        if box.state not in {*ACTIVE, State.NEEDS_ATTENTION}:
            raise NotFound(mailbox)
        _check(choice, {folder_key(f.name_raw) for f in Folder.objects.filter(mailbox=box, selectable=True)})
        _set_range(box, choice.range)
        box.generation += 1
        box.save()
        _choose(box, choice)
        if box.state in ACTIVE:
            _start(box)


def keep_secrets(box: Mailbox, row: LinkDraft) -> None:
    """Seal the draft's secrets anew for the mailbox; where sending has none of its own it is the receiving one."""
    imap = open_secret(row.imap_sealed, owner=row.public_id, service="imap")
    smtp = open_secret(row.smtp_sealed, owner=row.public_id, service="smtp") if row.smtp_sealed else imap
    for service, secret, works in (("imap", imap, True), ("smtp", smtp, bool(box.smtp_username))):
        MailboxSecret.objects.update_or_create(
            mailbox=box,
            service=service,
            defaults={
                "organization_id": box.organization_id,
                "sealed": seal_secret(secret, owner=box.public_id, service=service),
                "worked_at": Now() if works else None,
            },
        )


def _proved(person: Person, draft: str, *, lock: bool = False) -> LinkDraft:
    rows = LinkDraft.objects.select_for_update() if lock else LinkDraft.objects
    row = rows.filter(
        person=person,
        public_id=draft,
        state=LinkDraft.State.PROVED,
        purpose=LinkDraft.Purpose.LINK,
        expires_at__gt=Now(),
    ).first()
    if row is None:
        raise NotFound(draft)
    return row


def _linked_before(row: LinkDraft) -> Mailbox | None:
    """The mailbox that the draft's person had linked under this address and has unlinked."""
    mine = Mailbox.objects.filter(organization=row.organization, address_key=row.address_key, state=State.UNLINKED)
    return mine.filter(mailboxperson__person=row.person, mailboxperson__until__isnull=True).first()


def _check(choice: FolderChoice, selectable: set[str]) -> None:
    if choice.range not in RANGES:
        raise BadInput("range", "wrong_range")
    if not choice.all:
        raise BadInput("folders", "no_folder")
    if not choice.all <= selectable:
        raise BadInput("folders", "unknown_folder")


def leave_login(box: Mailbox) -> None:
    """Take its login from an unlinked mailbox: another goes on with it, this one keeps its mail under none."""
    Mailbox.objects.filter(pk=box.pk).update(imap_username=f"{box.imap_username}\n{box.public_id}")


def may_take_up(box: Mailbox, person: Person, imap: dict[str, Any]) -> bool:
    """Whether ``person``, who has proved the login ``imap``, may go on with an unlinked mailbox and read its mail.

    It was theirs, or the login is its own. An address alone proves nothing: anybody can type it beside another server.
    """
    same_login = (box.imap_host, box.imap_username) == (imap["host"], imap["username"])
    return same_login or MailboxPerson.objects.filter(mailbox=box, person=person, until__isnull=True).exists()


def _set_range(box: Mailbox, range: str) -> None:
    since = range_start(range)
    if box.pk and box.history_since and (since is None or since < box.history_since):
        _widen(box)
    box.range, box.history_since = range, since


def _take_up(person: Person, row: LinkDraft, proven: dict[str, Any]) -> Mailbox:
    imap, smtp = proven["imap"], proven["smtp"] or {}
    same = Q(address_key=row.address_key) | Q(imap_host=imap["host"], imap_username=imap["username"])
    known = list(Mailbox.objects.select_for_update().filter(same, organization=person.organization))
    box = next((box for box in known if box.address_key == row.address_key), known[0] if known else None)
    if any(other.state != State.UNLINKED for other in known) or (box and not may_take_up(box, person, imap)):
        raise LinkedByColleague(row.address)
    if box is None:
        box = Mailbox(organization=person.organization, address=row.address, address_key=row.address_key)
    elif box.address_key != row.address_key and row.address not in box.aliases:
        box.aliases = [*box.aliases, row.address]
    for clash in known:
        if clash.pk != box.pk:  # two old mailboxes meet in one: that of the address goes on
            leave_login(clash)
    box.provider = proven["provider"] or ""
    box.imap_host, box.imap_port, box.imap_security = imap["host"], imap["port"], imap["security"]
    box.imap_username, box.imap_mechanism = imap["username"], imap["mechanism"]
    box.smtp_host, box.smtp_port = smtp.get("host", ""), smtp.get("port")
    box.smtp_security, box.smtp_username = smtp.get("security", ""), smtp.get("username", "")
    box.smtp_mechanism = smtp.get("mechanism", "")
    failure = proven["smtp_failure"] or {}
    box.smtp_cause, box.smtp_words = failure.get("cause", ""), failure.get("server_words") or ""
    place(box)
    if box.pk is None:
        box.state = State.LINKING
    else:
        box.generation += 1
        Folder.objects.filter(mailbox=box).update(linked_uidnext=None, chosen=False)
    box.linked_at, box.unlinked_at, box.refused_at = Now(), None, None
    return box


def _own(box: Mailbox, person: Person) -> None:
    now = MailboxPerson.objects.filter(mailbox=box, until__isnull=True)
    now.exclude(person=person).update(until=Now())
    if not now.filter(person=person).exists():
        MailboxPerson.objects.create(organization_id=box.organization_id, mailbox=box, person=person)


def _folder(box: Mailbox, found: dict[str, Any]) -> Folder:
    return Folder(
        organization_id=box.organization_id,
        mailbox=box,
        name_raw=base64.urlsafe_b64decode(found["key"] + "=="),
        name=found["name"],
        delimiter=found["delimiter"] or "",
        role=found["role"],
        selectable=found["selectable"],
        messages=found["messages"],
        size=found["size"],
    )


def _choose(box: Mailbox, choice: FolderChoice) -> None:
    """Set which folders are chosen, and what the person said each is for (its role, rule 7 of the design)."""
    changed = []
    for folder in Folder.objects.filter(mailbox=box):
        before = folder.chosen, folder.role
        key = folder_key(folder.name_raw)
        if key == choice.sent or key in choice.also_sent:
            folder.role = "sent"
        elif key == choice.inbox:
            folder.role = "inbox"
        elif key in choice.others and folder.role in {"sent", "inbox"}:
            folder.role = "other"
        folder.chosen = key in choice.all
        if (folder.chosen, folder.role) != before:
            changed.append(folder)
    Folder.objects.bulk_update(changed, ["chosen", "role"], batch_size=1000)


def _widen(box: Mailbox) -> None:
    """Forget the UIDs that an earlier range had left out, so that the wider one fetches them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE folder SET known = known - skip.uids FROM skip"
            " WHERE skip.folder_id = folder.id AND skip.uidvalidity = folder.uidvalidity"
            " AND skip.reason = 'before_range' AND folder.mailbox_id = %s",
            [box.pk],
        )
    Skip.objects.filter(folder__mailbox=box, reason="before_range").delete()


def _start(box: Mailbox) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MOVE, move(box.pk, State.LINKING))
        cursor.execute("SELECT pg_notify('fumibako_work', %s)", [f"mb:{box.pk}"])


def _order(folder: Folder) -> tuple[int, str]:
    return {"inbox": 0, "sent": 1}.get(folder.role, 2), folder.name


def _row_of(folder: Folder) -> FolderRow:
    counts = {} if folder.messages is None else {"all": folder.messages}
    return FolderRow(
        key=folder_key(folder.name_raw),
        name=folder.name,
        role=folder.role,
        selectable=folder.selectable,
        messages=folder.messages,
        size=folder.size,
        newest=None,
        counts=counts,
        chosen=folder.chosen,
    )
