"""What every actor of a worker works with."""

from dataclasses import dataclass, field
from itertools import count

from psycopg_pool import AsyncConnectionPool

from fumibako.archive import Fence, ParserPool
from fumibako.events import Numberer
from fumibako.mail.connect import Network
from fumibako.syncing.budget import Budgets
from fumibako.syncing.incidents import Incidents
from fumibako.syncing.pulse import Pulse
from fumibako.syncing.shards import Shards


@dataclass(frozen=True)
class Hands:
    """The database, the parsing children, the outside world, what is known of mail hosts, and the worker's shards."""

    pool: AsyncConnectionPool
    parsers: ParserPool
    network: Network
    numberer: Numberer
    pulse: Pulse
    shards: Shards
    budgets: Budgets
    incidents: Incidents
    commits: "count[int]" = field(default_factory=lambda: count(1))

    def fence(self, shard: int) -> Fence:
        """The right to write for a shard. Raises archive.Stale where it is not this worker's."""
        return self.shards.fence(shard)
