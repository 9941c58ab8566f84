"""How many connections a mail host is asked for at once, and how fast: a budget per limit key (design rule 11).

One worker owns a limit key (``linking.limit_key``), so its budget lives in that worker's memory; what a host has taught
is a row of ``host_limit``, and outlives the worker. Of the connections that are believed to be allowed at most half are
used, and at least two are left free: colleagues' programs and the person's own phone need theirs.

An actor opens no connection but inside a lease:

    async with budgets.connection(box.limit_key) as lease:
        client = await ImapClient.connect(…)
        await client.login(…)
        lease.logged_in()                       # from now on it is known to be allowed
        …                                       # first screens, import, watch

- It waits for its turn: first come, first served, but bulk (``first=False``) behind those who come a minute later.
- ``lease.stage`` is the stage to diagnose its errors with: what is refused after the login is not the secret.
- ``lease.wanted`` says that others wait and that this lease is to give its place: a watch ends after its look, an
  import between two folders or batches. ``await lease.until_wanted()`` returns then (to interrupt an IDLE). Only as
  many leases are asked as mailboxes wait, bulk first, then those that have been held longest. A watch that has given
  its place asks for the next one ``budgets.interval(key)`` or its own usual interval later.
- What ends the ``async with`` by a mail error teaches: a refusal lowers what is believed, words that ask to wait are
  obeyed. The error goes on to the actor; ``budgets.pause(key)`` then tells how long the host wants to be left alone.
- ``budgets.spare(key)`` says whether a second connection of a mailbox (``first=False``) takes nobody's place.

Learning. A connection that is refused while n others are open shows that n are allowed. A connection closed without a
word before its login says the same (Courier's MAXPERIP), but only when it happens again a little later and no login has
worked between. A refusal that names the user (Dovecot's user+IP) says nothing of the other mailboxes at the host. What
is believed rises again by a tenth a day, and only while mailboxes wait. A host that has never refused is believed to
allow UNKNOWN connections, and a quarter more after each hour in which mailboxes had to wait.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from psycopg_pool import AsyncConnectionPool

from fumibako.events import AWAY
from fumibako.linking import is_of_one_mailbox, server_of
from fumibako.mail.connect import ConnectError
from fumibako.mail.diagnosis import Failure, LimitTold, diagnose, limit_told
from fumibako.mail.discovery import Limits, host_id_of, limits_of
from fumibako.mail.imap import ImapError

UNKNOWN = 20  # connections from one address; Debian's Courier (MAXPERIP) refuses the 21st, others that count allow more
UNKNOWN_OF_USER = 10  # connections of one user; Dovecot's default (mail_max_userip_connections)
FREE = 2  # connections that are always left to others
LOGIN_GAP = 0.5  # seconds between two logins where the host's tolerance is unknown
LOGINS = 5  # under way at once there
BULK_BEHIND = 60.0  # seconds that bulk stands behind the others in the queue, so that it waits but does not starve
SUSPICION = 5.0  # seconds between a close without a word and the try that is to confirm it
CONFIRMS = 60.0  # seconds after that, in which another such close does confirm it
PAUSES = {"rate_limited": 60.0, "bandwidth_exceeded": 3600.0}  # seconds, where the host's words name no time
UNTRIED = 3600.0, 1.25  # seconds after which more is believed of a host that never refused, and how much more
REFUSED = 86400.0, 1.1  # the same of one that did
QUIET = 300.0  # seconds without anybody in the queue, after which mailboxes have to wait anew for all that time

_LOAD = """
SELECT connections, words, extract(epoch FROM now() - learned_at)::float8,
       coalesce(extract(epoch FROM pause_until - now()), 0)::float8
  FROM host_limit WHERE limit_key = %s
"""
_SAVE = """
INSERT INTO host_limit (limit_key, connections, pause_until, words, learned_at)
VALUES (%(key)s, %(connections)s, now() + make_interval(secs => %(pause)s), %(words)s,
        now() - make_interval(secs => %(age)s))
ON CONFLICT (limit_key) DO UPDATE SET connections = excluded.connections, pause_until = excluded.pause_until,
       words = excluded.words, learned_at = excluded.learned_at
