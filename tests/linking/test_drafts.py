"""The link wizard on the server: what is refused, what is proved, and what is kept of it."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone

from fumibako import linking
from fumibako.accounts.models import Person
from fumibako.linking import (
    AlreadyLinked,
    BadInput,
    NotFound,
    OwnPassword,
    SecretsTyped,
    ServerWish,
)
from fumibako.linking.models import LinkDraft, Mailbox, MailDomain
from fumibako.mail.connect import Network, Security, Server
from fumibako.mail.diagnosis import Failure
from tests.linking.conftest import ADDRESS, MailServer, begin, link, prove, proven
from tests.world import World, make_world

pytestmark = pytest.mark.lab

OWN = "a long password of one's own"
"""What `tests.world` gives people for Fumibako itself."""


@pytest.mark.parametrize(
    ("address", "password", "field", "code"),
    [
        ("", "secret", "address", "empty"),
        (" \u3000", "secret", "address", "empty"),
        ("taro", "secret", "address", "wrong_address"),
        ("taro@@example.jp", "secret", "address", "wrong_address"),
        (ADDRESS, "", "password", "empty"),
    ],
)
def test_what_cannot_be_used_is_named_and_nothing_begins(
    person: Person, address: str, password: str, field: str, code: str
) -> None:
    with pytest.raises(BadInput) as refused:
        begin(person, address, password)
    assert (refused.value.field, refused.value.code) == (field, code)
    assert not LinkDraft.objects.exists()


def test_a_wrong_address_is_told_in_both_languages(person: Person) -> None:
    with pytest.raises(BadInput) as refused:
        begin(person, "taro")
    assert refused.value.words is not None
    assert "@" in refused.value.words.ja and "@" in refused.value.words.en


@pytest.mark.parametrize(
    ("imap", "smtp", "field", "code"),
    [
        (ServerWish(port="0"), ServerWish(), "imap_port", "wrong_port"),
        (ServerWish(port="９９３"), ServerWish(), "imap_port", "wrong_port"),
        (ServerWish(), ServerWish(port="65536"), "smtp_port", "wrong_port"),
        (ServerWish(host="imap example.jp"), ServerWish(), "imap_host", "wrong_server_name"),
        (ServerWish(), ServerWish(security="none"), "smtp_security", "unknown"),
    ],
)
def test_a_wrong_server_or_port_stands_at_its_field(
    person: Person, imap: ServerWish, smtp: ServerWish, field: str, code: str
) -> None:
    with pytest.raises(BadInput) as refused:
        linking.start_link(person, ADDRESS, SecretsTyped("secret"), imap=imap, smtp=smtp)
    assert (refused.value.field, refused.value.code) == (field, code)
    assert not LinkDraft.objects.exists()


def test_an_address_in_full_width_letters_is_the_same_as_in_plain_ones(person: Person) -> None:
    draft = begin(person, "　ｔａｒｏ＠ＥＸＡＭＰＬＥ．ｊｐ ")
    assert draft.address == ADDRESS
    assert begin(person, ADDRESS).public_id == draft.public_id


@pytest.mark.parametrize("secrets", [SecretsTyped(OWN), SecretsTyped("secret", OWN)])
def test_ones_own_password_of_fumibako_goes_nowhere(person: Person, server: MailServer, secrets: SecretsTyped) -> None:
    with pytest.raises(OwnPassword):
        linking.start_link(person, ADDRESS, secrets)
    assert not LinkDraft.objects.exists()


def test_an_address_that_one_has_linked_leads_to_its_mailbox(person: Person, server: MailServer) -> None:
    mailbox = link(person)
    with pytest.raises(AlreadyLinked) as refused:
        begin(person, "TARO@Example.JP")
    assert refused.value.mailbox == mailbox
    linking.unlink(person, mailbox)
    assert begin(person).state == "waiting"


def test_that_a_colleague_has_linked_it_is_said_only_after_the_login(
    person: Person, colleague: Person, server: MailServer
) -> None:
    link(person)
    draft = begin(colleague)
    assert draft.state == "waiting"
    proved = prove(colleague, draft)
    assert (proved.state, proved.proven, len(server.asked)) == ("colleague", None, 2)
    row = LinkDraft.objects.get(person=colleague)
    assert (row.imap_sealed, row.smtp_sealed) == (None, None)


def test_a_wrong_password_for_a_colleagues_mailbox_betrays_nothing(
    person: Person, colleague: Person, server: MailServer
) -> None:
    link(person)
    server.answer = Failure("wrong_credentials")
    assert prove(colleague, begin(colleague)).state == "failed"


def test_the_same_login_under_another_address_is_recognized(
    person: Person, colleague: Person, server: MailServer
) -> None:
    link(person)
    server.answer = proven(username=ADDRESS)
    assert prove(colleague, begin(colleague, "info@example.jp")).state == "colleague"


def test_another_organization_may_link_the_same_mailbox(person: Person, server: MailServer) -> None:
    link(person)
    other = make_world("other", "jiro").person
    link(other)
    assert Mailbox.objects.count() == 2


def test_another_persons_draft_is_not_found(person: Person, colleague: Person, server: MailServer) -> None:
    draft = prove(person, begin(person)).public_id
    stranger = make_world("other", "jiro").person
    for other in (colleague, stranger):
        for verb in (
            lambda p: linking.get_draft(p, draft),
            lambda p: linking.cancel_draft(p, draft),
            lambda p: linking.retry_link(p, draft, secrets=SecretsTyped("x")),
            lambda p: linking.folders_to_choose(p, draft),
            lambda p: linking.finish_link(p, draft, linking.suggest((), "1y")),
        ):
            with pytest.raises(NotFound):
                verb(other)
        assert linking.drafts_of(other) == ()
    assert linking.get_draft(person, draft).state == "proved"


def test_imap_and_smtp_are_asked_with_their_own_passwords(person: Person, server: MailServer) -> None:
    prove(person, begin(person, imap="for reading", smtp="for sending"))
    (request,) = server.asked
    assert (request.imap.secret, request.smtp.secret) == ("for reading", "for sending")
    prove(person, begin(person, "hana@example.jp", imap="for both"))
    assert (server.asked[1].imap.secret, server.asked[1].smtp.secret) == ("for both", "for both")


def test_servers_by_hand_are_what_is_asked_for(person: Person, server: MailServer) -> None:
    imap = ServerWish(username=" taro ", host="IMAP.example.jp", port="1993", security="starttls")
    draft = linking.start_link(person, ADDRESS, SecretsTyped("secret"), imap=imap, smtp=ServerWish())
    assert draft.manual
    prove(person, draft)
    wish = server.asked[0].imap
    assert (wish.username, wish.host, wish.port, wish.security) == ("taro", "imap.example.jp", 1993, Security.STARTTLS)
    wish = server.asked[0].smtp
    assert (wish.username, wish.host, wish.port, wish.security) == (None, None, None, None)


def test_the_companys_settings_hold_unless_servers_are_named_by_hand(world: World, server: MailServer) -> None:
    MailDomain.objects.create(
        organization=world.organization,
        domain="example.jp",
        imap_host="mail.example.jp",
        imap_security="starttls",
        imap_port=143,
        login_shape="local",
    )
    prove(world.person, begin(world.person))
    domain = server.asked[0].domain
    assert domain is not None
    assert (domain.imap, domain.smtp) == (Server("mail.example.jp", 143, Security.STARTTLS), None)
    assert domain.imap_login == "local"
    by_hand = linking.start_link(world.person, ADDRESS, SecretsTyped("x"), imap=ServerWish(host="imap.example.jp"))
    prove(world.person, by_hand)
    assert server.asked[1].domain is None
    stranger = make_world("other", "jiro").person
    prove(stranger, begin(stranger))
    assert server.asked[2].domain is None


def test_a_failed_draft_keeps_its_cause_and_no_secret(person: Person, server: MailServer) -> None:
    server.answer = Failure("wrong_credentials", server_words="NO [AUTHENTICATIONFAILED] no", detail="imap.example.jp")
    draft = prove(person, begin(person, smtp="another"))
    assert draft.state == "failed" and draft.failure is not None
    assert draft.failure["cause"] == "wrong_credentials"
    assert draft.failure["server_words"] == "NO [AUTHENTICATIONFAILED] no"
    assert draft.failure["remedy"]["ja"] and draft.failure["remedy"]["en"]
    row = LinkDraft.objects.get()
    assert (row.imap_sealed, row.smtp_sealed) == (None, None)
    assert [one.public_id for one in linking.drafts_of(person)] == [draft.public_id]
    assert timedelta(days=29) < draft.expires_at - timezone.now() < timedelta(days=31)
    with pytest.raises(BadInput) as refused:
        linking.retry_link(person, draft.public_id)
    assert (refused.value.field, refused.value.code) == ("password", "empty")


def test_a_failed_draft_is_mended_in_place_by_another_password(person: Person, server: MailServer) -> None:
    server.answer = Failure("wrong_credentials")
    failed = prove(person, begin(person))
    server.answer = proven()
    again = linking.retry_link(person, failed.public_id, secrets=SecretsTyped("right"))
    assert (again.public_id, again.failure, again.stages) == (failed.public_id, None, [])
    assert prove(person, again).state == "proved"
    assert server.asked[1].imap.secret == "right"
    with pytest.raises(OwnPassword):
        linking.retry_link(person, failed.public_id, secrets=SecretsTyped(OWN))


def test_consent_keeps_the_password_and_names_only_the_servers_agreed_to(person: Person, server: MailServer) -> None:
    server.answer = Failure("server_needs_consent", proposed=("sv1.example.net",))
    draft = prove(person, begin(person, imap="typed once"))
    assert draft.state == "consent" and draft.failure is not None
    assert draft.failure["proposed"] == ["sv1.example.net"]
    server.answer = proven()
    prove(person, linking.retry_link(person, draft.public_id, trust=["sv1.example.net"]))
    assert server.asked[0].trusted_names == frozenset()
    assert server.asked[1].trusted_names == {"sv1.example.net"}
    assert server.asked[1].imap.secret == "typed once"


def test_an_older_attempt_writes_nothing_after_a_newer_one_began(person: Person, server: MailServer) -> None:
    draft = begin(person, imap="old")
    server.meanwhile = lambda: linking.retry_link(person, draft.public_id, secrets=SecretsTyped("new"))
    seen = prove(person, draft)
    assert (seen.state, seen.attempt, seen.proven, seen.stages) == ("waiting", draft.attempt + 1, None, [])
    server.meanwhile = None
    assert prove(person, seen).state == "proved"
    assert server.asked[-1].imap.secret == "new"


def test_an_older_attempt_that_fails_takes_no_secret_from_a_newer_one(person: Person, server: MailServer) -> None:
    draft = begin(person, imap="old")
    server.answer = Failure("wrong_credentials")
    server.meanwhile = lambda: begin(person, imap="new")
    seen = prove(person, draft)
    assert (seen.state, seen.failure) == ("waiting", None)
    assert LinkDraft.objects.get().imap_sealed is not None


def test_who_leaves_while_the_login_is_being_proved_leaves_nothing_behind(person: Person, server: MailServer) -> None:
    draft = begin(person)
    server.meanwhile = lambda: linking.cancel_draft(person, draft.public_id)
    with pytest.raises(NotFound):
        prove(person, draft)
    assert not LinkDraft.objects.exists()


def test_a_draft_is_proved_by_one_worker_and_again_only_when_that_one_is_gone(person: Person) -> None:
    draft = begin(person)
    assert linking.take_drafts() == [draft.id]
    assert linking.take_drafts() == []
    assert not linking.claim_draft(draft.id)
    LinkDraft.objects.update(claimed_at=timezone.now() - timedelta(minutes=2))
    assert linking.take_drafts() == [draft.id]


def test_a_draft_whose_time_is_over_is_gone_with_its_secret(person: Person, server: MailServer) -> None:
    old, fresh = begin(person), begin(person, "hana@example.jp")
    assert timedelta(minutes=59) < fresh.expires_at - timezone.now() < timedelta(minutes=61)
    LinkDraft.objects.filter(pk=old.id).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotFound):
        linking.get_draft(person, old.public_id)
    assert [draft.public_id for draft in linking.drafts_of(person)] == [fresh.public_id]
    assert linking.take_drafts() == [fresh.id]
    assert linking.expire_drafts() == 1
    assert LinkDraft.objects.get().pk == fresh.id


def test_a_draft_whose_time_is_over_makes_room_for_a_new_one(person: Person) -> None:
    LinkDraft.objects.filter(pk=begin(person).id).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert linking.get_draft(person, begin(person).public_id).state == "waiting"


def test_a_worker_is_told_of_a_draft_and_its_person_of_each_stage(
    database_url: str, person: Person, server: MailServer
) -> None:
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("LISTEN fumibako_work")
        listener.execute("LISTEN fumibako_live")
        draft = begin(person)
        proved = prove(person, draft)
        words = {(word.channel, word.payload) for word in listener.notifies(timeout=0.2)}
    assert words == {("fumibako_work", "draft"), ("fumibako_live", f"pe:{person.pk}")}
    assert [stage["name"] for stage in proved.stages] == ["login"]


def test_a_fault_of_ours_ends_the_attempt_so_that_no_login_is_repeated_for_ever(
    person: Person, server: MailServer
) -> None:
    server.answer = RuntimeError("secret")
    draft = begin(person, imap="secret")
    assert linking.claim_draft(draft.id)
    with pytest.raises(RuntimeError):
        asyncio.run(linking.prove_draft(draft.id, Network()))
    LinkDraft.objects.update(claimed_at=timezone.now() - timedelta(minutes=2))
    assert linking.take_drafts() == []
    failed = linking.get_draft(person, draft.public_id)
    assert failed.state == "failed" and failed.failure is not None
    assert "secret" not in str(failed.failure)
    assert LinkDraft.objects.get().imap_sealed is None


def test_a_draft_that_has_become_a_mailbox_cannot_be_tried_again(person: Person, server: MailServer) -> None:
    draft = prove(person, begin(person))
    linking.finish_link(
        person, draft.public_id, linking.suggest(linking.folders_to_choose(person, draft.public_id), "1y")
    )
    assert linking.get_draft(person, draft.public_id).state == "done"
    with pytest.raises(NotFound):
        linking.retry_link(person, draft.public_id, secrets=SecretsTyped("x"))
    with pytest.raises(NotFound):
        linking.finish_link(person, draft.public_id, linking.suggest((), "1y"))
    assert linking.drafts_of(person) == ()
