"""What the product promises of every mailbox, on three real servers: each mail once, and the server left as it was.

One installation and one worker serve all tests of a server; each test has an account of its own. What the worker does
every 45 seconds it does here every second.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django import DjangoDbBlocker

from fumibako.archive.models import Message
from fumibako.linking.models import Folder
from fumibako.site import postgres
from tests.lab.constants import with_constants
from tests.lab.courier import Courier, courier
from tests.lab.cyrus import cyrus
from tests.lab.faults import Faults, faulty
from tests.lab.installation import Installation, installation, until
from tests.lab.mailserver import MailServer, sample_mail
from tests.syncing.behaviour import PATIENCE, Account, changes_nothing, dense_mail, equal, open_account
from tests.world import make_world

__all__ = ["courier", "cyrus"]

pytestmark = pytest.mark.lab

QUICK = {"fumibako.syncing.watch": {"INTERVAL": 1.0}}
SLOWLY = Faults(rate=6e6)  # an import of 12 MB takes two seconds


@pytest.fixture(scope="module", params=["dovecot", "cyrus", "courier"])
def server(request: pytest.FixtureRequest) -> MailServer:
    """Each of the three, one after the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def transactional_db(server: MailServer, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database for all tests of a server together; emptied afterwards."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", verbosity=0, interactive=False)
        connections.close_all()


@pytest.fixture(scope="module")
def database_url(transactional_db: None, cluster: postgres.Cluster) -> str:
    """The same for processes."""
    return f"postgresql://postgres@/{connections['default'].settings_dict['NAME']}?host={cluster.sockets}"


