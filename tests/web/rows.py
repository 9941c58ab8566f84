"""Rows for pages to show: drafts as a worker leaves them, and mails as an import stores them."""

import base64
import hashlib
from datetime import datetime, timedelta
from email.message import EmailMessage
from typing import Any

import zstandard
from django.utils import timezone

from fumibako.accounts import public_id
from fumibako.accounts.models import Person
from fumibako.archive.models import Attachment, Body, Message, Placement, Raw
from fumibako.linking.models import Folder, LinkDraft, Mailbox
from fumibako.mail.diagnosis import CAUSES, Stage
from fumibako.mail.letter import fingerprint, parse

LOGIN = {"host": "imap.example.jp", "port": 993, "security": "tls", "username": "taro@example.jp", "mechanism": "PLAIN"}


def key(name: str) -> str:
    """A folder's name in forms."""
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def found(name: str, role: str = "other", mails: tuple[int, int, int] = (0, 0, 0), **more: Any) -> dict[str, Any]:
    """A folder that a survey found; `mails` are those of 3 months, of a year, and all."""
    folder = {
        "key": key(name),
        "name": name,
        "delimiter": "/",
        "role": role,
        "selectable": True,
        "messages": mails[2],
        "size": None,
        "newest": None,
        "counts": dict(zip(("3m", "1y", "all"), mails, strict=True)),
    }
    return {**folder, **more}


def draft_row(person: Person, address: str = "taro@example.jp", **values: Any) -> LinkDraft:
    """A draft of a person, for an hour."""
    return LinkDraft.objects.create(
        organization=person.organization,
        person=person,
        address=address,
        address_key=address.casefold(),
        **{"expires_at": timezone.now() + timedelta(hours=1), **values},
    )


def failed_draft(person: Person, cause: str, *, words: str | None = None, **values: Any) -> LinkDraft:
    """A draft whose proof has failed for this cause."""
    about = CAUSES[cause]
    failure = {
        "cause": cause,
        "stage": about.stage,
        "server_words": words,
        "detail": "imap.example.jp:993",
        "proposed": values.pop("proposed", []),
        "sentence": {"ja": about.sentence_ja, "en": about.sentence_en},
        "remedy": {"ja": about.remedy_ja, "en": about.remedy_en},
        "retry": about.retry,
    }
    return draft_row(person, **{"state": "failed", "failure": failure, **values})


def proved_draft(person: Person, *folders: dict[str, Any], **values: Any) -> LinkDraft:
    """A draft whose logins work, with these folders on the server."""
    from fumibako.linking import seal_secret

    proven = {"provider": None, "imap": LOGIN, "smtp": LOGIN, "smtp_failure": None, "folders": list(folders)}
    row = draft_row(person, state="proved", proven={**proven, **values.pop("proven", {})}, **values)
    row.imap_sealed = seal_secret("secret", owner=row.public_id, service="imap")
    row.save()
    return row


def stage(name: str, state: str = "done", found: str | None = None) -> dict[str, Any]:
    """A stage as a draft keeps it."""
    return vars(Stage(name, state, found)) | {}


def letter(subject: str = "お見積りの件", text: str = "本文です。", **headers: str) -> EmailMessage:
    """A mail to be stored."""
    mail = EmailMessage()
    mail["From"] = headers.pop("sender", "鈴木 一郎 <suzuki@tokyo-shoji.example>")
    mail["To"] = headers.pop("to", "taro@example.jp")
    mail["Subject"] = subject
    mail["Message-ID"] = f"<{public_id('x')}@example.jp>"
    for name, value in headers.items():
        mail[name] = value
    mail.set_content(text)
    return mail


def store(
    box: Mailbox,
    folder: Folder,
    mail: EmailMessage | bytes,
    *,
    at: datetime | None = None,
    seen: bool = False,
    **values: Any,
) -> Message:
    """Store a mail in a folder, as an import does."""
    raw = mail if isinstance(mail, bytes) else mail.as_bytes()
    read = parse(raw)
    at = at or timezone.now()
    people = {"from": read.from_, "to": read.to, "cc": read.cc, "bcc": read.bcc, "reply_to": read.reply_to}
    sender = read.from_[0]
    message = Message.objects.create(
        organization_id=box.organization_id,
        public_id=public_id("ms"),
        mailbox=box,
        **{
            "sha256": hashlib.sha256(raw).digest(),
            "fingerprint": fingerprint(raw),
            "size": len(raw),
            "internal_date": at,
            "date": read.date,
            "sort_at": at,
            "origin": "live",
            "outgoing": folder.role == "sent",
            "message_id": read.message_id,
            "subject": read.subject,
            "from_name": sender.name,
            "from_address": sender.address,
            "recipients": {name: [[one.name, one.address] for one in these] for name, these in people.items()},
            "snippet": read.snippet,
            "attachments": sum(not file.inline for file in read.attachments),
            "has_html": read.html is not None,
            "parser_version": 1,
            **values,
        },
    )
    place = {"organization_id": box.organization_id, "message": message}
    Body.objects.create(text=read.text, **place)
    Raw.objects.create(n=0, body=zstandard.compress(raw, 1), **place)
    uid = Placement.objects.filter(folder=folder).count() + 1
    Placement.objects.create(folder=folder, uidvalidity=1, uid=uid, flags=["\\Seen"] if seen else [], **place)
    for n, file in enumerate(read.attachments):
        Attachment.objects.create(n=n, **{**place, **{name: getattr(file, name) for name in ATTACHMENT}})
    return message


ATTACHMENT = ("part", "name", "content_type", "size", "sha256", "content_id", "inline")
