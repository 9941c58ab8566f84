"""Which mails of a folder are here already, so that their bytes need no fetch.

By the server's own id of a mail (EMAILID, RFC 8474 §5.1; X-GM-MSGID of Gmail), which settles it. After a folder has
been numbered anew (another UIDVALIDITY, another server) by fingerprint and size, which only propose: they count when
they name exactly one mail here without a place and exactly one there; what is ambiguous is fetched, its bytes decide.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from fumibako.archive import Stale
from fumibako.mail.imap import Fetched, ImapClient, UidSet
from fumibako.mail.letter import fingerprint
from fumibako.syncing.database import steadily
from fumibako.syncing.hands import Hands
from fumibako.syncing.mailbox import Folder, Mailbox, check_fence, multirange_of

PIECE = 2_500  # mails listed by one FETCH
DAY = timedelta(days=1)
SAMPLE = 8  # stored mails that are compared: the newest and the oldest
_HEADERS = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE FROM SUBJECT)]"

_HAS_IDS = "SELECT EXISTS (SELECT 1 FROM message WHERE mailbox_id = %s AND emailid IS NOT NULL)"
_BY_ID = """
SELECT emailid, id FROM message WHERE mailbox_id = %s AND emailid = ANY(%s)
"""
_UNPLACED = """
SELECT m.fingerprint, m.size, m.id, m.internal_date FROM message m
 WHERE m.mailbox_id = %s
   AND NOT EXISTS (SELECT 1 FROM placement p WHERE p.message_id = m.id AND p.uidvalidity >= 0 AND p.gone_at IS NULL)
"""
_PLACE = """
INSERT INTO placement (organization_id, folder_id, uidvalidity, uid, message_id, flags, modseq)
SELECT %(organization)s, %(folder)s, %(uidvalidity)s, uid, message, string_to_array(flags, ' '), modseq
  FROM unnest(%(uids)s::bigint[], %(messages)s::bigint[], %(flags)s::text[], %(modseqs)s::bigint[])
       AS t (uid, message, flags, modseq)
ON CONFLICT (folder_id, uidvalidity, uid) DO UPDATE SET gone_at = NULL, flags = excluded.flags
"""
_KNOWN = """
UPDATE folder SET known = known + %(known)s::int8multirange
 WHERE id = %(folder)s AND uidvalidity = %(uidvalidity)s AND chosen
   AND (SELECT generation FROM mailbox WHERE id = folder.mailbox_id FOR SHARE) = %(generation)s
"""

_SAMPLE = """
SELECT p.uid, m.fingerprint FROM (
  (SELECT uid, message_id FROM placement WHERE folder_id = %s AND uidvalidity >= 0 AND gone_at IS NULL
    ORDER BY uidvalidity DESC, uid DESC LIMIT %s)
  UNION
  (SELECT uid, message_id FROM placement WHERE folder_id = %s AND uidvalidity >= 0 AND gone_at IS NULL
    ORDER BY uidvalidity, uid LIMIT %s)
) p JOIN message m ON m.id = p.message_id
"""
_STORED_IN = """
SELECT count(DISTINCT m.fingerprint) FROM placement p JOIN message m ON m.id = p.message_id
 WHERE p.folder_id = %s AND p.gone_at IS NULL AND m.fingerprint = ANY(%s)
