"""The one door out for people: what a person may not read, nothing here returns.

The right to read is a person's mailboxes (``linking.readable_to``); it stands in every query of this file. What the
server has no more can be read and found here as before.
"""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core import signing
from django.db import connection
from django.db.models import Exists, OuterRef, Q

from fumibako.accounts.models import Person
from fumibako.archive.errors import NotFound
from fumibako.archive.models import Attachment, Message, Opening, Placement, TextDue
from fumibako.archive.raw import get_raw
from fumibako.archive.reader import Reading, Unreadable, read_letter, read_part
from fumibako.linking import readable_mailboxes, readable_to
from fumibako.linking.models import Folder, Mailbox
from fumibako.mail.letter import Address

PICTURE_LIFE = timedelta(minutes=10)
_PICTURE_SALT = "fumibako.archive.picture"

_ROW = """
SELECT m.public_id, m.mailbox_id, m.from_name, m.from_address, m.recipients, m.outgoing, m.subject, m.snippet,
       m.attachments, m.sort_at, m.unreadable, m.skipped, m.id,
       CASE WHEN m.deleted_at IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM placement p WHERE p.message_id = m.id AND p.gone_at IS NULL)
            THEN m.deleted_at END AS deleted_at,
       CASE WHEN m.left_to_id IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM placement p WHERE p.message_id = m.id AND p.gone_at IS NULL)
            THEN (SELECT f.name FROM folder f WHERE f.id = m.left_to_id) END AS left_to,
       NOT m.outgoing
         AND NOT EXISTS (SELECT 1 FROM placement p WHERE p.message_id = m.id AND p.seen)
         AND NOT EXISTS (SELECT 1 FROM opening o WHERE o.message_id = m.id AND o.person_id = %(person)s) AS unread
  FROM message m
 WHERE m.organization_id = %(organization)s AND m.mailbox_id = ANY(%(mailboxes)s)
"""
_IN_FOLDERS = """
   AND EXISTS (SELECT 1 FROM placement p
                WHERE p.message_id = m.id AND p.folder_id = ANY(%(folders)s)
                  AND (p.gone_at IS NULL
                       OR NOT EXISTS (SELECT 1 FROM placement q WHERE q.message_id = m.id AND q.gone_at IS NULL)))
"""
_UNREADABLE = " AND (m.unreadable IS NOT NULL OR m.skipped IS NOT NULL)"
_AFTER = " AND (m.sort_at, m.id) < (%(sort_at)s, %(id)s)"
_ORDER = " ORDER BY m.sort_at DESC, m.id DESC LIMIT %(limit)s"
_WORD = """
   AND (m.subject ILIKE %({0})s OR m.from_name ILIKE %({0})s OR m.from_address ILIKE %({0})s
        OR m.recipients::text ILIKE %({0})s
        OR EXISTS (SELECT 1 FROM body b WHERE b.message_id = m.id AND b.text ILIKE %({0})s)
        OR EXISTS (SELECT 1 FROM attachment a WHERE a.message_id = m.id AND a.name ILIKE %({0})s))
"""
_UNREAD = """
SELECT p.folder_id, count(*) FROM placement p JOIN message m ON m.id = p.message_id
 WHERE p.folder_id = ANY(%(folders)s) AND NOT p.seen AND p.gone_at IS NULL AND NOT m.outgoing
   AND NOT EXISTS (SELECT 1 FROM opening o WHERE o.message_id = p.message_id AND o.person_id = %(person)s)
 GROUP BY p.folder_id
"""


@dataclass(frozen=True)
class MessageRow:
    """A message in a list. ``unreadable`` and ``skipped`` name why it could not be read whole.

    ``deleted_at``: since when the server has it no more; ``left_to``: the folder, not imported, that it went to.
    """

    public_id: str
    mailbox_address: str
    sender: Address
    to: tuple[Address, ...]
    outgoing: bool
    subject: str
    snippet: str
    attachments: int
    at: datetime
    unread: bool
    unreadable: str | None
    skipped: str | None
    deleted_at: datetime | None
    left_to: str | None


