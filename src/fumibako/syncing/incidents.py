"""When a mail host refuses mailboxes whose passwords are right: its own fault, and nobody's password is asked for.

Three mailboxes with working secrets that are refused at one host within ten minutes are the host's incident (design
rule 10). From then on whoever is refused there waits in ``retrying``, one mailbox in turn probes every five minutes,
and the admins concerned are told once. Any login at the host that works ends it: all who wait are tried at once, at the
host's pace, and the admins are told so. An incident that has lasted a day without a single login that worked is given
up: it was no outage, and each mailbox counts for itself again.

What is known of a mailbox stands in two columns of its row:

    refusals  refused_at
    0         null        nothing is wrong
    n > 0     null        refused n times, and it is its own affair: others at the host got in since, or it waited here
    n > 0     time        refused n times, and at that time for the first: evidence for an incident
    0         time        waits in an incident (the time of its last try); or waited in one that somebody else has ended

All of it is in PostgreSQL: it holds over workers and restarts. Who changes it for a host holds the host's lock. Times
are the database's, set ahead by ``ahead`` seconds in tests.

A worker runs ``incidents.run()`` as a task. An actor, before it opens a connection for a mailbox in ``retrying``, does
``await incidents.wait(box.id, box.next_try_in, try_now)``; the event ``try_now`` is set by the words ``try:ID`` on
channel ``fumibako_work``, which reach the owner of a mailbox wherever they are said. What begins and ends incidents is
``refusals``.
"""

import asyncio
import logging
from collections.abc import Callable

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from fumibako.events import AWAY
from fumibako.linking import MOVE, State, move

MAILBOXES = 3  # refused at one host
WITHIN = 600.0  # seconds
PROBE_SECONDS = 300.0
LOCKED_SECONDS = 1800.0  # to the next probe after a sign of a lock-out
LONGEST = 86400.0  # seconds; no directory is away for longer, but a company may change all its passwords in one night
LOOK_SECONDS = 5.0
CAUSE = "auth_temporary"

_LOCK = 0x686F7374  # "host": a space of advisory locks of its own
_EVIDENCE = """
SELECT id FROM mailbox
 WHERE lower(imap_host) = %(host)s AND id <> %(mailbox)s AND state IN ('retrying', 'needs_attention') AND refusals > 0
   AND refused_at > now() + make_interval(secs => %(ahead)s - %(within)s)
 ORDER BY id
"""
_BEGIN = """
INSERT INTO host_incident (host, cause, server_words, began_at, next_probe_at)
VALUES (%(host)s, %(cause)s, %(words)s, now() + make_interval(secs => %(ahead)s),
        now() + make_interval(secs => %(ahead)s + %(pause)s))
"""
_OPEN = """
SELECT host, next_probe_at <= now() + make_interval(secs => %(ahead)s) FROM host_incident WHERE ended_at IS NULL
"""
_TAKE = """
UPDATE host_incident SET next_probe_at = now() + make_interval(secs => %(ahead)s + %(pause)s)
 WHERE host = %(host)s AND ended_at IS NULL AND next_probe_at <= now() + make_interval(secs => %(ahead)s)
RETURNING began_at < now() + make_interval(secs => %(ahead)s - %(longest)s)
"""
_NEXT = """
UPDATE mailbox SET refused_at = now() + make_interval(secs => %(ahead)s)
 WHERE id = (SELECT id FROM mailbox
              WHERE lower(imap_host) = %(host)s AND state = 'retrying' AND refusals = 0 AND refused_at IS NOT NULL
              ORDER BY refused_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, pg_notify('fumibako_work', 'try:' || id)
"""
_PUT_OFF = """
UPDATE host_incident SET next_probe_at = greatest(next_probe_at, now() + make_interval(secs => %(ahead)s + %(pause)s))
 WHERE host = %(host)s AND ended_at IS NULL
"""
_END = """
UPDATE host_incident SET ended_at = now() + make_interval(secs => %(ahead)s)
 WHERE host = %(host)s AND ended_at IS NULL
"""
_TRY_ALL = """
WITH waiting AS (
  UPDATE mailbox SET next_try_at = now(), refused_at = CASE WHEN %(healed)s THEN NULL ELSE refused_at END
   WHERE lower(imap_host) = %(host)s AND state = 'retrying' AND refusals = 0 AND refused_at IS NOT NULL
  RETURNING id, organization_id
)
SELECT organization_id, count(*), count(pg_notify('fumibako_work', 'try:' || id)) FROM waiting GROUP BY 1
"""
_TELL = """
WITH told AS (
  INSERT INTO event (organization_id, kind, count, detail)
  SELECT organization, 'host.incident', count,
         jsonb_build_object('host', %(host)s::text, 'cause', %(cause)s::text, 'ended', %(ended)s::boolean)
    FROM unnest(%(organizations)s::bigint[], %(counts)s::int[]) AS t (organization, count)
)
SELECT count(pg_notify('fumibako_live', 'pe:' || id)) FROM person
 WHERE organization_id = ANY(%(organizations)s) AND role = 'admin' AND state = 'active'
"""
_OTHERS_WAIT = """
SELECT 1 FROM mailbox
 WHERE lower(imap_host) = %(host)s AND state = 'retrying' AND refusals = 0 AND refused_at IS NOT NULL
   AND organization_id = %(organization)s AND id <> %(mailbox)s LIMIT 1
"""
_HELD = """
SELECT host FROM mailbox JOIN host_incident ON host = lower(imap_host) AND ended_at IS NULL
 WHERE mailbox.id = %s AND state = 'retrying' AND refusals = 0 AND refused_at IS NOT NULL
"""