"""


@dataclass(frozen=True)
class Matched:
    """``known``: UIDs that have been placed without a fetch.

    ``written``: the Date of mails that are not here, where the server's INTERNALDATE tells nothing of them, since mail
    that is here has another there: it has been carried over without.
    """

    known: UidSet = field(default_factory=UidSet)
    written: Mapping[int, datetime] = field(default_factory=dict)


async def match(hands: Hands, client: ImapClient, box: Mailbox, folder: Folder, unknown: UidSet) -> Matched:
    """Place those of ``unknown`` that are here already; the client has the folder open. Raises Stale."""
    if not len(unknown):
        return Matched()
    matched = Matched()
    if client.identity and (await _rows(hands, _HAS_IDS, box.id))[0][0]:
        matched = await _by_id(hands, client, box, folder, unknown)
        unknown = unknown.minus(matched.known)
    if folder.live_since is not None and len(unknown):
        found = await _by_fingerprint(hands, client, box, folder, unknown)
        matched = Matched(UidSet.of_ranges([*matched.known.ranges, *found.known.ranges]), found.written)
    return matched


async def _by_id(hands: Hands, client: ImapClient, box: Mailbox, folder: Folder, unknown: UidSet) -> Matched:
    known: list[int] = []
    for piece in _pieces(unknown):
        listed = await _listed(client, piece, f"(UID FLAGS{_modseq(client)} {client.identity})")
        ids = {one.emailid: one for one in listed if one.emailid}
        found = await _rows(hands, _BY_ID, box.id, list(ids))
        known += await _place(hands, box, folder, {ids[emailid].uid or 0: (ids[emailid], n) for emailid, n in found})
    return Matched(UidSet.of(known))


async def _by_fingerprint(hands: Hands, client: ImapClient, box: Mailbox, folder: Folder, unknown: UidSet) -> Matched:
    here: dict[tuple[bytes, int], list[tuple[int, datetime]]] = defaultdict(list)
    for digest, size, message, arrived in await _rows(hands, _UNPLACED, box.id):
        here[bytes(digest), size].append((message, arrived))
    prints = {digest for digest, _ in here}
    there: dict[tuple[bytes, int], list[Fetched]] = defaultdict(list)
    written: dict[int, datetime] = {}
    for piece in _pieces(unknown):
        for one in await _listed(client, piece, f"(UID FLAGS INTERNALDATE{_modseq(client)} RFC822.SIZE {_HEADERS})"):
            header = next(iter(one.sections.values()), b"")
            digest = fingerprint(header)
            there[digest, one.size or 0].append(one)
            if digest not in prints and (at := _date(header)) is not None:
                written[one.uid or 0] = at
    sure = [
        (found[0], *here[key][0]) for key, found in there.items() if len(found) == 1 and len(here.get(key, ())) == 1
    ]
    known: list[int] = []
    for first in range(0, len(sure), PIECE):
        part = {one.uid or 0: (one, message) for one, message, _ in sure[first : first + PIECE]}
        known += await _place(hands, box, folder, part)
    carried = sum(one.internaldate is None or abs(one.internaldate - arrived) > DAY for one, _, arrived in sure)
    return Matched(UidSet.of(known), written if carried * 2 > len(sure) else {})


def _date(header: bytes) -> datetime | None:
    lines = [line[5:].strip() for line in header.splitlines() if line[:5].lower() == b"date:"]
    try:
        at = parsedate_to_datetime(lines[0].decode("ascii", "replace")) if lines else None
    except (ValueError, TypeError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


async def _listed(client: ImapClient, uids: UidSet, items: str) -> list[Fetched]:
    found: dict[int, Fetched] = {}

    def on_message(fetched: Fetched) -> None:
        if fetched.uid is not None and fetched.uid in uids:
            found[fetched.uid] = fetched

    await client.fetch(str(uids), items, uid=True, on_message=on_message)
    return list(found.values())


def _modseq(client: ImapClient) -> str:
    return " MODSEQ" if {"CONDSTORE", "QRESYNC"} & client.capabilities else ""


def _pieces(uids: UidSet) -> Iterable[UidSet]:
    order = uids.newest_first()
    return (UidSet.of(order[at : at + PIECE]) for at in range(0, len(order), PIECE))


async def _place(hands: Hands, box: Mailbox, folder: Folder, found: Mapping[int, tuple[Fetched, int]]) -> Iterable[int]:
    """Store the places of these UIDs: each the message that it is."""
    if not found:
        return ()
    values = {
        "organization": box.organization,
        "folder": folder.id,
        "uidvalidity": folder.uidvalidity,
        "generation": box.generation,
        "uids": list(found),
        "messages": [message for _, message in found.values()],
        "flags": [" ".join(one.flags or ()) for one, _ in found.values()],
        "modseqs": [one.modseq for one, _ in found.values()],
        "known": multirange_of(UidSet.of(found)),
    }

    async def write() -> None:
        async with hands.pool.connection() as connection, connection.transaction():
            if not (await connection.execute(_KNOWN, values)).rowcount:
                raise Stale("the mailbox or its folder has changed")
            await connection.execute(_PLACE, values)
            await check_fence(connection, hands.fence(box.shard))

    await steadily(write)
    return found


async def _rows(hands: Hands, query: str, *values: Any) -> list[tuple[Any, ...]]:
    async def load() -> list[tuple[Any, ...]]:
        async with hands.pool.connection() as connection:
            return await (await connection.execute(query, values)).fetchall()

    return await steadily(load)


async def same_mails(hands: Hands, client: ImapClient, folder: Folder) -> bool:
    """Whether some UIDs that are stored still name the same mails; the client has the folder open.

    Servers that are restored from a copy, or mail that has moved to another server, may show the same UIDVALIDITY over
    other mails. True where nothing is stored to compare; False where nothing of it is there any more.
    """
    rows = await _rows(hands, _SAMPLE, folder.id, SAMPLE // 2, folder.id, SAMPLE // 2)
    stored = {uid: bytes(digest) for uid, digest in rows}
    if not stored:
        return True
    listed = await _listed(client, UidSet.of(stored), f"(UID {_HEADERS})")
    told = {one.uid or 0: fingerprint(next(iter(one.sections.values()), b"")) for one in listed}
    return bool(told) and all(stored[uid] == digest for uid, digest in told.items())


async def holds_mails_of(hands: Hands, client: ImapClient, folder: Folder, messages: int) -> bool:
    """Whether most of the newest of the ``messages`` mails of the folder that is open are stored of ``folder``.

    So a folder is known again that has another name and another numbering; some mail may have come since.
    """
    if not messages:
        return False
    newest: list[Fetched] = []
    first = max(1, messages - SAMPLE + 1)
    await client.fetch(f"{first}:*", f"(UID {_HEADERS})", uid=False, on_message=newest.append)
    prints = {fingerprint(next(iter(one.sections.values()), b"")) for one in newest}
    rows = await _rows(hands, _STORED_IN, folder.id, list(prints))
    return bool(rows[0][0] * 2 > len(prints))
