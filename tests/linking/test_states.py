"""The one statement that moves a mailbox from state to state."""

from itertools import product

import psycopg
import pytest
from django.db import connection

from fumibako.events.models import Event
from fumibako.linking import ACTIVE, MOVE, State, move
from fumibako.linking.models import Mailbox
from tests.world import World

pytestmark = pytest.mark.lab

WATCHED = {State.LINKING, State.IMPORTING, State.LIVE, State.RETRYING, State.NEEDS_ATTENTION}
LINKED = {*WATCHED, State.PAUSED}
FROM = {
    State.LINKING: set(State),
    State.IMPORTING: WATCHED,
    State.LIVE: WATCHED,
    State.RETRYING: WATCHED,
    State.NEEDS_ATTENTION: WATCHED,
    State.PAUSED: LINKED,
    State.UNLINKED: LINKED,
}


@pytest.fixture
def box(transactional_db: None) -> Mailbox:
    from tests.world import make_world

    world: World = make_world()
    return world.add_mailbox()


def moved(box: Mailbox, state: State, **more: object) -> str | None:
    """Move; returns the state before, None where the move was refused."""
    with connection.cursor() as cursor:
        cursor.execute(MOVE, move(box.pk, state, **more))  # type: ignore[arg-type]
        row = cursor.fetchone()
    box.refresh_from_db()
    return row[0] if row else None


def test_only_the_moves_of_the_table_are_made(box: Mailbox) -> None:
    for before, after in product(State, State):
        Mailbox.objects.filter(pk=box.pk).update(state=before)
        answer = moved(box, after)
        if before in FROM[after]:
            assert (answer, box.state) == (before, after)
        else:
            assert (answer, box.state) == (None, before), f"{before} → {after}"


def test_a_move_of_an_older_generation_is_refused_and_tells_nothing(box: Mailbox) -> None:
    Mailbox.objects.filter(pk=box.pk).update(generation=2)
    assert moved(box, State.RETRYING, generation=1, cause="server_down") is None
    assert (box.state, box.cause) == ("live", "")
    assert not Event.objects.exists()
    assert moved(box, State.RETRYING, generation=2, cause="server_down") == "live"


def test_a_move_keeps_cause_stage_words_and_the_next_try(box: Mailbox) -> None:
    moved(
        box,
        State.RETRYING,
        cause="wrong_credentials",
        cause_stage="login",
        server_words="NO no",
        refusals=1,
        next_try_in=900.0,
    )
    assert (box.cause, box.cause_stage, box.server_words, box.refusals) == ("wrong_credentials", "login", "NO no", 1)
    assert box.next_try_at is not None
    assert 899 <= (box.next_try_at - box.state_since).total_seconds() <= 901
    moved(box, State.LIVE)
    assert (box.cause, box.cause_stage, box.server_words, box.refusals) == ("", "", "", 0)
    assert box.next_try_at is None


def test_an_event_is_written_when_the_state_changes_and_not_when_it_stays(box: Mailbox) -> None:
    since = box.state_since
    moved(box, State.LIVE)
    assert box.state_since == since
    assert not Event.objects.exists()
    moved(box, State.NEEDS_ATTENTION, cause="imap_disabled")
    assert box.state_since > since
    event = Event.objects.get()
    assert (event.kind, event.mailbox_id, event.organization_id) == ("mailbox.state", box.pk, box.organization_id)
    assert event.detail == {"state": "needs_attention", "cause": "imap_disabled"}


def test_the_pages_of_those_whose_mailbox_it_is_now_are_told(database_url: str, box: Mailbox) -> None:
    owner = box.mailboxperson_set.get()
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute("LISTEN fumibako_live")
        moved(box, State.RETRYING)
        assert [word.payload for word in listener.notifies(timeout=0.2)] == [f"pe:{owner.person_id}"]
        box.mailboxperson_set.update(until=box.linked_at)
        moved(box, State.LIVE)
        assert list(listener.notifies(timeout=0.2)) == []


def test_a_worker_looks_after_what_needs_nobody() -> None:
    assert WATCHED - {State.NEEDS_ATTENTION} == ACTIVE
