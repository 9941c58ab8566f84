"""Waiting for changes of the open folder."""

from .commands import Command, Verb
from .connection import Connection
from .responses import Change


async def idle(connection: Connection, timeout: float) -> list[Change]:
    """IDLE (RFC 2177) until something happens or the seconds are over; NOOP after them where there is no IDLE."""
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
    async with connection.deadline(Verb.IDLE):
        await connection.answer(pending)
