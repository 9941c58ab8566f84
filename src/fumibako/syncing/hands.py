"""What every actor of a worker works with."""

from dataclasses import dataclass, field
from itertools import count

from psycopg_pool import AsyncConnectionPool

from fumibako.archive import Fence, ParserPool
from fumibako.events import Numberer
from fumibako.mail.connect import Network
from fumibako.syncing.pulse import Pulse


@dataclass(frozen=True)
class Hands:
    """The database, the parsing children, the outside world, and the worker's right to write: an epoch per shard."""

    pool: AsyncConnectionPool
    parsers: ParserPool
    network: Network
    numberer: Numberer
    pulse: Pulse
    epochs: dict[int, int]
    commits: "count[int]" = field(default_factory=lambda: count(1))

    def fence(self, shard: int) -> Fence:
        """The right to write for a shard."""
        return Fence(shard, self.epochs[shard])
