"""Waiting for changes: of the open folder (IDLE), of many (NOTIFY)."""

from collections.abc import Sequence

from . import commands, mutf7
from .commands import Command, Verb
from .connection import Connection
from .errors import CommandRefused
from .responses import Change


async def idle(connection: Connection, timeout: float) -> list[Change]:
    """IDLE (RFC 2177) until something happens or the seconds are over; NOOP after them where there is no IDLE.

    Beside NOTIFY as well: without IDLE, Dovecot 2.3 tells of every other delivery to the open folder only, and not of
    the next until then (tried on 2.3.19; other folders are told of either way).
    """
    if connection.changes:
        return connection.take_changes()
    if "IDLE" in (connection.capabilities or frozenset()):
        await _idle(connection, timeout)
    else:
        await connection.changed(timeout)
        await connection.run(Command(Verb.NOOP))
    return connection.take_changes()


async def _idle(connection: Connection, timeout: float) -> None:
    async with connection.turn:
        async with connection.deadline(Verb.IDLE):
            pending, done = await connection.begin(Command(Verb.IDLE, answers=(b"DONE",)))
        try:
            await connection.changed(timeout, pending)
        finally:
            connection.finish(pending, done)
    await connection.answer(pending)


async def wait(connection: Connection, timeout: float) -> None:
    """Until something happens or the seconds are over; raises what the connection ended by."""
    await connection.changed(timeout)
    if connection.error is not None:
        raise connection.error


async def notify(connection: Connection, names: Sequence[bytes]) -> bool:
    """NOTIFY SET (RFC 5465): the fullest form that the server takes; whether it took any.

    Dovecot 2.3 compares the names with its own in UTF-8, and tells of the folders so; there a name in modified UTF-7
    is never told of, without a word. So both forms are asked for, where the server takes that.
    """
    if "NOTIFY" not in (connection.capabilities or frozenset()):
        return False
    spelled = {mutf7.decode(name).encode(): name for name in names if name.isascii()}
    connection.spelled = spelled
    doubled = [*names, *(name for name in spelled if not name.isascii())]
    for asked, personal in ((doubled, True), (list(names), True), (doubled, False), (list(names), False)):
        try:
            await connection.run(commands.notify(asked, personal=personal))
        except CommandRefused:
            continue
        return True
    return False
