"""How much is stored: per mailbox for its people, per folder as proof that nothing is missing."""

from dataclasses import dataclass, field

from django.db import connection

from fumibako.linking.models import Folder

_MAILBOXES = """
SELECT mailbox_id, count(*) FILTER (WHERE NOT outgoing), count(*) FILTER (WHERE outgoing),
       count(*) FILTER (WHERE unreadable IS NOT NULL OR skipped IS NOT NULL), coalesce(sum(attachments), 0)
  FROM message WHERE mailbox_id = ANY(%s) AND deleted_at IS NULL GROUP BY mailbox_id
"""
_PROGRESS = """
SELECT mailbox_id, sum(to_import), sum((SELECT count(*) FROM placement
         WHERE folder_id = folder.id AND placement.uidvalidity = folder.uidvalidity AND gone_at IS NULL)),
       bool_or(uidvalidity IS NULL)
  FROM folder WHERE mailbox_id = ANY(%s) AND chosen AND missing_since IS NULL GROUP BY mailbox_id
"""
_PLACED = """
SELECT folder_id, count(*) FROM placement JOIN folder ON folder.id = folder_id
 WHERE folder.mailbox_id = %s AND placement.uidvalidity = folder.uidvalidity AND gone_at IS NULL GROUP BY folder_id
"""
_SKIPPED = """
SELECT folder_id, reason, sum(upper(piece) - lower(piece))
  FROM skip JOIN folder ON folder.id = folder_id, unnest(uids) AS piece
 WHERE folder.mailbox_id = %s AND skip.uidvalidity = folder.uidvalidity GROUP BY folder_id, reason
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
    """A chosen folder: mails on the server when last looked at, stored, and left out by reason."""

    name: str
    role: str
    on_server: int | None
    stored: int
    skipped: dict[str, int] = field(default_factory=dict)


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


def folder_numbers(mailbox: int) -> tuple[FolderNumbers, ...]:
    """The chosen folders of a mailbox with what is on the server, stored and skipped."""
    with connection.cursor() as cursor:
        cursor.execute(_PLACED, [mailbox])
        placed = dict(cursor.fetchall())
        cursor.execute(_SKIPPED, [mailbox])
        skipped: dict[int, dict[str, int]] = {}
        for folder, reason, count in cursor.fetchall():
            skipped.setdefault(folder, {})[reason] = int(count)
    return tuple(
        FolderNumbers(folder.name, folder.role, folder.messages, placed.get(folder.id, 0), skipped.get(folder.id, {}))
        for folder in Folder.objects.filter(mailbox=mailbox, chosen=True).order_by("id")
    )
