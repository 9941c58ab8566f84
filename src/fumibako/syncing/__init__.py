"""Keeping what is stored equal to what is on the mail servers.

A worker process owns shards (``shards``): a mailbox belongs to one shard, a shard to one worker, and every commit ends
with a look at the shard's epoch. For each mailbox that it owns the worker runs one actor (``actor``), the only writer
of that mailbox. An actor logs in, imports what is not known yet (``importing``), then watches (``watch``); each is an
activity of the actor on its own connection, never a job. Bytes are read into shared memory, parsed in child processes
and stored by ``archive``; nothing here changes anything on the server.

Beside the actors a worker numbers events, proves link drafts, and flushes the proofs of life.
"""

from fumibako.mail.connect import Network
from fumibako.syncing.errors import PoolerInBetween

__all__ = ["PoolerInBetween", "run_worker"]


async def run_worker(network: Network) -> None:
    """Be a worker, one of several perhaps, until SIGTERM or SIGINT. Raises PoolerInBetween."""
    # Django loads this package before its models can be.
    from fumibako.syncing.worker import run_worker

    await run_worker(network)
