"""Running `fumibako up` as an operator does, and looking at its processes."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FUMIBAKO = Path(sys.executable).with_name("fumibako")
PATIENCE = 40.0  # seconds; a condition that holds is seen within some milliseconds


def wait_for(condition: Callable[[], Any], what: str, timeout: float = PATIENCE) -> Any:
    """What the condition gives once it is true."""
    end = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {timeout} s: {what}"
        time.sleep(0.02)
    return found


def environment(**more: str) -> dict[str, str]:
    """This environment without what settings read, in English, with logs for programs."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("FUMIBAKO_", "DATABASE_URL", "DJANGO_", "LC_"))}
    return {**clean, "LANG": "C.UTF-8", "FUMIBAKO_LOG_FORMAT": "json", **more}


def fumibako(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    command = [str(FUMIBAKO), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**more), timeout=PATIENCE)


def children(pid: int) -> dict[str, int]:
    """The living children of an `up`, by what they are."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state not in "ZX":
                found[_name((folder / "cmdline").read_text().split("\0"))] = int(folder.name)
    return found


def _name(arguments: list[str]) -> str:
    if "fumibako.site.sample" in arguments:
        return "sample"
    if arguments[0].endswith("postgres"):
        return "postgres"
    return next((name for name in ("web", "worker") if name in arguments), " ".join(arguments))


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Up:
    """One `fumibako up` over a data folder."""

    def __init__(self, data: Path, *options: str, **more: str) -> None:
        self.data = data
        self.log = data.with_suffix(".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(FUMIBAKO), "up", "--data", str(data), *options],
                env=environment(**more),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def running(self) -> dict[str, Any]:
        """What it says that runs."""
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads((self.data / "running.json").read_text()))
        return {}

    def healthy(self) -> bool:
        """Whether its pages answer and reach the database."""
        record = self.running()
        if record.get("pid") != self.process.pid:
            return False
        try:
            with urllib.request.urlopen(f"{record['url']}healthz", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def wait_until_healthy(self) -> None:
        """Wait for the first good answer; a parent that ended instead has failed."""

        def looks_well() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return self.healthy()

        wait_for(looks_well, "healthy")

    def wait_for_children(self, *names: str) -> dict[str, int]:
        """Their pids, once all of them run."""
        return dict(wait_for(lambda: (c := children(self.process.pid)).keys() >= set(names) and c, f"children {names}"))

    def kill_everything(self) -> None:
        """kill -9 of the parent and of all its children at once."""
        pids = [self.process.pid, *children(self.process.pid).values()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_for(lambda: not any(map(is_alive, pids)), "all gone")

    def interrupt(self) -> float:
        """Ctrl-C; the seconds until the parent has ended."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE) == 0
        return time.monotonic() - begin


@contextlib.contextmanager
def up(data: Path, *options: str, **more: str) -> Iterator[Up]:
    """A running `up` that is gone at the end, with all its children."""
    running = Up(data, *options, **more)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
            running.process.wait(PATIENCE)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A disk of its own of this size, mounted at the folder. Raises PermissionError where nothing may be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        raise PermissionError("mounting a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
