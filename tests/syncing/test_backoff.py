"""The pauses between tries at a host that is away."""

from itertools import pairwise

import pytest

from fumibako.syncing.backoff import FIRST, LONGEST, STEADY, Backoff


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def test_the_pause_doubles_up_to_five_minutes() -> None:
    backoff = Backoff(middle)
    pauses = [backoff.pause(lived=0.0) for _ in range(9)]
    assert pauses[0] == FIRST and pauses[-1] == LONGEST
    assert all(later == min(earlier * 2, LONGEST) for earlier, later in pairwise(pauses))


def test_a_flaky_host_that_takes_every_login_is_still_tried_more_and_more_rarely() -> None:
    backoff = Backoff(middle)
    pauses = [backoff.pause(lived=STEADY - 1) for _ in range(8)]
    assert pauses[-1] == LONGEST


def test_after_a_session_that_has_lived_for_minutes_the_pause_is_short_again() -> None:
    backoff = Backoff(middle)
    for _ in range(8):
        backoff.pause(lived=0.0)
    assert backoff.pause(lived=STEADY) == FIRST


@pytest.mark.parametrize("tries", [1, 20])
def test_mailboxes_that_fell_together_do_not_come_back_together(tries: int) -> None:
    pauses = set()
    for _ in range(20):
        backoff = Backoff()
        for _ in range(tries):
            pause = backoff.pause(lived=0.0)
        pauses.add(pause)
    assert len(pauses) > 5 and max(pauses) <= LONGEST
