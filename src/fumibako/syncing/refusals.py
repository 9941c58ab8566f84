"""What follows when a mailbox's session fails: whose fault it is, and when it is tried again (design rule 10).

    failure                                       next state        next try            counts
    a fault of server or network, a limit         retrying          after the back-off  no
    the secret refused, it never worked here      needs_attention   never               yes
    … it has worked: the first time               retrying          15 min              yes
    … the second time: its person is told         needs_attention   2 h, silently       yes
    … the third time                              needs_attention   12 h, silently      yes
    … the fourth time                             needs_attention   never               yes
    a sign of a lock-out, another refusal that
    only a person can mend                        needs_attention   never               yes
    the secret refused in an incident of its host retrying          when it is over     no

A mailbox that waits for its person keeps its state and cause when a silent try meets a fault or an incident, and that
try is made later. ``decide`` is all of this; ``record_failure`` and ``record_login`` are its rows.

An actor, when a session has ended by a mail error:

    failure = diagnose(error, stage=lease.stage)
    pause = max(backoff.pause(lived), budgets.pause(box.limit_key))
    verdict = await record_failure(pool, box.id, box.generation, failure, pause=pause)   # moves the state
    hands.numberer.wake()
    return verdict.state is State.RETRYING      # then reload the mailbox and ``await incidents.wait(…)``

and right after a login that has worked: ``await record_login(pool, box.id)``, and ``numberer.wake()`` where it is true.
"""

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from fumibako.archive import Stale
from fumibako.linking import MOVE, State, move
from fumibako.mail.diagnosis import Failure
from fumibako.syncing import incidents
from fumibako.syncing.incidents import no_seconds

REFUSED_PAUSES = (15 * 60.0, 2 * 3600.0, 12 * 3600.0)  # seconds to the next login after the first refusal, the second …
UNCLEAR_PAUSE = 15 * 60.0  # seconds at least, when a login is refused in words that nobody knows: it may be the secret
SECRET = frozenset(
    {
        "wrong_credentials",
        "wrong_password",
        "wrong_username_shape",
        "no_mailbox_at_address",
        "password_expired",
        "app_password_required",  # what Google, Yahoo and iCloud mean by a refused password
        "mail_password_required",  # what docomo and LINE WORKS mean by it
    }
)
"""Causes that say no more than that the user name and the secret were refused, which a broken directory says too."""
LOCKED = frozenset({"locked_after_tries"})

_STANDING = """
SELECT lower(imap_host) AS host, organization_id AS organization, state = 'needs_attention' AS asked, refusals,
       refused_at IS NOT NULL AS marked,
       EXISTS (SELECT 1 FROM host_incident WHERE host = lower(imap_host) AND ended_at IS NULL) AS incident,
       EXISTS (SELECT 1 FROM mailbox_secret
                WHERE mailbox_id = mailbox.id AND service = 'imap' AND worked_at IS NOT NULL) AS worked
  FROM mailbox WHERE id = %s AND generation = %s FOR UPDATE
"""
_KEEP = "UPDATE mailbox SET next_try_at = now() + make_interval(secs => %s) WHERE id = %s"
_MARK = """
UPDATE mailbox SET refused_at = CASE WHEN %s THEN now() + make_interval(secs => %s) END WHERE id = %s
"""
_LOGGED_IN = """
WITH proved AS (
  UPDATE mailbox_secret SET worked_at = now() WHERE mailbox_id = %(mailbox)s AND service = 'imap' AND worked_at IS NULL
)
SELECT lower(imap_host) FROM mailbox AS box
 WHERE id = %(mailbox)s
   AND (EXISTS (SELECT 1 FROM mailbox AS other
                 WHERE lower(other.imap_host) = lower(box.imap_host) AND other.refused_at IS NOT NULL
                   AND (other.refusals > 0 OR other.id = box.id))
        OR EXISTS (SELECT 1 FROM host_incident WHERE host = lower(box.imap_host) AND ended_at IS NULL))
"""
_HEAL = "UPDATE mailbox SET refused_at = NULL WHERE id = %s AND refused_at IS NOT NULL"
_STALE_EVIDENCE = """
UPDATE mailbox SET refused_at = NULL WHERE lower(imap_host) = %s AND refused_at IS NOT NULL AND refusals > 0
"""


@dataclass(frozen=True)
class Standing:
    """How a mailbox's secret stands: whether it has worked here, how often it has been refused in a row since, and
    whether its person has been asked for it."""

    worked: bool
    refusals: int = 0
    asked: bool = False


@dataclass(frozen=True)
class Verdict:
    """What follows from a failure. ``next_try_in`` is in seconds; None for never, or for when the incident is over.

    ``cause`` is None where the mailbox keeps the one that it has.
    """

    state: State
    cause: str | None
    refusals: int
    next_try_in: float | None
    waits_for_host: bool = False


def is_refusal(failure: Failure) -> bool:
    """Whether a login was refused in a way that only a person can mend, or the secret itself was."""
    known = failure.cause in SECRET | LOCKED
    return known or (failure.about.stage == "login" and failure.retry == "never")


