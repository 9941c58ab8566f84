"""Opening a folder read-only, and what has changed in it since it was last seen."""

from . import commands
from .commands import Command
from .connection import Answer, Connection
from .errors import CommandRefused, ProtocolError
from .responses import Condition, Examined, Exists, Fetched, Flags, Listed, Status, Synced, Vanished
from .uids import UidSet

LONGEST_KNOWN = 8000  # bytes of a set of known UIDs in a command; Dovecot ends a line at 64 KB, others earlier

_WANTS = (Exists, Flags, Condition, Fetched, Vanished, Listed)  # LIST: RFC 9051 §6.3.2


async def examine(connection: Connection, name_raw: bytes, since: Synced | None) -> Examined:
    """EXAMINE; changes of the folder that was open before are forgotten."""
    capabilities = connection.capabilities or frozenset()
    plain = commands.examine(name_raw, condstore=False)
    ways = [plain]
    if {"CONDSTORE", "QRESYNC"} & capabilities:
        ways.insert(0, commands.examine(name_raw, condstore=True))
    if since is not None and "QRESYNC" in connection.enabled:
        ways.insert(0, _resync(name_raw, since))
    else:
        since = None
    async with connection.alone():
        connection.changes.clear()
        for way in ways:
            try:
                answer = await connection.run_alone(way, wants=_WANTS)
            except CommandRefused as refused:
                if refused.kind != "BAD" or way is plain:
                    raise
            else:
                return await _examined(connection, name_raw, answer, since if way is ways[0] else None)
    raise AssertionError("the plain way either opens the folder or raises")


def _resync(name_raw: bytes, since: Synced) -> Command:
    known = str(since.known) if since.known is not None else ""
    if len(known) > LONGEST_KNOWN:
        known = ""  # then the server tells of all that are gone (RFC 7162 §3.2.5.1)
    return commands.resync(name_raw, since.uidvalidity, since.modseq, known)


async def _examined(connection: Connection, name_raw: bytes, answer: Answer, since: Synced | None) -> Examined:
    conditions = [found for found in answer.collected if isinstance(found, Condition)]
    told = {condition.code: condition.argument for condition in (*conditions, answer.condition)}
    uidvalidity, uidnext = _number(told.get("UIDVALIDITY")), _number(told.get("UIDNEXT"))
    if uidvalidity is None:
        uidvalidity, uidnext = await _asked(connection, name_raw)
    highestmodseq = None if "NOMODSEQ" in told else _number(told.get("HIGHESTMODSEQ")) or None
    resynced = (
        since is not None
        and since.uidvalidity == uidvalidity
        and highestmodseq is not None
        and not answer.pending.overflowed
    )
    return Examined(
        exists=next((found.count for found in reversed(answer.collected) if isinstance(found, Exists)), 0),
        uidvalidity=uidvalidity,
        uidnext=uidnext,
        highestmodseq=highestmodseq,
        flags=next((found.names for found in answer.collected if isinstance(found, Flags)), ()),
        mailboxid=told["MAILBOXID"].strip("()") or None if "MAILBOXID" in told else None,
        resynced=resynced,
        changed=tuple(found for found in answer.collected if isinstance(found, Fetched)) if resynced else (),
        vanished=_gone(answer) if resynced else UidSet(),
    )


async def _asked(connection: Connection, name_raw: bytes) -> tuple[int, int | None]:
    """UIDVALIDITY and UIDNEXT by STATUS, of a server that does not tell them when a folder is opened."""
    answer = await connection.run_alone(commands.status(name_raw, ("UIDVALIDITY", "UIDNEXT")), wants=(Status,))
    told = next((found for found in answer.collected if isinstance(found, Status)), None)
    if told is None or told.uidvalidity is None:
        raise ProtocolError("EXAMINE without UIDVALIDITY: the server's UIDs mean nothing (RFC 9051 §2.3.1.1)")
    return told.uidvalidity, told.uidnext


def _gone(answer: Answer) -> UidSet:
    return UidSet.of_ranges(
        pair for found in answer.collected if isinstance(found, Vanished) for pair in found.uids.ranges
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 20 else None
