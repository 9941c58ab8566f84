"""The worker process: holds its share of the shards, keeps actors running for them, and numbers events.

Several may run on one database. What a worker does lives through every outage of the database by itself; only SIGTERM
and SIGINT end it, and then its shards are handed over first.
"""

import asyncio
import logging
import signal

from django.db import InterfaceError, OperationalError

from fumibako.archive import ParserPool
from fumibako.events import Numberer
from fumibako.linking import expire_drafts, in_thread
from fumibako.mail.connect import Network
from fumibako.syncing.budget import Budgets
from fumibako.syncing.database import make_pool
from fumibako.syncing.foreman import Foreman
from fumibako.syncing.hands import Hands
from fumibako.syncing.incidents import Incidents
from fumibako.syncing.pulse import Pulse
from fumibako.syncing.shards import TTL, Shards
from fumibako.syncing.texts import Texts

EXPIRE_SECONDS = 300.0

logger = logging.getLogger(__name__)


async def run_worker(network: Network, *, ttl: float = TTL) -> None:
    """Work until SIGTERM or SIGINT. Raises PoolerInBetween.

    ``ttl``: seconds of silence after which the other workers count this one as dead.
    """
    shards = Shards(ttl=ttl)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, shards.stop)
    async with ParserPool() as parsers, make_pool() as pool:
        numberer, pulse = Numberer(pool), Pulse(pool)
        budgets, incidents = Budgets(pool), Incidents(pool)
        hands = Hands(pool, parsers, network, numberer, pulse, shards, budgets, incidents)
        foreman = Foreman(hands)
        logger.info("the worker is at work")
        try:
            async with asyncio.TaskGroup() as tasks:
                works = (numberer.run(), pulse.run(), incidents.run(), foreman.run(), Texts(hands).run(), _expire())
                beside = [tasks.create_task(work) for work in works]
                await shards.run(foreman)
                for task in beside:
                    task.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None


async def _expire() -> None:
    while True:
        try:
            await in_thread(expire_drafts)
        except (OperationalError, InterfaceError) as error:
            logger.warning("old drafts wait for the database", extra={"error": type(error).__name__})
        await asyncio.sleep(EXPIRE_SECONDS)
