"""What an actor knows of its mailbox and folders, and the statements that write what it has learned.

Every statement that writes asks for the mailbox's generation, so that an actor which has been overtaken writes nothing.
"""

from dataclasses import dataclass, field
from datetime import date

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.multirange import Multirange
from psycopg_pool import AsyncConnectionPool

from fumibako.archive import Fence, Stale, multirange
from fumibako.linking import open_secret
from fumibako.mail.connect import Security, Server
from fumibako.mail.discovery import role_of
from fumibako.mail.imap import Examined, Listed, Status, UidSet

_MAILBOX = """
SELECT mailbox.id, mailbox.organization_id AS organization, mailbox.public_id, address_key, aliases, state, refusals,
       coalesce(extract(epoch FROM next_try_at - now()), 0)::float8 AS next_try_in, generation,
       imap_host, imap_port, imap_security, imap_username, imap_mechanism, history_since, shard,
       sealed, worked_at IS NOT NULL AS worked
  FROM mailbox LEFT JOIN mailbox_secret ON mailbox_id = mailbox.id AND service = 'imap'
 WHERE mailbox.id = %s
"""
_FOLDERS = """
SELECT id, name_raw, name, role, uidvalidity, uidnext, highest_modseq, messages, known, linked_uidnext
  FROM folder WHERE mailbox_id = %s AND chosen AND selectable AND missing_since IS NULL
 ORDER BY role <> 'inbox', role <> 'sent', name
"""
_BEGIN = """
UPDATE folder SET
       known = CASE WHEN uidvalidity = %(uidvalidity)s THEN known ELSE '{}' END,
       linked_uidnext = CASE WHEN uidvalidity = %(uidvalidity)s THEN coalesce(linked_uidnext, %(uidnext)s)
                             ELSE %(uidnext)s END,
       uidvalidity = %(uidvalidity)s
 WHERE id = %(folder)s
   AND (SELECT generation FROM mailbox WHERE id = folder.mailbox_id FOR SHARE) = %(generation)s
RETURNING id, name_raw, name, role, uidvalidity, uidnext, highest_modseq, messages, known, linked_uidnext
"""
_LOOKED = """
UPDATE folder SET
       messages = %(messages)s, uidnext = %(uidnext)s, highest_modseq = %(highest_modseq)s, looked_at = now(),
       to_import = coalesce(%(to_import)s, to_import), known = known + %(known)s::int8multirange
 WHERE id = %(folder)s AND uidvalidity = %(uidvalidity)s
   AND (SELECT generation FROM mailbox WHERE id = folder.mailbox_id FOR SHARE) = %(generation)s
"""
_SKIP = """
INSERT INTO skip (organization_id, folder_id, uidvalidity, reason, uids)
VALUES (%(organization)s, %(folder)s, %(uidvalidity)s, %(reason)s, %(uids)s::int8multirange)
ON CONFLICT (folder_id, uidvalidity, reason) DO UPDATE SET uids = skip.uids + excluded.uids
"""
_LISTED = """
INSERT INTO folder (organization_id, public_id, mailbox_id, name_raw, name, delimiter, role, selectable,
                    chosen, to_import)
VALUES (%(organization)s, 'fo_' || replace(gen_random_uuid()::text, '-', ''), %(mailbox)s, %(name_raw)s, %(name)s,
        %(delimiter)s, %(role)s, %(selectable)s, false, 0)
ON CONFLICT (mailbox_id, name_raw) DO UPDATE SET missing_since = NULL, selectable = excluded.selectable
"""
_MISSING = """
UPDATE folder SET missing_since = now()
 WHERE mailbox_id = %s AND missing_since IS NULL AND NOT (name_raw = ANY(%s))
"""


@dataclass(frozen=True)
class Mailbox:
    """The mailbox as it was when the session began."""

    id: int
    organization: int
    public_id: str
    address_key: str
    aliases: list[str]
    state: str
    refusals: int
    next_try_in: float
    generation: int
    imap_host: str
    imap_port: int
    imap_security: str
    imap_username: str
    imap_mechanism: str
    history_since: date | None
    shard: int
    sealed: bytes | None
    worked: bool

    @property
    def server(self) -> Server:
        """Where it is logged in to."""
        return Server(self.imap_host, self.imap_port, Security(self.imap_security))

    @property
    def own(self) -> tuple[str, ...]:
        """The addresses that its mail is written from, in lower case."""
        return (self.address_key, *(alias.casefold() for alias in self.aliases))

    def secret(self) -> str:
        """Its password. Raises ``linking.SecretLost``."""
        return str(open_secret(self.sealed, owner=self.public_id, service="imap"))


