"""Proof that nothing is missing: what the server has in a folder is what is stored here or skipped by name.

The proof is set equality over one snapshot: the UIDs that the server lists, against places present here and skip rows.
A difference heals itself or is named:

- missing (listed there, neither placed nor skipped here): taken out of what is known, so that the next look fetches it;
  missing again after HEALINGS times it is skipped as ``not_stored``, so that no mail is fetched for ever;
- back (listed there, marked as gone here): it is there again;
- extra (here, not listed there): marked as gone. Skip rows, too, keep only what is there, and a message
  that has a place is not marked as deleted or left (see ``departures``).

Mail that has come since the folder was looked at last, or that an import is about to bring, is waiting, not missing.
"""

import logging
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg.types.multirange import Multirange

from fumibako.archive import Stale
from fumibako.mail.imap import ImapClient, UidSet
from fumibako.syncing.hands import Hands
from fumibako.syncing.mailbox import Folder, Mailbox, check_fence, multirange_of

NIGHT = (time(2), time(5))  # local time of the organization, over which its mailboxes are spread
MORNING = time(6)  # until when a night's proof that was late is still made
NEARLY_A_DAY = timedelta(hours=20)  # less than a day, so that the hour does not creep from night to night
OVERDUE = timedelta(days=2)  # a proof that is older is made at any hour
HEALINGS = 3  # times that a missing mail is fetched anew
NOT_STORED = "not_stored"  # the reason of a skip row: fetched HEALINGS times, and missing every time

_DUE = """
SELECT folder.id, folder.proved_at, organization.time_zone, now() AS now
  FROM folder JOIN organization ON organization.id = folder.organization_id
 WHERE mailbox_id = %s AND chosen AND selectable AND missing_since IS NULL
"""
_LOCK = """
SELECT folder.proof FROM folder JOIN mailbox ON mailbox.id = folder.mailbox_id
 WHERE folder.id = %(folder)s AND folder.uidvalidity = %(uidvalidity)s AND mailbox.generation = %(generation)s
   FOR UPDATE OF folder FOR SHARE OF mailbox
"""
_HERE = """
SELECT coalesce(range_agg(int8range(uid, uid, '[]')) FILTER (WHERE gone_at IS NULL), '{}'),
       coalesce(range_agg(int8range(uid, uid, '[]')) FILTER (WHERE gone_at IS NOT NULL), '{}')
  FROM placement WHERE folder_id = %(folder)s AND uidvalidity = %(uidvalidity)s
"""
_SKIPPED = (
    "SELECT reason, uids FROM skip WHERE folder_id = %(folder)s AND uidvalidity = %(uidvalidity)s ORDER BY reason"
)
_SKIP = """
INSERT INTO skip (organization_id, folder_id, uidvalidity, reason, uids)
VALUES (%(organization)s, %(folder)s, %(uidvalidity)s, %(reason)s, %(uids)s::int8multirange)
ON CONFLICT (folder_id, uidvalidity, reason) DO UPDATE SET uids = skip.uids + excluded.uids
"""
_BACK = """
UPDATE placement SET gone_at = NULL
 WHERE folder_id = %(folder)s AND uidvalidity = %(uidvalidity)s AND uid <@ %(uids)s::int8multirange
"""
_RETURNED = """
UPDATE message SET deleted_at = NULL, left_to_id = NULL
  FROM placement
 WHERE placement.message_id = message.id AND folder_id = %(folder)s AND uidvalidity = %(uidvalidity)s
   AND gone_at IS NULL AND mailbox_id = %(mailbox)s AND (deleted_at IS NOT NULL OR left_to_id IS NOT NULL)
"""
_GONE = """
UPDATE placement SET gone_at = now()
 WHERE folder_id = %(folder)s AND uidvalidity = %(uidvalidity)s AND gone_at IS NULL
   AND uid <@ %(uids)s::int8multirange
"""
_PROVED = """
UPDATE folder SET proved_at = now(), proof = %(proof)s, known = known - %(unknown)s::int8multirange
                                                                      + %(known)s::int8multirange
 WHERE id = %(folder)s
"""
_UNSKIP = """
UPDATE skip SET uids = uids * %(there)s::int8multirange
 WHERE folder_id = %(folder)s AND uidvalidity = %(uidvalidity)s
   AND NOT uids <@ %(there)s::int8multirange
"""
_EVENT = """
INSERT INTO event (organization_id, kind, mailbox_id, folder_id, detail)
VALUES (%(organization)s, 'mailbox.proof', %(mailbox)s, %(folder)s, %(detail)s)
"""
_TELL = """
SELECT pg_notify('fumibako_live', 'pe:' || person_id) FROM mailbox_person WHERE mailbox_id = %s AND until IS NULL
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Proof:
    """What a comparison found, at one UIDVALIDITY: ``on_server`` = stored + skipped + waiting + missing + back.

    ``skipped`` is by reason, ``given_up`` is the part of it that this very proof has skipped as ``not_stored``.
    """

    on_server: int
    stored: int
    skipped: dict[str, int]
    waiting: int
    missing: UidSet
    back: UidSet
    extra: UidSet
    given_up: UidSet

    @property
    def differences(self) -> dict[str, int]:
        """How many mails were not as they should be, by kind; empty where all is well."""
        kinds = {"missing": self.missing, "back": self.back, "extra": self.extra, "given_up": self.given_up}
        return {kind: len(uids) for kind, uids in kinds.items() if uids.ranges}


@dataclass(frozen=True)
class _Here:
    """What is known here of a folder's UIDs."""

    present: UidSet
    gone: UidSet
    skips: dict[str, UidSet]


