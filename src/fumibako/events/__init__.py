"""What happened, in an order that every reader agrees on.

A row of ``event`` is written without a number, in the transaction of what it tells. One numberer (``numberer``, under
an advisory lock) gives committed rows their ``seq``, per organization, in batches, and then says so on the channel of
the live pages (``feed``). Readers look at numbered rows only, so nobody ever sees n + 1 before n, and writers never
wait for each other: they take no lock of the organization, send no NOTIFY and defer no job.

An event holds ids, a kind and counts, never text: what it says is rendered when it is delivered, under the privacy of
that moment. History makes one event a batch.
"""

from fumibako.events.database import AWAY, connect_directly, connection_string
from fumibako.events.feed import Feed, Stream, topic_of
from fumibako.events.numberer import Numberer, number_events

__all__ = [
    "AWAY",
    "Feed",
    "Numberer",
    "Stream",
    "connect_directly",
    "connection_string",
    "number_events",
    "topic_of",
]
