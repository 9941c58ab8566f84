"""Folders: which there are and what they hold, without opening them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from . import commands
from .commands import Command, Verb
from .connection import Connection
from .errors import CommandRefused, ProtocolError
from .grammar import STATUS_ITEMS
from .responses import Listed, Namespaces, Status
from .values import text_of

LIST_TIMEOUT = 120.0  # seconds; with STATUS some servers open every folder for it
STATUS_AHEAD = 32  # STATUS commands under way at once

_NEEDS = {"HIGHESTMODSEQ": {"CONDSTORE", "QRESYNC"}, "SIZE": {"STATUS=SIZE", "IMAP4REV2"}}


async def list_folders(
    connection: Connection, namespaces: Namespaces, status_items: Sequence[str] | None
) -> list[Listed]:
    """LIST with special uses and, where asked for and announced, STATUS; plainly where a server does not know it."""
    capabilities = connection.capabilities or frozenset()
    special_use = "SPECIAL-USE" in capabilities
    asked = known_items(capabilities, status_items) if status_items and "LIST-STATUS" in capabilities else []
    try:
        found = await _listed(connection, commands.list_folders(special_use=special_use, status=asked))
    except CommandRefused:
        if not (special_use or asked):
            raise
        found = await _listed(connection, commands.list_folders(special_use=False))
    only_rev2 = "IMAP4REV2" in capabilities and "IMAP4REV1" not in capabilities
    return [
        replace(
            folder,
            foreign=namespaces.is_foreign(folder.name_raw),
            name=text_of(folder.name_raw) if only_rev2 else folder.name,  # RFC 9051 §5.1
        )
        for folder in found
    ]


async def _listed(connection: Connection, command: Command) -> list[Listed]:
    answer = await connection.run(command, wants=(Listed, Status), timeout=LIST_TIMEOUT)
    told = {found.name_raw: found for found in answer.collected if isinstance(found, Status)}
    folders = {found.name_raw: found for found in answer.collected if isinstance(found, Listed)}
    return [replace(folder, status=told.get(name_raw)) for name_raw, folder in folders.items()]


async def namespaces(connection: Connection) -> Namespaces:
    """NAMESPACE (RFC 2342) where announced; else everything is one's own."""
    if not {"NAMESPACE", "IMAP4REV2"} & (connection.capabilities or frozenset()):
        return Namespaces()
    try:
        answer = await connection.run(Command(Verb.NAMESPACE), wants=(Namespaces,))
    except CommandRefused:
        return Namespaces()
    return next((found for found in answer.collected if isinstance(found, Namespaces)), Namespaces())


def known_items(capabilities: frozenset[str], items: Sequence[str] | None) -> list[str]:
    """Those of the STATUS items that the server can tell; all that we know without `items`."""
    asked = [item.upper() for item in (items or STATUS_ITEMS)]
    return [item for item in asked if item not in _NEEDS or _NEEDS[item] & capabilities]


async def status(connection: Connection, name_raw: bytes, items: Sequence[str] | None) -> Status:
    """STATUS with the items that the server knows."""
    command = commands.status(name_raw, known_items(connection.capabilities or frozenset(), items))
    answer = await connection.run(command, wants=(Status,), about=name_raw)
    told = [told for told in answer.collected if isinstance(told, Status)]
    if not told:
        raise ProtocolError("STATUS without an answer")
    return replace(told[-1], name_raw=name_raw)


async def statuses(
    connection: Connection, names: Sequence[bytes], items: Sequence[str] | None
) -> list[Status | CommandRefused]:
    """Many STATUS, STATUS_AHEAD of them under way at once; in the order of `names`."""
    room = asyncio.Semaphore(STATUS_AHEAD)

    async def one(name_raw: bytes) -> Status | CommandRefused:
        async with room:
            try:
                return await status(connection, name_raw, items)
            except CommandRefused as refused:
                return refused

    try:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(one(name_raw)) for name_raw in names]
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    return [task.result() for task in asked]
