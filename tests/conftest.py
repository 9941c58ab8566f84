"""What all tests share: an embedded PostgreSQL, one a process of the run, and only when a test needs a database."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.db import connections
from django.test import Client

from fumibako.site import postgres

ROOM = 4 << 30  # bytes that the databases of a run may take
DATABASE_FIXTURES = {"cluster", "db", "transactional_db", "database_url", "live_server", "django_db_setup"}

hypothesis.settings.register_profile(
    "beside others", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("beside others")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses a database needs a server: mark it so, before `-m` chooses."""
    for item in items:
        if DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())) or item.get_closest_marker("django_db"):
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder for the whole run, in memory where there is room: databases wait for slow disks at every COMMIT.

    Its name is short enough for Unix sockets.
    """
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    folder = Path(tempfile.mkdtemp(prefix="fb-", dir=memory if roomy else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(short_folder: Path) -> Iterator[postgres.Cluster]:
    """The embedded PostgreSQL of the run. It need not survive a power cut, so it waits for no disk."""
    with postgres.started(short_folder / "postgres", {"fsync": "off", "full_page_writes": "off"}) as running:
        yield running


@pytest.fixture(scope="session")
def django_db_modify_db_settings(cluster: postgres.Cluster) -> None:
    """Point Django at the embedded PostgreSQL; its test database is made there."""
    place = {"HOST": str(cluster.sockets), "PORT": "", "NAME": "fumibako", "USER": "postgres", "PASSWORD": ""}
    settings.DATABASES["default"].update(place)
    connections["default"].settings_dict.update(place)


@pytest.fixture
def database_url(transactional_db: None, cluster: postgres.Cluster) -> str:
    """The test database for processes and connections of one's own; what they commit is removed after the test."""
    name = connections["default"].settings_dict["NAME"]
    return f"postgresql://postgres@/{name}?host={cluster.sockets}"


@pytest.fixture
def client() -> Client:
    """A browser on the same machine. (Pages are not given over plain HTTP to others.)"""
    return Client(headers={"host": "localhost"})


@pytest.fixture(scope="session")
def django_db_modify_db_settings_parallel_suffix() -> Any:
    """Nothing to add: every run has a PostgreSQL of its own."""
