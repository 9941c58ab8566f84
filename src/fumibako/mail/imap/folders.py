"""Folders: which there are, what they hold, opening one read-only."""

from collections.abc import Sequence

from . import commands
from .connection import Connection
from .errors import CommandRefused, ProtocolError
from .grammar import STATUS_ITEMS
from .responses import Condition, Examined, Exists, Flags, Listed, Status

_NEEDS = {"HIGHESTMODSEQ": {"CONDSTORE", "QRESYNC"}, "SIZE": {"STATUS=SIZE", "IMAP4REV2"}}


async def list_folders(connection: Connection) -> list[Listed]:
    """LIST with special uses; again without asking for them where a server announces but does not know it."""
    capabilities = connection.capabilities or frozenset()
    if "SPECIAL-USE" in capabilities:
        try:
            return await _listed(connection, special_use=True)
        except CommandRefused as refused:
            if refused.kind != "BAD":
                raise
    return await _listed(connection, special_use=False)


async def _listed(connection: Connection, *, special_use: bool) -> list[Listed]:
    answer = await connection.run(commands.list_folders(special_use=special_use), wants=(Listed,))
    folders = [folder for folder in answer.collected if isinstance(folder, Listed)]
    return list({folder.name_raw: folder for folder in folders}.values())


async def status(connection: Connection, name_raw: bytes, items: Sequence[str] | None) -> Status:
    """STATUS with the items that the server knows."""
    capabilities = connection.capabilities or frozenset()
    asked = [item.upper() for item in (items or STATUS_ITEMS)]
    known = [item for item in asked if item not in _NEEDS or _NEEDS[item] & capabilities]
    answer = await connection.run(commands.status(name_raw, known), wants=(Status,))
    told = [told for told in answer.collected if isinstance(told, Status)]
    if not told:
        raise ProtocolError("STATUS without an answer")
    return told[-1]


async def examine(connection: Connection, name_raw: bytes) -> Examined:
    """EXAMINE; changes of the folder that was open before are forgotten."""
    capabilities = connection.capabilities or frozenset()
    command = commands.examine(name_raw, condstore=bool({"CONDSTORE", "QRESYNC"} & capabilities))
    connection.changes.clear()
    answer = await connection.run(command, wants=(Exists, Flags, Condition))
    conditions = [found for found in answer.collected if isinstance(found, Condition)]
    told = {condition.code: condition.argument for condition in conditions}
    uidvalidity = _number(told.get("UIDVALIDITY"))
    if uidvalidity is None:
        raise ProtocolError("EXAMINE without UIDVALIDITY: the server's UIDs mean nothing (RFC 9051 §2.3.1.1)")
    return Examined(
        exists=next((found.count for found in reversed(answer.collected) if isinstance(found, Exists)), 0),
        uidvalidity=uidvalidity,
        uidnext=_number(told.get("UIDNEXT")),
        highestmodseq=_number(told.get("HIGHESTMODSEQ")),
        flags=next((found.names for found in answer.collected if isinstance(found, Flags)), ()),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 20 else None
