"""Mailboxes, whose they are, their folders, and the drafts of the link wizard.

Foreign keys between these tables are composite, (organization_id, id), made by SQL in the migration, so that PostgreSQL
itself refuses a row that points into another organization; Django is told ``db_constraint=False``.
"""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now

from fumibako.accounts.ids import public_id
from fumibako.linking.fields import UidSetField


def mailbox_id() -> str:
    return public_id("mb")


def folder_id() -> str:
    return public_id("fo")


def draft_id() -> str:
    return public_id("dr")


def of_organization(**options: Any) -> "models.ForeignKey[Any, Any]":
    """The organization of a row: part of its composite keys, which imply that the organization exists."""
    return models.ForeignKey("accounts.Organization", on_delete=models.PROTECT, db_index=False, **options)


class Scoped(models.Model):
    """A row of one organization, held there by a composite key."""

    organization = of_organization(db_constraint=False)

    class Meta:
        abstract = True


def within(to: str, **options: Any) -> "models.ForeignKey[Any, Any]":
    """A foreign key whose constraint is composite and stands in the migration."""
    return models.ForeignKey(to, on_delete=models.PROTECT, db_constraint=False, **options)


class MailDomain(Scoped):
    """メールサーバーの推奨設定: a company's mail domain with its servers and the shape of its login names.

    ``own_server``: the admin has declared the server their own, so that it limits nobody by where they come from.
    """

    class LoginShape(models.TextChoices):
        ADDRESS = "address"
        LOCAL_PART = "local"
        PERCENT = "percent"
        ASK = "ask"

    organization = of_organization()
    domain = models.TextField()
    imap_host = models.TextField()
    imap_port = models.IntegerField(null=True)
    imap_security = models.TextField(null=True)
    smtp_host = models.TextField(blank=True, default="")
    smtp_port = models.IntegerField(null=True)
    smtp_security = models.TextField(null=True)
    login_shape = models.TextField(choices=LoginShape.choices, default=LoginShape.ADDRESS)
    own_server = models.BooleanField(db_default=False)
    imap_proven_at = models.DateTimeField(null=True)
    smtp_proven_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "mail_domain"
        constraints = [
            models.UniqueConstraint(fields=["organization", "domain"], name="mail_domain_organization_domain"),
            models.UniqueConstraint(fields=["organization", "id"], name="mail_domain_organization_id"),
        ]


class Mailbox(Scoped):
    """An account on a mail server. One per (organization, IMAP server, login name) and per address, for ever.

    ``generation`` rises whenever what may be stored changes (unlink, relink, another folder choice): an ingest that was
    begun under an older one is thrown away at its COMMIT. ``state`` moves only through ``linking.states``.
    """

    class Kind(models.TextChoices):
        PERSONAL = "personal"
        SHARED = "shared"

    class SentCopy(models.TextChoices):
        AUTO = "auto"
        ON = "on"
        OFF = "off"

    organization = of_organization()
    public_id = models.TextField(unique=True, default=mailbox_id)
    address = models.TextField()
    address_key = models.TextField()
    aliases = ArrayField(models.TextField(), default=list)
    kind = models.TextField(choices=Kind.choices, default=Kind.PERSONAL)
    provider = models.TextField(blank=True, default="")

    state = models.TextField()
    state_since = models.DateTimeField(db_default=Now())
    cause = models.TextField(blank=True, default="")
    cause_stage = models.TextField(blank=True, default="")
    server_words = models.TextField(blank=True, default="")
    next_try_at = models.DateTimeField(null=True)
    refusals = models.SmallIntegerField(default=0)
    refused_at = models.DateTimeField(null=True)
    generation = models.BigIntegerField(default=1)

    imap_host = models.TextField()
    imap_port = models.IntegerField()
    imap_security = models.TextField()
    imap_username = models.TextField()
    imap_mechanism = models.TextField()
    smtp_host = models.TextField(blank=True, default="")
    smtp_port = models.IntegerField(null=True)
    smtp_security = models.TextField(blank=True, default="")
    smtp_username = models.TextField(blank=True, default="")
    smtp_mechanism = models.TextField(blank=True, default="")
    smtp_cause = models.TextField(blank=True, default="")
    smtp_words = models.TextField(blank=True, default="")

    sent_copy = models.TextField(choices=SentCopy.choices, default=SentCopy.AUTO)
    sent_copy_learned = models.TextField(blank=True, default="")
    range = models.TextField()
    history_since = models.DateField(null=True)
    limit_key = models.TextField()
    shard = models.SmallIntegerField()
    created_at = models.DateTimeField(db_default=Now())
    linked_at = models.DateTimeField(db_default=Now())
    unlinked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "mailbox"
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="mailbox_organization_id"),
            models.UniqueConstraint(fields=["organization", "address_key"], name="mailbox_organization_address"),
            models.UniqueConstraint(
                fields=["organization", "imap_host", "imap_username"], name="mailbox_organization_login"
            ),
        ]
        indexes = [
            models.Index(fields=["shard", "state"], name="mailbox_shard_state"),
            models.Index(
                Lower("imap_host"), condition=models.Q(refused_at__isnull=False), name="mailbox_refused"
            ),  # every login asks whether anybody was refused at its host
        ]


