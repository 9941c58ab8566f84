"""`fumibako status`: each folder with its sum and last proof, at a price that does not grow with the mailboxes."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fumibako.archive.models import Placement
from fumibako.linking.models import Folder, Skip
from fumibako.site import status
from fumibako.site.commands.status import command
from fumibako.site.status import mailbox_status
from tests.web.rows import letter, store
from tests.world import World, make_world

PROOF = {"on_server": 4, "stored": 1, "skipped": {"before_range": 2}, "waiting": 0, "missing": 1}


@pytest.fixture
def world(db: None) -> World:
    return make_world()


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command in this process."""
    monkeypatch.setattr("fumibako.site.setup.set_up", lambda: None)
    return lambda *words: CliRunner().invoke(command, words)


def add_folder(world: World, address: str = "taro@example.jp") -> Folder:
    box = world.add_mailbox(address)
    folder = world.add_folder(
        box, uidvalidity=1, messages=4, proved_at=datetime(2026, 11, 25, 4, tzinfo=UTC), proof=PROOF
    )
    store(box, folder, letter())
    Placement.objects.filter(message=store(box, folder, letter())).update(gone_at=datetime.now(UTC))
    for reason, uids, uidvalidity in (("before_range", "{[1,3)}", 1), ("not_given", "{}", 1), ("old", "{[1,9)}", 7)):
        Skip.objects.create(
            organization=world.organization, folder=folder, uidvalidity=uidvalidity, reason=reason, uids=uids
        )
    return folder


def test_a_folder_is_told_with_its_sum_and_its_last_proof(world: World, ask: Callable[..., Result]) -> None:
    add_folder(world)
    world.add_folder(world.boxes[0], "Sent", "sent", proof={"refused": "NO [NOPERM] closed"})
    box = json.loads(ask("taro@example.jp", "--json").output)
    first, second = box["folders"]
    assert first == {
        "name": "INBOX",
        "role": "inbox",
        "on_server": 4,
        "stored": 1,
        "skipped": {"before_range": 2},
        "waiting": 0,
        "missing": 1,
        "last_proof": "2026-11-25T04:00:00+00:00",
        "refused": None,
        "missing_since": None,
    }
    assert (second["missing"], second["last_proof"], second["refused"]) == (None, None, "NO [NOPERM] closed")
    told = ask("taro@example.jp").output
    assert "INBOX: 1 of 4 stored, 2 before_range, 1 missing, compared 2026-11-25T04:00" in told
    assert "Sent: 0 of None stored, not compared yet, not opened by the server: NO [NOPERM] closed" in told


def test_a_folder_that_does_not_open_and_one_that_is_gone_are_named(world: World, ask: Callable[..., Result]) -> None:
    world.add_mailbox()
    words = "NO [NOPERM] Permission denied"
    world.add_folder(world.boxes[0], "Closed", "other", proof={"refused": words})
    world.add_folder(world.boxes[0], "Removed", "other", missing_since=datetime(2026, 11, 24, 9, tzinfo=UTC))
    closed, removed = json.loads(ask("taro@example.jp", "--json").output)["folders"]
    assert (closed["refused"], closed["missing_since"]) == (words, None)
    assert removed["missing_since"] == "2026-11-24T09:00:00+00:00"
    told = ask("taro@example.jp").output
    assert f"Closed: 0 of None stored, not compared yet, not opened by the server: {words}" in told
    assert "Removed: 0 of None stored, not compared yet, gone from the server since 2026-11-24T09:00" in told


def test_a_hundred_mailboxes_are_told_by_as_many_questions_as_one(world: World) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            mailbox_status()
        return len(asked)

    add_folder(world, "box@example.jp")
    few = questions()
    for n in range(99):
        world.add_folder(world.add_mailbox(f"box{n}@example.jp"), uidvalidity=1)
    assert questions() == few <= 5
    assert len(mailbox_status()) == 100


def test_a_check_waits_until_a_worker_has_compared_every_folder(database_url: str, ask: Callable[..., Result]) -> None:
    world = make_world()
    folder = add_folder(world)
    other = world.add_folder(world.boxes[0], "Sent", "sent")
    world.add_folder(world.boxes[0], "Closed", "other", proof={"refused": "NO [NOPERM] closed"})
    proved = json.dumps({**PROOF, "missing": 0})
    heard: list[Any] = []

    def worker(listening: "psycopg.Connection[Any]") -> None:
        heard.extend(notify.payload for notify in listening.notifies(timeout=30, stop_after=1))
        for one in (folder, other):
            listening.execute("UPDATE folder SET proved_at = now(), proof = %s WHERE id = %s", [proved, one.pk])

    with psycopg.connect(database_url, autocommit=True) as listening:
        listening.execute("LISTEN fumibako_work")
        thread = threading.Thread(target=worker, args=[listening])
        thread.start()
        box = json.loads(ask("taro@example.jp", "--check", "--json").output)
        thread.join()
    assert heard == [f"prove:{world.boxes[0].pk}"]
    assert [told["missing"] for told in box["folders"]] == [0, 0, None]


def test_a_check_that_nobody_makes_ends_with_a_word(
    world: World, ask: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "PROOF_SECONDS", 0.0)
    add_folder(world)
    world.add_mailbox("waiting@example.jp", state="retrying")
    assert ask("--check").exit_code == 2
    unheard, waiting = ask("taro@example.jp", "--check"), ask("waiting@example.jp", "--check")
    assert (unheard.exit_code, waiting.exit_code) == (1, 1)
    assert "Does a worker run?" in unheard.output
    assert "is not connected to its mail server now" in waiting.output