def due(mailbox: int, proved_at: datetime | None, zone: str, now: datetime) -> bool:
    """Whether a mailbox is to be proved: in the night, once, at a time of its own; at any hour when overdue.

    ``proved_at`` is the last proof (None: at once), ``zone`` the organization's time zone, both times are aware.
    """
    if proved_at is None or now - proved_at > OVERDUE:
        return True
    if now - proved_at < NEARLY_A_DAY:
        return False
    begin, end = (hour.hour * 3600 for hour in NIGHT)
    own = begin + zlib.crc32(str(mailbox).encode()) % (end - begin)
    local = now.astimezone(ZoneInfo(zone)).time()
    return own <= local.hour * 3600 + local.minute * 60 + local.second and local < MORNING


async def folders_due(hands: Hands, box: Mailbox) -> frozenset[int]:
    """The ids of the chosen folders that are to be proved now. One small query: ask once in some minutes."""
    async with hands.pool.connection() as connection:
        cursor = await connection.execute(_DUE, [box.id])
        rows = await cursor.fetchall()
    return frozenset(folder for folder, proved_at, zone, now in rows if due(box.id, proved_at, zone, now))


async def prove_folder(hands: Hands, client: ImapClient, box: Mailbox, folder: Folder, waiting: UidSet) -> Proof:
    """Compare the folder that the client has open with what is stored, heal what differs, and note the result.

    ``folder`` is as it was loaded after its last look and before this call: mail from its ``uidnext`` on waits for the
    next look, and so do the UIDs of ``waiting``, which an import under way will bring. Where the proof has ``missing``,
    the caller looks at the folder again, though its STATUS be unchanged. Raises Stale when the mailbox, the folder's
    UIDVALIDITY or the shard has changed, and what the client raises.
    """
    there = await client.uid_search(b"ALL")
    async with hands.pool.connection() as connection:
        here = await _load(connection, folder)
    if _missing(folder, there, here, waiting).ranges or there.both(here.gone).ranges:
        # What the server's other clients have expunged meanwhile is taken out.
        await client.noop()
        there = there.both(await client.uid_search(b"ALL"))
    async with hands.pool.connection() as connection, connection.transaction():
        before = await _lock(connection, box, folder)
        here = await _load(connection, folder)
        proof, healed = _compare(folder, there, here, waiting, _healed(folder, before))
        await _heal(connection, box, folder, proof, there)
        await _note(connection, box, folder, proof, healed)
        await check_fence(connection, hands.fence(box.shard))
    if proof.differences:
        logger.warning("a folder differed from the server", extra={"folder": folder.id, **proof.differences})
        hands.numberer.wake()
    return proof


def _missing(folder: Folder, there: UidSet, here: _Here, waiting: UidSet) -> UidSet:
    known = here.present.plus(here.gone, waiting, *here.skips.values())
    return _looked_at(folder, there).minus(known)


def _looked_at(folder: Folder, uids: UidSet) -> UidSet:
    return uids if folder.uidnext is None else uids.below(folder.uidnext)


