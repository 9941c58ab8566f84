"""A worker process on the test database, and a real Dovecot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.dovecot import Dovecot, authority, dovecot
from tests.lab.installation import Installation, installation
from tests.world import World, make_world

__all__ = ["authority", "dovecot"]


@pytest.fixture
def world(database_url: str) -> World:
    return make_world()


@pytest.fixture
def fumibako(database_url: str, world: World, dovecot: Dovecot, tmp_path: Path) -> Iterator[Installation]:
    with installation(database_url, tmp_path, dovecot) as made:
        yield made