logger = logging.getLogger(__name__)


def no_seconds() -> float:
    """How far the clock is ahead of the database's, outside tests."""
    return 0.0


async def lock_host(connection: AsyncConnection, host: str) -> None:
    """Be the only one who changes what is known of a host, until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, host])


async def lock_host_of(connection: AsyncConnection, mailbox: int) -> None:
    """The same for the host of a mailbox."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(%s, hashtext(lower(imap_host))) FROM mailbox WHERE id = %s", [_LOCK, mailbox]
    )


async def evidence(connection: AsyncConnection, host: str, mailbox: int, ahead: float) -> list[int]:
    """The other mailboxes at the host whose working secrets have been refused lately, for the first time."""
    values = {"host": host, "mailbox": mailbox, "ahead": ahead, "within": WITHIN}
    cursor = await connection.execute(_EVIDENCE, values)
    return [row[0] for row in await cursor.fetchall()]


async def begin(connection: AsyncConnection, host: str, mailboxes: list[int], words: str, ahead: float) -> None:
    """Begin an incident; the mailboxes that were refused before it was known wait in it, and nobody is asked."""
    values = {"host": host, "cause": CAUSE, "words": words, "ahead": ahead, "pause": PROBE_SECONDS}
    await connection.execute(_BEGIN, values)
    for mailbox in mailboxes:
        told = move(mailbox, State.RETRYING, cause=CAUSE, cause_stage="login", server_words=words)
        await connection.execute(MOVE, told)
    cursor = await connection.execute(
        "SELECT organization_id, count(*) FROM mailbox WHERE id = ANY(%s) GROUP BY 1", [mailboxes]
    )
    await _tell(connection, host, await cursor.fetchall(), ended=False)
    logger.warning("a mail host refuses mailboxes whose passwords are right", extra={"host": host})


async def join(connection: AsyncConnection, host: str, organization: int, mailbox: int) -> None:
    """One more mailbox waits in the host's incident: its organization is told if it is the first of it."""
    values = {"host": host, "organization": organization, "mailbox": mailbox}
    cursor = await connection.execute(_OTHERS_WAIT, values)
    if await cursor.fetchone() is None:
        await _tell(connection, host, [(organization, 1)], ended=False)


