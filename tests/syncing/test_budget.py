"""Budgets: how many connections a host is asked for, how fast, and what it teaches. Time is virtual."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from fumibako.mail.connect import Dropped
from fumibako.syncing.budget import Budgets, usable
from tests.syncing.virtual_time import run

HOST = "imap.example.jp"


class NoRows:
    """In the place of the pool: nothing was learned before, and what is learned now is not kept."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["NoRows"]:
        yield self

    async def execute(self, *_: object) -> "NoRows":
        return self

    async def fetchone(self) -> None:
        return None


def budgets() -> Budgets:
    return Budgets(NoRows())  # type: ignore[arg-type]


class Host:
    """A mail server that allows `limit` connections, and closes the next without a word as Courier does."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.open = self.most = self.logins = 0
        self.refused: list[float] = []

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[None]:
        if self.open >= self.limit:
            self.refused.append(asyncio.get_running_loop().time())
            raise Dropped("closed")
        self.open += 1
        self.most = max(self.most, self.open)
        self.logins += 1
        try:
            await asyncio.sleep(0.2)
            yield
        finally:
            self.open -= 1


async def watch(budget: Budgets, host: Host, looks: list[float], until: float) -> None:
    """A mailbox that looks, keeps its place while nobody wants it, and asks for the next 45 s later."""
    time = asyncio.get_running_loop().time
    while time() < until:
        try:
            async with budget.connection(HOST) as lease, host.connect():
                lease.logged_in()
                while True:
                    await asyncio.sleep(1.5)
                    looks.append(time())
                    if time() >= until:
                        return
                    try:
                        async with asyncio.timeout(45):
                            await lease.until_wanted()
                        break
                    except TimeoutError:
                        continue
            await asyncio.sleep(45)
        except Dropped:
            await asyncio.sleep(5)


def rotate(host: Host, mailboxes: int, seconds: float) -> list[list[float]]:
    async def main() -> list[list[float]]:
        budget = budgets()
        looks: list[list[float]] = [[] for _ in range(mailboxes)]
        await asyncio.gather(*(watch(budget, host, look, seconds) for look in looks))
        return looks

    return run(main())


@pytest.mark.parametrize(("limit", "used"), [(1, 1), (2, 1), (3, 1), (4, 2), (10, 5), (15, 7), (20, 10), (100, 50)])
def test_half_of_what_is_allowed_is_used_and_two_are_left_free_but_one_is_always_had(limit: int, used: int) -> None:
    assert usable(limit) == used


def test_sixty_mailboxes_at_a_host_that_allows_twenty_connections_use_ten_and_are_all_looked_at_in_turn() -> None:
    host = Host(20)
    looks = rotate(host, 60, 1800)
    assert host.most == 10
    assert host.refused == []
    gaps = [later - earlier for look in looks for earlier, later in pairwise(look)]
    assert max(gaps) < 120 and max(look[0] for look in looks) < 60
