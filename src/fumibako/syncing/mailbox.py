"""What an actor knows of its mailbox and folders, and the statements that write what it has learned.

Every statement that writes asks for the mailbox's generation, so that an actor which has been overtaken writes nothing,
and ends with the shard's fence. Each waits for the database when it is away: the mail connection stays meanwhile.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.multirange import Multirange

from fumibako.archive import Fence, Stale, multirange
from fumibako.linking import open_secret
from fumibako.mail.connect import Security, Server
from fumibako.mail.imap import Examined, Status, UidSet
from fumibako.syncing.database import steadily
from fumibako.syncing.hands import Hands

SKEW = 60.0  # seconds that a mail server's clock may be behind ours; INTERNALDATE knows no parts of a second

_MAILBOX = """
SELECT mailbox.id, mailbox.organization_id AS organization, mailbox.public_id, address_key, aliases, state, refusals,
       coalesce(extract(epoch FROM next_try_at - now()), 0)::float8 AS next_try_in, generation,
       imap_host, imap_port, imap_security, imap_username, imap_mechanism, history_since, limit_key, shard,
       sealed, worked_at IS NOT NULL AS worked
  FROM mailbox LEFT JOIN mailbox_secret ON mailbox_id = mailbox.id AND service = 'imap'
 WHERE mailbox.id = %s
"""
_COLUMNS = """
id, name_raw, name, role, chosen, selectable, uidvalidity, uidnext, highest_modseq, messages, known, linked_uidnext,
live_since, numbered_by, mailboxid, looked_at, missing_since
"""
_FOLDERS = f"""
SELECT {_COLUMNS} FROM folder WHERE mailbox_id = %s AND chosen AND selectable AND missing_since IS NULL
 ORDER BY CASE role WHEN 'inbox' THEN 0 WHEN 'sent' THEN 1 ELSE 2 END, name
"""  # noqa: S608
_ALL_FOLDERS = f"SELECT {_COLUMNS} FROM folder WHERE mailbox_id = %s"  # noqa: S608
_FOLDER = f"SELECT {_COLUMNS} FROM folder WHERE id = %s AND chosen AND missing_since IS NULL"  # noqa: S608
_SAME = "(SELECT generation FROM mailbox WHERE id = folder.mailbox_id FOR SHARE) = %(generation)s"
_BEGIN = f"""
UPDATE folder SET uidvalidity = %(uidvalidity)s, linked_uidnext = coalesce(linked_uidnext, %(uidnext)s),
       numbered_by = %(host)s, mailboxid = coalesce(%(mailboxid)s, mailboxid)
 WHERE id = %(folder)s AND {_SAME}
RETURNING {_COLUMNS}
"""  # noqa: S608
_NUMBER_ANEW = f"""
UPDATE folder SET uidvalidity = %(uidvalidity)s, linked_uidnext = %(uidnext)s,
       live_since = looked_at - make_interval(secs => %(skew)s),
       known = '{{}}', uidnext = NULL, messages = NULL, highest_modseq = NULL,
       numbered_by = %(host)s, mailboxid = coalesce(%(mailboxid)s, mailboxid)
 WHERE id = %(folder)s AND {_SAME}
RETURNING {_COLUMNS}
"""  # noqa: S608
_RETIRE = """
WITH retired AS (SELECT least(min(uidvalidity), 0) - 1 AS number FROM placement WHERE folder_id = %(folder)s)
UPDATE placement SET uidvalidity = retired.number FROM retired WHERE folder_id = %(folder)s AND uidvalidity >= 0
"""
_FORGET_SKIPS = "DELETE FROM skip WHERE folder_id = %(folder)s"
_LOOKED = f"""
UPDATE folder SET uidnext = %(uidnext)s, to_import = coalesce(%(to_import)s, to_import),
       known = known + %(known)s::int8multirange
 WHERE id = %(folder)s AND uidvalidity = %(uidvalidity)s AND {_SAME}
