"""How fast all mails of a mailbox come, beside other clients: the same Dovecot, the same 10,000 mails, one run.

    python -m bench.peers [MAILS | quick]

Each client in turn, RUNS times, over TLS; then the bare drain and ours with a round trip of 50 ms. `drain` is a socket
that throws away, mbsync writes files, IMAPClient and imapflow keep nothing, ours has every mail parsed and listed in
PostgreSQL. The server shares the cores, so its CPU is told as well. Others are brought by bench/bring-peers.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.importing import ADDRESS, PASSWORD, mails
from bench.lab.usage import Finished, cpu_of_tree
from tests.lab.ca import CertificateAuthority
from tests.lab.dovecot import Dovecot, running_dovecot
from tests.lab.faults import Faults, faulty

MAILS = 10_000
RUNS = 3
ROUND_TRIP = 0.05  # seconds
TIMEOUT = 300.0  # seconds for one client
HERE = Path(__file__).parent
MBSYNC = """\
IMAPAccount bench
Host localhost
Port {port}
User {address}
Pass {password}
SSLType IMAPS
CertificateFile {cafile}
AuthMechs LOGIN
Timeout 60

IMAPStore far
Account bench

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
Expunge None
SyncState {folder}/state-
"""


@dataclass(frozen=True)
class Run:
    """One client's run: seconds, CPU seconds by part, the most bytes in RAM by part."""

    seconds: float
    cpu: dict[str, float]
    peak: dict[str, int]
    first: float | None = None


@dataclass
class Place:
    """Where the clients find the mails."""

    dovecot: Dovecot
    count: int
    cache: Path
    port: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    def through(self, port: int) -> "Place":
        """The same mails behind another port."""
        there = {
            "PORT": str(port),
            "CAFILE": str(self.dovecot.authority.cafile),
            "ADDRESS": ADDRESS,
            "PASSWORD": PASSWORD,
            "MAILS": str(self.count),
            "DOVECOT": str(self.dovecot.process.pid),
            "NODE_PATH": str(self.cache / "node_modules"),
        }
        return Place(self.dovecot, self.count, self.cache, port, {**os.environ, **there})

    def run(self, *argv: str | Path) -> tuple[Finished, float]:
        """Run a client; also the server's CPU seconds meanwhile."""
        server = self.dovecot.process.pid
        before = cpu_of_tree(server)
        done = Finished([str(word) for word in argv], self.environment, TIMEOUT)
        return done, cpu_of_tree(server) - before

    def told(self, *argv: str | Path) -> Run:
        """Run a client that prints what it did, and check that it has read everything."""
        done, server = self.run(*argv)
        told = json.loads(done.output.splitlines()[-1])
        if told["mails"] != self.count:
            raise RuntimeError(f"{argv}: {told['mails']} mails of {self.count}")
        own = {"cpu": {"server": server, "client": done.cpu}, "peak": {"client": done.peak}}
        return Run(**{**own, **{name: told[name] for name in ("seconds", "cpu", "peak", "first") if name in told}})


def drain(place: Place) -> Run:
    """A bare TLS socket."""
    return place.told(sys.executable, HERE / "lab/peers/drain.py")


def ours(place: Place) -> Run:
    """The product."""
    return place.told(sys.executable, "-m", "bench.lab.peers.ours")


def imapclient(place: Place) -> Run | None:
    """IMAPClient of PyPI."""
    python = place.cache / "venv/bin/python"
    return place.told(python, HERE / "lab/peers/imapclient_fetch.py") if python.exists() else None


def imapflow(place: Place) -> Run | None:
    """imapflow of npm."""
    if not (shutil.which("node") and (place.cache / "node_modules/imapflow").exists()):
        return None
    return place.told("node", HERE / "lab/peers/imapflow_fetch.cjs")


def mbsync_settings(folder: Path, dovecot: Dovecot, port: int, address: str, password: str) -> Path:
    """A file that has mbsync bring an INBOX into this folder."""
    settings = folder / f"mbsyncrc-{port}"
    cafile = dovecot.authority.cafile
    settings.write_text(MBSYNC.format(port=port, address=address, password=password, cafile=cafile, folder=folder))
    return settings


