"""Budgets: how many connections a host is asked for, how fast, and what it teaches. Time is virtual."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise
from typing import Any

import pytest
from psycopg import OperationalError

from fumibako.linking.models import Mailbox
from fumibako.mail.connect import Dropped
from fumibako.mail.diagnosis import diagnose
from fumibako.mail.imap import CommandRefused, LoginRefused
from fumibako.syncing.budget import Budgets, Lease, usable
from fumibako.syncing.models import HostLimit
from fumibako.syncing.refusals import record_failure
from tests.syncing.refusing_host import HOST, link_many, workers
from tests.syncing.virtual_time import run
from tests.world import World

DAY = 86400.0
TOO_MANY = LoginRefused("NO", "LIMIT", "Too many connections", "AUTHENTICATE")


class NoRows:
    """In the place of the pool: nothing was learned before, and what is learned now is only noted."""

    def __init__(self) -> None:
        self.away = False
        self.saved: list[dict[str, Any]] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["NoRows"]:
        if self.away:
            raise OperationalError("the database is away")
        yield self

    async def execute(self, _: str, values: Any) -> "NoRows":
        if isinstance(values, dict):
            self.saved.append(values)
        return self

    async def fetchone(self) -> None:
        return None


def budgets() -> Budgets:
    return Budgets(NoRows())  # type: ignore[arg-type]


def now() -> float:
    return asyncio.get_running_loop().time()


async def enter(budget: Budgets, key: str = HOST, seconds: float = 0.0) -> None:
    """Have a connection for so long."""
    async with budget.connection(key) as lease:
        lease.logged_in()
        await asyncio.sleep(seconds)


async def failing(budget: Budgets, error: Exception, *, logged_in: bool = False) -> None:
    """A connection that ends by an error."""
    with suppress(type(error)):
        async with budget.connection(HOST) as lease:
            if logged_in:
                lease.logged_in()
            raise error


async def most_at_once(budget: Budgets, seconds: float = 30.0) -> int:
    """How many of forty mailboxes have a connection at a time, when all want one again and again for so long."""
    until = now() + seconds
    held, most = 0, 0

    async def mailbox() -> None:
        nonlocal held, most
        while now() < until:
            async with budget.connection(HOST) as lease:
                lease.logged_in()
                held += 1
                most = max(most, held)
                await asyncio.sleep(max(10, seconds / 100))
                held -= 1

    await asyncio.gather(*(mailbox() for _ in range(40)))
    return most


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


def test_a_host_that_closes_without_a_word_is_not_asked_for_more_than_half_any_more() -> None:
    host = Host(4)
    looks = rotate(host, 12, 7200)
    assert 0 < len(host.refused) <= 6 and host.refused[-1] < 30
    assert all(look for look in looks)
    gaps = [later - earlier for look in looks for earlier, later in pairwise(look)]
    assert max(gaps) < 120


@pytest.mark.parametrize("between", ["nothing open", "a login that works", "hours"])
def test_a_connection_that_is_dropped_once_teaches_nothing(between: str) -> None:
    async def main() -> int:
        budget = budgets()
        async with AsyncExitStack() as stack:
            if between != "nothing open":
                (await stack.enter_async_context(budget.connection(HOST))).logged_in()
            for _ in range(2):
                await failing(budget, Dropped("closed"))
                if between == "a login that works":
                    async with budget.connection(HOST) as lease:
                        lease.logged_in()
                await asyncio.sleep(7200 if between == "hours" else 10)
        return await most_at_once(budget)

    assert run(main()) == 10


def test_a_refusal_halves_what_is_used_and_a_day_later_it_rises_slowly_while_mailboxes_wait() -> None:
    async def main() -> list[int]:
        budget = budgets()
        async with AsyncExitStack() as stack:
            for _ in range(8):
                (await stack.enter_async_context(budget.connection(HOST))).logged_in()
            await failing(budget, TOO_MANY)
        used = [await most_at_once(budget)]
        await asyncio.sleep(3 * DAY)
        used.append(await most_at_once(budget))
        for _ in range(3):
            used.append(await most_at_once(budget, seconds=DAY + 3600))
        return used

    assert run(main()) == [4, 4, 5, 6, 7]


def test_a_host_that_has_never_refused_is_asked_for_a_quarter_more_after_an_hour_of_waiting() -> None:
    async def main() -> list[int]:
        budget = budgets()
        await asyncio.sleep(DAY)
        return [await most_at_once(budget, seconds=seconds) for seconds in (3500, 300)]

    assert run(main()) == [10, 12]


def test_where_the_words_name_the_number_half_of_that_is_used_unless_others_hold_the_rest() -> None:
    async def main(ours: int) -> int:
        budget = budgets()
        async with AsyncExitStack() as stack:
            for _ in range(ours):
                (await stack.enter_async_context(budget.connection(HOST))).logged_in()
            await failing(budget, LoginRefused("NO", None, "Too many connections (limit 12)", "LOGIN"))
        return await most_at_once(budget)

    assert run(main(8)) == 6
    assert run(main(3)) == 1


def test_a_limit_on_one_user_s_connections_takes_nothing_from_the_others_but_a_second_one_from_all() -> None:
    words = "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=2)"

    async def main() -> tuple[bool, bool, int]:
        budget = budgets()
        async with budget.connection(HOST) as lease:
            lease.logged_in()
            before = budget.spare(HOST)
            await failing(budget, LoginRefused("NO", "LIMIT", words, "AUTHENTICATE"))
            after = budget.spare(HOST)
        return before, after, await most_at_once(budget)

    assert run(main()) == (True, False, 10)


@pytest.mark.parametrize(
    ("words", "pause"),
    [("throttled, wait 300 seconds", 300), ("try again in 5 minutes, rate limit", 300), ("Rate limit hit.", 60)],
)
def test_a_host_that_asks_to_wait_is_left_alone_for_as_long_by_all_its_mailboxes(words: str, pause: float) -> None:
    async def main() -> tuple[float, float]:
        budget = budgets()
        async with budget.connection(HOST) as watching:
            watching.logged_in()
            await failing(budget, CommandRefused("NO", "LIMIT", words, "UID FETCH"), logged_in=True)
            told = budget.pause(HOST)
            began = now()
            async with budget.connection(HOST):
                return told, now() - began

    assert run(main()) == (pytest.approx(pause), pytest.approx(pause))


@pytest.mark.parametrize("key", [f"{HOST}/taro@example.jp", "imap.gmail.com/taro@example.jp"])
def test_logins_are_paced_where_the_host_s_tolerance_is_unknown_and_nowhere_else(key: str) -> None:
    async def began(key: str) -> list[float]:
        budget = budgets()
        times: list[float] = []

        async def login() -> None:
            async with budget.connection(key) as lease:
                times.append(now())
                await asyncio.sleep(10)
                lease.logged_in()
                await asyncio.sleep(60)

        await asyncio.gather(*(login() for _ in range(10 if key == HOST else 4)))
        return times

    assert run(began(HOST)) == pytest.approx([0, 0.5, 1, 1.5, 2, 10, 10.5, 11, 11.5, 12])
    assert run(began(key)) == [0, 0, 0, 0]


def test_first_come_is_first_served_and_bulk_stands_behind_but_does_not_starve() -> None:
    async def main() -> list[str]:
        budget = budgets()
        served: list[str] = []

        async def mailbox(name: str, at: float, first: bool) -> None:
            await asyncio.sleep(at)
            async with budget.connection(f"{HOST}/one", first=first) as lease:
                lease.logged_in()
                served.append(name)
                await asyncio.sleep(100)

        wishes = [("held", 0, True)] * 5 + [("bulk", 1, False), ("a", 2, True), ("b", 30, True), ("late", 70, True)]
        await asyncio.gather(*(mailbox(name, at, first) for name, at, first in wishes))
        return served[5:]

    assert run(main()) == ["a", "b", "bulk", "late"]


def test_as_many_are_asked_for_their_places_as_wait_bulk_first_then_who_has_had_it_longest() -> None:
    async def main() -> list[list[str]]:
        budget, key = budgets(), f"{HOST}/one"
        leases: dict[str, Lease] = {}
        asked: list[list[str]] = []

        def look() -> None:
            asked.append([name for name, lease in leases.items() if lease.wanted])

        async with AsyncExitStack() as stack:
            for name in ("old", "older bulk", "new", "bulk", "newest"):
                leases[name] = await stack.enter_async_context(budget.connection(key, first="bulk" not in name))
            look()
            waiting = [asyncio.create_task(enter(budget, key)) for _ in range(3)]
            await asyncio.sleep(1)
            look()
            for task in waiting[:2]:
                task.cancel()
            await asyncio.sleep(1)
            look()
            interrupted = asyncio.create_task(leases["older bulk"].until_wanted())
            await asyncio.wait_for(interrupted, 1)
        await asyncio.gather(*waiting, return_exceptions=True)
        return asked

    assert run(main()) == [[], ["old", "older bulk", "bulk"], ["older bulk"]]


def test_a_second_connection_is_to_be_had_only_while_nobody_waits_and_one_more_could_come() -> None:
    async def main() -> list[bool]:
        budget = budgets()
        spare = [budget.spare(HOST)]
        async with AsyncExitStack() as stack:
            for _ in range(10):
                (await stack.enter_async_context(budget.connection(HOST))).logged_in()
                spare.append(budget.spare(HOST))
        return spare

    assert run(main()) == [False] + [True] * 8 + [False] * 2


def test_a_host_that_wants_minutes_between_two_looks_is_known_by_the_book() -> None:
    assert budgets().interval("mail.zenlogic.jp") == 600
    assert budgets().interval(HOST) is None


def test_what_a_host_has_taught_outlives_its_worker(database_url: str, world: World) -> None:
    with workers(database_url) as worker:

        async def learn() -> None:
            budget = Budgets(worker.pool)
            async with AsyncExitStack() as stack:
                for _ in range(6):
                    (await stack.enter_async_context(budget.connection(HOST))).logged_in()
                await failing(budget, TOO_MANY)
            await failing(budget, CommandRefused("NO", "LIMIT", "wait 1000 seconds", "NOOP"))

        async def restarted() -> tuple[float, int]:
            budget = Budgets(worker.pool)
            began = now()
            async with budget.connection(HOST):
                waited = now() - began
            return waited, await most_at_once(budget)

        worker.run(learn())
        waited, used = worker.run(restarted())
    assert 900 < waited <= 1000 and used == 3
    row = HostLimit.objects.get()
    assert (row.limit_key, row.connections, row.words) == (HOST, 6, "NO [LIMIT] Too many connections")


def test_a_mailbox_that_is_told_to_wait_says_why_and_when_it_is_tried_next(database_url: str, world: World) -> None:
    [box] = link_many(world, 1)
    throttled = CommandRefused("NO", "LIMIT", "throttled, wait 300 seconds", "UID FETCH")
    with workers(database_url) as worker:

        async def session() -> None:
            budget = Budgets(worker.pool)
            await failing(budget, throttled, logged_in=True)
            pause = max(5.0, budget.pause(HOST))
            await record_failure(worker.pool, box, 1, diagnose(throttled, stage="fetch"), pause=pause)

        worker.run(session())
    row = Mailbox.objects.get(pk=box)
    assert (row.state, row.cause, row.refusals) == ("retrying", "rate_limited", 0)
    assert row.next_try_at is not None
    assert 290 < (row.next_try_at - row.state_since).total_seconds() <= 300


def test_what_is_learned_while_the_database_is_away_is_kept_and_written_later() -> None:
    async def main() -> tuple[int, list[int]]:
        rows = NoRows()
        budget = Budgets(rows)  # type: ignore[arg-type]
        async with AsyncExitStack() as stack:
            for _ in range(6):
                (await stack.enter_async_context(budget.connection(HOST))).logged_in()
            rows.away = True
            await failing(budget, TOO_MANY)
            rows.away = False
        return await most_at_once(budget), [values["connections"] for values in rows.saved]

    assert run(main()) == (3, [6])
