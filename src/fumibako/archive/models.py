"""Stored mail. Rows are written by ``ingest`` alone, by COPY, in forms that ``rows`` builds in a child process.

Foreign keys are composite, (organization_id, id), and stand in the migration.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from fumibako.linking.models import Scoped, within


class Message(Scoped):
    """One mailbox's copy of a letter.

    ``sort_at`` is fixed at ingest: INTERNALDATE for live mail; for history the header's Date where it is readable and
    at most a day after INTERNALDATE. ``unreadable`` names why the parser could not read it (``parser_died``,
    ``parser_hung``), ``skipped`` why the body was not fetched (``too_large``). ``sha256`` is null without a body.
    ``deleted_at``: the server has it in no folder any more; ``left_to``: it went to a folder that is not imported. Both
    stay readable here.
    """

    class Origin(models.TextChoices):
        LIVE = "live"
        HISTORY = "history"

    id = models.BigAutoField(primary_key=True)
    public_id = models.TextField()
    mailbox = within("linking.Mailbox", db_index=False)
    sha256 = models.BinaryField(null=True)
    fingerprint = models.BinaryField()
    emailid = models.TextField(null=True)
    size = models.BigIntegerField()
    internal_date = models.DateTimeField()
    date = models.DateTimeField(null=True)
    sort_at = models.DateTimeField()
    origin = models.TextField(choices=Origin.choices)
    outgoing = models.BooleanField()
    message_id = models.TextField()
    subject = models.TextField()
    from_name = models.TextField()
    from_address = models.TextField()
    recipients = models.JSONField()
    snippet = models.TextField()
    attachments = models.SmallIntegerField()
    has_html = models.BooleanField()
    parser_version = models.SmallIntegerField()
    unreadable = models.TextField(null=True)
    skipped = models.TextField(null=True)
    stored_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True)
    left_to = within("linking.Folder", null=True, db_index=False, related_name="+")

    class Meta:
        db_table = "message"
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="message_organization_id"),
            models.UniqueConstraint(fields=["public_id"], name="message_public_id"),
            models.UniqueConstraint(fields=["mailbox", "sha256"], name="message_mailbox_sha256"),
        ]
        indexes = [
            models.Index(fields=["mailbox", "-sort_at", "-id"], name="message_mailbox_sort"),
            models.Index(fields=["mailbox", "fingerprint"], name="message_mailbox_fingerprint"),
            models.Index(
                fields=["mailbox", "emailid"], condition=models.Q(emailid__isnull=False), name="message_mailbox_emailid"
            ),
            models.Index(
                fields=["mailbox", "-sort_at"],
                condition=models.Q(unreadable__isnull=False) | models.Q(skipped__isnull=False),
                name="message_mailbox_unread",
            ),
            models.Index(
                fields=["mailbox"],
                condition=models.Q(deleted_at__isnull=False) | models.Q(left_to__isnull=False),
                name="message_departed",
            ),
        ]


class Body(Scoped):
    """The readable text of a message, apart from the row that lists run over."""

    message = models.OneToOneField(
        "archive.Message", on_delete=models.PROTECT, db_constraint=False, primary_key=True, related_name="body"
    )
    text = models.TextField()

    class Meta:
        db_table = "body"


class TextDue(Scoped):
    """The messages of a stored batch that have no ``Body`` yet: ``texts`` reads them when nobody waits."""

    id = models.BigAutoField(primary_key=True)
    mailbox = within("linking.Mailbox")
    messages = ArrayField(models.BigIntegerField())
    stored_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "text_due"


class Raw(Scoped):
    """A piece of a message's bytes, as the server gave them, zstd 1: pieces in order of ``n`` are one frame."""

    pk = models.CompositePrimaryKey("message_id", "n")
    message = within("archive.Message", db_index=False)
    n = models.SmallIntegerField()
    body = models.BinaryField()

    class Meta:
        db_table = "raw"


class Placement(Scoped):
    """A message at (folder, UIDVALIDITY, UID), with its flags.

    ``gone_at``: no longer there on the server. ``settled_at`` is the same time once it is known what became of the
    message; until then the place is ``unsettled``.
    """

    pk = models.CompositePrimaryKey("folder_id", "uidvalidity", "uid")
    folder = within("linking.Folder", db_index=False)
    uidvalidity = models.BigIntegerField()
    uid = models.BigIntegerField()
    message = within("archive.Message", db_index=False, related_name="placements")
    flags = ArrayField(models.TextField())
    modseq = models.BigIntegerField(null=True)
    seen = models.GeneratedField(
        expression=models.Q(flags__contains=["\\Seen"]),  # type: ignore[arg-type]
        output_field=models.BooleanField(),
        db_persist=True,
    )
    gone_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    unsettled = models.GeneratedField(
        expression=models.Q(
            models.Q(settled_at__isnull=True) | ~models.Q(settled_at=models.F("gone_at")), gone_at__isnull=False
        ),  # type: ignore[arg-type]
        output_field=models.BooleanField(),
        db_persist=True,
    )

    class Meta:
        db_table = "placement"
        indexes = [
            models.Index(fields=["message"], name="placement_message"),
            models.Index(
                fields=["folder"], condition=models.Q(seen=False, gone_at__isnull=True), name="placement_unseen"
            ),
            models.Index(fields=["folder"], condition=models.Q(unsettled=True), name="placement_unsettled"),
        ]


class Attachment(Scoped):
    """A part of a message that is a file; its bytes are read out of the raw mail by ``part``."""

    pk = models.CompositePrimaryKey("message_id", "n")
    message = within("archive.Message", db_index=False, related_name="files")
    n = models.SmallIntegerField()
    part = models.TextField()
    name = models.TextField()
    content_type = models.TextField()
    size = models.BigIntegerField()
    sha256 = models.BinaryField()
    content_id = models.TextField(null=True)
    inline = models.BooleanField()

    class Meta:
        db_table = "attachment"


class ThreadKey(Scoped):
    """A Message-ID that a message has or refers to, as 64 bits of its SHA-256: messages of a mailbox that share one
    belong to one thread. ``own`` marks the message's own Message-ID."""

    pk = models.CompositePrimaryKey("message_id", "key")
    message = within("archive.Message", db_index=False)
    mailbox = within("linking.Mailbox", db_index=False)
    key = models.BigIntegerField()
    own = models.BooleanField()

    class Meta:
        db_table = "thread_key"
        indexes = [models.Index(fields=["mailbox", "key"], name="thread_key_mailbox_key")]


class Opening(Scoped):
    """That a person has opened a message here. Unread is what is not \\Seen on the server and not opened here."""

    pk = models.CompositePrimaryKey("message_id", "person_id")
    message = within("archive.Message", db_index=False)
    person = within("accounts.Person", db_index=False)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "opening"
