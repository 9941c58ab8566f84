"""How much is stored: per mailbox for its people, per folder as proof that nothing is missing."""

import json
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_MAILBOXES = """
SELECT mailbox_id, count(*) FILTER (WHERE NOT outgoing), count(*) FILTER (WHERE outgoing),
       count(*) FILTER (WHERE unreadable IS NOT NULL OR skipped IS NOT NULL), coalesce(sum(attachments), 0)
  FROM message WHERE mailbox_id = ANY(%s) GROUP BY mailbox_id
"""
_PROGRESS = """
SELECT mailbox_id, sum(to_import), sum((SELECT count(*) FROM placement
         WHERE folder_id = folder.id AND placement.uidvalidity = folder.uidvalidity AND gone_at IS NULL)),
       bool_or(uidvalidity IS NULL)
  FROM folder WHERE mailbox_id = ANY(%s) AND chosen AND missing_since IS NULL GROUP BY mailbox_id
"""
_FOLDERS = """
SELECT mailbox_id, name, role, messages,
       (SELECT count(*) FROM placement
         WHERE folder_id = folder.id AND placement.uidvalidity = folder.uidvalidity AND gone_at IS NULL),
       (SELECT json_object_agg(reason, (SELECT coalesce(sum(upper(piece) - lower(piece)), 0) FROM unnest(uids) piece))
          FROM skip
         WHERE folder_id = folder.id AND skip.uidvalidity = folder.uidvalidity AND NOT isempty(uids)),
       proved_at, (proof->>'waiting')::int, (proof->>'missing')::int,
       proof->>'refused', missing_since
  FROM folder WHERE mailbox_id = ANY(%s) AND chosen ORDER BY mailbox_id, id
"""


@dataclass(frozen=True)
class MailboxNumbers:
    """Stored messages of a mailbox, and how far an import is: ``placed`` of ``wanted`` (None: not known yet)."""

    received: int = 0
    sent: int = 0
    unreadable: int = 0
    attachments: int = 0
    placed: int = 0
    wanted: int | None = None

    @property
    def stored(self) -> int:
        """All stored messages."""
        return self.received + self.sent


@dataclass(frozen=True)
class FolderNumbers:
    """A chosen folder: mails on the server when last looked at, stored, and left out by reason.

    ``waiting`` and ``missing`` are those of the last comparison with the server, at ``proved_at`` (None: never yet).
    ``refused`` are the words by which the server does not open it now.
    ``refused`` are the server's words where it does not open the folder; since ``missing_since`` it lists none.
    """

    name: str
    role: str
    on_server: int | None
    stored: int
    skipped: dict[str, int]
    proved_at: datetime | None
    waiting: int | None
    missing: int | None
    refused: str | None
    missing_since: datetime | None


def mailbox_numbers(mailboxes: list[int]) -> dict[int, MailboxNumbers]:
    """The numbers of these mailboxes by id. The caller has asked whose they are."""
    with connection.cursor() as cursor:
        cursor.execute(_MAILBOXES, [mailboxes])
        stored = {row[0]: row[1:] for row in cursor.fetchall()}
        cursor.execute(_PROGRESS, [mailboxes])
        progress = {row[0]: row[1:] for row in cursor.fetchall()}
    numbers = {}
    for mailbox in mailboxes:
        received, sent, unreadable, attachments = stored.get(mailbox, (0, 0, 0, 0))
        wanted, placed, unknown = progress.get(mailbox, (0, 0, True))
        numbers[mailbox] = MailboxNumbers(
            received, sent, unreadable, int(attachments), int(placed), None if unknown else int(wanted)
        )
    return numbers


def folder_numbers(mailboxes: list[int]) -> dict[int, tuple[FolderNumbers, ...]]:
    """The chosen folders of these mailboxes, by id, with what is on the server, stored and skipped."""
    folders: dict[int, tuple[FolderNumbers, ...]] = dict.fromkeys(mailboxes, ())
    with connection.cursor() as cursor:
        cursor.execute(_FOLDERS, [mailboxes])
        for mailbox, name, role, on_server, stored, skipped, *proof in cursor.fetchall():
            by_reason = json.loads(skipped) if isinstance(skipped, str) else skipped
            folders[mailbox] += (FolderNumbers(name, role, on_server, stored, by_reason or {}, *proof),)
    return folders
