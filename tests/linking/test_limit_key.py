"""Which mailboxes share a limit key, and so a worker."""

import pytest

from fumibako import linking
from fumibako.accounts.models import Person
from fumibako.linking import NotFound, SecretsTyped, ServerWish, shard_of
from fumibako.linking.limit_key import declare_own_server, is_of_one_mailbox, server_of
from fumibako.linking.models import Mailbox, MailDomain
from tests.linking.conftest import ADDRESS, MailServer, link, prove, proven


def own_domain(person: Person, own: bool = True) -> None:
    MailDomain.objects.create(
        organization=person.organization, domain="example.jp", imap_host="imap.example.jp", own_server=own
    )


def placed(mailbox: str) -> tuple[str, int, int]:
    box = Mailbox.objects.get(public_id=mailbox)
    return box.limit_key, box.shard, box.generation


def test_all_mailboxes_of_a_server_of_which_nothing_is_known_share_its_name(person: Person, server: MailServer) -> None:
    server.answer = proven(host="IMAP.Example.jp")
    key, shard, _ = placed(link(person))
    assert (key, shard) == ("imap.example.jp", shard_of("imap.example.jp"))
    assert server_of(key) == "imap.example.jp" and not is_of_one_mailbox(key)


@pytest.mark.parametrize("host", ["imap.gmail.com", "outlook.office365.com", "imap.mail.yahoo.com", "IMAP.gmail.com"])
def test_where_the_host_limits_each_user_each_mailbox_has_a_key_of_its_own(
    person: Person, server: MailServer, host: str
) -> None:
    server.answer = proven("Taro@example.jp", host=host)
    key, shard, _ = placed(link(person))
    assert key == f"{host.lower()}/taro@example.jp"
    assert shard == shard_of(key)
    assert server_of(key) == host.lower() and is_of_one_mailbox(key)


def test_on_the_organization_s_own_server_each_mailbox_has_a_key_of_its_own(person: Person, server: MailServer) -> None:
    own_domain(person)
    assert placed(link(person))[0] == f"imap.example.jp/{ADDRESS}"


def test_another_server_brings_another_key_and_the_old_secret_s_refusals_are_forgotten(
    person: Person, server: MailServer
) -> None:
    mailbox = link(person)
    Mailbox.objects.filter(public_id=mailbox).update(refusals=2, refused_at="2026-11-01T00:00Z")
    server.moves_to("Mail.Example.net")
    settings = ServerWish(host="Mail.Example.net", username=ADDRESS)
    prove(person, linking.start_settings(person, mailbox, SecretsTyped(""), imap=settings, smtp=ServerWish()))
    assert placed(mailbox)[:2] == ("mail.example.net", shard_of("mail.example.net"))
    box = Mailbox.objects.get(public_id=mailbox)
    assert (box.refusals, box.refused_at) == (0, None)


def test_declaring_a_server_one_s_own_moves_its_mailboxes_and_taking_it_back_moves_them_again(
    person: Person, server: MailServer
) -> None:
    own_domain(person, own=False)
    mailbox = link(person)
    key, shard, generation = placed(mailbox)
    assert declare_own_server(person.organization_id, "Example.jp", True) == 1
    apart = f"imap.example.jp/{ADDRESS}"
    assert placed(mailbox) == (apart, shard_of(apart), generation + 1)
    assert declare_own_server(person.organization_id, "example.jp", True) == 0
    assert declare_own_server(person.organization_id, "example.jp", False) == 1
    assert placed(mailbox) == (key, shard, generation + 2)


def test_mailboxes_of_other_domains_and_organizations_stay_where_they_are(person: Person, server: MailServer) -> None:
    own_domain(person, own=False)
    mailbox = link(person, address="taro@sub.example.jp")
    before = placed(mailbox)
    assert declare_own_server(person.organization_id, "example.jp", True) == 0
    assert placed(mailbox) == before
    with pytest.raises(NotFound):
        declare_own_server(person.organization_id, "sub.example.jp", True)
