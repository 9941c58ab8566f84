"""Another password or other settings of a linked mailbox: proved first, then switched, and nothing else moves."""

import asyncio
from typing import Any

import pytest

from fumibako import linking
from fumibako.accounts.models import Person
from fumibako.linking import BadInput, Draft, NotFound, OwnPassword, SecretsTyped, ServerWish, open_secret
from fumibako.linking.models import Folder, LinkDraft, Mailbox, MailboxSecret
from fumibako.mail.connect import Network, Security
from fumibako.mail.diagnosis import Failure
from tests.linking.conftest import ADDRESS, USUAL, MailServer, begin, link, prove, proven
from tests.linking.test_link import know, roles, uids

pytestmark = pytest.mark.lab

IMAP = ServerWish(username="taro", host="imap.example.jp", port="993", security="tls")
SMTP = ServerWish(username="taro", host="smtp.example.jp", port="465", security="tls")


def stored(mailbox: str) -> dict[str, str]:
    """The passwords that a mailbox holds."""
    rows = MailboxSecret.objects.filter(mailbox__public_id=mailbox)
    return {row.service: open_secret(row.sealed, owner=mailbox, service=row.service) for row in rows}


def everything(mailbox: str) -> list[dict[str, Any]]:
    """All of a mailbox as its rows stand."""
    found = {"mailbox__public_id": mailbox}
    rows = [Mailbox.objects.filter(public_id=mailbox), Folder.objects.filter(**found).order_by("id")]
    return [row for table in [*rows, MailboxSecret.objects.filter(**found).order_by("id")] for row in table.values()]


def new_password(person: Person, mailbox: str, imap: str, smtp: str | None = None) -> Draft:
    return prove(person, linking.start_password(person, mailbox, SecretsTyped(imap, smtp)))


