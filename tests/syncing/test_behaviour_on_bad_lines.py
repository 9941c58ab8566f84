"""Mail through connections that are cut, slow or silent, from a real Dovecot behind a proxy that makes them so."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from fumibako.events.models import Event
from fumibako.linking.models import Mailbox
from tests.lab.constants import with_constants
from tests.lab.dovecot import Dovecot
from tests.lab.faults import FaultProxy, Faults, faulty
from tests.lab.installation import Installation, installation, until
from tests.lab.mailserver import sample_mail
from tests.syncing.behaviour import PASSWORD, PATIENCE, Account, dense_mail, equal, open_account, try_again
from tests.world import World

pytestmark = pytest.mark.lab

STEP = 64 << 10  # bytes between two places where a connection is cut
CUTS = 32  # so the first 2 MB
IMPATIENT = {
    "fumibako.syncing.watch": {"INTERVAL": 1.0, "NOTIFIED_INTERVAL": 1.0},
    "fumibako.mail.imap.client": {"COMMAND_TIMEOUT": 3.0},
}


@pytest.fixture
def fumibako(database_url: str, world: World, dovecot: Dovecot, tmp_path: Path) -> Iterator[Installation]:
    """An installation that may reach the proxies, and waits for nothing long."""
    environment = {"PYTHONPATH": with_constants(tmp_path, IMPATIENT), "FUMIBAKO_PRIVATE_HOSTS": "127.0.0.1/32"}
    with installation(database_url, tmp_path, dovecot, **environment) as made:
        made.start_worker()
        yield made


def _add(world: World, account: Account, port: int) -> None:
    """What linking would have made, without asking the server."""
    box = world.add_mailbox(account.address, port=port, secret=PASSWORD, state="linking")
    world.add_folder(box)


def test_a_connection_cut_anywhere_in_the_first_megabytes_loses_and_doubles_nothing(
    fumibako: Installation, world: World, dovecot: Dovecot
) -> None:
    mails = [dense_mail(n, 43_000) for n in range(55)]
    accounts = [open_account(dovecot, fumibako) for _ in range(CUTS)]
    for account in accounts:
        dovecot.fill(account.address, mails)
    places = [Faults(cut_after=STEP * (number + 1)) for number in range(CUTS)]
    with faulty(*[dovecot.imaps_port] * CUTS, faults=places) as proxies:
        for account, proxy in zip(accounts, proxies, strict=True):
            _add(world, account, proxy.port)
        _wake(fumibako)
        until(lambda: _all_live(fumibako))
        assert [proxy.cut for proxy in proxies] == [1] * CUTS
    expected = sorted(mails)
    assert [account.bodies() == expected for account in accounts] == [True] * CUTS
    assert sum(Event.objects.filter(kind="history.stored").values_list("count", flat=True)) == CUTS * len(mails)
    assert not Event.objects.filter(kind="message.new").exists()


def test_a_server_that_drips_is_given_up_and_holds_up_nobody_else(
    fumibako: Installation, world: World, dovecot: Dovecot
) -> None:
    slow, quick = open_account(dovecot, fumibako), open_account(dovecot, fumibako)
    mails = [dense_mail(n, 30_000) for n in range(300)]
    dovecot.fill(slow.address, mails)
    dovecot.fill(quick.address, [sample_mail(1)])
    _add(world, quick, dovecot.imaps_port)
    _wake(fumibako)
    quick.wait_for("live")
    with faulty(dovecot.imaps_port, faults=Faults(rate=5e5)) as (proxy,):
        _add(world, slow, proxy.port)
        _wake(fumibako)
        until(lambda: slow.messages, PATIENCE)
        proxy.faults = Faults(rate=100)
        dovecot.deliver(quick.address, sample_mail(77))
        equal(lambda: quick.news, 1)
        until(lambda: slow.box.state == "retrying", PATIENCE)
        assert slow.messages < len(mails)
        assert slow.box.cause
        proxy.faults = Faults()
        slow.wait_for("live")
    assert slow.bodies() == sorted(mails)


def test_a_watched_connection_that_falls_silent_is_noticed_and_the_mail_of_the_silence_comes_once(
    fumibako: Installation, world: World, dovecot: Dovecot
) -> None:
    account = open_account(dovecot, fumibako)
    dovecot.fill(account.address, [sample_mail(1)])
    with faulty(dovecot.imaps_port) as (proxy,):
        _add(world, account, proxy.port)
        _wake(fumibako)
        account.wait_for("live")
        _silence(proxy)
        dovecot.deliver(account.address, sample_mail(77))
        until(lambda: account.box.state == "retrying", PATIENCE)
        assert account.messages == 1
        proxy.faults = Faults()
        account.wait_for("live")
        equal(lambda: account.news, 1)
    account.agrees("INBOX")
    assert (account.messages, account.news) == (2, 1)


def _silence(proxy: FaultProxy) -> None:
    proxy.faults = Faults(silent_after=0)


def _wake(fumibako: Installation) -> None:
    """Tell the worker of mailboxes that came without linking."""
    with psycopg.connect(fumibako.url, autocommit=True) as connection:
        for box in Mailbox.objects.filter(state="linking"):
            connection.execute(f"NOTIFY fumibako_work, 'mb:{box.pk}'")


def _all_live(fumibako: Installation) -> bool:
    for box in Mailbox.objects.filter(state="retrying"):
        try_again(fumibako, box)
    return not Mailbox.objects.exclude(state="live").exists()