class MailboxPerson(Scoped):
    """Who a mailbox belongs to, and from when to when. A row without ``until`` gives the right to read."""

    class Role(models.TextChoices):
        OWNER = "owner"
        USER = "user"

    mailbox = within("linking.Mailbox")
    person = within("accounts.Person")
    role = models.TextField(choices=Role.choices, default=Role.OWNER)
    since = models.DateTimeField(db_default=Now())
    until = models.DateTimeField(null=True)

    class Meta:
        db_table = "mailbox_person"
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "person"], condition=models.Q(until__isnull=True), name="mailbox_person_now"
            )
        ]


class MailboxSecret(Scoped):
    """The sealed password (later: grant) of one of a mailbox's two logins. Unlinking deletes the row."""

    class Service(models.TextChoices):
        IMAP = "imap"
        SMTP = "smtp"

    mailbox = within("linking.Mailbox")
    service = models.TextField(choices=Service.choices)
    sealed = models.BinaryField()
    worked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "mailbox_secret"
        constraints = [models.UniqueConstraint(fields=["mailbox", "service"], name="mailbox_secret_service")]


class Pulse(models.Model):
    """When a watch or a poll last proved that a mailbox is alive; flushed by its owner once in some seconds."""

    organization = of_organization(db_constraint=False)
    mailbox = models.OneToOneField(
        "linking.Mailbox", on_delete=models.PROTECT, db_constraint=False, primary_key=True, related_name="pulse"
    )
    proved_at = models.DateTimeField()

    class Meta:
        db_table = "pulse"


class Folder(Scoped):
    """A folder on the server, and what is known of it.

    ``known`` is the set of UIDs that need no fetch: stored or skipped. ``linked_uidnext`` is fixed when the folder is
    first looked at after linking: mail below it is history, mail at or above it is new. After the server has numbered
    the folder anew, ``live_since`` is the last proof of life before that: unmatched mail that arrived since is new too.
    ``numbered_by`` names the server whose UIDs these are, ``mailboxid`` is the folder's own id there (RFC 8474 §4).
    ``proof`` is what the last proof of completeness, at ``proved_at``, found.
    """

    public_id = models.TextField(unique=True, default=folder_id)
    mailbox = within("linking.Mailbox")
    name_raw = models.BinaryField()
    name = models.TextField()
    delimiter = models.TextField(blank=True, default="")
    role = models.TextField()
    selectable = models.BooleanField(default=True)
    chosen = models.BooleanField(default=False)
    uidvalidity = models.BigIntegerField(null=True)
    uidnext = models.BigIntegerField(null=True)
    highest_modseq = models.BigIntegerField(null=True)
    messages = models.IntegerField(null=True)
    size = models.BigIntegerField(null=True)
    known = UidSetField(db_default=models.Value("{}", output_field=UidSetField()))
    linked_uidnext = models.BigIntegerField(null=True)
    live_since = models.DateTimeField(null=True)
    numbered_by = models.TextField(db_default="")
    mailboxid = models.TextField(null=True)
    to_import = models.IntegerField(default=0)
    looked_at = models.DateTimeField(null=True)
    missing_since = models.DateTimeField(null=True)
    proved_at = models.DateTimeField(null=True)
    proof = models.JSONField(null=True)

    class Meta:
        db_table = "folder"
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="folder_organization_id"),
            models.UniqueConstraint(fields=["mailbox", "name_raw"], name="folder_mailbox_name"),
        ]


class Skip(Scoped):
    """The UIDs of a folder that were seen and are not stored, by reason (``before_range``, ``not_given``)."""

    folder = within("linking.Folder")
    uidvalidity = models.BigIntegerField()
    reason = models.TextField()
    uids = UidSetField()

    class Meta:
        db_table = "skip"
        constraints = [models.UniqueConstraint(fields=["folder", "uidvalidity", "reason"], name="skip_folder_reason")]


class LinkDraft(Scoped):
    """The link wizard's state on the server, one per person and address.

    ``purpose`` is why a login is proved: a new link, a new password, or other settings of a linked mailbox. A draft
    ends after an hour with its secrets; a failed one stays listed for 30 days, with settings and cause but no secret.
    ``attempt`` rises with every try, so that an older try that is still under way writes nothing.
    """

    class Purpose(models.TextChoices):
        LINK = "link"
        PASSWORD = "password"  # noqa: S105
        SETTINGS = "settings"

    class State(models.TextChoices):
        WAITING = "waiting"
        PROVING = "proving"
        CONSENT = "consent"
        PROVED = "proved"
        COLLEAGUE = "colleague"
        FAILED = "failed"
        DONE = "done"

    public_id = models.TextField(unique=True, default=draft_id)
    person = within("accounts.Person")
    mailbox = within("linking.Mailbox", null=True)
    purpose = models.TextField(choices=Purpose.choices, default=Purpose.LINK)
    address = models.TextField()
    address_key = models.TextField()
    manual = models.BooleanField(default=False)
    wishes = models.JSONField(default=dict)
    trusted = ArrayField(models.TextField(), default=list)
    imap_sealed = models.BinaryField(null=True)
    smtp_sealed = models.BinaryField(null=True)
    state = models.TextField(choices=State.choices, default=State.WAITING)
    attempt = models.IntegerField(default=1)
    claimed_at = models.DateTimeField(null=True)
    stages = models.JSONField(default=list)
    proven = models.JSONField(null=True)
    failure = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "link_draft"
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="link_draft_organization_id"),
            models.UniqueConstraint(
                fields=["person", "address_key"],
                condition=~models.Q(state="done"),
                name="link_draft_person_address",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(state__in=["waiting", "proving"]), name="link_draft_to_prove"
            )
        ]