def mbsync(place: Place) -> Run | None:
    """mbsync of isync, which writes a Maildir."""
    if not shutil.which("mbsync"):
        return None
    with tempfile.TemporaryDirectory(prefix="fb-", dir="/tmp") as folder:
        settings = mbsync_settings(Path(folder), place.dovecot, place.port, ADDRESS, PASSWORD)
        with timed() as clock:
            done, server = place.run("mbsync", "-q", "-c", settings, "all")
        written = sum(1 for part in ("cur", "new") for _ in (Path(folder) / "INBOX" / part).iterdir())
        if written != place.count:
            raise RuntimeError(f"mbsync: {written} mails of {place.count}")
    return Run(clock[0], {"server": server, "client": done.cpu}, {"client": done.peak})


@contextmanager
def timed() -> Iterator[list[float]]:
    """The seconds that the block takes, once it is over."""
    started, seconds = time.perf_counter(), [0.0]
    yield seconds
    seconds[0] = time.perf_counter() - started


CLIENTS: dict[str, Callable[[Place], Run | None]] = {
    "drain": drain,
    "imapflow": imapflow,
    "IMAPClient": imapclient,
    "mbsync": mbsync,
    "ours": ours,
}


def interleaved(place: Place, names: list[str], runs: int) -> dict[str, list[Run]]:
    """Every client in turn, so many times; a client that is not installed has no run."""
    done: dict[str, list[Run]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            run = CLIENTS[name](place)
            if run is not None:
                done[name].append(run)
    return done


def table(title: str, done: dict[str, list[Run]]) -> None:
    """Print the medians."""
    print(f"\n{title}\n{'':<12}{'seconds':>8}{'of runs':>14}{'x drain':>9}{'CPU s by part, peak MB by part':>34}")
    drained = median(run.seconds for run in done["drain"])
    for name, runs in done.items():
        if not runs:
            print(f"{name:<12}  not installed")
            continue
        seconds = sorted(run.seconds for run in runs)
        cpu = "  ".join(f"{part} {median(run.cpu[part] for run in runs):.1f}" for part in sorted(runs[0].cpu))
        peak = "  ".join(f"{part} {max(run.peak[part] for run in runs) / 1e6:.0f}" for part in sorted(runs[0].peak))
        spread = f"{seconds[0]:.2f}-{seconds[-1]:.2f}"
        print(f"{name:<12}{median(seconds):>8.2f}{spread:>14}{median(seconds) / drained:>9.2f}    {cpu} | {peak}")
    first = [run.first for run in done["ours"] if run.first is not None]
    print(f"ours: first 50 mails readable after {median(first):.2f} s")


def main(words: list[str]) -> None:
    """Run it and print."""
    quick = words == ["quick"]
    count, runs = (300, 1) if quick else (int(words[0]) if words else MAILS, RUNS)
    brought = subprocess.run([HERE / "bring-peers"], stdout=subprocess.PIPE, text=True)
    cache = Path(brought.stdout.splitlines()[-1])
    with tempfile.TemporaryDirectory(prefix="fb-") as folder:
        Path(folder).chmod(0o755)
        with running_dovecot(CertificateAuthority(Path(folder))) as dovecot:
            dovecot.add_user(ADDRESS, PASSWORD)
            dovecot.fill(ADDRESS, mails(count))
            place = Place(dovecot, count, cache)
            direct = place.through(dovecot.imaps_port)
            drain(direct)  # the server makes its index
            table(f"{count} mails over TLS, medians of {runs}", interleaved(direct, list(CLIENTS), runs))
            with faulty(dovecot.imaps_port, faults=Faults(round_trip=ROUND_TRIP)) as (proxy,):
                far = interleaved(place.through(proxy.port), ["drain", "ours"], runs)
                table(f"the same with a round trip of {1000 * ROUND_TRIP:.0f} ms, medians of {runs}", far)


if __name__ == "__main__":
    main(sys.argv[1:])