def decide(standing: Standing, failure: Failure, *, incident: bool, pause: float) -> Verdict:
    """What follows from a failure. ``incident``: the host has one; ``pause``: seconds of the back-off after a fault."""
    refusals = standing.refusals
    if not is_refusal(failure):
        return _after_fault(standing, failure, pause)
    if incident and standing.worked and failure.cause in SECRET | LOCKED:
        if standing.asked:
            return Verdict(State.NEEDS_ATTENTION, None, refusals, _pause_after(refusals))
        return Verdict(State.RETRYING, incidents.CAUSE, 0, None, waits_for_host=True)
    refusals += 1
    again = _pause_after(refusals) if standing.worked and failure.cause in SECRET else None
    state = State.RETRYING if again is not None and refusals == 1 else State.NEEDS_ATTENTION
    return Verdict(state, failure.cause, refusals, again)


def _pause_after(refusals: int) -> float | None:
    return REFUSED_PAUSES[refusals - 1] if 0 < refusals <= len(REFUSED_PAUSES) else None


def _after_fault(standing: Standing, failure: Failure, pause: float) -> Verdict:
    if failure.cause == "server_refused_unclear" and failure.stage == "login":
        pause = max(pause, UNCLEAR_PAUSE)
    if standing.asked:
        return Verdict(State.NEEDS_ATTENTION, None, standing.refusals, max(pause, REFUSED_PAUSES[0]))
    return Verdict(State.RETRYING, failure.cause, standing.refusals, pause)


@dataclass(frozen=True)
class _Row:
    host: str
    organization: int
    asked: bool
    refusals: int
    marked: bool
    incident: bool
    worked: bool

    @property
    def standing(self) -> Standing:
        return Standing(self.worked, self.refusals, self.asked)

    def is_evidence(self, failure: Failure) -> bool:
        """Whether this refusal is the first of a secret that has worked: it may be the host's fault."""
        return self.worked and not self.asked and not self.refusals and not self.marked and failure.cause in SECRET


async def record_failure(
    pool: AsyncConnectionPool,
    mailbox: int,
    generation: int,
    failure: Failure,
    *,
    pause: float,
    ahead: Callable[[], float] = no_seconds,
) -> Verdict:
    """Move a mailbox whose session has failed to its next state, and begin its host's incident where it is one.

    ``pause`` is how many seconds to wait after a fault. Raises ``archive.Stale`` when the mailbox has changed.
    """
    async with pool.connection() as connection, connection.transaction():
        if not is_refusal(failure):
            row = await _standing(connection, mailbox, generation)
            verdict = decide(row.standing, failure, incident=False, pause=pause)
            await _write(connection, mailbox, generation, failure, verdict)
            return verdict
        await incidents.lock_host_of(connection, mailbox)
        row = await _standing(connection, mailbox, generation)
        new = row.is_evidence(failure)
        incident = row.incident or (new and await _begins_incident(connection, mailbox, row.host, failure, ahead()))
        verdict = decide(row.standing, failure, incident=incident, pause=pause)
        await _write(connection, mailbox, generation, failure, verdict)
        await connection.execute(_MARK, [new or verdict.waits_for_host, ahead(), mailbox])
        if verdict.waits_for_host:
            await incidents.join(connection, row.host, row.organization, mailbox)
            if failure.cause in LOCKED:
                await incidents.put_off(connection, row.host, ahead())
        return verdict


async def record_login(pool: AsyncConnectionPool, mailbox: int, *, ahead: Callable[[], float] = no_seconds) -> bool:
    """A mailbox has logged in: its secret has worked, and its host works. Whether that has ended an incident."""
    async with pool.connection() as connection:
        cursor = await connection.execute(_LOGGED_IN, {"mailbox": mailbox})
        row = await cursor.fetchone()
        if row is None:
            return False
        async with connection.transaction():
            await incidents.lock_host(connection, row[0])
            healed = (await connection.execute(_HEAL, [mailbox])).rowcount > 0
            ended = await incidents.end(connection, row[0], ahead(), healed=healed)
            await connection.execute(_STALE_EVIDENCE, [row[0]])
        return ended


async def _standing(connection: AsyncConnection, mailbox: int, generation: int) -> _Row:
    async with connection.cursor(row_factory=class_row(_Row)) as cursor:
        await cursor.execute(_STANDING, [mailbox, generation])
        row = await cursor.fetchone()
    if row is None:
        raise Stale("the mailbox has changed")
    return row


async def _begins_incident(
    connection: AsyncConnection, mailbox: int, host: str, failure: Failure, ahead: float
) -> bool:
    others = await incidents.evidence(connection, host, mailbox, ahead)
    if len(others) + 1 < incidents.MAILBOXES:
        return False
    await incidents.begin(connection, host, others, failure.server_words or "", ahead)
    return True


async def _write(
    connection: AsyncConnection, mailbox: int, generation: int, failure: Failure, verdict: Verdict
) -> None:
    if verdict.cause is None:
        await connection.execute(_KEEP, [verdict.next_try_in, mailbox])
        return
    told = move(
        mailbox,
        verdict.state,
        generation=generation,
        cause=verdict.cause,
        cause_stage=failure.stage,
        server_words=failure.server_words or "",
        refusals=verdict.refusals,
        next_try_in=verdict.next_try_in,
    )
    cursor = await connection.execute(MOVE, told)
    if await cursor.fetchone() is None:
        raise Stale("the mailbox has changed")
