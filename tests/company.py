"""An organization with an admin and a member, as the verbs make them."""

import pytest

from fumibako import accounts
from fumibako.accounts.models import Organization, Person

PASSWORD = "a long enough phrase"


@pytest.fixture
def organization(db: None) -> Organization:
    return accounts.create_organization("株式会社サンプル")


@pytest.fixture
def admin(organization: Organization) -> Person:
    return join(organization, "sato", "佐藤 美咲", role="admin")


@pytest.fixture
def member(organization: Organization) -> Person:
    return join(organization, "yamada", "山田 太郎")


@pytest.fixture
def stranger(db: None) -> Person:
    """The admin of another organization."""
    return join(accounts.create_organization("有限会社よそ"), "yoso", "与曽 次郎", role="admin")


def join(organization: Organization, login: str, name: str, role: str = "member") -> Person:
    """Add somebody who has set their password."""
    added = accounts.add_person(organization, name=name, login=login, role=role, by=None)
    return accounts.use_link(added.link.token, PASSWORD)
