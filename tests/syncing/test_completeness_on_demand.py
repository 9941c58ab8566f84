"""`fumibako status --check` against a worker and a real server: what is missing is named, and fetched."""

import uuid

import psycopg
import pytest

from fumibako.archive.models import Placement
from tests.lab.dovecot import Dovecot, sample_mail
from tests.lab.installation import Installation, until

pytestmark = pytest.mark.lab


def test_a_mail_that_was_lost_here_is_found_by_a_check_fetched_and_proved(
    fumibako: Installation, dovecot: Dovecot
) -> None:
    address = f"{uuid.uuid4().hex[:10]}@example.jp"
    dovecot.add_user(address, "password")
    dovecot.fill(address, [sample_mail(n) for n in range(5)])
    fumibako.start_worker()
    assert fumibako.link(address, "password")["linked"]
    until(lambda: fumibako.status(address)["state"] == "live")
    with psycopg.connect(fumibako.url, autocommit=True) as connection:
        connection.execute("DELETE FROM placement WHERE uid = 3")
    box = fumibako.run("status", address, "--check")
    inbox = next(folder for folder in box["folders"] if folder["role"] == "inbox")
    assert (inbox["on_server"], inbox["missing"], inbox["waiting"], inbox["skipped"]) == (5, 1, 0, {})
    until(lambda: Placement.objects.filter(uid=3).exists())
    box = fumibako.run("status", address, "--check")
    inbox = next(folder for folder in box["folders"] if folder["role"] == "inbox")
    assert (inbox["on_server"], inbox["stored"], inbox["missing"]) == (5, 5, 0)
    assert inbox["last_proof"]
