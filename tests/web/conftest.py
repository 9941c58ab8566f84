"""A member at a browser, with mailboxes, drafts and mails as the rooms below make them."""

import pytest
from django.test import Client

from fumibako.accounts.models import Person
from tests.company import admin, join, member, organization, stranger
from tests.world import World

__all__ = ["admin", "member", "organization", "stranger"]


@pytest.fixture
def desk(client: Client, member: Person) -> Client:
    """The member's browser."""
    client.force_login(member)
    return client


@pytest.fixture
def world(member: Person) -> World:
    """The member's organization, for rows to be added."""
    return World(member.organization, member)


@pytest.fixture
def colleague(member: Person) -> Person:
    return join(member.organization, "sasaki", "佐々木 花")


@pytest.fixture
def elsewhere(colleague: Person) -> Client:
    """The colleague's browser."""
    other = Client(headers={"host": "localhost"})
    other.force_login(colleague)
    return other
