"""Design rule 10: what follows when a login is refused, decided, and written."""

import pytest

from fumibako.linking import State
from fumibako.mail.diagnosis import Failure
from fumibako.syncing.refusals import Standing, Verdict, decide

WRONG = Failure("wrong_credentials", stage="login", server_words="NO [AUTHENTICATIONFAILED] no")
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
