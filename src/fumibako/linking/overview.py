"""What a person sees of linked mailboxes: states, causes, settings, folders; no mail and no counts of mail."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet

from fumibako.accounts.models import Organization, Person
from fumibako.linking.errors import NotFound
from fumibako.linking.models import Folder, Mailbox, MailboxPerson
from fumibako.linking.states import State

STATE_ORDER = [
    State.NEEDS_ATTENTION,
    State.RETRYING,
    State.LINKING,
    State.IMPORTING,
    State.PAUSED,
    State.LIVE,
    State.UNLINKED,
]
"""What needs a person first."""


@dataclass(frozen=True)
class LoginSettings:
    """One of a mailbox's two logins as it was proved, without the secret."""

    host: str
    port: int | None
    security: str
    username: str


@dataclass(frozen=True)
class MailboxCard:
    """A mailbox as its people see it. ``smtp`` is None for one that is linked for receiving only (``smtp_cause``)."""

    id: int
    public_id: str
    address: str
    aliases: tuple[str, ...]
    provider: str
    state: State
    state_since: datetime
    cause: str
    cause_stage: str
    server_words: str
    next_try_at: datetime | None
    imap: LoginSettings
    smtp: LoginSettings | None
    smtp_cause: str
    smtp_words: str
    sent_copy: str
    range: str
    history_since: date | None
    proved_at: datetime | None
    linked_at: datetime
    unlinked_at: datetime | None


@dataclass(frozen=True)
class MailboxProof:
    """What the last comparison of a mailbox's chosen folders with the server found, all folders together.

    ``at`` is the oldest of their proofs, ``complete`` whether each of them has one, but for those ``refused`` (how
    many), which the server lists and does not open. ``on_server`` is ``stored``, ``skipped`` and ``waiting`` for an
    import, and ``missing``, which is fetched anew.
    """

    at: datetime
    complete: bool
    refused: int
    on_server: int
    stored: int
    skipped: int
    waiting: int
    missing: int


def mailboxes_of(person: Person) -> tuple[MailboxCard, ...]:
    """The person's mailboxes, linked and unlinked, what needs a person first, then by address."""
    cards = [_card(box) for box in _mine(person).select_related("pulse")]
    return tuple(sorted(cards, key=lambda card: (STATE_ORDER.index(card.state), card.address)))


def get_mailbox(person: Person, mailbox: str) -> MailboxCard:
    """The person's mailbox of this public id. Raises NotFound."""
    return _card(own_mailbox(person, mailbox))


def find_mailboxes(address: str | None = None) -> tuple[tuple[Person, MailboxCard], ...]:
    """For the operator's commands: the mailboxes of this address, or all of the installation, with their owners."""
    rows = MailboxPerson.objects.filter(until__isnull=True, role=MailboxPerson.Role.OWNER)
    rows = rows.select_related("person__organization", "mailbox__pulse").order_by("mailbox__address_key", "mailbox")
    if address is not None:
        rows = rows.filter(mailbox__address_key=address.strip().casefold())
    return tuple((row.person, _card(row.mailbox)) for row in rows)


def proofs_of(mailboxes: Iterable[int]) -> dict[int, MailboxProof]:
    """The last proofs of completeness of these mailboxes, by id; one that was never proved is not in it."""
    folders = Folder.objects.filter(mailbox__in=list(mailboxes), chosen=True, selectable=True, missing_since=None)
    proved: dict[int, list[tuple[datetime | None, dict[str, Any]]]] = {}
    for mailbox, at, proof in folders.values_list("mailbox", "proved_at", "proof"):
        proved.setdefault(mailbox, []).append((at, proof or {}))
    return {mailbox: proof for mailbox, found in proved.items() if (proof := _together(found))}


def own_mailbox(person: Person, mailbox: str) -> Mailbox:
    """The row of a person's mailbox, for verbs of this room. Raises NotFound."""
    box = _mine(person).filter(public_id=mailbox).select_related("pulse").first()
    if box is None:
        raise NotFound(mailbox)
    return box


def readable_to(person: Person) -> QuerySet[Mailbox]:
    """The mailboxes whose mail the person may read: those that are theirs, unlinked ones too."""
    return _mine(person)


def readable_mailboxes(person: Person) -> dict[int, Mailbox]:
    """The mailboxes of ``readable_to``, by id."""
    return {box.id: box for box in readable_to(person).order_by("address_key")}


def worst_states(organization: Organization) -> dict[int, State]:
    """Each person's worst state of a mailbox, for the admin's list of people; who has none linked is not in it."""
    worst: dict[int, State] = {}
    rows = Mailbox.objects.filter(organization=organization, mailboxperson__until__isnull=True)
    for person, state in rows.exclude(state=State.UNLINKED).values_list("mailboxperson__person", "state"):
        worst[person] = min(State(state), worst.get(person, State(state)), key=STATE_ORDER.index)
    return worst


def _together(folders: list[tuple[datetime | None, dict[str, Any]]]) -> MailboxProof | None:
    opened = [(at, proof) for at, proof in folders if "refused" not in proof]
    times = [at for at, _ in opened if at is not None]
    if not times:
        return None
    proofs = [proof for _, proof in opened]

    def total(*names: str) -> int:
        return sum(proof.get(name, 0) for proof in proofs for name in names)

    return MailboxProof(
        at=min(times),
        complete=len(times) == len(opened),
        refused=len(folders) - len(opened),
        on_server=total("on_server"),
        stored=total("stored", "back"),
        skipped=sum(sum(proof.get("skipped", {}).values()) for proof in proofs),
        waiting=total("waiting"),
        missing=total("missing"),
    )


def _mine(person: Person) -> QuerySet[Mailbox]:
    return Mailbox.objects.filter(
        organization=person.organization_id, mailboxperson__person=person, mailboxperson__until__isnull=True
    )


def _card(box: Mailbox) -> MailboxCard:
    smtp = None
    if box.smtp_username:
        smtp = LoginSettings(box.smtp_host, box.smtp_port, box.smtp_security, box.smtp_username)
    return MailboxCard(
        id=box.id,
        public_id=box.public_id,
        address=box.address,
        aliases=tuple(box.aliases),
        provider=box.provider,
        state=State(box.state),
        state_since=box.state_since,
        cause=box.cause,
        cause_stage=box.cause_stage,
        server_words=box.server_words,
        next_try_at=box.next_try_at,
        imap=LoginSettings(
            box.imap_host, box.imap_port, box.imap_security, box.imap_username.partition("\n")[0]
        ),  # what follows marks a login that another mailbox has taken over
        smtp=smtp,
        smtp_cause=box.smtp_cause,
        smtp_words=box.smtp_words,
        sent_copy=box.sent_copy,
        range=box.range,
        history_since=box.history_since,
        proved_at=box.pulse.proved_at if hasattr(box, "pulse") else None,
        linked_at=box.linked_at,
        unlinked_at=box.unlinked_at,
    )
