"""The product on a new database of its own, with a real worker process, before a mail server of the bench."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.lab import usage

if TYPE_CHECKING:
    from tests.lab.installation import Installation
    from tests.world import World


LOG = 4_000  # characters of the worker's log that are shown when it does not do what is waited for


@dataclass(frozen=True)
class MailPort:
    """Where a mail server of the bench listens, and the file of the authority that its certificate is from."""

    imaps_port: int
    cafile: Path

    @property
    def imap_port(self) -> int:
        """The same: nothing of the bench begins in the clear."""
        return self.imaps_port

    @property
    def authority(self) -> "MailPort":
        """Who knows the file."""
        return self


@dataclass
class Product:
    """A running installation."""

    fumibako: "Installation"
    world: "World"
    postgres: int
    """The pid of the server's first process."""

    def tell_of_mailboxes(self) -> None:
        """Say to the worker, as linking does, that mailboxes have come."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('fumibako_work', 'mb:' || id) FROM mailbox")

    def spent(self) -> dict[str, float]:
        """CPU seconds so far of the worker's owner process, its children, and PostgreSQL."""
        worker = self.fumibako.worker.pid
        owner = usage.cpu(worker, ended_children=False)
        children = usage.cpu_of_tree(worker) - owner
        return {"owner": owner, "children": children, "postgres": usage.cpu_of_tree(self.postgres)}

    def peaks(self) -> dict[str, int]:
        """The most bytes that the owner process, and the largest of its children, have had in RAM."""
        worker = self.fumibako.worker.pid
        return {
            "owner": usage.peak(worker),
            "children": max((usage.peak(pid) for pid in usage.tree(worker)[1:]), default=0),
        }


@contextlib.contextmanager
def running_product(server: MailPort, **settings_of_postgres: str) -> Iterator[Product]:
    """Set Django up for a new database and run a worker on it, once a process; mail servers are on loopback."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # a bench that is ended leaves no worker behind
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django
    from django.conf import settings

    from fumibako.site import postgres

    with tempfile.TemporaryDirectory(prefix="fb-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with postgres.started(folder / "postgres", settings_of_postgres) as cluster:
            place = {"HOST": str(cluster.sockets), "PORT": "", "NAME": "postgres", "USER": "postgres", "PASSWORD": ""}
            settings.DATABASES["default"].update(place)
            django.setup()
            from django.core.management import call_command

            from tests.lab.installation import installation
            from tests.world import make_world

            call_command("migrate", verbosity=0)
            (folder / "data").mkdir()
            url = f"postgresql://postgres@/postgres?host={cluster.sockets}"
            everywhere = {"FUMIBAKO_PRIVATE_HOSTS": "127.0.0.0/8"}
            with installation(url, folder / "data", server, **everywhere) as fumibako:
                world = make_world()
                fumibako.start_worker()
                pid = int((cluster.data / "postmaster.pid").read_text().split()[0])
                try:
                    yield Product(fumibako, world, pid)
                except TimeoutError:
                    print(fumibako.log()[-LOG:], file=sys.stderr)
                    raise