@dataclass(frozen=True)
class Folder:
    """A chosen folder and what is known of it."""

    id: int
    name_raw: bytes
    name: str
    role: str
    uidvalidity: int | None
    uidnext: int | None
    highest_modseq: int | None
    messages: int | None
    known: Multirange[int] = field(repr=False)
    linked_uidnext: int | None

    @property
    def known_uids(self) -> UidSet:
        """The UIDs that need no fetch."""
        return UidSet.of_ranges((piece.lower or 0, (piece.upper or 1) - 1) for piece in self.known)

    def unchanged(self, status: Status | Examined) -> bool:
        """Whether a look tells nothing new. Without UIDNEXT or HIGHESTMODSEQ the other numbers decide."""
        messages = status.messages if isinstance(status, Status) else status.exists
        pairs = [
            (self.uidvalidity, status.uidvalidity),
            (self.uidnext, status.uidnext),
            (self.messages, messages),
            (self.highest_modseq, status.highestmodseq),
        ]
        return all(mine == theirs for mine, theirs in pairs if theirs is not None)


@dataclass(frozen=True)
class Looked:
    """An opened folder: the numbers that the server gave, the UIDs that are there, and those that are to be fetched."""

    folder: Folder
    messages: int
    uidnext: int
    highest_modseq: int | None
    there: UidSet
    wanted: UidSet


async def load_mailbox(pool: AsyncConnectionPool, mailbox: int) -> Mailbox | None:
    """The mailbox, or None where there is none."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Mailbox)) as cursor:
        await cursor.execute(_MAILBOX, [mailbox])
        return await cursor.fetchone()


async def load_folders(pool: AsyncConnectionPool, mailbox: int) -> list[Folder]:
    """The chosen folders that can be opened: what receives first, then what was sent, then the rest by name."""
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Folder)) as cursor:
        await cursor.execute(_FOLDERS, [mailbox])
        return await cursor.fetchall()


async def begin_folder(
    pool: AsyncConnectionPool, box: Mailbox, folder: Folder, uidvalidity: int, uidnext: int
) -> Folder:
    """Note a folder as it was opened; with another UIDVALIDITY nothing of it is known any more. Raises Stale."""
    values = {"folder": folder.id, "generation": box.generation, "uidvalidity": uidvalidity, "uidnext": uidnext}
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Folder)) as cursor:
        await cursor.execute(_BEGIN, values)
        begun = await cursor.fetchone()
    if begun is None:
        raise Stale("the mailbox has changed")
    return begun


async def note_look(
    pool: AsyncConnectionPool,
    box: Mailbox,
    looked: Looked,
    fence: Fence,
    *,
    known: UidSet | None = None,
    skipped: dict[str, UidSet] | None = None,
    to_import: int | None = None,
) -> None:
    """Note what a look at a folder has told. ``known`` and ``skipped`` (by reason) are added to. Raises Stale."""
    skips = {reason: uids for reason, uids in (skipped or {}).items() if len(uids)}
    everything = UidSet.of_ranges(
        [*(known or UidSet()).ranges, *(pair for uids in skips.values() for pair in uids.ranges)]
    )
    folder = {"folder": looked.folder.id, "uidvalidity": looked.folder.uidvalidity}
    async with pool.connection() as connection, connection.transaction():
        cursor = await connection.execute(
            _LOOKED,
            {
                **folder,
                "generation": box.generation,
                "messages": looked.messages,
                "uidnext": looked.uidnext,
                "highest_modseq": looked.highest_modseq,
                "to_import": to_import,
                "known": multirange_of(everything),
            },
        )
        if not cursor.rowcount:
            raise Stale("the mailbox or its folder has changed")
        for reason, uids in skips.items():
            values = {**folder, "organization": box.organization, "reason": reason, "uids": multirange_of(uids)}
            await connection.execute(_SKIP, values)
        await check_fence(connection, fence)


async def note_folders(pool: AsyncConnectionPool, box: Mailbox, listed: list[Listed]) -> None:
    """Note the folders that the server lists: new ones unchosen, and those that have gone missing."""
    async with pool.connection() as connection, connection.transaction():
        for one in listed:
            await connection.execute(
                _LISTED,
                {
                    "organization": box.organization,
                    "mailbox": box.id,
                    "name_raw": one.name_raw,
                    "name": one.name,
                    "delimiter": one.delimiter or "",
                    "role": role_of(one),
                    "selectable": one.selectable,
                },
            )
        await connection.execute(_MISSING, [box.id, [one.name_raw for one in listed]])


async def check_fence(connection: AsyncConnection, fence: Fence) -> None:
    """The last statement of a transaction: whether the shard is still this worker's. Raises Stale."""
    cursor = await connection.execute(
        "SELECT 1 FROM shard WHERE id = %s AND epoch = %s FOR SHARE", [fence.shard, fence.epoch]
    )
    if await cursor.fetchone() is None:
        raise Stale("the shard has another owner")


def multirange_of(uids: UidSet) -> Multirange[int]:
    """A UID set as PostgreSQL's half-open ranges."""
    pieces: Multirange[int] = multirange(uids.ranges)
    return pieces
