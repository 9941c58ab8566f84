"""Mailboxes at one host, and what their actors tell of their logins, at times that a test sets."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool

from fumibako.events.models import Event
from fumibako.linking import shard_of
from fumibako.linking.models import Mailbox, MailboxSecret
from fumibako.mail.diagnosis import Failure
from fumibako.syncing.incidents import Incidents
from fumibako.syncing.refusals import Verdict, record_failure, record_login
from tests.syncing.virtual_time import VirtualLoop
from tests.world import World

HOST = "imap.example.jp"
WRONG = Failure("wrong_credentials", stage="login", server_words="NO [AUTHENTICATIONFAILED] no")
LOCKED = Failure("locked_after_tries", stage="login", server_words="NO Too many failed logins")
AWAY = Failure("server_unreachable", stage="connect")

T = TypeVar("T")


def link_many(world: World, count: int, *, host: str = HOST, worked: bool = True) -> list[int]:
    """Linked mailboxes whose secrets have worked, or not yet; returns their ids."""
    already = len(world.boxes)
    boxes = Mailbox.objects.bulk_create(
        Mailbox(
            organization=world.organization,
            address=f"u{n}@example.jp",
            address_key=f"u{n}@example.jp",
            state="live",
            imap_host=host,
            imap_port=993,
            imap_security="tls",
            imap_username=f"u{n}@example.jp",
            imap_mechanism="PLAIN",
            range="all",
            limit_key=host.lower(),
            shard=shard_of(host.lower()),
        )
        for n in range(already, already + count)
    )
    world.boxes += boxes
    MailboxSecret.objects.bulk_create(
        MailboxSecret(
            organization=world.organization,
            mailbox=box,
            service="imap",
            sealed=b"-",
            worked_at="2026-11-01T00:00Z" if worked else None,
        )
        for box in boxes
    )
    return [box.pk for box in boxes]


class Workers:
    """What workers tell and ask, each call to its end. ``clock`` is in seconds, and moves only when a test says so."""

    def __init__(self, runner: asyncio.Runner, pool: AsyncConnectionPool) -> None:
        self.clock = 0.0
        self.pool = pool
        self.runner = runner
        self.incidents = Incidents(pool, self.now)

    def now(self) -> float:
        return self.clock

    def run(self, work: Awaitable[T]) -> T:
        async def main() -> T:
            return await work

        return self.runner.run(main())

    def refuse(self, *boxes: int, failure: Failure = WRONG) -> list[Verdict]:
        return [self.run(record_failure(self.pool, box, 1, failure, pause=5.0, ahead=self.now)) for box in boxes]

    def let_in(self, box: int) -> bool:
        ended = self.run(record_login(self.pool, box, ahead=self.now))
        Mailbox.objects.filter(pk=box).update(state="live", refusals=0, cause="")
        return ended

    def look(self) -> list[int]:
        return self.run(self.incidents.look())


@contextmanager
def workers(url: str) -> Iterator[Workers]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        pool = AsyncConnectionPool(url, min_size=2, open=False, kwargs={"autocommit": True})
        runner.run(pool.open(wait=True))
        try:
            yield Workers(runner, pool)
        finally:
            runner.run(pool.close())


def state_of(box: int) -> tuple[str, str, int]:
    """State, cause and refusals as the row has them."""
    row = Mailbox.objects.get(pk=box)
    return row.state, row.cause, row.refusals


def told(organization: Any = None) -> list[tuple[bool, int]]:
    """The events of incidents: whether each tells of an end, and for how many mailboxes."""
    events = Event.objects.filter(kind="host.incident").order_by("id")
    if organization is not None:
        events = events.filter(organization=organization)
    return [(event.detail["ended"], event.count) for event in events]


def words_heard(url: str, doing: Callable[[], object], channel: str = "fumibako_work") -> list[str]:
    """The words on a channel while something is done."""
    with psycopg.connect(url, autocommit=True) as direct:
        direct.execute(f"LISTEN {channel}")
        doing()
        return [word.payload for word in direct.notifies(timeout=0.2)]
