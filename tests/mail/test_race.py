"""Candidates beside one another: the likeliest that is proven wins, and nothing is left open."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fumibako.mail.connect import Refused, Security, Server
from fumibako.mail.discovery import race as racing
from fumibako.mail.discovery.candidates import Candidate, Source
from fumibako.mail.discovery.race import race

A, B, C = (Candidate(Server(name, 993, Security.TLS), Source.MX, authority=True) for name in "abc")
FOREIGN = Candidate(Server("foreign", 993, Security.TLS), Source.MX, authority=False)


class Connection:
    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Servers:
    """Answers each candidate as told: a delay in seconds, or an error at once; silence for all others."""

    def __init__(self, **answers: float | Exception) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.made: list[Connection] = []

    async def __call__(self, candidate: Candidate) -> Connection:
        name = candidate.server.host
        self.asked.append(name)
        answer = self.answers.get(name, 3600)
        if isinstance(answer, Exception):
            raise answer
        await asyncio.sleep(answer)
        self.made.append(Connection(name))
        return self.made[-1]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "STAGGER", 0.02)
    monkeypatch.setattr(racing, "PATIENCE", 0.1)


async def test_a_server_that_answers_at_once_is_the_only_one_asked() -> None:
    servers = Servers(a=0, b=0)
    outcome = await race([A, B], servers, deadline=5)
    assert (outcome.winner, servers.asked) == (A, ["a"])
    assert outcome.connection is servers.made[0] and not servers.made[0].closed


async def test_the_next_is_asked_at_once_when_one_fails() -> None:
    servers = Servers(a=Refused(), b=Refused(), c=0)
    outcome = await race([A, B, C], servers, deadline=5)
    assert outcome.winner == C
    assert [(one, type(error)) for one, error in outcome.failures] == [(A, Refused), (B, Refused)]


async def test_a_likelier_server_that_is_a_little_slower_wins_and_the_other_is_closed() -> None:
    servers = Servers(a=0.06, b=0)
    outcome = await race([A, B], servers, deadline=5)
    assert outcome.winner == A
    assert {made.name: made.closed for made in servers.made} == {"a": False, "b": True}


async def test_a_silent_server_does_not_keep_the_others_waiting() -> None:
    outcome = await race([A, B], Servers(b=0), deadline=5)
    assert outcome.winner == B


async def test_a_foreign_server_waits_for_all_that_have_authority() -> None:
    own = await race([A, FOREIGN], Servers(a=0.3, foreign=0), deadline=5)
    none_left = await race([A, FOREIGN], Servers(a=Refused(), foreign=0), deadline=5)
    too_late = await race([A, FOREIGN], Servers(foreign=0), deadline=0.3)
    assert [outcome.winner for outcome in (own, none_left, too_late)] == [A, FOREIGN, FOREIGN]


async def test_the_deadline_ends_what_is_under_way() -> None:
    outcome = await race([A, B], Servers(), deadline=0.1)
    assert outcome.winner is None
    assert [type(error) for _, error in outcome.failures] == [TimeoutError, TimeoutError]


async def test_nobody_to_try_is_no_winner() -> None:
    outcome = await race([], Servers(), deadline=5)
    assert (outcome.winner, outcome.failures) == (None, [])


async def test_when_it_is_cancelled_every_connection_is_closed() -> None:
    servers = Servers(b=0)
    attempt: Callable[[Candidate], Awaitable[Connection]] = servers
    task = asyncio.create_task(race([A, B], attempt, deadline=5))
    while not servers.made:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert all(made.closed for made in servers.made)