@dataclass(frozen=True)
class Listing:
    """A page of messages, newest first; ``next`` asks for the following page, None at the end.

    ``trails``: words were looked for, and of mail that has just come the texts are still being read.
    """

    rows: tuple[MessageRow, ...]
    next: str | None
    trails: bool = False


@dataclass(frozen=True)
class FolderEntry:
    """A line of the list at the left: all that receives, all that was sent, or one other folder.

    ``key`` is what ``list_messages`` takes: ``inbox``, ``sent``, ``unreadable`` or a folder's public id.
    ``mailbox_address`` says whose folder it is, where it is one mailbox's.
    """

    key: str
    name: str
    role: str
    unread: int
    mailbox_address: str = ""


@dataclass(frozen=True)
class FileRow:
    """A file of a message, by its number ``n``; pictures of the text are ``inline``."""

    n: int
    name: str
    content_type: str
    size: int
    inline: bool


@dataclass(frozen=True)
class MessageView:
    """A message opened. ``reading`` is None where the mail cannot be read; its files and raw bytes still can be had.

    ``deleted_at`` and ``left_to`` as in ``MessageRow``.
    """

    public_id: str
    mailbox_address: str
    subject: str
    sender: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    date: datetime | None
    at: datetime
    outgoing: bool
    size: int
    message_id: str
    files: tuple[FileRow, ...]
    reading: Reading | None
    unreadable: str | None
    skipped: str | None
    deleted_at: datetime | None
    left_to: str | None


@dataclass(frozen=True)
class File:
    """A file's bytes for a download."""

    name: str
    content_type: str
    content: bytes


def list_messages(
    person: Person,
    *,
    mailbox: str | None = None,
    folder: str | None = None,
    words: str = "",
    after: str | None = None,
    limit: int = 50,
) -> Listing:
    """Messages that the person may read, newest first by ``sort_at``.

    ``mailbox`` is a public id, ``folder`` a key of ``folders_of`` (None: everything), ``words`` are looked for, each of
    them, in subject, people, text and file names, ``after`` is a ``Listing.next``. Raises NotFound.
    """
    boxes = _boxes(person, mailbox)
    folders = _folders(boxes) if folder not in {None, "unreadable"} else ()
    return _list(person, boxes, folders, folder=folder, words=words, after=after, limit=limit)


def list_with_folders(
    person: Person,
    *,
    mailbox: str | None = None,
    folder: str | None = None,
    words: str = "",
    after: str | None = None,
    limit: int = 50,
) -> tuple[tuple[FolderEntry, ...], Listing]:
    """What ``folders_of`` and ``list_messages`` give, for the page that shows both. Raises NotFound."""
    boxes = _boxes(person, mailbox)
    folders = _folders(boxes)
    listing = _list(person, boxes, folders, folder=folder, words=words, after=after, limit=limit)
    return _entries(person, boxes, folders), listing


def _list(
    person: Person,
    boxes: dict[int, Mailbox],
    folders: tuple[Folder, ...],
    *,
    folder: str | None,
    words: str,
    after: str | None,
    limit: int,
) -> Listing:
    values: dict[str, Any] = {
        "person": person.pk,
        "organization": person.organization_id,
        "mailboxes": list(boxes),
        "limit": limit + 1,
    }
    query = [_ROW]
    if folder == "unreadable":
        query.append(_UNREADABLE)
    elif folder is not None:
        query.append(_IN_FOLDERS)
        values["folders"] = _folder_ids(folders, folder)
    for n, word in enumerate(words.split()):
        query.append(_WORD.format(f"word{n}"))
        values[f"word{n}"] = f"%{_escape(word)}%"
    if after is not None:
        query.append(_AFTER)
        values["sort_at"], values["id"] = _open_cursor(after)
    query.append(_ORDER)
    with connection.cursor() as cursor:
        cursor.execute("".join(query), values)
        columns = [column.name for column in cursor.description]
        found = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    rows = tuple(_row(one, boxes) for one in found[:limit])
    last = found[limit - 1] if len(found) > limit else None
    trails = bool(words.split()) and TextDue.objects.filter(mailbox__in=list(boxes)).exists()
    return Listing(rows, _cursor(last["sort_at"], last["id"]) if last else None, trails)


