"""Servers that go wrong in one way each, linked and watched by a real worker: at the end every mail is here, once.

One installation and one worker serve all tests, which therefore show as well that a faulty host harms no other.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from fumibako import linking
from fumibako.accounts.models import Person
from fumibako.linking.models import Mailbox, Skip
from fumibako.site import postgres
from tests.lab import oddserver
from tests.lab.ca import CertificateAuthority
from tests.lab.constants import with_constants
from tests.lab.installation import Installation, until
from tests.lab.mailserver import sample_mail
from tests.lab.oddserver import Folder, Mail, OddServer, Session
from tests.syncing.behaviour import Account, changes_nothing, equal
from tests.world import make_world

pytestmark = pytest.mark.lab

COMMAND_TIMEOUT = 3.0  # seconds; 30 outside the tests
QUICK = {
    "fumibako.syncing.watch": {"INTERVAL": 1.0},
    "fumibako.syncing.backoff": {"FIRST": 0.3, "LONGEST": 1.0},
    "fumibako.mail.imap.client": {"COMMAND_TIMEOUT": COMMAND_TIMEOUT},
}
INBOX = linking.folder_key(b"INBOX")


@pytest.fixture(scope="module")
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database for all tests of this file together; emptied afterwards."""
    with django_db_blocker.unblock():
        yield
        call_command("flush", verbosity=0, interactive=False)
        connections.close_all()


@pytest.fixture(scope="module")
def database_url(transactional_db: None, cluster: postgres.Cluster) -> str:
    """The same for processes."""
    return f"postgresql://postgres@/{connections['default'].settings_dict['NAME']}?host={cluster.sockets}"


@pytest.fixture(scope="module")
def person(database_url: str) -> Person:
    """Whose all the mailboxes are."""
    return make_world().person


