"""One mailbox, one writer: a worker that has been overtaken commits nothing, whatever it was about to."""

import os
import signal
import uuid

import psycopg
import pytest
from tests.lab.dovecot import Dovecot, sample_mail
from tests.lab.installation import Installation, until

from fumibako.archive.models import Message, Placement
from fumibako.events.models import Event

pytestmark = pytest.mark.lab

PRESENCE = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1650551663 AND granted"
)


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
        until(lambda: "waits for the database" in fumibako.log())
    finally:
        os.kill(stale.pid, signal.SIGKILL)
        stale.wait()
    status = fumibako.status(address)
    assert (status["stored"], status["on_server"]) == (600, 600)
    assert (Message.objects.count(), Placement.objects.count()) == (600, 600)
    assert sum(Event.objects.filter(kind="history.stored").values_list("count", flat=True)) == 600
