"""Another choice of folders, and another range."""

import pytest

from fumibako import linking
from fumibako.accounts.models import Person
from fumibako.linking import FolderChoice, NotFound
from fumibako.linking.models import Folder, Mailbox, Skip
from tests.linking.conftest import INBOX, PROJECT, USUAL, MailServer, key, link
from tests.linking.test_link import know, roles, uids

pytestmark = pytest.mark.lab


def only_inbox(range: str) -> FolderChoice:
    return FolderChoice(sent=None, inbox=key(INBOX), range=range)


def test_another_choice_overtakes_what_is_being_stored_and_keeps_what_is_known(
    person: Person, server: MailServer
) -> None:
    mailbox = link(person)
    know(Folder.objects.get(name="INBOX"), "{[1,9)}")
    Mailbox.objects.update(state="live")
    linking.change_folders(person, mailbox, FolderChoice(sent=None, inbox=key(INBOX), others=frozenset({key(PROJECT)})))
    box, inbox = Mailbox.objects.get(), Folder.objects.get(name="INBOX")
    assert (box.generation, box.state) == (2, "linking")
    assert (uids(inbox), inbox.linked_uidnext) == ("{[1,9)}", 100)
    assert (roles(mailbox)["送信済み"], roles(mailbox)["Project"]) == (("sent", False), ("other", True))


def test_a_wider_range_brings_what_the_narrower_had_left_out(person: Person, server: MailServer) -> None:
    mailbox = link(person, only_inbox("3m"))
    inbox = Folder.objects.get(name="INBOX")
    know(inbox, "{[1,9)}", before_range="{[1,5)}")
    linking.change_folders(person, mailbox, only_inbox("1y"))
    assert uids(inbox) == "{[5,9)}"
    assert not Skip.objects.exists()


def test_mail_that_the_server_did_not_give_stays_skipped(person: Person, server: MailServer) -> None:
    mailbox = link(person, only_inbox("3m"))
    inbox = Folder.objects.get(name="INBOX")
    know(inbox, "{[1,9)}", before_range="{[1,5)}")
    Skip.objects.create(
        organization=inbox.organization, folder=inbox, uidvalidity=7, reason="not_given", uids="{[8,9)}"
    )
    linking.change_folders(person, mailbox, only_inbox("all"))
    assert uids(inbox) == "{[5,9)}"
    assert Skip.objects.get().reason == "not_given"


def test_a_narrower_range_takes_nothing_away(person: Person, server: MailServer) -> None:
    mailbox = link(person, only_inbox("1y"))
    inbox = Folder.objects.get(name="INBOX")
    know(inbox, "{[1,9)}", before_range="{[1,5)}")
    linking.change_folders(person, mailbox, only_inbox("3m"))
    assert (uids(inbox), uids(inbox, "uids")) == ("{[1,9)}", "{[1,5)}")
    assert Mailbox.objects.get().range == "3m"


def test_a_mailbox_that_waits_for_a_person_keeps_waiting_with_its_new_choice(
    person: Person, server: MailServer
) -> None:
    mailbox = link(person)
    Mailbox.objects.update(state="needs_attention", cause="wrong_credentials")
    linking.change_folders(person, mailbox, only_inbox("all"))
    card = linking.get_mailbox(person, mailbox)
    assert (card.state, card.cause) == ("needs_attention", "wrong_credentials")
    assert roles(mailbox)["送信済み"] == ("sent", False)


def test_an_unlinked_or_anothers_mailbox_has_no_choice(person: Person, colleague: Person, server: MailServer) -> None:
    mailbox = link(person)
    with pytest.raises(NotFound):
        linking.change_folders(colleague, mailbox, USUAL)
    with pytest.raises(NotFound):
        linking.folders_to_choose(colleague, mailbox=mailbox)
    linking.unlink(person, mailbox)
    before = Mailbox.objects.get().generation
    with pytest.raises(NotFound):
        linking.change_folders(person, mailbox, USUAL)
    assert Mailbox.objects.get().generation == before


def test_the_folders_of_a_linked_mailbox_are_offered_as_last_seen(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    Folder.objects.filter(name="Project").update(missing_since=Mailbox.objects.get().linked_at)
    rows = linking.folders_to_choose(person, mailbox=mailbox)
    assert [(row.name, row.chosen) for row in rows] == [("INBOX", True), ("送信済み", True), ("Parent", False)]
