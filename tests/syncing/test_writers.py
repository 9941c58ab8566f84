"""One mailbox, one writer: a worker that has been overtaken commits nothing, whatever it was about to."""

import os
import signal
import uuid
from collections.abc import Callable

import psycopg
import pytest
from django.db import connection, transaction

from fumibako import linking
from fumibako.archive.models import Message, Placement
from fumibako.events.models import Event
from fumibako.linking.models import Mailbox
from tests.lab.dovecot import Dovecot, sample_mail
from tests.lab.installation import Installation, until
from tests.world import World

pytestmark = pytest.mark.lab

PRESENCE = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1650551663 AND granted"
)
HOLD = "ALTER SEQUENCE message_id_seq CACHE 1"  # until the end of the transaction nobody gets an id for a fetched mail
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%nextval%'"


def test_a_worker_that_wakes_after_another_has_taken_over_stores_nothing(
    fumibako: Installation, dovecot: Dovecot
) -> None:
    address = f"{uuid.uuid4().hex[:10]}@example.jp"
    dovecot.add_user(address, "password")
    dovecot.fill(address, [sample_mail(n, 40_000) for n in range(600)])
    fumibako.start_worker()
    assert fumibako.link(address, "password")["linked"]
    until(Message.objects.exists)
    stale, fumibako.worker = fumibako.worker, None
    assert stale is not None
    os.kill(stale.pid, signal.SIGSTOP)
    try:
        assert Message.objects.count() < 600
        with psycopg.connect(fumibako.url, autocommit=True) as connection:
            assert connection.execute(PRESENCE).fetchall()
        fumibako.start_worker()
        until(lambda: fumibako.status(address)["state"] == "live")
        os.kill(stale.pid, signal.SIGCONT)
        until(lambda: "shards closed" in fumibako.log())
    finally:
        os.kill(stale.pid, signal.SIGKILL)
        stale.wait()
    status = fumibako.status(address)
    assert (status["stored"], status["on_server"]) == (600, 600)
    assert (Message.objects.count(), Placement.objects.count()) == (600, 600)
    assert sum(Event.objects.filter(kind="history.stored").values_list("count", flat=True)) == 600


def _change_while_a_batch_waits(fumibako: Installation, dovecot: Dovecot, change: Callable[[str], object]) -> None:
    """Deliver a mail to a watched mailbox, hold its ingest between FETCH and COMMIT, change the mailbox, let go."""
    address = f"{uuid.uuid4().hex[:10]}@example.jp"
    dovecot.add_user(address, "password")
    dovecot.fill(address, [sample_mail(1)])
    dovecot.fill(address, [sample_mail(2)], folder="Project")
    fumibako.start_worker()
    mailbox = fumibako.link(address, "password", "--folder", "INBOX")["mailbox"]
    until(lambda: fumibako.status(address)["state"] == "live")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(HOLD)
        dovecot.deliver(address, sample_mail(3))

        def waits() -> bool:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_stat_clear_snapshot()")
                cursor.execute(WAITING)
                return bool(cursor.fetchone()[0])

        until(waits)
        change(mailbox)


def test_unlinking_while_a_batch_is_on_its_way_stores_nothing_of_it(
    fumibako: Installation, dovecot: Dovecot, world: World
) -> None:
    _change_while_a_batch_waits(fumibako, dovecot, lambda mailbox: linking.unlink(world.person, mailbox))
    until(lambda: "beginning anew" in fumibako.log() or Mailbox.objects.get().state == "unlinked")
    fumibako.kill_worker(signal.SIGTERM)
    assert Message.objects.count() == 1
    assert not Event.objects.filter(kind="message.new").exists()


def test_another_choice_of_folders_while_a_batch_is_on_its_way_stores_nothing_of_it(
    fumibako: Installation, dovecot: Dovecot, world: World
) -> None:
    def choose_project(mailbox: str) -> None:
        rows = linking.folders_to_choose(world.person, mailbox=mailbox)
        project = next(row.key for row in rows if row.name == "Project")
        choice = linking.FolderChoice(sent=None, inbox=None, others=frozenset({project}), range="all")
        linking.change_folders(world.person, mailbox, choice)

    _change_while_a_batch_waits(fumibako, dovecot, choose_project)
    until(lambda: Message.objects.count() == 2)
    until(lambda: Mailbox.objects.get().state == "live")
    assert sorted(Message.objects.values_list("subject", flat=True)) == ["見積 1", "見積 2"]
    assert Placement.objects.filter(folder__role="inbox").count() == 1