"""

logger = logging.getLogger(__name__)


def usable(limit: int) -> int:
    """How many connections are used where ``limit`` are allowed: half, two left free, but at least one."""
    return max(1, min(limit // 2, limit - FREE))


class Lease:
    """The right to one connection, while its ``async with`` lasts."""

    def __init__(self, first: bool, now: float) -> None:
        self.first = first
        self.established = False
        self.place = now if first else now + BULK_BEHIND
        self._turn = asyncio.Event()
        self._wanted = asyncio.Event()
        self._budget: _Budget | None = None

    @property
    def wanted(self) -> bool:
        """Whether others wait, and this lease is to give its place as soon as it can."""
        return self._wanted.is_set()

    async def until_wanted(self) -> None:
        """Wait until the place is wanted by others."""
        await self._wanted.wait()

    @property
    def stage(self) -> str:
        """What is being done with the connection, in the words of ``diagnose``."""
        return "fetch" if self.established else "login"

    def logged_in(self) -> None:
        """The login has worked: the next one may begin, and the host allows this many connections."""
        self.established = True
        if self._budget is not None:
            self._budget.suspected = False
            self._budget.tell()


class _Budget:
    """What is known of one limit key, who has its connections, and who waits."""

    def __init__(self, key: str, now: float) -> None:
        self.key = key
        self.server = server_of(key)
        self.alone = is_of_one_mailbox(key)
        self.book: Limits = limits_of(self.server)
        self.limit = self.book.connections or (UNKNOWN_OF_USER if self.alone else UNKNOWN)
        self.words = ""  # what the host said or did when it last refused; empty where it never has
        self.learned_at = now
        self.paused_until = now
        self.no_second_until = now
        self.suspected = False
        self.held_until = now
        self.queued_since = self.queued_at = now  # since when mailboxes have had to wait, and when one last had to
        self.next_login_at = now
        self.unsaved = False
        self.open: list[Lease] = []
        self.waiting: list[Lease] = []

    @property
    def idle(self) -> bool:
        return not self.open and not self.waiting

    def delay(self, lease: Lease, now: float) -> float | None:
        """Seconds until a waiting lease may open its connection; None while others are before it."""
        if lease is not self.waiting[0]:
            return None
        if len(self.open) >= usable(self.limit) and not self._rise(now):
            return None
        if not self.alone and sum(not one.established for one in self.open) >= LOGINS:
            return None
        return max(self.paused_until, self.held_until, self.next_login_at) - now

    def wait(self, lease: Lease, now: float) -> None:
        """Put a lease into the queue."""
        if not self.waiting and now - self.queued_at > QUIET:
            self.queued_since = now
        self.waiting.append(lease)
        self.waiting.sort(key=lambda one: one.place)
        self.tell()

    def enter(self, lease: Lease, now: float) -> None:
        """The lease's turn has come."""
        lease._budget = self
        self.queued_at = now
        self.waiting.remove(lease)
        self.open.append(lease)
        self.next_login_at = now if self.alone else now + LOGIN_GAP
        self.tell()

    def leave(self, lease: Lease) -> None:
        """The lease has ended, or waits no longer."""
        (self.open if lease in self.open else self.waiting).remove(lease)
        self.tell()

    def tell(self) -> None:
        """Let the first that waits look again, and ask as many leases for their places as are too many."""
        if self.waiting:
            self.waiting[0]._turn.set()
        free = max(usable(self.limit) - len(self.open), 0)
        over = max(len(self.open) - usable(self.limit), 0)
        asked = over + max(len(self.waiting) - free, 0)
        for place, lease in enumerate(sorted(self.open, key=lambda one: one.first)):
            if place < asked:
                lease._wanted.set()
            else:
                lease._wanted.clear()

    def learn(self, lease: Lease, failure: Failure, now: float) -> None:
        """What the failure that ended a lease tells of the host's limits."""
        others = sum(one.established for one in self.open if one is not lease)
        told = limit_told(failure)
        if told is None:
            if failure.cause == "connection_dropped" and not lease.established and others:
                self._closed_without_a_word(failure, others, now)
            return
        if told.wait or not told.connections:
            self.paused_until = max(self.paused_until, now + (told.wait or PAUSES[failure.cause]))
            self.unsaved = True
        if told.connections and told.of_user and not self.alone:
            self.no_second_until = now + REFUSED[0]
        elif told.connections:
            self._lower(told, others, failure, now)

    def _closed_without_a_word(self, failure: Failure, others: int, now: float) -> None:
        if not self.suspected or now > self.held_until + CONFIRMS:
            self.suspected, self.held_until = True, now + SUSPICION
        elif now >= self.held_until:
            self.suspected = False
            self._lower(LimitTold(connections=True), others, failure, now)

    def _lower(self, told: LimitTold, others: int, failure: Failure, now: float) -> None:
        """Believe in fewer. Where fewer of ours were open than the named number leaves us, others hold the rest."""
        within = told.allowed if told.allowed and others > usable(told.allowed) else None
        shown = within or others or self.limit // 2
        self.limit = max(1, min(self.limit, shown))
        self.words = failure.server_words or str(failure)
        self.learned_at = now
        self.unsaved = True
        logger.info("a mail host allows fewer connections", extra={"limit_key": self.key, "connections": self.limit})

    def _rise(self, now: float) -> bool:
        """It is full, and somebody waits: believe in more, where it is time to; whether that makes room."""
        period, growth = REFUSED if self.words else UNTRIED
        if self.book.connections or now - max(self.learned_at, self.queued_since) < period:
            return False
        self.limit = max(self.limit + 2, int(self.limit * growth))
        self.learned_at = now
        self.unsaved = True
        return len(self.open) < usable(self.limit)


