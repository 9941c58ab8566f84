"""How mailboxes and drafts stand, as pages say it: one table for the words and colours of every state."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_lazy, pgettext, pgettext_lazy

from fumibako.archive import MailboxNumbers, mailbox_numbers
from fumibako.linking import Draft, MailboxCard, MailboxProof, State, proofs_of
from fumibako.mail.discovery import provider_name

from .causes import CauseText, cause_text, english, failure_text
from .templatetags.texts import checked, dot, letters, moment

RECEIVE_ONLY = "receive_only"

FACES = {
    State.LINKING: ("busy", pgettext_lazy("state", "Connecting")),
    State.IMPORTING: ("busy", gettext_lazy("Importing")),
    State.LIVE: ("ok", pgettext_lazy("state", "Linked")),
    RECEIVE_ONLY: ("wait", gettext_lazy("Linked for receiving only")),
    State.RETRYING: ("wait", gettext_lazy("Waiting to reconnect")),
    State.NEEDS_ATTENTION: ("act", gettext_lazy("Needs attention")),
    State.PAUSED: ("off", gettext_lazy("Paused")),
    State.UNLINKED: ("off", gettext_lazy("Unlinked")),
    "failed": ("act", gettext_lazy("Could not link")),
    "draft": ("wait", gettext_lazy("To be continued")),
}
"""Colour (a class of the style sheet) and word of each state."""

RANGES = {
    "3m": gettext_lazy("the last 3 months"),
    "1y": gettext_lazy("the last year"),
    "all": gettext_lazy("everything"),
}
"""How far back an import goes."""

SENT_COPY = {"auto": gettext_lazy("Auto"), "on": gettext_lazy("On"), "off": gettext_lazy("Off")}

SETTLED = frozenset({State.LIVE, RECEIVE_ONLY})

PASSWORD_MENDS = frozenset(
    {"wrong_credentials", "wrong_password", "app_password_required", "mail_password_required", "password_expired"}
)
"""Causes that another password mends; the rest is mended on the server, by other settings, or by a new try."""

SETTINGS_MEND = frozenset(
    {"wrong_server_name", "wrong_username_shape", "wrong_port", "cert_foreign_name", "domain_unknown"}
)


@dataclass(frozen=True)
class BoxSheet:
    """A mailbox on the list of linked mailboxes. `first` marks the one whose button is the page's filled one."""

    id: str
    address: str
    face: str
    colour: str
    word: str
    standing: str
    cause: CauseText | None
    server_words: str
    mend: str
    first: bool
    aliases: tuple[str, ...]
    sent_copy: str
    received: int
    sent: int
    stored: int
    placed: int
    wanted: int | None
    attachments: int
    unreadable: int
    extent: str
    seconds_left: float | None
    unlinked_at: datetime | None
    own_smtp_login: bool
    proof: str
    proof_sum: str

    @property
    def settled(self) -> bool:
        """Whether the import is through and the mailbox watched."""
        return self.face in SETTLED

    @property
    def arriving(self) -> bool:
        """Whether mail is still being imported."""
        return self.face in {State.LINKING, State.IMPORTING}

    @property
    def copy_choices(self) -> list[dict[str, str]]:
        """The choices of the Sent copy, with their words."""
        return [{"value": value, "word": str(word)} for value, word in SENT_COPY.items()]


def face_of(card: MailboxCard) -> str:
    """The state as a person sees it: a live mailbox whose sending is not proved has a word of its own."""
    return RECEIVE_ONLY if card.state == State.LIVE and card.smtp is None else card.state


def box_sheets(cards: Iterable[MailboxCard]) -> list[BoxSheet]:
    """The sheets of these mailboxes in their order."""
    cards = list(cards)
    ids = [card.id for card in cards]
    numbers, proofs = mailbox_numbers(ids), proofs_of(ids)
    sheets = []
    filled = False
    for card in cards:
        first = card.state == State.NEEDS_ATTENTION and not filled
        filled = filled or first
        sheets.append(box_sheet(card, numbers[card.id], proofs.get(card.id), first=first))
    return sheets


def box_sheet(
    card: MailboxCard, numbers: MailboxNumbers, proof: MailboxProof | None = None, *, first: bool = False
) -> BoxSheet:
    """One mailbox with its numbers and its last comparison with the server."""
    face = face_of(card)
    colour, word = FACES[face]
    code = card.smtp_cause if face == RECEIVE_ONLY else card.cause
    return BoxSheet(
        id=card.public_id,
        address=card.address,
        face=face,
        colour=colour,
        word=str(word),
        standing=standing_of(card, face),
        cause=cause_text(code) if code else None,
        server_words=card.smtp_words if face == RECEIVE_ONLY else card.server_words,
        mend=mend_of(code),
        first=first,
        aliases=card.aliases,
        sent_copy=card.sent_copy,
        received=numbers.received,
        sent=numbers.sent,
        stored=numbers.stored,
        placed=numbers.placed,
        wanted=numbers.wanted,
        attachments=numbers.attachments,
        unreadable=numbers.unreadable,
        extent=extent_of(card, numbers),
        seconds_left=seconds_left(card, numbers),
        unlinked_at=card.unlinked_at,
        own_smtp_login=card.smtp is not None and card.smtp.username != card.imap.username,
        proof=proof_of(proof),
        proof_sum=proof_sum(proof) if proof else "",
    )


