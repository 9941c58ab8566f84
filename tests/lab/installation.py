"""An installation of the product beside the tests: its commands as processes on the test database, and a worker."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from .mailserver import MailServer

PATIENCE = 60.0  # seconds for what happens in another process


@dataclass
class Installation:
    """Runs ``fumibako`` commands against a database and a mail server."""

    url: str
    folder: Path
    server: MailServer
    environment: dict[str, str] = field(default_factory=dict)
    worker: "subprocess.Popen[bytes] | None" = None

    def __post_init__(self) -> None:
        keys = self.folder / "keys"
        lines = [f"django {settings.SECRET_KEY}", *(f"fernet {key}" for key in settings.FUMIBAKO_KEYS)]
        keys.write_text("\n".join(lines) + "\n")
        ports = (self.server.imap_port, self.server.imaps_port)
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "DATABASE_URL": self.url,
            "FUMIBAKO_DATA": str(self.folder),
            "FUMIBAKO_KEY_FILE": str(keys),
            "FUMIBAKO_PRIVATE_HOSTS": ",".join(f"127.0.0.1/32:{port}" for port in ports),
            "SSL_CERT_FILE": str(self.server.authority.cafile),
            **self.environment,
        }

    def run(self, *words: str, stdin: str = "", code: int = 0) -> Any:
        """Run a command with ``--json`` and return what it printed; it has to end with this exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "fumibako.site.command", *words, "--json"],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=PATIENCE,
        )
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout else None

    def link(self, address: str, password: str, *more: str, port: int | None = None, code: int = 0) -> Any:
        """Link a mailbox of the mail server for ``taro``, at its own port or one that leads there."""
        server = f"127.0.0.1:{port or self.server.imaps_port}"
        words = ("link", address, "--user", "taro", "--imap", server, "--range", "all", "--password-stdin")
        return self.run(*words, *more, stdin=password + "\n", code=code)

    def status(self, address: str) -> Any:
        """What ``status --json`` says of a mailbox; asked of its verb, since tests wait for it again and again."""
        from fumibako.site.status import (
            mailbox_status,
        )  # needs Django's models, which a worker of the lab sets up later

        return mailbox_status(address)[0]

    def start_worker(self) -> None:
        """Start the worker; ``kill_worker`` or the end of the block ends it."""
        with (self.folder / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "fumibako.site.command", "worker"],
                env=self.environment,
                stderr=log,
                start_new_session=True,
            )

    def kill_worker(self, number: int = signal.SIGKILL) -> None:
        """End the worker without a word (its children end with it), or by another signal."""
        if self.worker is not None:
            self.worker.send_signal(number)
            self.worker.wait(20)
            self.worker = None

    def log(self) -> str:
        """What the worker has logged."""
        path = self.folder / "worker.log"
        return path.read_text() if path.exists() else ""


@contextlib.contextmanager
def installation(url: str, folder: Path, server: MailServer, **environment: str) -> Iterator[Installation]:
    """An installation whose worker ends with the block."""
    made = Installation(url, folder, server, environment)
    try:
        yield made
    finally:
        made.kill_worker()


def until(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until ``what`` returns something true, and return it."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        if time.monotonic() > end:
            raise AssertionError(f"still {answer!r} after {seconds:.0f} s")
        time.sleep(0.05)
    return answer
