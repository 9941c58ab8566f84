"""The data folder: the embedded database, the keys, and what a running `up` leaves for the commands beside it.

postgres/           the embedded database
sample/             the sample mail server's authority, ports and mail
keys                keys that are in no backup of the database (0600)
first-login.json    what the first start made (0600)
lock                held while `up` runs
running.json        what runs: pid, address, the database's socket, the sample's ports (0600)
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO


@dataclass(frozen=True)
class Sample:
    """The sample mail server as it said when it was ready."""

    imap_port: int
    smtp_port: int
    address: str
    password: str
    ca: str


@dataclass(frozen=True)
class Running:
    """What `up` tells the commands that are used while it runs."""

    pid: int
    url: str
    port: int
    sockets: str | None
    """Folder of the embedded database's Unix socket; None when DATABASE_URL names another database."""
    sample: Sample | None = None


class AlreadyRunning(Exception):
    """Another `up` holds the data folder."""


@dataclass(frozen=True)
class DataFolder:
    """Names of the things in a data folder; nothing is made before `make`."""

    path: Path

    @property
    def postgres(self) -> Path:
        """The embedded database."""
        return self.path / "postgres"

    @property
    def sample(self) -> Path:
        """What the sample mail server keeps."""
        return self.path / "sample"

    @property
    def keys(self) -> Path:
        """The key file, unless FUMIBAKO_KEY_FILE names another."""
        return self.path / "keys"

    @property
    def first_login(self) -> Path:
        """The passwords that the first start made."""
        return self.path / "first-login.json"

    def make(self) -> None:
        """Make the folder, closed to others, if it is not there."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; the lock ends with the process, however it ends. Raises AlreadyRunning."""
        with (self.path / "lock").open("ab") as file:
            _lock(file)
            yield

    def running(self) -> Running | None:
        """What the last `up` wrote, or None; it may have died since."""
        try:
            record: dict[str, Any] = json.loads((self.path / "running.json").read_text())
            sample = record.pop("sample")
            return Running(**record, sample=Sample(**sample) if sample else None)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write_running(self, running: Running) -> None:
        """Say what runs."""
        write_private(self.path / "running.json", json.dumps(asdict(running)))

    def clear_running(self) -> None:
        """Say that nothing runs."""
        (self.path / "running.json").unlink(missing_ok=True)


def default_folder() -> Path:
    """`data` of the source tree that this runs from, else the user's own folder for such things."""
    source_tree = Path(__file__).parents[3]
    if (source_tree / "pyproject.toml").exists():
        return source_tree / "data"
    return Path.home() / ".local" / "share" / "fumibako"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, in one step: there is never half of it."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _lock(file: BinaryIO) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AlreadyRunning from None
