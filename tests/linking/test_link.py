"""From a proved draft to a linked mailbox; and an unlinked one taken up again."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.utils import timezone

from fumibako import linking
from fumibako.accounts.models import Person
from fumibako.events.models import Event
from fumibako.linking import (
    BadInput,
    FolderChoice,
    LinkedByColleague,
    NotFound,
    open_secret,
    readable_mailboxes,
)
from fumibako.linking.models import Folder, LinkDraft, Mailbox, MailboxPerson, MailboxSecret, Skip
from fumibako.mail.diagnosis import Failure
from tests.linking.conftest import (
    ADDRESS,
    INBOX,
    PARENT,
    PROJECT,
    SENT,
    USUAL,
    MailServer,
    begin,
    key,
    link,
    prove,
    proven,
)
from tests.world import World

pytestmark = pytest.mark.lab


def roles(mailbox: str) -> dict[str, tuple[str, bool]]:
    """Role and choice of each folder by name."""
    folders = Folder.objects.filter(mailbox__public_id=mailbox)
    return {folder.name: (folder.role, folder.chosen) for folder in folders}


def uids(folder: Folder, column: str = "known") -> str:
    """A set of UIDs as PostgreSQL writes it."""
    from django.db import connection

    table, where = ("folder", "id") if column == "known" else ("skip", "folder_id")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column}::text FROM {table} WHERE {where} = %s", [folder.pk])
        row = cursor.fetchone()
    return row[0] if row else ""


def know(folder: Folder, known: str, before_range: str = "") -> None:
    """Let a folder be as an import leaves it."""
    Folder.objects.filter(pk=folder.pk).update(uidvalidity=7, linked_uidnext=100, known=known)
    if before_range:
        Skip.objects.create(
            organization=folder.organization, folder=folder, uidvalidity=7, reason="before_range", uids=before_range
        )


def test_a_mailbox_has_what_was_proved_and_its_secrets_sealed_apart(person: Person, server: MailServer) -> None:
    draft = prove(person, begin(person, imap="for reading", smtp="for sending"))
    mailbox = linking.finish_link(person, draft.public_id, USUAL)
    box = Mailbox.objects.get()
    assert (box.public_id, box.address, box.state, box.generation) == (mailbox, ADDRESS, "linking", 1)
    assert (box.imap_host, box.imap_port, box.imap_security) == ("imap.example.jp", 993, "tls")
    assert (box.smtp_host, box.smtp_port, box.smtp_username) == ("smtp.example.jp", 465, ADDRESS)
    sealed = {secret.service: secret.sealed for secret in MailboxSecret.objects.all()}
    assert open_secret(sealed["imap"], owner=mailbox, service="imap") == "for reading"
    assert open_secret(sealed["smtp"], owner=mailbox, service="smtp") == "for sending"
    row = LinkDraft.objects.get()
    assert (row.state, row.imap_sealed, row.smtp_sealed, row.mailbox_id) == ("done", None, None, box.pk)
    assert [card.public_id for card in linking.mailboxes_of(person)] == [mailbox]
    assert MailboxPerson.objects.get().role == "owner"


def test_one_password_serves_both_logins(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    for service in ("imap", "smtp"):
        sealed = MailboxSecret.objects.get(service=service)
        assert open_secret(sealed.sealed, owner=mailbox, service=service) == "secret"
        assert sealed.worked_at is not None


def test_a_mailbox_that_can_only_be_read_says_why(person: Person, server: MailServer) -> None:
    server.only_reads(Failure("smtp_auth_disabled", server_words="535 5.7.139 disabled"))
    link(person)
    (card,) = linking.mailboxes_of(person)
    assert (card.smtp, card.smtp_cause, card.smtp_words) == (None, "smtp_auth_disabled", "535 5.7.139 disabled")
    assert MailboxSecret.objects.get(service="smtp").worked_at is None


def test_a_worker_is_told_of_a_new_mailbox(database_url: str, person: Person, server: MailServer) -> None:
    draft = prove(person, begin(person))
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("LISTEN fumibako_work")
        linking.finish_link(person, draft.public_id, USUAL)
        words = [word.payload for word in listener.notifies(timeout=0.2)]
    assert words == [f"mb:{Mailbox.objects.get().pk}"]


def test_a_folder_is_for_what_the_person_says_whatever_its_name(person: Person, server: MailServer) -> None:
    choice = FolderChoice(sent=key(PROJECT), inbox=key(INBOX), others=frozenset({key(SENT)}), range="all")
    assert roles(link(person, choice)) == {
        "INBOX": ("inbox", True),
        "送信済み": ("other", True),
        "Project": ("sent", True),
        "Parent": ("other", False),
    }


def test_sent_mail_may_be_left_out_or_lie_in_several_folders(person: Person, server: MailServer) -> None:
    mailbox = link(person, FolderChoice(sent=None, inbox=key(INBOX), range="all"))
    assert roles(mailbox)["送信済み"] == ("sent", False)
    linking.change_folders(
        person,
        mailbox,
        FolderChoice(sent=key(SENT), inbox=key(INBOX), also_sent=frozenset({key(PROJECT)}), range="all"),
    )
    assert (roles(mailbox)["送信済み"], roles(mailbox)["Project"]) == (("sent", True), ("sent", True))


def test_the_usual_choice_is_what_receives_and_what_holds_sent_mail(person: Person, server: MailServer) -> None:
    draft = prove(person, begin(person))
    rows = linking.folders_to_choose(person, draft.public_id)
    assert linking.suggest(rows, "all") == USUAL
    assert [(row.name, row.selectable, row.messages) for row in rows] == [
        ("INBOX", True, 8),
        ("送信済み", True, 5),
        ("Project", True, 3),
        ("Parent", False, None),
    ]


@pytest.mark.parametrize(("range", "days"), [("3m", 92), ("1y", 365), ("all", None)])
def test_the_range_says_from_which_day_on_mail_is_imported(
    person: Person, server: MailServer, range: str, days: int | None
) -> None:
    link(person, FolderChoice(sent=None, inbox=key(INBOX), range=range))
    since = datetime.now(UTC).date() - timedelta(days=days) if days else None
    box = Mailbox.objects.get()
    assert (box.range, box.history_since) == (range, since)


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        (FolderChoice(sent="dW5rbm93bg", inbox=key(INBOX)), "unknown_folder"),
        (FolderChoice(sent=None, inbox=key(INBOX), others=frozenset({key(PARENT)})), "unknown_folder"),
        (FolderChoice(sent=None, inbox=None), "no_folder"),
        (FolderChoice(sent=None, inbox=key(INBOX), range="2y"), "wrong_range"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_and_changes_nothing(
    person: Person, server: MailServer, choice: FolderChoice, code: str
) -> None:
    draft = prove(person, begin(person)).public_id
    with pytest.raises(BadInput) as refused:
        linking.finish_link(person, draft, choice)
    assert refused.value.code == code
    assert not Mailbox.objects.exists()
    assert linking.get_draft(person, draft).state == "proved"
    mailbox = linking.finish_link(person, draft, USUAL)
    before = (roles(mailbox), Mailbox.objects.get().generation)
    with pytest.raises(BadInput):
        linking.change_folders(person, mailbox, choice)
    assert (roles(mailbox), Mailbox.objects.get().generation) == before


def test_a_draft_that_is_not_proved_links_nothing(person: Person, server: MailServer) -> None:
    draft = begin(person)
    for verb in (linking.folders_to_choose, lambda p, d: linking.finish_link(p, d, USUAL)):
        with pytest.raises(NotFound):
            verb(person, draft.public_id)
    LinkDraft.objects.filter(pk=prove(person, draft).id).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotFound):
        linking.finish_link(person, draft.public_id, USUAL)
    assert not Mailbox.objects.exists()


def test_of_two_colleagues_at_the_folder_page_the_second_hears_of_the_first(
    person: Person, colleague: Person, server: MailServer
) -> None:
    mine, hers = prove(person, begin(person)), prove(colleague, begin(colleague))
    linking.finish_link(person, mine.public_id, USUAL)
    with pytest.raises(LinkedByColleague):
        linking.finish_link(colleague, hers.public_id, USUAL)
    assert MailboxPerson.objects.get().person == person


def test_linking_again_takes_up_the_same_mailbox_and_what_it_knows(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    know(Folder.objects.get(name="INBOX"), "{[1,9)}")
    linking.unlink(person, mailbox)
    generation = Mailbox.objects.get().generation
    assert link(person, FolderChoice(sent=None, inbox=key(INBOX), range="all")) == mailbox
    box, inbox = Mailbox.objects.get(), Folder.objects.get(name="INBOX")
    assert (box.state, box.unlinked_at, box.generation) == ("linking", None, generation + 1)
    assert uids(inbox) == "{[1,9)}"
    assert inbox.linked_uidnext is None, "what came meanwhile is history"
    assert roles(mailbox)["送信済み"] == ("sent", False)
    assert MailboxSecret.objects.count() == 2
    told = Event.objects.filter(kind="mailbox.state").order_by("id").values_list("detail__state", flat=True)
    assert list(told) == ["unlinked", "linking"]


def test_linking_again_proposes_what_was_chosen_before(person: Person, server: MailServer) -> None:
    choice = FolderChoice(sent=key(PROJECT), inbox=key(INBOX), range="3m")
    linking.unlink(person, link(person, choice))
    again = prove(person, begin(person)).public_id
    assert linking.earlier_range(person, again) == "3m"
    assert linking.suggest(linking.folders_to_choose(person, again), "3m") == choice


def test_what_another_person_had_chosen_is_not_proposed(person: Person, colleague: Person, server: MailServer) -> None:
    linking.unlink(person, link(person, FolderChoice(sent=None, inbox=key(INBOX), range="3m")))
    draft = prove(colleague, begin(colleague)).public_id
    assert linking.earlier_range(colleague, draft) is None
    assert linking.suggest(linking.folders_to_choose(colleague, draft), "all") == USUAL


def test_linking_again_with_a_wider_range_brings_what_the_narrower_had_left_out(
    person: Person, server: MailServer
) -> None:
    mailbox = link(person, FolderChoice(sent=None, inbox=key(INBOX), range="3m"))
    inbox = Folder.objects.get(name="INBOX")
    know(inbox, "{[1,9)}", before_range="{[1,5)}")
    linking.unlink(person, mailbox)
    link(person, FolderChoice(sent=None, inbox=key(INBOX), range="all"))
    assert uids(inbox) == "{[5,9)}"
    assert not Skip.objects.exists()


def test_a_mailbox_that_another_person_takes_up_is_no_longer_the_first_ones(
    world: World, person: Person, colleague: Person, server: MailServer
) -> None:
    mailbox = link(person)
    linking.unlink(person, mailbox)
    assert link(colleague) == mailbox
    with pytest.raises(NotFound):
        linking.get_mailbox(person, mailbox)
    assert readable_mailboxes(person) == {} and linking.mailboxes_of(person) == ()
    assert [box.public_id for box in readable_mailboxes(colleague).values()] == [mailbox]
    before, now = MailboxPerson.objects.order_by("id")
    assert (before.person, now.person, now.until) == (person, colleague, None)
    assert before.until is not None
    assert linking.worst_states(world.organization) == {colleague.pk: "linking"}
    assert linking.find_mailboxes(ADDRESS)[0][0] == colleague
    assert begin(person).state == "waiting", "whose it was may ask again, and hears of the colleague after the login"
    for verb in (linking.unlink, linking.try_now):
        with pytest.raises(NotFound):
            verb(person, mailbox)


def test_the_same_login_under_another_address_takes_up_the_same_mailbox(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    linking.unlink(person, mailbox)
    assert link(person, address="info@example.jp") == mailbox
    (card,) = linking.mailboxes_of(person)
    assert (card.address, card.aliases) == (ADDRESS, ("info@example.jp",))


def test_an_address_that_moved_to_another_server_keeps_its_mailbox(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    linking.unlink(person, mailbox)
    server.moves_to("imap.elsewhere.example")
    assert link(person) == mailbox
    assert linking.get_mailbox(person, mailbox).imap.host == "imap.elsewhere.example"


def test_a_colleagues_old_mailbox_is_not_had_by_typing_its_address_beside_a_server_of_ones_own(
    person: Person, colleague: Person, server: MailServer
) -> None:
    mailbox = link(person)
    linking.unlink(person, mailbox)
    server.answer = proven("mine", "imap.of-my-own.example")
    draft = prove(colleague, begin(colleague))
    assert (draft.state, draft.mailbox) == ("colleague", None)
    with pytest.raises(NotFound):
        linking.finish_link(colleague, draft.public_id, USUAL)
    assert linking.mailboxes_of(colleague) == ()
    assert [card.public_id for card in linking.mailboxes_of(person)] == [mailbox]


def test_of_two_old_mailboxes_that_meet_the_one_of_the_address_goes_on(person: Person, server: MailServer) -> None:
    server.answer = proven("first")
    first = link(person, address="first@example.jp")
    server.answer = proven("second")
    second = link(person, address="second@example.jp")
    for mailbox in (first, second):
        linking.unlink(person, mailbox)
    server.answer = proven("second")
    assert link(person, address="first@example.jp") == first
    cards = {card.public_id: card for card in linking.mailboxes_of(person)}
    assert cards[first].imap.username == "second"
    assert (cards[second].state, cards[second].imap.username) == ("unlinked", "second")
    assert len(cards) == 2


def test_ones_own_mailbox_under_another_address_is_shown_as_ones_own(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    draft = prove(person, begin(person, "info@example.jp"))
    assert (draft.state, draft.mailbox) == ("colleague", mailbox)


def test_a_mailbox_of_another_organization_is_never_taken_up(person: Person, server: MailServer) -> None:
    from tests.world import make_world

    linking.unlink(person, link(person))
    stranger = make_world("other", "jiro").person
    link(stranger)
    assert Mailbox.objects.count() == 2
    assert len(readable_mailboxes(stranger)) == 1