def _compare(
    folder: Folder, there: UidSet, here: _Here, waiting: UidSet, before: dict[int, UidSet]
) -> tuple[Proof, dict[int, UidSet]]:
    """The proof, and which UIDs have been healed how often, this time included. ``before``: the same, until now."""
    missing = _missing(folder, there, here, waiting)
    given_up = missing.both(before.get(HEALINGS, UidSet()))
    missing = missing.minus(given_up)
    stored, back = there.both(here.present), there.both(here.gone)
    left = there.minus(stored.plus(back, missing))
    skipped: dict[str, int] = {}
    for reason, uids in [*here.skips.items(), (NOT_STORED, given_up)]:
        skipped[reason] = len(left.both(uids)) + skipped.get(reason, 0)
        left = left.minus(uids)
    earlier = {0: missing.minus(UidSet().plus(*before.values())), **before}
    healed = {
        times: missing.both(earlier.get(times - 1, UidSet())).plus(left.both(before.get(times, UidSet())))
        for times in range(1, HEALINGS + 1)
    }
    proof = Proof(
        on_server=len(there),
        stored=len(stored),
        skipped={reason: count for reason, count in skipped.items() if count},
        waiting=len(left),
        missing=missing,
        back=back,
        extra=_looked_at(folder, here.present).minus(there),
        given_up=given_up,
    )
    return proof, healed


async def _lock(connection: AsyncConnection, box: Mailbox, folder: Folder) -> dict[str, Any]:
    values = {"folder": folder.id, "uidvalidity": folder.uidvalidity, "generation": box.generation}
    cursor = await connection.execute(_LOCK, values)
    row = await cursor.fetchone()
    if row is None:
        raise Stale("the mailbox or its folder has changed")
    return row[0] or {}


async def _load(connection: AsyncConnection, folder: Folder) -> _Here:
    values = {"folder": folder.id, "uidvalidity": folder.uidvalidity}
    cursor = await connection.execute(_HERE, values)
    present, gone = await cursor.fetchone() or ((), ())
    cursor = await connection.execute(_SKIPPED, values)
    return _Here(_uids(present), _uids(gone), {reason: _uids(uids) for reason, uids in await cursor.fetchall()})


async def _heal(connection: AsyncConnection, box: Mailbox, folder: Folder, proof: Proof, there: UidSet) -> None:
    values = {
        "organization": box.organization,
        "mailbox": box.id,
        "folder": folder.id,
        "uidvalidity": folder.uidvalidity,
    }
    await connection.execute(_UNSKIP, {**values, "there": multirange_of(there)})
    for statement, uids in ((_BACK, proof.back), (_GONE, proof.extra), (_SKIP, proof.given_up)):
        if uids.ranges:
            await connection.execute(statement, {**values, "reason": NOT_STORED, "uids": multirange_of(uids)})
    await connection.execute(_RETURNED, values)


async def _note(
    connection: AsyncConnection, box: Mailbox, folder: Folder, proof: Proof, healed: dict[int, UidSet]
) -> None:
    noted = {
        "uidvalidity": folder.uidvalidity,
        "on_server": proof.on_server,
        "stored": proof.stored,
        "skipped": proof.skipped,
        "waiting": proof.waiting,
        **{name: len(getattr(proof, name)) for name in ("missing", "back", "extra", "given_up")},
        "missing_uids": proof.missing.ranges,
        "healed": {times: uids.ranges for times, uids in healed.items() if uids.ranges},
    }
    values = {
        "folder": folder.id,
        "proof": Jsonb(noted),
        "unknown": multirange_of(proof.missing),
        "known": multirange_of(proof.given_up),
    }
    await connection.execute(_PROVED, values)
    if proof.differences:
        detail = Jsonb({"on_server": proof.on_server, "stored": proof.stored, **proof.differences})
        event = {"organization": box.organization, "mailbox": box.id, "folder": folder.id, "detail": detail}
        await connection.execute(_EVENT, event)
    await connection.execute(_TELL, [box.id])


def _healed(folder: Folder, noted: dict[str, Any]) -> dict[int, UidSet]:
    """Which UIDs earlier proofs under this UIDVALIDITY have healed how often."""
    if noted.get("uidvalidity") != folder.uidvalidity:
        return {}
    return {int(times): UidSet.of_ranges(map(tuple, ranges)) for times, ranges in noted.get("healed", {}).items()}


def _uids(pieces: Multirange[int] | Iterable[Any]) -> UidSet:
    return UidSet.of_ranges((piece.lower or 0, (piece.upper or 1) - 1) for piece in pieces)
