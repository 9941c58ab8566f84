"""Design rule 10: what follows when a login is refused, decided, and written."""

import pytest

from fumibako.archive import Stale
from fumibako.events.models import Event
from fumibako.linking import State
from fumibako.linking.models import Mailbox
from fumibako.mail.diagnosis import Failure, Reply, diagnose
from fumibako.syncing.refusals import SECRET, Standing, Verdict, decide
from tests.syncing.refusing_host import AWAY, WRONG, link_many, state_of, told, workers
from tests.world import World

PAUSE = 5.0
NEVER = None


def verdict(
    failure: Failure = WRONG, *, worked: bool = True, refusals: int = 0, asked: bool = False, incident: bool = False
) -> Verdict:
    return decide(Standing(worked, refusals, asked), failure, incident=incident, pause=PAUSE)


@pytest.mark.parametrize(
    ("refusals", "asked", "state", "next_try_in"),
    [
        (0, False, State.RETRYING, 15 * 60),
        (1, False, State.NEEDS_ATTENTION, 2 * 3600),
        (2, True, State.NEEDS_ATTENTION, 12 * 3600),
        (3, True, State.NEEDS_ATTENTION, NEVER),
    ],
)
def test_a_secret_that_has_worked_is_tried_again_three_times_in_growing_pauses(
    refusals: int, asked: bool, state: State, next_try_in: float | None
) -> None:
    assert verdict(refusals=refusals, asked=asked) == Verdict(state, "wrong_credentials", refusals + 1, next_try_in)


def test_a_secret_that_never_worked_is_not_tried_again() -> None:
    assert verdict(worked=False) == Verdict(State.NEEDS_ATTENTION, "wrong_credentials", 1, NEVER)
    assert verdict(worked=False, incident=True) == Verdict(State.NEEDS_ATTENTION, "wrong_credentials", 1, NEVER)


@pytest.mark.parametrize("refusals", [0, 1, 2])
def test_after_a_sign_of_a_lock_out_nothing_is_tried(refusals: int) -> None:
    locked = Failure("locked_after_tries", stage="login")
    assert verdict(locked, refusals=refusals) == Verdict(
        State.NEEDS_ATTENTION, "locked_after_tries", refusals + 1, NEVER
    )


@pytest.mark.parametrize("cause", ["account_disabled", "policy_blocked", "imap_disabled", "oauth_revoked"])
def test_a_refusal_that_only_a_person_can_mend_asks_at_once_also_in_an_incident(cause: str) -> None:
    refused = Failure(cause, stage="login")
    for incident in (False, True):
        assert verdict(refused, incident=incident) == Verdict(State.NEEDS_ATTENTION, cause, 1, NEVER)


@pytest.mark.parametrize("cause", sorted(SECRET))
def test_in_its_host_s_incident_a_mailbox_waits_and_nothing_is_counted(cause: str) -> None:
    for refusals in (0, 1):
        assert verdict(Failure(cause, stage="login"), refusals=refusals, incident=True) == Verdict(
            State.RETRYING, "auth_temporary", 0, None, waits_for_host=True
        )


def test_who_has_been_asked_already_is_left_as_they_are_by_an_incident_and_by_a_fault() -> None:
    assert verdict(refusals=2, asked=True, incident=True) == Verdict(State.NEEDS_ATTENTION, None, 2, 2 * 3600)
    away = Failure("server_unreachable", stage="connect")
    assert verdict(away, refusals=2, asked=True) == Verdict(State.NEEDS_ATTENTION, None, 2, 15 * 60)


@pytest.mark.parametrize(
    "cause",
    [
        "server_unreachable",
        "connection_dropped",
        "connection_refused",
        "dns_failure",
        "server_down",
        "auth_temporary",
        "too_many_connections",
        "rate_limited",
        "server_fault",
        "cert_expired",
        "cert_untrusted",
        "wrong_server_name",
    ],
)
@pytest.mark.parametrize("refusals", [0, 1])
def test_faults_temporary_refusals_and_limits_never_count_and_never_ask(cause: str, refusals: int) -> None:
    for incident in (False, True):
        after = verdict(Failure(cause), refusals=refusals, incident=incident)
        assert after == Verdict(State.RETRYING, cause, refusals, PAUSE)


def test_a_login_that_is_refused_in_unknown_words_is_not_tried_every_few_minutes() -> None:
    unclear = Failure("server_refused_unclear", stage="login")
    assert verdict(unclear) == Verdict(State.RETRYING, "server_refused_unclear", 0, 15 * 60)
    assert verdict(Failure("server_refused_unclear", stage="fetch")).next_try_in == PAUSE


def test_every_way_in_which_a_host_says_that_a_password_is_wrong_is_a_refusal_of_the_secret() -> None:
    said = Reply("NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)")
    for host in (None, "google", "yahoo.com", "docomo", "lineworks", "icloud", "fastmail"):
        assert diagnose(said, stage="login", host_id=host).cause in SECRET


def test_what_is_decided_is_written_and_told_once(database_url: str, world: World) -> None:
    [box] = link_many(world, 1)
    with workers(database_url) as worker:
        worker.refuse(box)
        assert state_of(box) == ("retrying", "wrong_credentials", 1)
        worker.clock += 15 * 60
        worker.refuse(box)
        assert state_of(box) == ("needs_attention", "wrong_credentials", 2)
        for hours in (2, 12):
            worker.clock += hours * 3600
            worker.refuse(box)
    row = Mailbox.objects.get(pk=box)
    assert (row.refusals, row.next_try_at, row.server_words) == (4, None, WRONG.server_words)
    states = Event.objects.filter(kind="mailbox.state").order_by("id").values_list("detail__state", flat=True)
    assert list(states) == ["retrying", "needs_attention"]
    assert told() == []


def test_a_login_that_works_makes_the_secret_one_that_has_worked(database_url: str, world: World) -> None:
    [box] = link_many(world, 1, worked=False)
    with workers(database_url) as worker:
        assert not worker.let_in(box)
        [after] = worker.refuse(box)
    assert after.state == State.RETRYING


def test_a_silent_try_that_meets_a_fault_keeps_the_cause_and_tells_nothing(database_url: str, world: World) -> None:
    [box] = link_many(world, 1)
    with workers(database_url) as worker:
        worker.refuse(box, box)
        before = Event.objects.count()
        worker.refuse(box, failure=AWAY)
    assert state_of(box) == ("needs_attention", "wrong_credentials", 2)
    assert Event.objects.count() == before
    assert Mailbox.objects.get(pk=box).next_try_at is not None


def test_a_mailbox_that_has_changed_meanwhile_is_left_alone(database_url: str, world: World) -> None:
    [box] = link_many(world, 1)
    Mailbox.objects.filter(pk=box).update(generation=2)
    with workers(database_url) as worker:
        for failure in (WRONG, AWAY):
            with pytest.raises(Stale):
                worker.refuse(box, failure=failure)
    assert state_of(box) == ("live", "", 0)
