"""Unlinking stops the watch, destroys the secrets and keeps the mail; stopping a person does it to all of theirs."""

import psycopg
import pytest

from fumibako import accounts, archive, linking
from fumibako.accounts.models import AuditEvent, Person, Session
from fumibako.archive.models import Message
from fumibako.events.models import Event
from fumibako.linking import NotFound, SecretsTyped
from fumibako.linking.models import Folder, LinkDraft, Mailbox, MailboxSecret
from tests.linking.conftest import MailServer, begin, link, prove, proven
from tests.web.rows import letter, store
from tests.world import World

pytestmark = pytest.mark.lab


@pytest.fixture
def boss(world: World) -> Person:
    return world.add_person("boss", role="admin")


def test_unlinking_destroys_the_secrets_and_says_so_in_trail_and_events(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    Mailbox.objects.update(state="live")
    linking.start_password(person, mailbox, SecretsTyped("new"))
    linking.unlink(person, mailbox)
    box = Mailbox.objects.get()
    assert (box.state, box.generation) == ("unlinked", 2)
    assert box.unlinked_at is not None
    assert not MailboxSecret.objects.exists()
    assert not LinkDraft.objects.exists(), "a new password under way goes too"
    line = AuditEvent.objects.get(kind="mailbox.unlinked")
    assert (line.actor, line.subject) == (person, mailbox)
    event = Event.objects.get(kind="mailbox.state")
    assert (event.mailbox_id, event.detail["state"]) == (box.pk, "unlinked")


def test_mail_and_folders_of_an_unlinked_mailbox_stay_readable(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    store(Mailbox.objects.get(), Folder.objects.get(name="INBOX"), letter("お見積りの件"))
    linking.unlink(person, mailbox)
    assert [row.subject for row in archive.list_messages(person, mailbox=mailbox).rows] == ["お見積りの件"]
    assert [card.state for card in linking.mailboxes_of(person)] == ["unlinked"]
    assert archive.folders_of(person, mailbox)[0].name == "INBOX"


def test_unlinking_twice_changes_and_tells_nothing_more(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    linking.unlink(person, mailbox)
    at = Mailbox.objects.get().unlinked_at
    linking.unlink(person, mailbox)
    assert Mailbox.objects.get().unlinked_at == at
    assert AuditEvent.objects.filter(kind="mailbox.unlinked").count() == 1
    assert Event.objects.filter(kind="mailbox.state").count() == 1


def test_nobody_else_unlinks_a_mailbox(person: Person, colleague: Person, boss: Person, server: MailServer) -> None:
    mailbox = link(person)
    for other in (colleague, boss):
        with pytest.raises(NotFound):
            linking.unlink(other, mailbox)
    assert Mailbox.objects.get().state == "linking"


def test_worker_and_pages_are_told(database_url: str, person: Person, server: MailServer) -> None:
    mailbox = link(person)
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("LISTEN fumibako_work")
        listener.execute("LISTEN fumibako_live")
        linking.unlink(person, mailbox)
        words = {word.payload for word in listener.notifies(timeout=0.2)}
    assert words == {f"mb:{Mailbox.objects.get().pk}", f"pe:{person.pk}"}


def test_a_stopped_person_has_no_login_no_draft_and_no_linked_mailbox(
    client, person: Person, boss: Person, server: MailServer
) -> None:
    first = link(person)
    server.answer = proven("second")
    second = link(person, address="second@example.jp")
    store(Mailbox.objects.get(public_id=first), Folder.objects.filter(name="INBOX")[0], letter())
    prove(person, begin(person, "third@example.jp"))
    client.force_login(person)
    linking.stop_person(person, boss)
    person.refresh_from_db()
    assert not person.is_active
    assert not Session.objects.exists()
    assert not LinkDraft.objects.exists()
    assert not MailboxSecret.objects.exists()
    assert set(Mailbox.objects.values_list("state", "generation")) == {("unlinked", 2)}
    assert Message.objects.count() == 1
    lines = AuditEvent.objects.filter(actor=boss).values_list("kind", "subject")
    assert set(lines) == {
        ("person.stopped", person.public_id),
        ("mailbox.unlinked", first),
        ("mailbox.unlinked", second),
    }


def test_who_comes_back_finds_their_mail_and_links_again(person: Person, boss: Person, server: MailServer) -> None:
    mailbox = link(person)
    linking.stop_person(person, boss)
    accounts.resume_person(person, by=boss)
    person.refresh_from_db()
    assert [card.state for card in linking.mailboxes_of(person)] == ["unlinked"]
    assert link(person) == mailbox


def test_an_admin_who_may_not_be_stopped_keeps_everything(boss: Person, colleague: Person, server: MailServer) -> None:
    link(boss)
    for verb, error in (
        (lambda: linking.stop_person(boss, boss), accounts.OneSelf),
        (lambda: linking.stop_person(boss, colleague), accounts.NotAllowed),
    ):
        with pytest.raises(error):
            verb()
    assert Mailbox.objects.get().state == "linking"
    assert MailboxSecret.objects.count() == 2


def test_an_admin_of_another_organization_stops_nobody(person: Person, server: MailServer) -> None:
    from tests.world import make_world

    link(person)
    other = make_world("other", "jiro")
    with pytest.raises(accounts.NotAllowed):
        linking.stop_person(person, other.add_person("boss2", role="admin"))
    assert Mailbox.objects.get().state == "linking"
