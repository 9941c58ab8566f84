"""Nouns of this room: organizations, people, their sessions and one-time links, wrong logins, the audit trail.

Keys from this room are pointed at by every other table. Where a row of an organization points to a person, the key is
composite, (organization, person), and PostgreSQL itself refuses one that points across organizations; Django knows no
such key, so the fields say ``db_constraint=False`` and the migration makes it in SQL.

Times are the database's (``db_default=Now()``), never the web process's.
"""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now

from fumibako.accounts.ids import organization_id, person_id
from fumibako.accounts.names import LOGIN_LENGTH, LOGIN_PATTERN, normalize_login


class Language(models.TextChoices):
    """What the pages speak. The names are in their own language and not translated."""

    JAPANESE = "ja", "日本語"
    ENGLISH = "en", "English"


class Role(models.TextChoices):
    """What a person may do: admins also see settings and states of others, never their mail."""

    ADMIN = "admin"
    MEMBER = "member"


class PersonState(models.TextChoices):
    """Whether a person may log in."""

    ACTIVE = "active"
    STOPPED = "stopped"


class Organization(models.Model):
    """A company. Two of them meet nowhere."""

    public_id = models.CharField(max_length=40, unique=True, default=organization_id, editable=False)
    name = models.CharField(max_length=200)
    language = models.CharField(max_length=8, choices=Language, default=Language.JAPANESE)
    time_zone = models.CharField(max_length=64, default="Asia/Tokyo")
    default_range = models.CharField(max_length=8, default="1y")
    requires_mail_domain = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "organization"
        constraints = [
            models.CheckConstraint(condition=models.Q(language__in=Language.values), name="organization_language"),
        ]

    def __str__(self) -> str:
        return self.public_id


class PersonManager(BaseUserManager["Person"]):
    """Finds people by their login name however it was typed."""

    def get_by_natural_key(self, username: str | None) -> "Person":
        """Return the person with this login name; raises Person.DoesNotExist."""
        return self.get(login=normalize_login(username or ""))


class Person(AbstractBaseUser):
    """Somebody who logs in. Stopped people stay: their mail and what they did has an owner."""

    public_id = models.CharField(max_length=40, unique=True, default=person_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="people")
    login = models.CharField(max_length=LOGIN_LENGTH, unique=True)
    name = models.CharField(max_length=200)
    name_key = models.CharField(max_length=400, editable=False)
    email = models.CharField(max_length=254, blank=True, default="")
    role = models.CharField(max_length=8, choices=Role, default=Role.MEMBER)
    state = models.CharField(max_length=8, choices=PersonState, default=PersonState.ACTIVE)
    stopped_at = models.DateTimeField(null=True, blank=True)
    language = models.CharField(max_length=8, choices=Language, blank=True, default="")
    time_zone = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    USERNAME_FIELD = "login"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    objects = PersonManager()

    class Meta:
        db_table = "person"
        constraints = [
            models.UniqueConstraint(fields=["organization", "id"], name="person_organization_id"),
            models.CheckConstraint(condition=models.Q(login__regex=LOGIN_PATTERN), name="person_login"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="person_role"),
            models.CheckConstraint(
                condition=models.Q(state=PersonState.ACTIVE, stopped_at=None)
                | models.Q(state=PersonState.STOPPED, stopped_at__isnull=False),
                name="person_state",
            ),
            models.CheckConstraint(condition=models.Q(language__in=["", *Language.values]), name="person_language"),
        ]
        indexes = [models.Index(fields=["organization", "name_key", "id"], name="person_by_name")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        """Whether the person may log in; Django asks by this name."""
        return self.state == PersonState.ACTIVE

    @property
    def is_admin(self) -> bool:
        """Whether the person may see and change the organization's people and settings."""
        return self.role == Role.ADMIN

    @property
    def spoken(self) -> str:
        """The language of this person's pages: their own choice, else the organization's."""
        return self.language or self.organization.language

    @property
    def clock(self) -> str:
        """The IANA name of the time zone of this person's pages: their own choice, else the organization's."""
        return self.time_zone or self.organization.time_zone


class Session(AbstractBaseSession):
    """One login of a person at one browser, so that all of a person's logins can be ended at once."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, null=True, related_name="sessions")

    class Meta:
        db_table = "session"

    @classmethod
    def get_session_store_class(cls) -> type:
        """Return the store that reads and writes these rows."""
        from fumibako.accounts.sessions import SessionStore

        return SessionStore


class OneTimeLinks(models.QuerySet["OneTimeLink"]):
    """Queries of links."""

    def waiting(self) -> "OneTimeLinks":
        """Links that still set a password."""
        return self.filter(used_at=None, expires_at__gt=Now(), person__state=PersonState.ACTIVE)


class OneTimeLink(models.Model):
    """A link that sets a password once. Only the hash of its token is kept."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="links", db_constraint=False)
    token_hash = models.BinaryField(max_length=32, unique=True)
    made_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = OneTimeLinks.as_manager()

    class Meta:
        db_table = "one_time_link"


class WrongLogin(models.Model):
    """How often a login name was tried with a wrong password lately.

    Known or not, a name is kept as a keyed hash: people type passwords into the wrong field.
    """

    name_hash = models.BinaryField(max_length=32, primary_key=True)
    tries = models.PositiveSmallIntegerField()
    last_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "wrong_login"


class AuditEvent(models.Model):
    """Who did what to whom, when. Ids and settings only: never a mail's text, never a secret."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    actor = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False)
    kind = models.CharField(max_length=64)
    subject = models.CharField(max_length=40, blank=True, default="")
    at = models.DateTimeField(db_default=Now(), editable=False)
    detail = models.JSONField(default=dict)

    class Meta:
        db_table = "audit_event"
        constraints = [models.UniqueConstraint(fields=["organization", "id"], name="audit_event_organization_id")]
        indexes = [
            models.Index(fields=["organization", "subject", "id"], name="audit_event_by_subject"),
        ]
