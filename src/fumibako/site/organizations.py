"""Organizations as the operator makes them: by command, and the first one of a new installation."""

import json
import secrets
from dataclasses import dataclass

from django.db import transaction
from django.urls import reverse

from fumibako.accounts import Invalid, add_person, create_organization
from fumibako.accounts.models import Person
from fumibako.linking.models import MailDomain
from fumibako.site.data_folder import Sample
from fumibako.site.refusal import Refusal
from fumibako.site.words import gettext

ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # without l, o, 0, 1: the password is typed from paper


@dataclass(frozen=True)
class Made:
    """A new organization, and where its first admin sets a password."""

    public_id: str
    name: str
    login: str | None = None
    path: str | None = None

    def as_json(self) -> str:
        """For programs."""
        admin = {"login": self.login, "link": self.path} if self.login else None
        return json.dumps({"organization": self.public_id, "name": self.name, "admin": admin}, ensure_ascii=False)

    def as_text(self) -> str:
        """For people."""
        if self.login is None:
            return self.public_id
        told = gettext("%(login)s sets a password within 24 hours at %(path)s.")
        return f"{self.public_id}\n" + told % {"login": self.login, "path": self.path}


@transaction.atomic
def make_organization(name: str, admin: str | None) -> Made:
    """Make an organization, with a first admin of this login name if given. Raises Refusal."""
    try:
        organization = create_organization(name)
        if admin is None:
            return Made(organization.public_id, organization.name)
        added = add_person(organization, name=admin, login=admin, role="admin", by=None)
    except Invalid as invalid:
        fields = ", ".join(f"{problem.field}: {problem.reason}" for problem in invalid.problems)
        raise Refusal(gettext("This cannot be taken: %(fields)s.") % {"fields": fields}) from invalid
    path = reverse("one_time_link", args=[added.link.token])
    return Made(organization.public_id, organization.name, added.person.login, path)


@transaction.atomic
def make_first_organization() -> dict[str, dict[str, str]] | None:
    """The organization, admin and member of a new installation: their logins. None where there are people already."""
    if Person.objects.exists():
        return None
    organization = create_organization("株式会社サンプル")
    logins = {}
    for role, name in (("admin", "管理者"), ("member", "営業 太郎")):
        person = add_person(organization, name=name, login=role, role=role, by=None).person
        password = new_password()
        person.set_password(password)
        person.save(update_fields=["password"])
        logins[role] = {"login": role, "password": password}
    return logins


def new_password() -> str:
    """Sixteen characters in groups of four: 80 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))


def recommend_sample(sample: Sample) -> None:
    """Let the first organization's members link the sample mailbox: its servers are their mail domain's.

    Its ports may have changed since the last start.
    """
    first = Person.objects.order_by("organization_id", "id").first()
    if first is None:
        return
    MailDomain.objects.update_or_create(
        organization_id=first.organization_id,
        domain=sample.address.rpartition("@")[2],
        defaults={
            "imap_host": "127.0.0.1",
            "imap_port": sample.imap_port,
            "imap_security": "tls",
            "smtp_host": "127.0.0.1",
            "smtp_port": sample.smtp_port,
            "smtp_security": "tls",
        },
    )
