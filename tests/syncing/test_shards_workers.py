"""Worker processes that are killed, stopped, ended and joined, and a database that crashes: no mail is lost or doubled.

Mailboxes of one server, each in a shard by itself, are watched by some workers, and mail arrives meanwhile.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from fumibako.archive.models import Message, Placement
from fumibako.events.models import Event
from fumibako.linking.models import Mailbox
from tests.lab.ca import CertificateAuthority
from tests.lab.installation import Installation, until
from tests.lab.stubserver import StubServer, running_stubserver
from tests.lab.workers import Audit, Workers, workers
from tests.world import World

pytestmark = pytest.mark.lab

MAILBOXES = 30
TTL = 2.0  # seconds


@dataclass
class Company:
    """Mailboxes at the stub server, their workers, and the mail that they were sent."""

    server: StubServer
    crew: Workers
    audit: Audit
    addresses: list[str]
    shards: frozenset[int]
    delivered: int = 0

    def deliver(self) -> None:
        """A mail for everybody."""
        self.server.deliver(*self.addresses)
        self.delivered += 1

    def watched(self) -> bool:
        """Whether somebody waits for mail in every mailbox."""
        return len(self.server.seen().watched) == len(self.addresses)

    def begin(self, *names: str) -> None:
        """Have these workers share the mailboxes, and all watched."""
        self.crew.start(*names)
        until(lambda: self.crew.share(*names) and self.watched())
        self.audit.note_owners()

    def check_mail(self) -> None:
        """Every mail that was delivered is stored and told of once, by who had the right to."""
        count = self.delivered * len(self.addresses)
        until(lambda: Event.objects.filter(kind="message.new", seq__isnull=False).count() >= count)
        assert Event.objects.filter(kind="message.new").count() == count
        assert (Message.objects.count(), Placement.objects.count()) == (count, count)
        assert self.audit.bad_commits() == []


@pytest.fixture(scope="module")
def server(authority: CertificateAuthority) -> Iterator[StubServer]:
    with running_stubserver(authority) as made:
        yield made


@pytest.fixture
def company(database_url: str, world: World, server: StubServer, tmp_path: Path) -> Iterator[Company]:
    addresses = [f"{tmp_path.name}{n}@example.jp" for n in range(MAILBOXES)]
    shards = range(0, 64, 64 // MAILBOXES)[:MAILBOXES]
    for shard, address in zip(shards, addresses, strict=True):
        box = world.add_mailbox(address, port=server.imaps_port, secret="secret")
        Mailbox.objects.filter(pk=box.pk).update(shard=shard, limit_key=f"{box.imap_host}/{address}")
        world.add_folder(box)
    audit = Audit(database_url)
    with workers(Installation(database_url, tmp_path, server), TTL) as crew:  # type: ignore[arg-type]
        yield Company(server, crew, audit, addresses, frozenset(shards))
    audit.remove()


def test_workers_that_join_end_and_are_killed_move_the_fewest_mailboxes_within_seconds(company: Company) -> None:
    company.begin("a", "b")
    before, closed = company.crew.owned(), company.server.seen().closed
    company.crew.start("c")
    until(lambda: company.crew.share("a", "b", "c") and company.watched())
    after = company.crew.owned()
    assert after["a"] <= before["a"] and after["b"] <= before["b"]
    assert len(after["c"]) == 21
    assert company.server.seen().closed == closed + len(after["c"] & company.shards)

    company.audit.note_owners()
    company.crew.send("a", signal.SIGTERM)
    company.deliver()
    until(lambda: company.crew.share("b", "c"), 2.0)
    assert company.crew.wait("a") == 0
    until(company.watched, 15.0)

    company.crew.kill("b")
    company.deliver()
    until(lambda: company.crew.share("c"), 4.0)
    until(company.watched, 15.0)
    company.check_mail()


def test_a_worker_that_stands_still_is_replaced_and_commits_nothing_when_it_wakes(company: Company) -> None:
    company.begin("a", "b")
    company.crew.send("a", signal.SIGSTOP)
    company.deliver()
    until(lambda: company.crew.share("b"), TTL + 2.0)
    until(lambda: Event.objects.filter(kind="message.new").count() == MAILBOXES, 15.0)
    company.crew.send("a", signal.SIGCONT)
    until(lambda: "shards closed" in company.crew.log("a"))
    until(lambda: company.crew.share("a", "b") and company.watched())
    company.deliver()
    company.check_mail()


def test_a_crash_of_the_database_ends_no_worker_and_closes_no_mail_connection(
    company: Company, database_url: str
) -> None:
    company.begin("a", "b")
    before = company.server.seen()
    owned = company.crew.owned()
    with psycopg.connect(database_url) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)  # PostgreSQL ends every session then and starts anew
        connections.close_all()
        until(lambda: _is_lost(connection))
    company.deliver()
    until(lambda: company.crew.share("a", "b"))
    company.check_mail()
    assert company.crew.owned() == owned
    assert company.server.seen() == before
    assert [process.poll() for process in company.crew.processes.values()] == [None, None]


def _is_lost(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return True
    return False