@pytest.fixture(scope="module")
def fumibako(
    database_url: str, person: Person, authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation with a worker at work. (The server is none that is linked.)"""
    folder: Path = tmp_path_factory.mktemp("faults")
    environment = {"PYTHONPATH": with_constants(folder, QUICK), "FUMIBAKO_PRIVATE_HOSTS": "127.0.0.0/8"}
    with oddserver.running(authority) as honest:
        made = Installation(database_url, folder, honest, environment)  # type: ignore[arg-type]
        made.start_worker()
        yield made
        made.kill_worker()


@pytest.fixture
def serve(authority: CertificateAuthority) -> Iterator[Callable[[type[Session]], OddServer]]:
    """Starts a server whose connections are such."""
    with ExitStack() as stack:
        yield lambda session=Session: stack.enter_context(oddserver.running(authority, session))


Link = Callable[..., Account]


@pytest.fixture
def link(fumibako: Installation, person: Person) -> Iterator[Link]:
    """Links a mailbox at a server as the pages do: the worker proves the login, then folders are chosen."""
    linked: list[Account] = []

    def start(server: OddServer, *others: Folder) -> Account:
        account = Account(server, fumibako, f"{uuid.uuid4().hex[:10]}@example.jp")  # type: ignore[arg-type]
        wish = linking.ServerWish(host=server.host, port=str(server.imaps_port))
        secrets = linking.SecretsTyped(oddserver.PASSWORD)
        draft = linking.start_link(person, account.address, secrets, imap=wish).public_id
        until(lambda: linking.get_draft(person, draft).state not in {"waiting", "proving"})
        seen = linking.get_draft(person, draft)
        assert seen.state == "proved", seen
        keys = frozenset(linking.folder_key(folder.name) for folder in others)
        linking.finish_link(person, draft, linking.FolderChoice(sent=None, inbox=INBOX, others=keys, range="all"))
        linked.append(account)
        return account

    yield start
    for account in linked:
        linking.unlink(person, account.box.public_id)


def mails(count: int, size: int = 3000) -> list[bytes]:
    """Mails, all different."""
    return [sample_mail(n, size) for n in range(count)]


def assert_whole(account: Account, server: OddServer, *folders: Folder, news: int = 0) -> None:
    """Wait until exactly the server's mails are stored, byte for byte, at their places, and nothing was changed."""
    account.wait_for("live")
    for folder in (server.inbox, *folders):
        name = account.box.folder_set.get(name_raw=folder.name).name
        equal(lambda name=name: {uid for _, uid, _ in account.places(name)}, set(folder.mails))
    bodies = [mail.body for folder in (server.inbox, *folders) for mail in folder.mails.values()]
    assert account.bodies() == sorted(bodies)
    assert account.news == news
    assert [command for command in server.commands if not changes_nothing(command)] == []


def skipped(account: Account) -> dict[str, list[Any]]:
    """UIDs that were left out, by reason."""
    return {row.reason: row.uids for row in Skip.objects.filter(folder__mailbox=account.box)}


class LiesAboutSizes(Session):
    """By turns too small, too large, zero and negative."""

    def size(self, mail: Mail) -> int:
        return (1, 1000 * len(mail.body), 0, -1)[mail.uid % 4]


def test_a_server_that_lies_about_sizes(serve: Any, link: Link) -> None:
    server = serve(LiesAboutSizes)
    server.inbox.add(*mails(120))
    account = link(server)
    assert_whole(account, server)
    server.deliver(*[sample_mail(n) for n in range(200, 204)])
    equal(lambda: account.news, 4)
    assert_whole(account, server, news=4)


class GivesNoBodyOfSome(Session):
    """Every tenth mail is listed, and NIL when asked for."""

    def body(self, mail: Mail, items: bytes) -> bytes:
        return b"BODY[] NIL" if mail.uid % 10 == 0 else super().body(mail, items)


def test_mails_that_are_listed_and_not_given_are_named_and_the_others_are_stored(serve: Any, link: Link) -> None:
    server = serve(GivesNoBodyOfSome)
    server.inbox.add(*mails(60))
    account = link(server)
    account.wait_for("live")
    kept = [mail.body for mail in server.inbox.mails.values() if mail.uid % 10]
    equal(account.bodies, sorted(kept))
    assert set(skipped(account)) == {"not_given"}
    asked = [command for command in server.asked("UID FETCH") if "BODY.PEEK[]" in command]
    server.deliver(sample_mail(99))
    equal(lambda: account.news, 1)
    for uid in range(10, 61, 10):
        times = sum(uid in oddserver.numbers(command.split()[2].encode(), 60) for command in asked)
        assert 1 <= times <= 3, (uid, times)
    status = account.fumibako.status(account.address)
    assert (status["stored"], status["folders"][0]["skipped"]) == (55, {"not_given": 6})


class ChangesWhileItGives(Session):
    """During a FETCH of many, an older mail vanishes and another arrives, and it says so at once (RFC 9051 §7.5.1)."""

    async def give(self, mails: list[Mail], items: bytes) -> None:
        for n, mail in enumerate(mails):
            if n == 10 and b"BODY.PEEK[]" in items and self.open and 1 in self.open.mails:
                del self.open.mails[1]
                self.open.add(sample_mail(500))
                await self.tell()
            if mail.uid in self.seen:
                await self.say(self.fetched(mail, items))


def test_a_server_that_tells_of_changes_during_a_fetch(serve: Any, link: Link) -> None:
    server = serve(ChangesWhileItGives)
    server.inbox.add(*mails(40))
    first = server.inbox.mails[1].body
    account = link(server)
    account.wait_for("live")
    equal(lambda: account.news, 1)
    equal(lambda: {uid for _, uid, _ in account.places("INBOX")}, set(server.inbox.mails))
    stored = account.bodies()
    assert set(stored) - {first} == {mail.body for mail in server.inbox.mails.values()}
    assert len(stored) == len(set(stored))


class ClosesInFetches(Session):
    """The connection ends in the middle of every third FETCH of bodies."""

    async def give(self, mails: list[Mail], items: bytes) -> None:
        if b"BODY.PEEK[]" in items:
            self.server.fetches += 1  # type: ignore[attr-defined]
            if self.server.fetches % 3 == 1:  # type: ignore[attr-defined]
                await super().give(mails[: len(mails) // 2], items)
                await self.end(self.fetched(mails[-1], items))
        await super().give(mails, items)

    async def end(self, last: bytes) -> None:
        """In the middle of a mail."""
        self.writer.write(last[: len(last) // 2])
        await self.writer.drain()
        raise ConnectionResetError


class SaysBye(ClosesInFetches):
    """Ends connections with a word."""

    async def end(self, last: bytes) -> None:
        await self.say(b"* BYE the server is going down")
        raise ConnectionResetError


@pytest.mark.parametrize("session", [ClosesInFetches, SaysBye])
def test_a_server_that_ends_connections_in_mid_fetch(serve: Any, link: Link, session: type[Session]) -> None:
    server = serve(session)
    server.fetches = 0
    server.inbox.add(*mails(300))
    account = link(server)
    assert_whole(account, server)
    server.deliver(*[sample_mail(n) for n in range(900, 905)])
    equal(lambda: account.news, 5)
    assert_whole(account, server, news=5)


class Drips(Session):
    """Gives bodies a byte a second."""

    async def give(self, mails: list[Mail], items: bytes) -> None:
        if b"BODY.PEEK[]" not in items:
            return await super().give(mails, items)
        for mail in mails:
            for byte in self.fetched(mail, items):
                self.writer.write(bytes([byte]))
                await self.writer.drain()
                await asyncio.sleep(1)
        return None


def test_a_server_that_drips_is_given_up_for_now_and_delays_no_other(serve: Any, link: Link) -> None:
    slow, honest = serve(Drips), serve()
    slow.inbox.add(*mails(3))
    honest.inbox.add(*mails(3))
    dripping, other = link(slow), link(honest)
    other.wait_for("live")
    dripping.wait_for("retrying")
    honest.deliver(sample_mail(77))
    equal(lambda: other.news, 1)
    box = dripping.box
    assert (box.cause, dripping.messages) == ("server_unreachable", 0)


class ListsSlowly(Session):
    """Takes two seconds to list its folders."""

    async def on_list(self, words: list[bytes]) -> None:
        await asyncio.sleep(2)
        await super().on_list(words)


def test_a_mailbox_of_ten_thousand_folders(serve: Any, link: Link, person: Person) -> None:
    server = serve(ListsSlowly)
    server.inbox.add(*mails(5))
    folders = [server.add_folder(f"案件/{n // 100}/{n}") for n in range(10_000)]
    folders[7000].add(*[sample_mail(n) for n in range(100, 107)])
    account = link(server, folders[7000])
    assert_whole(account, server, folders[7000])
    began = time.monotonic()
    rows = linking.folders_to_choose(person, mailbox=account.box.public_id)
    assert time.monotonic() - began < 2
    assert len(rows) == 10_001
    server.deliver(sample_mail(77))
    equal(lambda: account.news, 1)


def test_folders_whose_names_are_in_other_encodings_are_opened_again(serve: Any, link: Link) -> None:
    server = serve()
    names = ["請求書", "御見積①㈱髙", 'a "quoted" \\ & name', "契約書".encode("shift_jis"), "見積".encode("euc_jp")]
    folders = [server.add_folder(name) for name in names]
    for n, folder in enumerate(folders):
        folder.add(*[sample_mail(1000 * (n + 1) + m) for m in range(3)])
    account = link(server, *folders)
    assert_whole(account, server, *folders)
    folders[3].add(sample_mail(9999))
    equal(lambda: account.news, 1)
    assert_whole(account, server, *folders, news=1)


class RefusesOne(Session):
    """A folder is listed and cannot be opened."""

    async def on_examine(self, words: list[bytes]) -> bytes | None:
        if words[0] == b"Locked":
            self.open = None
            return b"NO [NOPERM] you may not"
        return await super().on_examine(words)


def test_a_folder_that_is_refused_is_named_and_all_others_go_on(serve: Any, link: Link) -> None:
    server = serve(RefusesOne)
    server.inbox.add(*mails(3))
    locked, other = server.add_folder("Locked"), server.add_folder("Other")
    locked.add(sample_mail(100))
    other.add(sample_mail(200))
    account = link(server, locked, other)
    equal(lambda: account.messages, 4)
    assert account.places("Other")
    server.deliver(sample_mail(77))
    other.add(sample_mail(78))
    equal(lambda: account.news, 2)
    status = account.fumibako.status(account.address)
    row = next(row for row in status["folders"] if row["name"] == "Locked")
    assert row["missing"] or row.get("refused")
    assert (row["stored"], status["state"]) == (0, "live")


def test_a_folder_that_only_holds_folders_is_never_opened(serve: Any, link: Link) -> None:
    server = serve()
    server.inbox.add(*mails(3))
    server.add_folder("Parent", b"\\Noselect")
    child = server.add_folder("Parent/Child")
    child.add(sample_mail(100))
    account = link(server, child)
    assert_whole(account, server, child)
    touched = server.asked("EXAMINE") + server.asked("STATUS")
    assert touched
    assert [command for command in touched if "Child" not in command and "INBOX" not in command] == []
    assert not account.box.folder_set.get(name="Parent").selectable


class SaysAllTwice(Session):
    """Every mail is answered twice."""

    async def give(self, mails: list[Mail], items: bytes) -> None:
        await super().give([mail for mail in mails for _ in range(2)], items)


class SaysAllBackwards(Session):
    """Answers come in any order but that of the UIDs, searches too."""

    async def give(self, mails: list[Mail], items: bytes) -> None:
        await super().give(mails[::-2] + mails[-2::-2], items)

    async def on_uid_search(self, words: list[bytes]) -> None:
        kept, self.seen = self.seen, self.seen[::-1]
        await super().on_uid_search(words)
        self.seen = kept


class NamesNoUidnext(Session):
    """Old servers do not tell UIDNEXT."""

    def numbers(self, folder: Folder) -> dict[bytes, int]:
        told = super().numbers(folder)
        del told[b"UIDNEXT"]
        return told


class CannotIdle(Session):
    """Has to be asked."""

    capabilities = b"IMAP4rev1 AUTH=PLAIN SASL-IR"
    on_idle = None  # type: ignore[assignment]


@pytest.mark.parametrize("session", [SaysAllTwice, SaysAllBackwards, NamesNoUidnext, CannotIdle])
def test_an_odd_server_is_imported_and_watched(serve: Any, link: Link, session: type[Session]) -> None:
    server = serve(session)
    server.inbox.add(*mails(120))
    other = server.add_folder("Other")
    other.add(sample_mail(500))
    account = link(server, other)
    assert_whole(account, server, other)
    server.deliver(sample_mail(600), sample_mail(601))
    equal(lambda: account.news, 2)
    other.add(sample_mail(602))
    equal(lambda: account.news, 3)
    assert_whole(account, server, other, news=3)


def test_a_server_without_idle_is_asked_at_its_interval_only(serve: Any, link: Link) -> None:
    server = serve(CannotIdle)
    server.inbox.add(*mails(3))
    account = link(server)
    assert_whole(account, server)
    began, before = time.monotonic(), len(server.commands)
    until(lambda: len(server.asked("NOOP")) >= 4)
    rounds = (time.monotonic() - began) / QUICK["fumibako.syncing.watch"]["INTERVAL"]
    assert len(server.commands) - before <= 4 * (rounds + 2)


class Throttles(Session):
    """From the second login on it wants to be left alone."""

    words = b"NO [UNAVAILABLE] Request is throttled. Try again in 300 seconds"

    async def on_authenticate(self, words: list[bytes]) -> bytes | None:  # type: ignore[override]
        await super().on_authenticate(words)
        return self.words if self.server.logins == 2 else None


class ThrottlesShortly(Throttles):
    """For two seconds."""

    words = b"NO [UNAVAILABLE] Request is throttled. Suggested Backoff Time: 2000 milliseconds"


def test_a_host_that_asks_to_wait_is_left_alone_for_so_long(serve: Any, link: Link) -> None:
    server = serve(Throttles)
    server.inbox.add(*mails(3))
    account = link(server)
    until(lambda: account.box.state == "retrying")
    box: Mailbox = account.box
    assert box.cause == "rate_limited"
    assert box.next_try_at and box.next_try_at - timezone.now() > timedelta(seconds=250)
    assert "300 seconds" in box.server_words
    assert server.logins == 2


def test_after_the_time_that_a_host_has_asked_for_all_goes_on_alone(serve: Any, link: Link) -> None:
    server = serve(ThrottlesShortly)
    server.inbox.add(*mails(3))
    account = link(server)
    until(lambda: account.box.state == "retrying")
    began = time.monotonic()
    until(lambda: account.box.state == "live")
    assert time.monotonic() - began > 1
    assert_whole(account, server)
    assert server.logins == 3


class FallsSilent(Session):
    """The first connection that idles says nothing from then on, and does not end."""

    async def on_idle(self, words: list[bytes]) -> None:
        if not self.server.silent:  # type: ignore[attr-defined]
            self.server.silent = True  # type: ignore[attr-defined]
            await self.say(b"+ idling")
            await asyncio.get_running_loop().create_future()
        await super().on_idle(words)


def test_mail_after_a_silent_cut_is_here_soon(serve: Any, link: Link) -> None:
    server = serve(FallsSilent)
    server.silent = False
    server.inbox.add(*mails(3))
    account = link(server)
    account.wait_for("live")
    until(lambda: server.silent)
    server.deliver(sample_mail(77))
    equal(lambda: account.news, 1)
    assert_whole(account, server, news=1)


def test_the_worker_has_lived_through_all_of_it(fumibako: Installation) -> None:
    assert fumibako.worker is not None and fumibako.worker.poll() is None
    assert "Traceback" not in fumibako.log()
    with psycopg.connect(fumibako.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
