"""Keeps an actor running for each mailbox of this worker's shards that wants one, and proves drafts as they come.

What is wanted is read from the database when a shard is taken, when a word on the channel names a mailbox, and now and
then for what no word was heard of. An actor that ends by itself (its mailbox needs nobody for now) is forgotten, and
begins anew when its mailbox is found to want one.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Set
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError
from psycopg import AsyncConnection

from fumibako.events import AWAY, connect_directly
from fumibako.linking import ACTIVE, State, in_thread, prove_draft, take_drafts
from fumibako.syncing.actor import Actor
from fumibako.syncing.hands import Hands

CHANNEL = "fumibako_work"
LOOK_SECONDS = 5.0  # between two looks at who is due to be tried again, and at drafts that nobody proves
SWEEP_SECONDS = 60.0  # between two looks at all mailboxes of our shards, for words that were not heard
SILENCE_SECONDS = 30.0  # without a word before the connection is asked whether it lives
OUTAGE_SECONDS = 1.0  # between tries while the database is away
STARTS_A_SECOND = 200  # actors; each needs some milliseconds of both cores until it watches
CLOSING_SECONDS = 1.0  # that actors get to end; the fence holds back what they still do

_WANTED = """
SELECT id, generation, shard FROM mailbox
 WHERE (state = ANY(%(active)s) OR (state = %(attention)s AND next_try_at <= now()))
"""
_ORDER = " ORDER BY state <> 'linking', state <> 'live', id"  # somebody waits for the first, mail for the second
_OF_SHARDS = f"{_WANTED} AND shard = ANY(%(shards)s) {_ORDER}"
_NAMED = f"{_WANTED} AND id = ANY(%(mailboxes)s)"
_DUE = """
SELECT id, generation, shard FROM mailbox
 WHERE state = %(attention)s AND next_try_at <= now() AND shard = ANY(%(shards)s)
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """A mailbox that wants an actor, as it was when it was looked at."""

    mailbox: int
    generation: int
    shard: int


@dataclass(frozen=True)
class Post:
    """An actor at work."""

    wanted: Wanted
    actor: Actor
    task: "asyncio.Task[None]"