async def put_off(connection: AsyncConnection, host: str, ahead: float) -> None:
    """Leave the host alone for longer: it has shown a sign of a lock-out."""
    await connection.execute(_PUT_OFF, {"host": host, "ahead": ahead, "pause": LOCKED_SECONDS})


async def end(connection: AsyncConnection, host: str, ahead: float, *, healed: bool) -> bool:
    """End the host's incident, if there is one: all who wait are tried at once. Whether there was one.

    ``healed``: one of those who wait has got in with the secret that was refused, so it was the host's fault, and
    should they be refused again they are evidence again.
    """
    cursor = await connection.execute(_END, {"host": host, "ahead": ahead})
    if not cursor.rowcount:
        return False
    cursor = await connection.execute(_TRY_ALL, {"host": host, "healed": healed})
    counts = [(organization, count) for organization, count, _ in await cursor.fetchall()]
    await _tell(connection, host, counts, ended=True)
    logger.info("a mail host's incident has ended", extra={"host": host})
    return True


async def _tell(connection: AsyncConnection, host: str, counts: list[tuple[int, int]], *, ended: bool) -> None:
    if not counts:
        return
    values = {
        "host": host,
        "cause": CAUSE,
        "ended": ended,
        "organizations": [organization for organization, _ in counts],
        "counts": [count for _, count in counts],
    }
    await connection.execute(_TELL, values)


class Incidents:
    """The incidents as a worker and its actors see them."""

    def __init__(self, pool: AsyncConnectionPool, ahead: Callable[[], float] = no_seconds) -> None:
        self._pool = pool
        self._ahead = ahead
        self._waiting: dict[str, set[asyncio.Event]] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except AWAY as error:
                logger.warning("incidents wait for the database", extra={"error": type(error).__name__})
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> list[int]:
        """Have one mailbox tried at each host where it is time to; returns their ids.

        Several workers may do so at once: each due probe is taken by one of them. Those whose incident is over go on,
        should the word of it not have reached them.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_OPEN, {"ahead": self._ahead()})
            due: dict[str, bool] = dict(await cursor.fetchall())
        for host in self._waiting.keys() - due.keys():
            for try_now in self._waiting.pop(host):
                try_now.set()
        return [mailbox for host, is_due in due.items() if is_due for mailbox in await self._probe(host)]

    async def wait(self, mailbox: int, seconds: float, try_now: asyncio.Event) -> None:
        """Wait until a mailbox in ``retrying`` may be tried: its time has come and no incident holds it.

        ``try_now`` ends the waiting in any case. An incident from before the worker's start holds it, too. Raises
        psycopg's OperationalError while the database is away.
        """
        try_now.clear()
        loop = asyncio.get_running_loop()
        ready = loop.time() + seconds
        while not try_now.is_set():
            host = await self._holder(mailbox)
            if host is None and loop.time() >= ready:
                return
            waiting = self._waiting.setdefault(host, set()) if host else set()
            waiting.add(try_now)
            try:
                async with asyncio.timeout(None if host else ready - loop.time()):
                    await try_now.wait()
            except TimeoutError:
                pass
            finally:
                waiting.discard(try_now)

    async def _probe(self, host: str) -> list[int]:
        values = {"host": host, "ahead": self._ahead(), "pause": PROBE_SECONDS, "longest": LONGEST}
        async with self._pool.connection() as connection, connection.transaction():
            await lock_host(connection, host)
            cursor = await connection.execute(_TAKE, values)
            taken = await cursor.fetchone()
            if taken is None:
                return []
            if taken[0]:
                await end(connection, host, self._ahead(), healed=False)
                return []
            cursor = await connection.execute(_NEXT, values)
            return [row[0] for row in await cursor.fetchall()]

    async def _holder(self, mailbox: int) -> str | None:
        """The host whose incident a mailbox waits in."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_HELD, [mailbox])
            row = await cursor.fetchone()
        return row[0] if row else None