def standing_of(card: MailboxCard, face: str) -> str:
    """Since when a mailbox stands as it does, or how long ago it was proved to be well."""
    provider = provider_name(card.provider, "en" if english() else "ja") if card.provider else ""
    if face == State.NEEDS_ATTENTION:
        return gettext("stopped since %(when)s") % {"when": moment(card.state_since)}
    if face == State.RETRYING:
        if card.next_try_at is None:
            return ""
        clock = date_format(timezone.localtime(card.next_try_at), "G:i")
        return gettext("next try at %(time)s") % {"time": clock}
    parts = [provider, checked(card.proved_at) if face in SETTLED else ""]
    return dot().join(part for part in parts if part)


def extent_of(card: MailboxCard, numbers: MailboxNumbers) -> str:
    """What the counts of a mailbox cover."""
    if card.range == "all":
        return gettext("Everything in the chosen folders, %(count)s in all") % {"count": letters(numbers.stored)}
    words = {"range": RANGES[card.range], "count": letters(numbers.stored)}
    return gettext("All of %(range)s in the chosen folders, %(count)s") % words


def proof_of(proof: MailboxProof | None) -> str:
    """What the last comparison with the server has found, and when it was."""
    if proof is None:
        return gettext("Not compared with the server yet")
    found = gettext("Nothing is missing")
    if proof.missing:
        found = gettext("%(count)s were missing and are being imported") % {"count": letters(proof.missing)}
    elif not proof.complete:
        found = gettext("Some folders are not compared yet")
    elif proof.refused:
        found = gettext("Some folders cannot be opened on the server")
    return dot().join((found, gettext("compared: %(when)s") % {"when": moment(proof.at)}))


def proof_sum(proof: MailboxProof) -> str:
    """The sum that the comparison came to: on the server = imported + what is left out, on its way, missing."""
    parts = [
        gettext("imported %(count)s") % {"count": letters(proof.stored)},
        gettext("left out %(count)s") % {"count": letters(proof.skipped)},
    ]
    if proof.waiting:
        parts.append(gettext("to be imported %(count)s") % {"count": letters(proof.waiting)})
    if proof.missing:
        parts.append(gettext("missing %(count)s") % {"count": letters(proof.missing)})
    words = {"count": letters(proof.on_server), "parts": pgettext("between two numbers", " + ").join(parts)}
    return gettext("On the server %(count)s = %(parts)s") % words


def seconds_left(card: MailboxCard, numbers: MailboxNumbers) -> float | None:
    """How long an import will still take at the pace it has had; None while there is nothing to go by."""
    if card.state != State.IMPORTING or not numbers.placed or not numbers.wanted:
        return None
    spent = (timezone.now() - card.state_since).total_seconds()
    if spent < 1 or numbers.placed >= numbers.wanted:
        return None
    seconds: float = spent * (numbers.wanted - numbers.placed) / numbers.placed
    return seconds


def folder_name(name: str) -> str:
    """A folder's name for people: the one name that IMAP itself gives (RFC 3501 section 5.1) is said as a word."""
    return gettext("Inbox") if name.upper() == "INBOX" else name


def mend_of(code: str) -> str:
    """Which button mends a cause: password, settings or try."""
    if code in PASSWORD_MENDS:
        return "password"
    return "settings" if code in SETTINGS_MEND else "try"


@dataclass(frozen=True)
class DraftSheet:
    """A link that is not finished, or has failed, on the list of linked mailboxes."""

    id: str
    address: str
    failed: bool
    colour: str
    word: str
    standing: str
    cause: CauseText | None
    remains: str


def draft_sheet(draft: Draft) -> DraftSheet:
    """The sheet of one draft."""
    failed = draft.state == "failed"
    colour, word = FACES["failed" if failed else "draft"]
    until = gettext("until %(when)s") % {"when": moment(draft.expires_at)}
    return DraftSheet(
        id=draft.public_id,
        address=draft.address,
        failed=failed,
        colour=colour,
        word=str(word),
        standing=moment(draft.changed_at) if failed else until,
        cause=failure_text(draft.failure) if draft.failure else None,
        remains=str(REMAINS.get(draft.state, REMAINS["proving"])),
    )


REMAINS = {
    "proving": gettext_lazy("The login is being checked."),
    "consent": gettext_lazy("One question about the mail server is open."),
    "proved": gettext_lazy("The folders remain to be chosen."),
    "colleague": gettext_lazy("A colleague has already linked this mailbox"),
}
"""What a draft waits for, by its state."""