"""  # noqa: S608
_SKIP = """
INSERT INTO skip (organization_id, folder_id, uidvalidity, reason, uids)
VALUES (%(organization)s, %(folder)s, %(uidvalidity)s, %(reason)s, %(uids)s::int8multirange)
ON CONFLICT (folder_id, uidvalidity, reason) DO UPDATE SET uids = skip.uids + excluded.uids
"""
_SETTLED = f"""
UPDATE folder SET messages = %(messages)s, highest_modseq = %(highest_modseq)s, looked_at = now(),
       proof = proof - 'refused'
 WHERE id = %(folder)s AND uidvalidity = %(uidvalidity)s AND {_SAME}
"""  # noqa: S608
_REFUSED = f"""
UPDATE folder SET proof = coalesce(proof, '{{}}') || jsonb_build_object('refused', %(words)s::text)
 WHERE id = %(folder)s AND {_SAME}
"""  # noqa: S608
_FLAGS = """
UPDATE placement SET flags = told.flags, modseq = told.modseq
  FROM (SELECT uid, string_to_array(flags, ' ') AS flags, modseq
          FROM unnest(%(uids)s::bigint[], %(flags)s::text[], %(modseqs)s::bigint[]) AS t (uid, flags, modseq)) AS told
 WHERE placement.folder_id = %(folder)s AND placement.uidvalidity = %(uidvalidity)s AND placement.uid = told.uid
   AND placement.flags <> told.flags
"""
_GONE = """
UPDATE placement SET gone_at = now()
 WHERE folder_id = %(folder)s AND uidvalidity = %(uidvalidity)s AND gone_at IS NULL AND uid <@ %(gone)s::int8multirange
"""
_NOT_THERE = """
UPDATE placement SET gone_at = now()
 WHERE folder_id = %(folder)s AND uidvalidity = %(uidvalidity)s AND gone_at IS NULL
   AND NOT uid <@ %(there)s::int8multirange AND uid < %(uidnext)s
"""
_BACK = """
UPDATE placement SET gone_at = NULL
 WHERE folder_id = %(folder)s AND uidvalidity = %(uidvalidity)s AND gone_at IS NOT NULL
   AND uid <@ %(there)s::int8multirange
"""
_UNMATCHED_GONE = """
UPDATE placement SET gone_at = now() WHERE folder_id = %(folder)s AND uidvalidity < 0 AND gone_at IS NULL
"""
_MATCHED_AWAY = """
DELETE FROM placement WHERE folder_id = %(folder)s AND uidvalidity < 0
   AND message_id IN (SELECT message_id FROM placement WHERE folder_id = %(folder)s AND uidvalidity >= 0)