class Foreman:
    """The actors of a worker, by mailbox. ``Shards`` tells it which shards to ``open`` and to ``close``."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._posts: dict[int, Post] = {}
        self._working: dict[asyncio.Task[None], int] = {}
        self._opened: set[int] = set()
        self._to_load = asyncio.Event()
        self._waiting: deque[Wanted] = deque()
        self._to_start = asyncio.Event()
        self._to_look = asyncio.Event()
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        """Keep actors running until cancelled; no outage of the database ends any of them."""
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._load_opened())
            self._tasks.create_task(self._start_waiting())
            self._tasks.create_task(self._look_about())
            await self._listen()

    # --- Shards -------------------------------------------------------------------------------------------------------

    def open(self, shards: Set[int]) -> None:
        """Begin with all mailboxes of these shards."""
        self._opened |= shards
        self._to_load.set()

    async def close(self, shards: Set[int]) -> None:
        """End the actors of these shards, and their connections with them."""
        self._opened -= shards
        ending = [task for task, shard in self._working.items() if shard in shards]
        for task in ending:
            task.cancel()
        if ending:
            _, late = await asyncio.wait(ending, timeout=CLOSING_SECONDS)
            if late:
                logger.warning("actors do not end", extra={"count": len(late)})

    async def _load_opened(self) -> None:
        while True:
            await self._to_load.wait()
            self._to_load.clear()
            shards = set(self._opened)
            try:
                self._waiting.extend(await self._ask(_OF_SHARDS, shards=list(shards)))
            except AWAY as error:
                logger.warning("shards wait for the database", extra={"error": type(error).__name__})
                await asyncio.sleep(OUTAGE_SECONDS)
                self._to_load.set()
            else:
                self._opened -= shards
                self._to_start.set()

    async def _start_waiting(self) -> None:
        """Start actors at a steady pace, so that those at work are not held up."""
        while True:
            await self._to_start.wait()
            self._to_start.clear()
            while self._waiting:
                self._start(self._waiting.popleft())
                await asyncio.sleep(1 / STARTS_A_SECOND)

    # --- Actors -------------------------------------------------------------------------------------------------------

    def _start(self, wanted: Wanted) -> None:
        """Have an actor at work for the mailbox where it is ours, a new one when it has changed."""
        post = self._posts.get(wanted.mailbox)
        if post is not None and not post.task.cancelling() and post.wanted.generation >= wanted.generation:
            return
        if post is not None:
            post.task.cancel()
        if self._hands.shards.holds(wanted.shard):
            actor = Actor(self._hands, wanted.mailbox)
            task = self._tasks.create_task(self._attend(actor, post.task if post else None))
            self._working[task] = wanted.shard
            self._posts[wanted.mailbox] = started = Post(wanted, actor, task)
            task.add_done_callback(lambda _: self._forget(started))

    async def _attend(self, actor: Actor, before: "asyncio.Task[None] | None") -> None:
        """Run an actor, after the one before it has ended."""
        while before is not None and not before.done():
            before.cancel()  # again, where an error at the same moment has swallowed it
            await asyncio.wait([before], timeout=CLOSING_SECONDS)
        try:
            await actor.run()
        except Exception:
            # A fault of ours in one mailbox ends no other; the next sweep begins it anew.
            logger.exception("an actor failed")

    def _end(self, mailbox: int) -> None:
        if mailbox in self._posts:
            self._posts[mailbox].task.cancel()

    def _forget(self, post: Post) -> None:
        del self._working[post.task]
        if self._posts.get(post.wanted.mailbox) is post:
            del self._posts[post.wanted.mailbox]

    # --- What is wanted -----------------------------------------------------------------------------------------------

    async def _ask(self, query: str, **values: list[int]) -> list[Wanted]:
        known = {"active": [str(state) for state in ACTIVE], "attention": str(State.NEEDS_ATTENTION)}
        async with self._hands.pool.connection() as connection:
            cursor = await connection.execute(query, {**known, **values})
            return [Wanted(*row) for row in await cursor.fetchall()]

    async def _look_at(self, mailbox: int) -> None:
        """Begin with a mailbox, begin anew, or end."""
        for wanted in await self._ask(_NAMED, mailboxes=[mailbox]):
            self._start(wanted)
            return
        self._end(mailbox)

    async def _sweep(self) -> None:
        """Look at all mailboxes of our shards."""
        wanted = await self._ask(_OF_SHARDS, shards=list(self._hands.shards.held))
        names = {one.mailbox for one in wanted}
        for mailbox in self._posts.keys() - names:
            self._end(mailbox)
        self._waiting.extend(one for one in wanted if not self._has(one))
        self._to_start.set()

    def _has(self, wanted: Wanted) -> bool:
        post = self._posts.get(wanted.mailbox)
        return post is not None and post.wanted == wanted

    async def _look_about(self) -> None:
        """Now and then, and when a draft comes, see who is due; and at times sweep."""
        clock = asyncio.get_running_loop().time
        swept = clock()
        while True:
            self._to_look.clear()
            try:
                for draft in await in_thread(take_drafts):
                    self._tasks.create_task(self._prove(draft))
                for wanted in await self._ask(_DUE, shards=list(self._hands.shards.held)):
                    self._start(wanted)
                if clock() - swept >= SWEEP_SECONDS:
                    await self._sweep()
                    swept = clock()
            except (*AWAY, OperationalError, InterfaceError) as error:
                logger.warning("the foreman waits for the database", extra={"error": type(error).__name__})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._to_look.wait()

    async def _prove(self, draft: int) -> None:
        try:
            await prove_draft(draft, self._hands.network)
        except Exception:
            logger.exception("a draft could not be proved", extra={"draft": draft})

    # --- Words --------------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Hear the words on the channel through every loss of the connection; after each, sweep."""
        while True:
            try:
                async with await connect_directly() as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    await self._hands.pool.check()
                    await self._sweep()
                    await self._hear(connection)
            except AWAY as error:
                logger.warning("no word is heard", extra={"error": type(error).__name__})
            await asyncio.sleep(OUTAGE_SECONDS)

    async def _hear(self, connection: AsyncConnection) -> None:
        """Obey until the connection is lost: ``draft`` (one waits), ``mb:ID`` (a mailbox has changed), ``try:ID``
        (do not wait for the next try), ``prove:ID`` (prove that nothing is missing)."""
        while True:
            async for word in connection.notifies(timeout=SILENCE_SECONDS):
                kind, _, number = word.payload.partition(":")
                if kind == "draft":
                    self._to_look.set()
                elif kind == "mb":
                    await self._look_at(int(number))
                elif kind == "try" and int(number) in self._posts:
                    self._posts[int(number)].actor.try_now()
                elif kind == "prove" and int(number) in self._posts:
                    self._posts[int(number)].actor.prove_now()
            await connection.execute("SELECT 1")