@pytest.fixture(scope="module")
def fumibako(database_url: str, server: MailServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with a worker at work."""
    make_world()
    folder: Path = tmp_path_factory.mktemp("behaviour")
    environment = {"PYTHONPATH": with_constants(folder, QUICK), "FUMIBAKO_PRIVATE_HOSTS": "127.0.0.1/32"}
    with installation(database_url, folder, server, **environment) as made:
        made.start_worker()
        yield made


@pytest.fixture
def account(server: MailServer, fumibako: Installation) -> Account:
    """An account of this test alone."""
    return open_account(server, fumibako)


def test_folders_are_imported_byte_for_byte_and_the_server_is_left_as_it_was(account: Account) -> None:
    server, address = account.server, account.address
    folders = ["INBOX", server.folder_name("案件", "御見積①㈱髙 R&D"), server.folder_name("ｶﾅ")]
    mails = [sample_mail(n, 2000 + 40 * n) for n in range(60)]
    for number, folder in enumerate(folders):
        server.fill(address, mails[20 * number : 20 * number + 20], folder=folder, seen=number == 0)
    with server.phone(address) as phone:
        phone.append("INBOX", sample_mail(99), "\\Flagged", "\\Answered")
    before = [account.places_at_server(folder) for folder in folders]
    server.record(address)
    account.linked(*folders)
    status = account.fumibako.status(address)
    assert [account.places_at_server(folder) for folder in folders] == before
    assert {row["name"]: (row["stored"], row["on_server"]) for row in status["folders"]} == dict(
        zip(folders, [(21, 21), (20, 20), (20, 20)], strict=True)
    )
    assert account.bodies() == sorted([*mails, sample_mail(99)])
    account.agrees(*folders)
    assert account.news == 0
    server.deliver(address, sample_mail(77))
    equal(lambda: account.news, 1)
    commands = server.commands(address)
    assert any("BODY.PEEK[]" in command.upper() for command in commands)
    assert [command for command in commands if not changes_nothing(command)] == []


def test_an_import_goes_on_after_its_worker_was_killed(account: Account) -> None:
    mails = [dense_mail(n, 30_000) for n in range(400)]
    account.server.fill(account.address, mails)
    with faulty(account.server.imaps_port, faults=SLOWLY) as (proxy,):
        account.link("INBOX", port=proxy.port)
        for least in (1, 150):
            until(lambda least=least: account.messages >= least, PATIENCE)
            account.fumibako.kill_worker()
            assert account.messages < 400, "the import was over before the worker was killed"
            account.fumibako.start_worker()
        account.wait_for("live")
    account.agrees("INBOX")
    assert account.bodies() == sorted(mails)
    assert account.news == 0


def test_a_server_that_restarts_in_mid_import_loses_and_doubles_nothing(account: Account) -> None:
    mails = [dense_mail(n, 30_000) for n in range(400)]
    account.server.fill(account.address, mails)
    with faulty(account.server.imaps_port, faults=SLOWLY) as (proxy,):
        account.link("INBOX", port=proxy.port)
        until(lambda: account.messages, PATIENCE)
        account.server.stop()
        account.server.start()
        assert account.messages < 400, "the import was over before the server was stopped"
        account.wait_for("live")
    account.agrees("INBOX")
    assert account.bodies() == sorted(mails)
    assert account.news == 0


def test_a_mail_delivered_while_watching_is_announced_once(account: Account) -> None:
    account.server.fill(account.address, [sample_mail(n) for n in range(3)])
    account.linked("INBOX")
    account.server.deliver(account.address, sample_mail(77))
    equal(lambda: account.news, 1)
    account.agrees("INBOX")
    assert Message.objects.get(mailbox=account.box, origin="live").subject == "見積 77"
    assert (account.messages, account.news) == (4, 1)


def test_flags_follow_those_at_the_server(account: Account) -> None:
    other = account.server.folder_name("案件")
    account.server.fill(account.address, [sample_mail(n) for n in range(3)], seen=False)
    account.server.fill(account.address, [sample_mail(9)], folder=other)
    account.linked("INBOX", other)
    with account.server.phone(account.address) as phone:
        first = phone.listing("INBOX")[0].uid
        phone.store("INBOX", first, "+FLAGS", "\\Seen", "\\Flagged")
        phone.store(other, phone.listing(other)[0].uid, "-FLAGS", "\\Seen")
        if account.server.name == "courier":  # counts no changes: flags are compared when other numbers have changed
            phone.copy("INBOX", first, other)
    account.agrees("INBOX", other)
    with account.server.phone(account.address) as phone:
        phone.store("INBOX", first, "-FLAGS", "\\Flagged")
    account.agrees("INBOX", other)
    assert (account.messages, account.news) == (4, 0)


def test_a_mail_moved_to_another_folder_and_back_stays_one_mail(account: Account) -> None:
    other = account.server.folder_name("案件")
    account.server.fill(account.address, [sample_mail(n) for n in range(3)])
    account.server.fill(account.address, [sample_mail(9)], folder=other)
    account.linked("INBOX", other)
    with account.server.phone(account.address) as phone:
        uid = phone.listing("INBOX")[1].uid
        known = account.message_at("INBOX", uid)
        phone.move("INBOX", uid, other)
        there = phone.listing(other)[-1].uid
    account.agrees("INBOX", other)
    assert account.message_at(other, there) == known
    with account.server.phone(account.address) as phone:
        phone.move(other, there, "INBOX")
        back = phone.listing("INBOX")[-1].uid
    account.agrees("INBOX", other)
    assert account.message_at("INBOX", back) == known
    assert (account.messages, account.news) == (4, 0)


def test_a_mail_removed_at_the_server_stays_here(account: Account) -> None:
    mails = [sample_mail(n) for n in range(3)]
    account.server.fill(account.address, mails)
    account.linked("INBOX")
    with account.server.phone(account.address) as phone:
        phone.expunge("INBOX", phone.listing("INBOX")[1].uid)
    account.agrees("INBOX")
    assert len(account.places("INBOX")) == 2
    assert account.bodies() == sorted(mails)
    status = account.fumibako.status(account.address)
    assert (status["messages"], status["on_server"]) == (3, 2)


def test_a_folder_numbered_anew_doubles_and_announces_nothing(account: Account) -> None:
    mails = [sample_mail(n) for n in range(20)]
    account.server.fill(account.address, mails)
    account.linked("INBOX")
    account.server.deliver(account.address, sample_mail(77))
    equal(lambda: account.news, 1)
    account.fumibako.kill_worker()
    uidvalidity = account.server.reset_uidvalidity(account.address)
    account.fumibako.start_worker()
    equal(lambda: {place[0] for place in account.places("INBOX")}, {uidvalidity})
    account.wait_for("live")
    account.agrees("INBOX")
    assert (account.messages, account.news) == (21, 1)
    account.server.deliver(account.address, sample_mail(78))
    equal(lambda: account.news, 2)
    assert account.messages == 22


def test_a_folder_renamed_at_the_server_goes_on_under_its_new_name(account: Account) -> None:
    old, new = account.server.folder_name("案件", "見積"), account.server.folder_name("案件", "見積（済）")
    account.server.fill(account.address, [sample_mail(n) for n in range(3)])
    account.server.fill(account.address, [sample_mail(n) for n in range(10, 15)], folder=old)
    account.linked("INBOX", old)
    with account.server.phone(account.address) as phone:
        phone.rename(old, new)
        phone.append(new, sample_mail(20))
    equal(lambda: account.messages, 9)
    account.agrees("INBOX", new)
    chosen = Folder.objects.filter(mailbox=account.box, chosen=True, missing_since=None)
    assert sorted(chosen.values_list("name", flat=True)) == sorted(["INBOX", new])
    assert account.news == 1


def test_mail_delivered_around_a_restart_of_the_server_arrives_once(account: Account) -> None:
    account.server.fill(account.address, [sample_mail(n) for n in range(3)])
    account.linked("INBOX")
    account.server.stop()
    account.wait_for("retrying")
    account.server.start()
    account.server.deliver(account.address, sample_mail(77))
    account.wait_for("live")
    equal(lambda: account.news, 1)
    account.agrees("INBOX")
    assert (account.messages, account.news) == (4, 1)


@pytest.mark.parametrize("server", ["courier"], indirect=True, scope="module")
def test_a_folder_that_is_numbered_anew_at_every_look_is_imported_once(account: Account, courier: Courier) -> None:
    mails = [sample_mail(n) for n in range(120)]
    courier.fill(account.address, mails, opened=False)
    account.linked("INBOX")
    account.server.deliver(account.address, sample_mail(200))
    equal(lambda: account.news, 1)
    assert account.bodies() == sorted([*mails, sample_mail(200)])