"""
_TELL = """
SELECT pg_notify('fumibako_live', 'pe:' || person_id) FROM mailbox_person WHERE mailbox_id = %s AND until IS NULL
"""


@dataclass(frozen=True)
class Mailbox:
    """The mailbox as it was when the session began. ``commits`` lets its connections store one after the other."""

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
    limit_key: str
    shard: int
    sealed: bytes | None
    worked: bool
    commits: asyncio.Lock = field(default_factory=asyncio.Lock, compare=False, repr=False)

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
    """A folder and what is known of it."""

    id: int
    name_raw: bytes
    name: str
    role: str
    chosen: bool
    selectable: bool
    uidvalidity: int | None
    uidnext: int | None
    highest_modseq: int | None
    messages: int | None
    known: Multirange[int] = field(repr=False)
    linked_uidnext: int | None
    live_since: datetime | None
    numbered_by: str
    mailboxid: str | None
    looked_at: datetime | None
    missing_since: datetime | None

    @property
    def known_uids(self) -> UidSet:
        """The UIDs that need no fetch: stored, skipped, or not there when the folder was looked at."""
        return UidSet.of_ranges((piece.lower or 0, (piece.upper or 1) - 1) for piece in self.known)

    def complete(self, waiting: UidSet) -> bool:
        """Whether every UID below ``uidnext`` is known or ``waiting`` in an import, so that only changes matter."""
        if self.uidnext is None or self.looked_at is None:
            return False
        below = UidSet.of_ranges([(1, self.uidnext - 1)] if self.uidnext > 1 else [])
        return not len(below.minus(self.known_uids).minus(waiting))

    def is_settled(self, box: Mailbox) -> bool:
        """Whether all of it is known, by the numbering of the server that the mailbox is on."""
        return self.numbered_by == box.imap_host and self.complete(UidSet())

    def unchanged(self, status: Status | Examined) -> bool:
        """Whether a look would tell nothing new. Without UIDNEXT or HIGHESTMODSEQ the other numbers decide."""
        messages = status.messages if isinstance(status, Status) else status.exists
        pairs = [
            (self.uidvalidity, status.uidvalidity),
            (self.uidnext, status.uidnext),
            (self.messages, messages),
            (self.highest_modseq, status.highestmodseq),
        ]
        return all(mine == theirs for mine, theirs in pairs if theirs is not None)


async def load_mailbox(hands: Hands, mailbox: int) -> Mailbox | None:
    """The mailbox, or None where there is none."""

    async def load() -> Mailbox | None:
        async with hands.pool.connection() as connection, connection.cursor(row_factory=class_row(Mailbox)) as cursor:
            await cursor.execute(_MAILBOX, [mailbox])
            return await cursor.fetchone()

    return await steadily(load)


async def load_folders(hands: Hands, mailbox: int, *, all_of_them: bool = False) -> list[Folder]:
    """The chosen folders that can be opened, what receives first, then what was sent, then by name; or all rows."""

    async def load() -> list[Folder]:
        async with hands.pool.connection() as connection, connection.cursor(row_factory=class_row(Folder)) as cursor:
            await cursor.execute(_ALL_FOLDERS if all_of_them else _FOLDERS, [mailbox])
            return await cursor.fetchall()

    return await steadily(load)


async def load_folder(hands: Hands, folder: int) -> Folder:
    """A chosen folder as it is now. Raises Stale when it is no longer chosen, or is missing."""

    async def load() -> Folder | None:
        async with hands.pool.connection() as connection, connection.cursor(row_factory=class_row(Folder)) as cursor:
            await cursor.execute(_FOLDER, [folder])
            return await cursor.fetchone()

    found = await steadily(load)
    if found is None:
        raise Stale("a folder is no longer chosen")
    return found


async def begin_folder(hands: Hands, box: Mailbox, folder: Folder, opened: Examined, uidnext: int) -> Folder:
    """Note whose numbering a folder has; a first look fixes what is history. Raises Stale."""
    if folder.uidvalidity == opened.uidvalidity and folder.linked_uidnext and folder.numbered_by == box.imap_host:
        return folder
    return await _numbered(hands, box, folder, opened, uidnext, [_BEGIN])


async def number_anew(hands: Hands, box: Mailbox, folder: Folder, opened: Examined, uidnext: int) -> Folder:
    """Note that a server has numbered a folder anew: nothing of it is known any more.

    What is placed in it keeps its place under a negative UIDVALIDITY, until ``settle`` has found it again or not.
    Raises Stale.
    """
    return await _numbered(hands, box, folder, opened, uidnext, [_NUMBER_ANEW, _RETIRE, _FORGET_SKIPS])


async def _numbered(
    hands: Hands, box: Mailbox, folder: Folder, opened: Examined, uidnext: int, statements: list[str]
) -> Folder:
    values = {
        "folder": folder.id,
        "generation": box.generation,
        "uidvalidity": opened.uidvalidity,
        "uidnext": uidnext,
        "host": box.imap_host,
        "mailboxid": opened.mailboxid,
        "skew": SKEW,
    }

    async def write() -> Folder:
        async with hands.pool.connection() as connection, connection.transaction():
            async with connection.cursor(row_factory=class_row(Folder)) as cursor:
                await cursor.execute(statements[0], values)
                begun = await cursor.fetchone()
            if begun is None:
                raise Stale("the mailbox has changed")
            for statement in statements[1:]:
                await connection.execute(statement, values)
            await check_fence(connection, hands.fence(box.shard))
        return begun

    return await steadily(write)


@dataclass(frozen=True, slots=True)
class Flagged:
    """The flags of a mail, and when they were set in the server's count (None without CONDSTORE)."""

    flags: tuple[str, ...]
    modseq: int | None


