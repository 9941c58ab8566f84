"""Who is urgent waits for nobody else, and nothing is lost on the way."""

import asyncio

import pytest

from fumibako.archive.turns import Turns


def turns(*things: str, reserved: int = 0) -> Turns[str]:
    made: Turns[str] = Turns(reserved)
    for thing in things:
        made.give(thing)
    return made


async def waiting(lent: Turns[str], *, urgent: bool) -> "asyncio.Task[str]":
    task = asyncio.create_task(lent.take(urgent=urgent))
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_the_last_ones_are_kept_for_who_is_urgent() -> None:
    lent = turns("a", "b", reserved=1)
    assert await lent.take(urgent=False) == "b"
    assert lent.take_at_once(urgent=False) is None
    assert await lent.take(urgent=True) == "a"


async def test_who_is_urgent_goes_before_those_who_waited_longer() -> None:
    lent = turns()
    patient = await waiting(lent, urgent=False)
    urgent = await waiting(lent, urgent=True)
    lent.give("a")
    assert await urgent == "a"
    lent.give("b")
    assert await patient == "b"


async def test_nobody_passes_those_who_wait() -> None:
    lent = turns("a", reserved=1)
    first = await waiting(lent, urgent=False)
    lent.give("b")
    assert lent.take_at_once(urgent=False) is None
    assert await first == "b"


@pytest.mark.parametrize("given", [False, True])
async def test_what_somebody_no_longer_wants_goes_to_the_next(given: bool) -> None:
    lent = turns()
    gone = await waiting(lent, urgent=True)
    if given:
        lent.give("a")
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    if not given:
        lent.give("a")
    assert await lent.take(urgent=False) == "a"