def folders_of(person: Person, mailbox: str | None = None) -> tuple[FolderEntry, ...]:
    """The folders that have mail here, with unread counts; received and sent mail of all mailboxes in one each.

    Mails that could not be read whole come last, where there are any. Raises NotFound.
    """
    boxes = _boxes(person, mailbox)
    return _entries(person, boxes, _folders(boxes))


def _folders(boxes: dict[int, Mailbox]) -> tuple[Folder, ...]:
    """The folders of a list: those that are imported, and those that were and have left mail here."""
    left = Exists(Placement.objects.filter(folder=OuterRef("pk")))
    folders = Folder.objects.filter(Q(chosen=True) | left, mailbox__in=list(boxes))
    order = {"inbox": 0, "sent": 1}
    return tuple(sorted(folders, key=lambda folder: (order.get(folder.role, 2), folder.name)))


def _entries(person: Person, boxes: dict[int, Mailbox], folders: tuple[Folder, ...]) -> tuple[FolderEntry, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_UNREAD, {"folders": [folder.id for folder in folders], "person": person.pk})
        unread = dict(cursor.fetchall())
    entries: dict[str, FolderEntry] = {}
    for folder in folders:
        key = folder.role if folder.role in {"inbox", "sent"} else folder.public_id
        count = unread.get(folder.id, 0) + (entries[key].unread if key in entries else 0)
        address = boxes[folder.mailbox_id].address if key == folder.public_id else ""
        entries[key] = FolderEntry(key, folder.name, folder.role, count, address)
    odd = Message.objects.filter(mailbox__in=list(boxes))
    count = odd.exclude(unreadable__isnull=True, skipped__isnull=True).count()
    if count:
        entries["unreadable"] = FolderEntry("unreadable", "", "unreadable", count)
    return tuple(entries.values())


def read_message(person: Person, message: str, *, mark: bool = True) -> MessageView:
    """Open a message; ``mark`` remembers that this person has read it here. Raises NotFound."""
    row = _find(person, message)
    files = tuple(Attachment.objects.filter(message=row).order_by("n"))
    if mark:
        opened = Opening(organization_id=row.organization_id, message=row, person=person)
        Opening.objects.bulk_create([opened], ignore_conflicts=True)
    pictures = {
        file.content_id: "./" + sign_picture(person, message, file.n)  # its colons would else name a scheme
        for file in files
        if file.content_id and file.content_type.startswith("image/")
    }
    reading = None
    if not row.unreadable:
        try:
            reading = read_letter(get_raw(row.organization_id, row.pk), pictures)
        except Unreadable:
            reading = None
    departed = bool(row.deleted_at or row.left_to) and not row.placements.filter(gone_at=None).exists()
    people = {name: _addresses(row.recipients, name) for name in ("from", "to", "cc", "bcc", "reply_to")}
    return MessageView(
        public_id=row.public_id,
        mailbox_address=row.mailbox.address,
        subject=row.subject,
        sender=people["from"] or (Address(row.from_name, row.from_address),),
        to=people["to"],
        cc=people["cc"],
        bcc=people["bcc"],
        reply_to=people["reply_to"],
        date=row.date,
        at=row.sort_at,
        outgoing=row.outgoing,
        size=row.size,
        message_id=row.message_id,
        files=tuple(FileRow(file.n, file.name, file.content_type, file.size, file.inline) for file in files),
        reading=reading,
        unreadable=row.unreadable,
        skipped=row.skipped,
        deleted_at=row.deleted_at if departed else None,
        left_to=row.left_to.name if departed and row.left_to else None,
    )


