"""What processes have used: CPU seconds and the most memory, from /proc."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.05


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still are."""
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, tasks.read_text().split())
        except OSError:
            continue
    return found


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *(below for child in children(pid) for below in tree(child))]


def cpu(pid: int, *, ended_children: bool = True) -> float:
    """CPU seconds of one process, with those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15] if ended_children else fields[11:13])) / _TICKS


def cpu_of_tree(pid: int) -> float:
    """CPU seconds of a process and all that it has ever started."""
    return sum(cpu(one) for one in tree(pid))


def peak(pid: int) -> int:
    """The most bytes that a process has had in RAM; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def resident(pid: int) -> int:
    """Bytes of a process that are in RAM now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Finished:
    """A program that has run: its CPU seconds, the most bytes that it had in RAM, and what it printed."""

    def __init__(self, argv: list[str], environment: dict[str, str], timeout: float) -> None:
        with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as process:
            timer = threading.Timer(timeout, process.terminate)
            timer.start()
            with _sampled(process.pid) as peaks:
                assert process.stdout is not None
                self.output = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            timer.cancel()
        if process.returncode:
            raise RuntimeError(f"{argv[0]} ended with {process.returncode}")
        self.cpu = used.ru_utime + used.ru_stime
        self.peak = max(peaks)


@contextmanager
def _sampled(pid: int) -> Iterator[list[int]]:
    peaks, ended = [0], threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            peaks.append(peak(pid))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peaks
    finally:
        ended.set()
        thread.join()
