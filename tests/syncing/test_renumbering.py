"""A server that numbers mail anew, and a move to another server: what is here is known again, and nothing is new."""

import email.utils
import os
import re
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from fumibako.archive.models import Message, Placement
from fumibako.events.models import Event
from fumibako.linking.models import Folder, Mailbox, Skip
from tests.lab.ca import CertificateAuthority
from tests.lab.dovecot import Dovecot, running_dovecot, sample_mail
from tests.lab.installation import Installation, until

pytestmark = pytest.mark.lab

PASSWORD = "password"
MAILS, BEFORE_RANGE = 120, 12
YEARS_AGO = timedelta(days=3 * 365)


def _mail(number: int, text: str = "同じ") -> bytes:
    date = email.utils.format_datetime(datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=number))
    if number < BEFORE_RANGE:
        date = email.utils.format_datetime(datetime.now(UTC) - YEARS_AGO)
    return re.sub(rb"Date: [^\r]*", b"Date: " + date.encode(), sample_mail(number)) + text.encode()


def _fill(server: Dovecot, address: str, *, dated: bool = True) -> None:
    """The mailbox: some mails are older than the range, and two have all headers in common but another text."""
    mails = [*(_mail(n) for n in range(MAILS)), _mail(MAILS, "これ"), _mail(MAILS, "それ")]
    server.fill(address, mails)
    files = sorted(server.maildir(address).glob("cur/*"))
    for number, path in enumerate(files):
        if not dated:
            os.utime(path, (time.time(), time.time()))
        elif number < BEFORE_RANGE:
            then = time.time() - YEARS_AGO.total_seconds()
            os.utime(path, (then, then))


class Linked:
    """The mailbox, linked with a range of a year and imported, and what is to stay as it is."""

    def __init__(self, fumibako: Installation, dovecot: Dovecot) -> None:
        self.address = f"{uuid.uuid4().hex[:10]}@example.jp"
        dovecot.add_user(self.address, PASSWORD)
        _fill(dovecot, self.address)
        fumibako.start_worker()
        fumibako.link(self.address, PASSWORD, "--range", "1y")
        until(lambda: self.box.state == "live")
        self.before = self.stored()
        assert len(self.before) == MAILS - BEFORE_RANGE + 2

    @property
    def box(self) -> Mailbox:
        return Mailbox.objects.get(address=self.address)

    @property
    def inbox(self) -> Folder:
        return Folder.objects.get(mailbox=self.box, role="inbox")

    def stored(self) -> set[tuple[str, bytes]]:
        return {(one.public_id, bytes(one.sha256)) for one in Message.objects.filter(mailbox=self.box)}

    def news(self) -> int:
        return Event.objects.filter(mailbox_id=self.box.pk, kind="message.new").count()

    def placed(self) -> list[int]:
        """The messages that have a place now, one for each place."""
        places = Placement.objects.filter(folder=self.inbox, uidvalidity=self.inbox.uidvalidity, gone_at=None)
        return sorted(places.values_list("message_id", flat=True))

    def settled(self, uidvalidity: int) -> Callable[[], bool]:
        return lambda: (
            self.inbox.uidvalidity == uidvalidity
            and self.box.state == "live"
            and len(self.placed()) >= len(self.before)
            and not Placement.objects.filter(folder=self.inbox, uidvalidity__lt=0, gone_at=None).exists()
        )

    def skipped(self) -> int:
        rows = Skip.objects.filter(folder=self.inbox, reason="before_range", uidvalidity=self.inbox.uidvalidity)
        return sum(piece.upper - piece.lower for row in rows for piece in row.uids)


def _bodies(commands: list[str]) -> int:
    """How many mails were asked for with their bytes."""
    asked = [command.split()[2] for command in commands if command.startswith("UID FETCH") and "BODY.PEEK[]" in command]
    pieces = [piece.split(":") for uids in asked for piece in uids.split(",")]
    return sum(int(piece[-1]) - int(piece[0]) + 1 for piece in pieces)


def test_mail_that_is_numbered_anew_is_neither_fetched_nor_announced_again(
    fumibako: Installation, dovecot: Dovecot, database_url: str
) -> None:
    linked = Linked(fumibako, dovecot)
    fumibako.kill_worker()
    uidvalidity = dovecot.reset_uidvalidity(linked.address)
    dovecot.deliver(linked.address, sample_mail(5000))  # its Date is years old, and it is new all the same
    dovecot.record(linked.address)
    fumibako.start_worker()
    until(lambda: linked.settled(uidvalidity)() and linked.news() == 1)
    assert linked.before < linked.stored()
    assert len(linked.stored()) == len(linked.before) + 1
    assert len(set(linked.placed())) == len(linked.placed()) == len(linked.before) + 1
    assert linked.skipped() == BEFORE_RANGE
    assert _bodies(dovecot.commands(linked.address)) == 3  # the two that look alike, and the new one


@pytest.mark.parametrize("dated", [True, False], ids=["with their dates", "without their dates"])
def test_a_move_to_another_server_doubles_and_announces_nothing(
    fumibako: Installation, dovecot: Dovecot, authority: CertificateAuthority, database_url: str, dated: bool
) -> None:
    linked = Linked(fumibako, dovecot)
    fumibako.kill_worker()
    with running_dovecot(authority, host="localhost") as other:
        other.add_user(linked.address, PASSWORD)
        _fill(other, linked.address, dated=dated)
        other.renumber(linked.address, linked.inbox.uidvalidity + 0)
        other.record(linked.address)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "UPDATE mailbox SET imap_host = 'localhost', imap_port = %s, generation = generation + 1 WHERE id = %s",
                [other.imaps_port, linked.box.pk],
            )
        fumibako.environment["FUMIBAKO_PRIVATE_HOSTS"] += f",127.0.0.1/32:{other.imaps_port}"
        fumibako.start_worker()
        until(lambda: linked.inbox.numbered_by == "localhost" and linked.settled(linked.inbox.uidvalidity)())
        assert linked.stored() == linked.before
        assert len(set(linked.placed())) == len(linked.placed()) == len(linked.before)
        assert linked.news() == 0
        assert linked.skipped() == BEFORE_RANGE
        assert _bodies(other.commands(linked.address)) <= 2  # those that look alike
        fumibako.kill_worker()
