"""Small Debian systems for the servers that cannot be installed beside Dovecot; `scripts/bring-servers` makes them.

Each running server has a copy of its own, of hard links, so that several may run at once and nothing that they write
stays. A copy is changed by unlinking and writing anew only. To enter one wants root: where the tests run as somebody
else, `sudo -n` is asked.
"""

import contextlib
import functools
import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .ports import START_TIMEOUT, STOP_TIMEOUT, wait_port

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fumibako-lab"
_FAST = "LD_PRELOAD=libeatmydata.so"  # nothing here has to survive a power cut, so nothing waits for the disk


@dataclass(frozen=True)
class File:
    """A file to write; the owner is a number because the copy has users of its own. `mtime` in seconds."""

    path: str
    content: bytes
    owner: int = 0
    mode: int = 0o644
    mtime: float = 0.0


@dataclass
class Chroot:
    """A copy of a system at `directory`."""

    directory: Path

    def write(self, files: Iterable[File]) -> None:
        """Write files; folders that are not there yet belong to the owner of what is written into them."""
        archive, made = io.BytesIO(), {"."}
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for file in files:
                for parent in reversed(Path(file.path).parents):
                    if str(parent) not in made:
                        tar.addfile(_member(str(parent), file.owner, 0o755, time.time(), tarfile.DIRTYPE))
                        made.add(str(parent))
                member = _member(file.path, file.owner, file.mode, file.mtime or time.time(), tarfile.REGTYPE)
                member.size = len(file.content)
                tar.addfile(member, io.BytesIO(file.content))
        argv = ["tar", "--extract", "--same-owner", "--no-overwrite-dir", "--directory", str(self.directory)]
        subprocess.run([*_as_root(), *argv], input=archive.getvalue(), check=True)

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        return subprocess.run([*_as_root(), "cat", str(self.directory / path)], check=True, capture_output=True).stdout

    def argv(self, *words: str) -> list[str]:
        """A command inside, with a clean environment."""
        environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", _FAST]
        return [*_as_root(), "chroot", str(self.directory), "env", "-i", *environment, *words]

    def run(self, *words: str, stdin: str = "") -> str:
        """Run a command inside and return what it prints."""
        done = subprocess.run(self.argv(*words), input=stdin, capture_output=True, text=True, errors="replace")
        if done.returncode:
            raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def start(self, *words: str, port: int | None = None) -> "subprocess.Popen[bytes]":
        """Start a server inside, in a process group of its own; returns once the port answers."""
        log = (self.directory.parent / f"{self.directory.name}.log").open("ab")
        with log:
            process = subprocess.Popen(
                self.argv(*words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            if port is not None:
                wait_port(process, port)
        except BaseException:
            self.stop(process)
            raise
        return process

    def stop(self, process: "subprocess.Popen[bytes]") -> None:
        """End a server and the sessions that it serves."""
        for number, patience in ((signal.SIGTERM, STOP_TIMEOUT), (signal.SIGKILL, STOP_TIMEOUT)):
            _signal_group(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
                break
        _signal_group(process.pid, signal.SIGKILL)

    def wait_for(self, path: str) -> None:
        """Return once something inside exists, a socket for example."""
        end = time.monotonic() + START_TIMEOUT
        while subprocess.run([*_as_root(), "test", "-e", str(self.directory / path)]).returncode:
            if time.monotonic() > end:
                raise TimeoutError(f"{path} does not appear")
            time.sleep(0.02)


@contextlib.contextmanager
def copied(name: str) -> Iterator[Chroot]:
    """A copy of the system `name` until the block ends. Skips the test where that cannot be had."""
    system = CACHE / name
    if not system.is_dir():
        pytest.skip(f"there is no system with {name} in {CACHE} (scripts/bring-servers makes it)")
    if os.geteuid() != 0 and not _may_be_root():
        pytest.skip(f"{name} runs in a chroot, which wants root or a sudo that asks nothing")
    copies = CACHE / "running"
    copies.mkdir(exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=copies))
    try:
        subprocess.run([*_as_root(), "cp", "--archive", "--link", str(system), str(place / "root")], check=True)
        yield Chroot(place / "root")
    finally:
        subprocess.run([*_as_root(), "rm", "-rf", str(place)], check=True)


def _as_root() -> list[str]:
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


@functools.cache
def _may_be_root() -> bool:
    return shutil.which("sudo") is not None and subprocess.run(["sudo", "-n", "true"]).returncode == 0


def _signal_group(group: int, number: signal.Signals) -> None:
    """Signal a process group, which may be gone."""
    subprocess.run([*_as_root(), "kill", f"-{number.value}", "--", f"-{group}"], stderr=subprocess.DEVNULL)


def _member(name: str, owner: int, mode: int, mtime: float, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.mtime = kind, mode, mtime
    member.uid = member.gid = owner
    return member
