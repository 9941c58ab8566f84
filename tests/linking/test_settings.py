"""Small settings of a mailbox: the Sent copy, other addresses, and trying at once."""

import psycopg
import pytest

from fumibako import linking
from fumibako.accounts.models import Person
from fumibako.linking import BadInput, NotFound
from fumibako.linking.models import Mailbox
from tests.linking.conftest import ADDRESS, MailServer, link

pytestmark = pytest.mark.lab


def test_the_sent_copy_is_chosen_for_each_mailbox(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    assert linking.get_mailbox(person, mailbox).sent_copy == "auto"
    for choice in ("on", "off", "auto"):
        linking.set_sent_copy(person, mailbox, choice)
        assert linking.get_mailbox(person, mailbox).sent_copy == choice
    with pytest.raises(BadInput) as refused:
        linking.set_sent_copy(person, mailbox, "maybe")
    assert refused.value.field == "sent_copy"


def test_another_address_is_kept_as_it_goes_on_the_wire_and_only_once(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    linking.add_alias(person, mailbox, " ｉｎｆｏ＠Example.JP ")
    for same in ("info@example.jp", "INFO@example.jp", ADDRESS, "Taro@EXAMPLE.jp"):
        with pytest.raises(BadInput) as refused:
            linking.add_alias(person, mailbox, same)
        assert (refused.value.field, refused.value.code) == ("alias", "same_address")
    assert linking.get_mailbox(person, mailbox).aliases == ("info@example.jp",)
    linking.remove_alias(person, mailbox, "nobody@example.jp")
    linking.remove_alias(person, mailbox, "info@example.jp")
    assert linking.get_mailbox(person, mailbox).aliases == ()


@pytest.mark.parametrize(("typed", "code"), [("  ", "empty"), ("info", "wrong_address")])
def test_what_is_no_address_is_refused(person: Person, server: MailServer, typed: str, code: str) -> None:
    mailbox = link(person)
    with pytest.raises(BadInput) as refused:
        linking.add_alias(person, mailbox, typed)
    assert (refused.value.field, refused.value.code) == ("alias", code)


def test_anothers_mailbox_has_no_settings_whatever_is_typed(
    person: Person, colleague: Person, server: MailServer
) -> None:
    mailbox = link(person)
    before = Mailbox.objects.values().get()
    for verb in (
        lambda: linking.set_sent_copy(colleague, mailbox, "off"),
        lambda: linking.set_sent_copy(colleague, mailbox, "maybe"),
        lambda: linking.add_alias(colleague, mailbox, "info@example.jp"),
        lambda: linking.add_alias(colleague, mailbox, ""),
        lambda: linking.remove_alias(colleague, mailbox, ADDRESS),
        lambda: linking.try_now(colleague, mailbox),
    ):
        with pytest.raises(NotFound):
            verb()
    assert Mailbox.objects.values().get() == before


@pytest.mark.parametrize(("state", "asks"), [("retrying", True), ("live", False), ("unlinked", False)])
def test_only_a_mailbox_that_waits_is_tried_at_once(
    database_url: str, person: Person, server: MailServer, state: str, asks: bool
) -> None:
    mailbox = link(person)
    Mailbox.objects.update(state=state)
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("LISTEN fumibako_work")
        linking.try_now(person, mailbox)
        words = [word.payload for word in listener.notifies(timeout=0.2)]
    assert words == ([f"try:{Mailbox.objects.get().pk}"] if asks else [])
    assert Mailbox.objects.get().state == state


def test_a_mailbox_that_waits_for_a_person_begins_anew_when_that_person_says_so(
    person: Person, server: MailServer
) -> None:
    mailbox = link(person)
    Mailbox.objects.update(state="needs_attention", cause="imap_disabled", refusals=3)
    linking.try_now(person, mailbox)
    card = linking.get_mailbox(person, mailbox)
    assert (card.state, card.cause) == ("linking", "")