class Budgets:
    """The budgets of the limit keys that this worker owns."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._budgets: dict[str, _Budget] = {}

    @asynccontextmanager
    async def connection(self, key: str, *, first: bool = True) -> AsyncIterator[Lease]:
        """Wait until one more connection may be opened at the host of this limit key, and hold it.

        ``first`` is for first screens, and for mailboxes that have no connection; without it, it is bulk. Raises
        psycopg's OperationalError while the database is away and nothing is known of the key.
        """
        budget = await self._load(key)
        lease = Lease(first, _now())
        await _turn(budget, lease)
        try:
            if budget.unsaved:
                await self._save(budget)
            yield lease
        except (ConnectError, ImapError, OSError, Failure) as error:
            failure = diagnose(error, stage=lease.stage, host_id=host_id_of(budget.server))
            budget.learn(lease, failure, _now())
            raise
        finally:
            budget.leave(lease)
            if budget.unsaved:
                await self._save(budget)

    def spare(self, key: str) -> bool:
        """Whether a mailbox may have a second connection now, and nobody waits for it."""
        budget = self._budgets.get(key)
        if budget is None or budget.waiting or _now() < max(budget.paused_until, budget.no_second_until):
            return False
        kept = 0 if budget.alone else 1  # for whoever comes next
        return len(budget.open) + kept < usable(budget.limit)

    def pause(self, key: str) -> float:
        """Seconds for which the host still wants to be left alone; 0.0 where it does not."""
        budget = self._budgets.get(key)
        return max(budget.paused_until - _now(), 0.0) if budget else 0.0

    def interval(self, key: str) -> float | None:
        """Seconds that the host wants between two looks at a mailbox; None where it has no such wish."""
        return limits_of(server_of(key)).interval

    async def _load(self, key: str) -> _Budget:
        """What is known of a key. Another worker may have learned more while this one had nothing to do with it."""
        budget = self._budgets.get(key)
        if budget is not None and not budget.idle:
            return budget
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_LOAD, [key])
            row = await cursor.fetchone()
        budget = self._budgets.setdefault(key, _Budget(key, _now()))
        if row is not None and budget.idle and not budget.unsaved:
            connections, budget.words, age, pause = row
            budget.limit = connections or budget.limit
            budget.learned_at, budget.paused_until = _now() - age, _now() + max(pause, 0.0)
        return budget

    async def _save(self, budget: _Budget) -> None:
        now = _now()
        values = {
            "key": budget.key,
            "connections": budget.limit,
            "pause": max(budget.paused_until - now, 0.0),
            "words": budget.words,
            "age": now - budget.learned_at,
        }
        budget.unsaved = False
        try:
            async with self._pool.connection() as connection:
                await connection.execute(_SAVE, values)
        except AWAY as error:
            budget.unsaved = True
            logger.warning("a host's limit waits for the database", extra={"error": type(error).__name__})


async def _turn(budget: _Budget, lease: Lease) -> None:
    budget.wait(lease, _now())
    try:
        while (delay := budget.delay(lease, _now())) is None or delay > 0:
            lease._turn.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await lease._turn.wait()
    except BaseException:
        budget.leave(lease)
        raise
    budget.enter(lease, _now())


def _now() -> float:
    return asyncio.get_running_loop().time()