@dataclass(frozen=True)
class Looked:
    """An opened folder, and what is to be done about it.

    ``wanted`` are the UIDs to fetch, ``old`` those of them that are no new mail whenever they arrived. What has gone
    is ``gone``, or all that is not ``there`` where that is known.
    ``flags`` and modseqs by UID are those that the server has told of already.
    """

    folder: Folder
    messages: int
    uidnext: int
    highest_modseq: int | None
    wanted: UidSet
    there: UidSet | None = None
    gone: UidSet = field(default_factory=UidSet)
    flags: Mapping[int, Flagged] = field(default_factory=dict)
    old: UidSet = field(default_factory=UidSet)


async def note_look(
    hands: Hands,
    box: Mailbox,
    looked: Looked,
    *,
    known: UidSet,
    skipped: Mapping[str, UidSet] | None = None,
    to_import: int | None = None,
) -> None:
    """Note what a look has told. ``known`` and ``skipped`` (by reason) are added to what there is. Raises Stale."""
    skips = {reason: uids for reason, uids in (skipped or {}).items() if len(uids)}
    folder = {"folder": looked.folder.id, "uidvalidity": looked.folder.uidvalidity}
    everything = UidSet.of_ranges([*known.ranges, *(pair for uids in skips.values() for pair in uids.ranges)])

    async def write() -> None:
        async with hands.pool.connection() as connection, connection.transaction():
            values = {
                **folder,
                "generation": box.generation,
                "uidnext": looked.uidnext,
                "to_import": to_import,
                "known": multirange_of(everything),
            }
            cursor = await connection.execute(_LOOKED, values)
            if not cursor.rowcount:
                raise Stale("the mailbox or its folder has changed")
            for reason, uids in skips.items():
                skip = {**folder, "organization": box.organization, "reason": reason, "uids": multirange_of(uids)}
                await connection.execute(_SKIP, skip)
            await check_fence(connection, hands.fence(box.shard))

    await steadily(write)


async def settle(hands: Hands, box: Mailbox, looked: Looked, flags: Mapping[int, Flagged], *, finished: bool) -> None:
    """Note what a look has told of flags and of what is gone, and from where the next look goes on. Raises Stale.

    Nothing stored is removed: a mail that is gone on the server stays here without a place. ``finished``: no mail of
    the folder waits to be brought, so what has not been found again after a new numbering is gone.
    """
    folder = {"folder": looked.folder.id, "uidvalidity": looked.folder.uidvalidity, "generation": box.generation}
    told = {
        "uids": list(flags),
        "flags": [" ".join(one.flags) for one in flags.values()],
        "modseqs": [one.modseq for one in flags.values()],
    }
    numbers = {"messages": looked.messages, "highest_modseq": looked.highest_modseq}

    async def write() -> None:
        async with hands.pool.connection() as connection, connection.transaction():
            cursor = await connection.execute(_SETTLED, {**folder, **numbers})
            if not cursor.rowcount:
                raise Stale("the mailbox or its folder has changed")
            changed = 0
            if flags:
                changed += (await connection.execute(_FLAGS, {**folder, **told})).rowcount
            if looked.there is not None:
                there = {**folder, "there": multirange_of(looked.there), "uidnext": looked.uidnext}
                for statement in (_NOT_THERE, _BACK):
                    changed += (await connection.execute(statement, there)).rowcount
            elif len(looked.gone):
                gone = {**folder, "gone": multirange_of(looked.gone)}
                changed += (await connection.execute(_GONE, gone)).rowcount
            if finished and looked.folder.live_since is not None:
                for statement in (_MATCHED_AWAY, _UNMATCHED_GONE):
                    await connection.execute(statement, folder)
            if changed:
                await connection.execute(_TELL, [box.id])
            await check_fence(connection, hands.fence(box.shard))

    await steadily(write)


async def note_refusal(hands: Hands, box: Mailbox, folder: Folder, words: str) -> None:
    """Note that a server lists a folder and does not open it, in its words; a look that works takes that back."""
    values = {"folder": folder.id, "generation": box.generation, "words": words}

    async def write() -> None:
        async with hands.pool.connection() as connection, connection.transaction():
            await connection.execute(_REFUSED, values)
            await check_fence(connection, hands.fence(box.shard))

    await steadily(write)


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