def test_a_new_password_goes_into_the_mailbox_and_choice_and_knowledge_stay(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    know(Folder.objects.get(name="INBOX"), "{[1,9)}")
    before = roles(mailbox)
    Mailbox.objects.update(state="needs_attention", cause="wrong_credentials")
    draft = new_password(person, mailbox, "new")
    assert (draft.state, draft.purpose, draft.mailbox) == ("done", "password", mailbox)
    assert stored(mailbox) == {"imap": "new", "smtp": "new"}
    box, inbox = Mailbox.objects.get(), Folder.objects.get(name="INBOX")
    assert (box.state, box.cause, box.generation) == ("linking", "", 2)
    assert (roles(mailbox), uids(inbox), inbox.linked_uidnext) == (before, "{[1,9)}", 100)
    row = LinkDraft.objects.get(purpose="password")
    assert (row.imap_sealed, row.smtp_sealed) == (None, None)


def test_a_new_password_is_proved_at_the_servers_that_are_known(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    new_password(person, mailbox, "new")
    wish = server.asked[-1].imap
    assert (wish.host, wish.port, wish.security, wish.username) == ("imap.example.jp", 993, Security.TLS, ADDRESS)
    assert server.asked[-1].smtp.host == "smtp.example.jp"


def test_a_new_password_that_does_not_work_leaves_the_mailbox_as_before(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    Mailbox.objects.update(state="live")
    before = everything(mailbox)
    server.answer = Failure("wrong_credentials")
    draft = new_password(person, mailbox, "wrong")
    assert draft.state == "failed"
    assert everything(mailbox) == before
    assert linking.drafts_of(person) == (), "a failed change is no failed link"
    row = LinkDraft.objects.get(purpose="password")
    assert (row.imap_sealed, row.smtp_sealed) == (None, None)


def test_a_new_password_is_refused_when_empty_or_ones_own(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    with pytest.raises(BadInput) as refused:
        linking.start_password(person, mailbox, SecretsTyped(""))
    assert (refused.value.field, refused.value.code) == ("password", "empty")
    with pytest.raises(OwnPassword):
        linking.start_password(person, mailbox, SecretsTyped("a long password of one's own"))


def test_a_password_for_sending_alone_changes_only_that(person: Person, server: MailServer) -> None:
    mailbox = link(person, smtp="for sending")
    new_password(person, mailbox, "", "sending anew")
    assert (server.asked[-1].imap.secret, server.asked[-1].smtp.secret) == ("secret", "sending anew")
    assert stored(mailbox) == {"imap": "secret", "smtp": "sending anew"}


def test_a_password_for_reading_alone_keeps_the_one_for_sending(person: Person, server: MailServer) -> None:
    mailbox = link(person, smtp="for sending")
    new_password(person, mailbox, "reading anew")
    assert (server.asked[-1].imap.secret, server.asked[-1].smtp.secret) == ("reading anew", "for sending")
    assert stored(mailbox) == {"imap": "reading anew", "smtp": "for sending"}


def test_a_failed_change_tried_again_still_keeps_the_other_password(person: Person, server: MailServer) -> None:
    mailbox = link(person, smtp="for sending")
    server.answer = Failure("wrong_credentials")
    failed = new_password(person, mailbox, "wrong")
    server.answer = proven()
    prove(person, linking.retry_link(person, failed.public_id, secrets=SecretsTyped("right")))
    assert stored(mailbox) == {"imap": "right", "smtp": "for sending"}


def test_other_servers_are_proved_with_the_stored_passwords(person: Person, server: MailServer) -> None:
    mailbox = link(person, smtp="for sending")
    before = roles(mailbox)
    server.moves_to("imap2.example.jp")
    draft = linking.start_settings(person, mailbox, SecretsTyped(""), imap=IMAP, smtp=SMTP)
    assert prove(person, draft).state == "done"
    assert (server.asked[-1].imap.secret, server.asked[-1].smtp.secret) == ("secret", "for sending")
    assert server.asked[-1].imap.username == "taro"
    card = linking.get_mailbox(person, mailbox)
    assert card.imap.host == "imap2.example.jp"
    assert (roles(mailbox), stored(mailbox)) == (before, {"imap": "secret", "smtp": "for sending"})


def test_a_wrong_port_of_the_settings_stands_at_its_field(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    with pytest.raises(BadInput) as refused:
        linking.start_settings(person, mailbox, SecretsTyped(""), imap=IMAP, smtp=ServerWish(port="x"))
    assert (refused.value.field, refused.value.code) == ("smtp_port", "wrong_port")


def test_settings_whose_sending_fails_leave_it_linked_for_receiving(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    server.only_reads(Failure("smtp_auth_disabled", server_words="535 no"))
    prove(person, linking.start_settings(person, mailbox, SecretsTyped(""), imap=IMAP, smtp=SMTP))
    card = linking.get_mailbox(person, mailbox)
    assert (card.smtp, card.smtp_cause, card.smtp_words) == (None, "smtp_auth_disabled", "535 no")
    server.answer = proven()
    new_password(person, mailbox, "", "right for sending")
    card = linking.get_mailbox(person, mailbox)
    assert card.smtp is not None and card.smtp_cause == ""


def test_settings_that_lead_into_a_colleagues_mailbox_change_nothing(
    person: Person, colleague: Person, server: MailServer
) -> None:
    mailbox = link(person)
    server.answer = proven("hana")
    link(colleague, address="hana@example.jp")
    before = everything(mailbox)
    draft = prove(person, linking.start_settings(person, mailbox, SecretsTyped(""), imap=IMAP, smtp=SMTP))
    assert (draft.state, draft.mailbox) == ("colleague", None)
    assert everything(mailbox) == before
    assert LinkDraft.objects.get(person=person, state="colleague").imap_sealed is None


def test_a_login_that_an_unlinked_mailbox_had_can_be_taken_over(person: Person, server: MailServer) -> None:
    old = link(person, address="old@example.jp")
    linking.unlink(person, old)
    server.answer = proven("taro2")
    mailbox = link(person)
    server.answer = proven(ADDRESS)
    draft = prove(person, linking.start_settings(person, mailbox, SecretsTyped(""), imap=IMAP, smtp=SMTP))
    assert draft.state == "done"
    assert linking.get_mailbox(person, mailbox).imap.username == ADDRESS


def test_an_unlinked_or_anothers_mailbox_gets_no_password(
    person: Person, colleague: Person, server: MailServer
) -> None:
    mailbox = link(person)
    for nobody in (colleague,):
        with pytest.raises(NotFound):
            linking.start_password(nobody, mailbox, SecretsTyped("x"))
        with pytest.raises(NotFound):
            linking.start_settings(nobody, mailbox, SecretsTyped("x"), imap=IMAP, smtp=SMTP)
    linking.unlink(person, mailbox)
    with pytest.raises(NotFound):
        linking.start_password(person, mailbox, SecretsTyped("x"))
    with pytest.raises(NotFound):
        linking.start_settings(person, mailbox, SecretsTyped("x"), imap=IMAP, smtp=SMTP)


def test_a_mailbox_unlinked_while_its_password_is_being_proved_stays_unlinked(
    person: Person, server: MailServer
) -> None:
    mailbox = link(person)
    draft = linking.start_password(person, mailbox, SecretsTyped("new"))
    server.meanwhile = lambda: linking.unlink(person, mailbox)
    assert linking.claim_draft(draft.id)
    asyncio.run(linking.prove_draft(draft.id, Network()))
    assert linking.get_mailbox(person, mailbox).state == "unlinked"
    assert not MailboxSecret.objects.exists()
    assert not LinkDraft.objects.exclude(state="done").exists()


def test_a_choice_made_while_a_password_is_proved_is_kept(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    draft = linking.start_password(person, mailbox, SecretsTyped("new"))
    server.meanwhile = lambda: linking.change_folders(person, mailbox, USUAL)
    prove(person, draft)
    assert Mailbox.objects.get().generation == 3
    assert stored(mailbox)["imap"] == "new"


def test_a_password_typed_while_a_link_waits_has_its_own_draft(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    waiting = begin(person, "hana@example.jp")
    draft = linking.start_password(person, mailbox, SecretsTyped("new"))
    assert draft.public_id != waiting.public_id
    again = linking.start_password(person, mailbox, SecretsTyped("newer"))
    assert again.public_id == draft.public_id and again.attempt == draft.attempt + 1
