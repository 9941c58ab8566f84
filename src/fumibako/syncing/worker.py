"""The worker process: takes the shards, runs an actor for each mailbox, proves drafts, numbers events."""

import asyncio
import logging
import secrets
import signal

from psycopg import AsyncConnection, OperationalError

from fumibako.archive import ParserPool
from fumibako.events import Numberer, connect_directly
from fumibako.linking import ACTIVE, State, expire_drafts, in_thread, prove_draft, take_drafts
from fumibako.mail.connect import Network
from fumibako.syncing.actor import Actor
from fumibako.syncing.database import make_pool
from fumibako.syncing.hands import Hands
from fumibako.syncing.pulse import Pulse
from fumibako.syncing.shards import ShardLost, give_back, take_presence, take_shards

LOOK_SECONDS = 5.0  # between two looks at which mailboxes there are, when no NOTIFY comes
EXPIRE_SECONDS = 300.0
OUTAGE_SECONDS = 1.0
_WANTED = """
SELECT id, generation FROM mailbox
 WHERE state = ANY(%s) OR (state = %s AND next_try_at <= now())
"""

logger = logging.getLogger(__name__)


async def run_worker(network: Network) -> None:
    """Work until SIGTERM or SIGINT. An outage of the database is waited for. Raises shards.PoolerInBetween."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with ParserPool() as parsers:
        while not stop.is_set():
            work = asyncio.create_task(_work(network, parsers))
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                work.cancel()
                stopping.cancel()
                results = await asyncio.gather(work, stopping, return_exceptions=True)
            error = results[0]
            if isinstance(error, OperationalError):
                logger.warning("the worker waits for the database", extra={"error": type(error).__name__})
                await asyncio.sleep(OUTAGE_SECONDS)
            elif isinstance(error, ShardLost):
                logger.warning("another worker has taken over; asking for shards anew")
            elif isinstance(error, Exception):
                raise error


async def _work(network: Network, parsers: ParserPool) -> None:
    me = secrets.randbits(62)
    async with await connect_directly() as direct, make_pool() as pool:
        await direct.execute("LISTEN fumibako_work")
        await take_presence(direct)
        epochs = await take_shards(direct, me)
        numberer, pulse = Numberer(pool), Pulse(pool)
        hands = Hands(pool, parsers, network, numberer, pulse, epochs)
        logger.info("the worker is at work")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(numberer.run())
                tasks.create_task(pulse.run())
                tasks.create_task(_expire())
                await Foreman(hands, tasks).run(direct)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            if not direct.closed and not direct.broken:
                await asyncio.shield(give_back(direct, me))


async def _expire() -> None:
    while True:
        await in_thread(expire_drafts)
        await asyncio.sleep(EXPIRE_SECONDS)


class Foreman:
    """Keeps an actor running for each mailbox that wants one, and proves drafts as they come."""

    def __init__(self, hands: Hands, tasks: asyncio.TaskGroup) -> None:
        self._hands = hands
        self._tasks = tasks
        self._actors: dict[int, tuple[Actor, asyncio.Task[None], int]] = {}

    async def run(self, direct: AsyncConnection) -> None:
        """Look, then wait for a word on channel ``fumibako_work`` or LOOK_SECONDS, for ever.

        The words: ``draft`` (one waits to be proved), ``mb:ID`` (a mailbox has changed), ``try:ID`` (try at once).
        """
        while True:
            await self._look()
            async for word in direct.notifies(timeout=LOOK_SECONDS, stop_after=1):
                kind, _, number = word.payload.partition(":")
                if kind == "try" and int(number) in self._actors:
                    self._actors[int(number)][0].try_now()

    async def _look(self) -> None:
        for draft in await in_thread(take_drafts):
            self._tasks.create_task(self._prove(draft))
        states = [str(state) for state in ACTIVE]
        async with self._hands.pool.connection() as connection:
            cursor = await connection.execute(_WANTED, [states, str(State.NEEDS_ATTENTION)])
            wanted: dict[int, int] = dict(await cursor.fetchall())
        for mailbox, (_, task, generation) in list(self._actors.items()):
            if task.done() or wanted.get(mailbox) != generation:
                task.cancel()
                del self._actors[mailbox]
        for mailbox, generation in wanted.items():
            if mailbox not in self._actors:
                actor = Actor(self._hands, mailbox)
                task = self._tasks.create_task(actor.run())
                self._actors[mailbox] = (actor, task, generation)

    async def _prove(self, draft: int) -> None:
        try:
            await prove_draft(draft, self._hands.network)
        except Exception:
            logger.exception("a draft could not be proved", extra={"draft": draft})