def read_attachment(person: Person, message: str, n: int) -> File:
    """The bytes of file ``n`` of a message. Raises NotFound, Unreadable."""
    row = _find(person, message)
    file = Attachment.objects.filter(message=row, n=n).first()
    if file is None:
        raise NotFound(f"{message}/{n}")
    return File(file.name, file.content_type, read_part(get_raw(row.organization_id, row.pk), file.part))


def read_raw(person: Person, message: str) -> bytes:
    """The message as the server gave it. Raises NotFound."""
    row = _find(person, message)
    return get_raw(row.organization_id, row.pk)


def sign_picture(person: Person, message: str, n: int) -> str:
    """A token that lets a sandboxed frame, which has no cookie, load one picture for ten minutes (design rule 22)."""
    return signing.dumps([message, n, person.public_id], salt=_PICTURE_SALT)


def read_picture(token: str) -> File:
    """The picture of a token, if it still holds and its person may still read the message. Raises NotFound."""
    try:
        message, n, reader = signing.loads(token, salt=_PICTURE_SALT, max_age=PICTURE_LIFE)
    except signing.BadSignature:
        raise NotFound("picture") from None
    person = Person.objects.filter(public_id=reader).first()
    if person is None or not person.is_active:
        raise NotFound("picture")
    file = read_attachment(person, message, n)
    if not file.content_type.startswith("image/"):
        raise NotFound("picture")
    return file


def _boxes(person: Person, mailbox: str | None) -> dict[int, Mailbox]:
    boxes: dict[int, Mailbox] = readable_mailboxes(person)
    if mailbox is not None:
        boxes = {number: box for number, box in boxes.items() if box.public_id == mailbox}
        if not boxes:
            raise NotFound(mailbox)
    return boxes


def _folder_ids(folders: tuple[Folder, ...], key: str) -> list[int]:
    ids = [folder.id for folder in folders if key in {folder.role, folder.public_id}]
    if not ids and key not in {"inbox", "sent"}:
        raise NotFound(key)
    return ids


def _find(person: Person, message: str) -> Message:
    found = Message.objects.filter(
        organization=person.organization_id,
        public_id=message,
        mailbox__in=readable_to(person),
    )
    row = found.select_related("mailbox", "left_to").first()
    if row is None:
        raise NotFound(message)
    return row


def _row(found: dict[str, Any], boxes: dict[int, Mailbox]) -> MessageRow:
    recipients = found["recipients"]
    return MessageRow(
        public_id=found["public_id"],
        mailbox_address=boxes[found["mailbox_id"]].address,
        sender=Address(found["from_name"], found["from_address"]),
        to=_addresses(recipients, "to"),
        outgoing=found["outgoing"],
        subject=found["subject"],
        snippet=found["snippet"],
        attachments=found["attachments"],
        at=found["sort_at"],
        unread=found["unread"],
        unreadable=found["unreadable"],
        skipped=found["skipped"],
        deleted_at=found["deleted_at"],
        left_to=found["left_to"],
    )


def _addresses(recipients: Any, name: str) -> tuple[Address, ...]:
    if isinstance(recipients, str):  # a plain cursor gives jsonb as text
        recipients = json.loads(recipients)
    return tuple(Address(*pair) for pair in recipients.get(name, []))


def _escape(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _cursor(at: datetime, number: int) -> str:
    micros = int(at.timestamp()) * 1_000_000 + at.microsecond
    return base64.urlsafe_b64encode(f"{micros}.{number}".encode()).decode().rstrip("=")


def _open_cursor(cursor: str) -> tuple[datetime, int]:
    try:
        micros, _, number = base64.urlsafe_b64decode(cursor + "==").decode().partition(".")
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(micros)), int(number)
    except (ValueError, OverflowError):
        raise NotFound("cursor") from None
