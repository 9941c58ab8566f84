"""Messages of the open folder: which there are, and their bytes."""

import asyncio
from collections.abc import Awaitable, Callable

from . import commands
from .connection import Connection
from .errors import ConnectionLost, ProtocolError
from .pending import Wanted
from .responses import Fetched, Found
from .uids import UidSet


def identity(capabilities: frozenset[str]) -> str | None:
    """The FETCH item that stays with a mail wherever it is moved: RFC 8474 §5.1, or Gmail's (X-GM-EXT-1)."""
    if "OBJECTID" in capabilities:
        return "EMAILID"
    return "X-GM-MSGID" if "X-GM-EXT-1" in capabilities else None


async def uid_search(connection: Connection, criteria: bytes, timeout: float) -> UidSet:
    """UID SEARCH, by ranges where the server can."""
    extended = bool({"ESEARCH", "IMAP4REV2"} & (connection.capabilities or frozenset()))
    answer = await connection.run(commands.uid_search(criteria, extended=extended), wants=(Found,), timeout=timeout)
    found = [found.numbers for found in answer.collected if isinstance(found, Found)]
    if not found:
        raise ProtocolError("UID SEARCH without an answer")
    return UidSet.of_ranges(pair for numbers in found for pair in numbers.ranges)


def fetch(
    connection: Connection,
    sequence: str,
    items: str,
    *,
    uid: bool,
    on_message: Callable[[Fetched], None],
    changed_since: int | None,
) -> Awaitable[None]:
    """FETCH; see `ImapClient.fetch`."""
    command = commands.fetch(sequence, items, uid=uid, changed_since=changed_since)
    wanted = Wanted(_ranges(sequence), uid, "[" in items, "RFC822.SIZE" in items.upper(), on_message)
    at_once = not connection.turn.locked() and (uid or connection.numbers_stand)
    sent = connection.fetch(command, wanted) if at_once else None

    async def answered() -> None:
        pending = sent
        if pending is None:
            async with connection.turn:
                if not uid:
                    await connection.quiet()
                pending = connection.fetch(command, wanted)
        await connection.answer(pending)

    task = asyncio.ensure_future(answered())

    def ended(done: "asyncio.Future[None]") -> None:
        if done.cancelled():
            connection.fail(ConnectionLost("FETCH was given up"))
        else:
            done.exception()  # not everybody still waits at an end

    task.add_done_callback(ended)
    return task


def _ranges(sequence: str) -> tuple[tuple[int, int], ...] | None:
    """A sequence set in numbers; None where it holds "*", which may stand for any message (RFC 9051 §9, seq-range)."""
    if "*" in sequence:
        return None
    pairs = (part.partition(":") for part in sequence.split(","))
    return UidSet.of_ranges((int(low), int(high or low)) for low, _, high in pairs).ranges
