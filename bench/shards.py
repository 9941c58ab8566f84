"""What happens to 2,000 watched mailboxes when workers are killed, stopped, ended and joined, and PostgreSQL restarts.

    python -m bench.shards [MAILBOXES [CHAOS_SECONDS [SEED]]]

Three worker processes, one embedded PostgreSQL, and a stub mail server over TLS in a process of its own, all on this
machine. First each thing by itself, then chaos. At the end every mail that was delivered is looked for, and every
commit is compared with who owned its shard at that moment.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from tests.lab.stubserver import StubServer
    from tests.lab.workers import Audit, Workers

TTL = 10.0  # seconds; the product's own
SAMPLE = 0.2  # seconds between two looks at who serves what
DELIVERIES = 20  # mailboxes that get a mail each second of the chaos
OUTAGES = (1.0, 13.0)  # seconds
OWNERS = """
SELECT shard.id, application_name FROM shard
  LEFT JOIN pg_locks ON locktype = 'advisory' AND classid = 1650551663 AND objid::bigint = owner AND granted
  LEFT JOIN pg_stat_activity USING (pid)
"""
RESULT = """
SELECT (SELECT count(*) FROM event WHERE kind = 'message.new'),
       (SELECT count(*) FROM message), (SELECT count(*) FROM placement),
       (SELECT count(*) FROM (SELECT message_id FROM event WHERE kind = 'message.new'
                               GROUP BY message_id HAVING count(*) > 1) AS doubled),
       (SELECT count(*) FROM event WHERE seq IS NULL),
       (SELECT max(seq) - count(*) FROM event),
       (SELECT count(*) FROM audit_commit)
"""


class Database:
    """An embedded PostgreSQL that can be away for a while."""

    def __init__(self, folder: Path) -> None:
        from fumibako.site import postgres

        self._postgres = postgres
        self._folder = folder
        self.cluster = postgres.prepare(folder)
        self.start()
        self.url = f"postgresql://postgres@/postgres?host={self.cluster.sockets}"

    def start(self) -> None:
        """Start it; returns when it is ready."""
        self.cluster = self._postgres.prepare(self._folder)
        self._process = subprocess.Popen(
            self.cluster.command(), **self.cluster.options(), start_new_session=True, stderr=subprocess.DEVNULL
        )
        while not self.cluster.ready(self._process.pid):
            time.sleep(0.01)

    def stop(self) -> None:
        """End it and every session."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    def restart(self, away: float) -> None:
        """Stop it, and start it after some seconds."""
        self.stop()
        time.sleep(away)
        self.start()


@dataclass
class Gaps:
    """Samples who serves each shard: how long each was without a worker that runs and is present."""

    url: str
    running: set[str] = field(default_factory=set)
    worst: float = 0.0
    _served: dict[int, float] = field(default_factory=dict)
    _end: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Sample until ``end``; while the database is away nobody can be asked, and nothing changes hands."""
        from tests.lab.workers import NOTE_OWNERS

        while not self._end.wait(SAMPLE):
            try:
                with psycopg.connect(self.url, autocommit=True) as connection:
                    connection.execute(NOTE_OWNERS)
                    rows = connection.execute(OWNERS).fetchall()
            except psycopg.OperationalError:
                continue
            now = time.monotonic()
            for shard, worker in rows:
                if worker in self.running:
                    self._served[shard] = now
                self.worst = max(self.worst, now - self._served.setdefault(shard, now))

    def end(self) -> None:
        """No more samples."""
        self._end.set()

    def longest(self) -> float:
        """The worst gap since this was last asked, in seconds."""
        worst, self.worst = self.worst, 0.0
        return worst


class Company:
    """Mailboxes, their mail server and their workers."""

    def __init__(
        self,
        database: Database,
        server: "StubServer",
        crew: "Workers",
        audit: "Audit",
        gaps: Gaps,
        addresses: list[str],
    ) -> None:
        self.database = database
        self.server = server
        self.crew = crew
        self.audit = audit
        self.gaps = gaps
        self.addresses = addresses
        self.delivered = 0
        self._serial = 0

    def hire(self) -> str:
        """Start a worker under a new name."""
        self._serial += 1
        name = f"w{self._serial}"
        self.crew.start(name)
        self.gaps.running.add(name)
        return name

    def kill(self, name: str) -> None:
        """End a worker without a word."""
        self.gaps.running.discard(name)
        self.crew.kill(name)

    def stop(self, name: str) -> None:
        """Let a worker stand still."""
        self.gaps.running.discard(name)
        self.crew.send(name, signal.SIGSTOP)

    def wake(self, name: str) -> None:
        """Let it go on."""
        self.crew.send(name, signal.SIGCONT)
        self.gaps.running.add(name)

    def end(self, name: str) -> None:
        """Tell a worker to end, without waiting for it."""
        self.gaps.running.discard(name)
        self.crew.send(name, signal.SIGTERM)

    def deliver(self, addresses: list[str]) -> None:
        """A mail for each of these."""
        self.server.deliver(*addresses)
        self.delivered += len(addresses)

    def shared(self, *names: str) -> Callable[[], bool]:
        """Whether these and no others share everything."""
        return lambda: self.crew.share(*names)

    def watched(self) -> bool:
        """Whether somebody waits in every mailbox."""
        return len(self.server.seen().watched) == len(self.addresses)


def seconds_until(what: Callable[[], object], most: float = 600.0) -> float:
    """Seconds until it is true; raises after ``most``."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > most:
            raise TimeoutError
        time.sleep(0.05)
    return time.monotonic() - began


def show(what: str, **figures: object) -> None:
    """A line of the table."""
    told = ", ".join(
        f"{name.replace('_', ' ')} {value:.1f}" if isinstance(value, float) else f"{name.replace('_', ' ')} {value}"
        for name, value in figures.items()
    )
    print(f"{what:<34}{told}", flush=True)


def one_by_one(company: Company) -> None:
    """Each thing that can happen, by itself, on three workers; mail for a tenth of the mailboxes comes meanwhile."""
    some = company.addresses[::10]
    first, second, third = (company.hire() for _ in range(3))
    owned = seconds_until(company.shared(first, second, third))
    show("three workers start", owned=owned, watched=owned + seconds_until(company.watched))

    company.deliver(some)
    company.kill(first)
    company.deliver(some)
    owned = seconds_until(company.shared(second, third))
    show("kill -9", owned=owned, watched=owned + seconds_until(company.watched))

    before = company.crew.owned()
    first = company.hire()
    owned = seconds_until(company.shared(first, second, third))
    show("a third joins", owned=owned, watched=owned + seconds_until(company.watched), **moves(company, before))

    company.stop(second)
    stopped = time.monotonic()
    company.deliver(some)
    owned = seconds_until(company.shared(first, third))
    watched = owned + seconds_until(company.watched)
    time.sleep(max(0.0, 30.0 - (time.monotonic() - stopped)))
    company.wake(second)
    back = seconds_until(company.shared(first, second, third))
    show("SIGSTOP 30 s (TTL 10)", owned=owned, watched=watched, after_waking=back)
    seconds_until(company.watched)

    company.end(third)
    company.deliver(some)
    owned = seconds_until(company.shared(first, second))
    show("SIGTERM", owned=owned, watched=owned + seconds_until(company.watched))
    company.crew.wait(third)

    third = company.hire()
    seconds_until(company.shared(first, second, third))
    seconds_until(company.watched)
    before = company.crew.owned()
    fourth = company.hire()
    owned = seconds_until(company.shared(first, second, third, fourth))
    show("a fourth joins", owned=owned, watched=owned + seconds_until(company.watched), **moves(company, before))

    for away in OUTAGES:
        before, closed = company.crew.owned(), company.server.seen().closed
        company.deliver(some)
        company.database.restart(away)
        company.deliver(some)
        back = seconds_until(company.shared(first, second, third, fourth))
        stored = back + seconds_until(lambda: stored_all(company))
        seen = company.server.seen()
        figures = moves(company, before) | {"mail_connections_closed": seen.closed - closed}
        show(f"PostgreSQL away for {away:.0f} s", back=back, all_mail_stored=stored, **figures)


def moves(company: Company, before: dict[str, frozenset[int]]) -> dict[str, int]:
    """How many shards have another owner than before."""
    after = company.crew.owned()
    kept = sum(len(after.get(name, frozenset()) & shards) for name, shards in before.items())
    return {"shards_moved": 64 - kept}


def stored_all(company: Company) -> bool:
    """Whether every delivered mail is stored and numbered."""
    with psycopg.connect(company.database.url) as connection:
        row = connection.execute("SELECT count(*) FROM event WHERE kind = 'message.new' AND seq IS NOT NULL").fetchone()
    return row is not None and row[0] >= company.delivered


def chaos(company: Company, seconds: float, chance: random.Random) -> None:
    """All of it at once: something happens every few seconds, mail comes all the time."""
    company.gaps.longest()
    closed = company.server.seen().closed
    did: dict[str, int] = {}
    asleep: dict[str, float] = {}
    ending: set[str] = set()
    end = time.monotonic() + seconds
    next_action = 0.0
    while (now := time.monotonic()) < end:
        company.deliver(chance.sample(company.addresses, min(DELIVERIES, len(company.addresses))))
        for name in [name for name, until in asleep.items() if until < now]:
            company.wake(name)
            del asleep[name]
        for name in [name for name in ending if company.crew.processes[name].poll() is not None]:
            company.crew.wait(name)
            ending.discard(name)
        if now >= next_action:
            next_action = now + chance.uniform(2.0, 6.0)
            act(company, chance, asleep, ending, did)
        time.sleep(1.0)
    for name in asleep:
        company.wake(name)
    while len(company.gaps.running) < 3:
        company.hire()
    owned = seconds_until(company.shared(*company.gaps.running))
    watched = owned + seconds_until(company.watched)
    show(f"chaos {seconds:.0f} s", **did, worst_gap=company.gaps.longest())
    show("  afterwards", owned=owned, watched=watched, connections_closed=company.server.seen().closed - closed)


def act(
    company: Company, chance: random.Random, asleep: dict[str, float], ending: set[str], did: dict[str, int]
) -> None:
    """Let one thing happen; at least one worker runs on."""
    running = sorted(company.gaps.running)
    choices = ["restart"] if chance.random() < 0.1 else ["kill", "stop", "term"] if len(running) > 1 else []
    if len(running) < 4:
        choices += ["join"] * (4 - len(running))
    what = chance.choice(choices)
    did[what] = did.get(what, 0) + 1
    if what == "join":
        company.hire()
    elif what == "restart":
        company.database.restart(chance.uniform(0.2, 3.0))
    elif what == "stop":
        name = chance.choice(running)
        company.stop(name)
        asleep[name] = time.monotonic() + chance.uniform(2.0, 25.0)
    elif what == "kill":
        company.kill(chance.choice(running))
    else:
        name = chance.choice(running)
        company.end(name)
        ending.add(name)


def settle(company: Company) -> bool:
    """Compare what was delivered with what is stored and told; whether all is right."""
    seconds = seconds_until(lambda: stored_all(company))
    bad = company.audit.bad_commits()
    with psycopg.connect(company.database.url) as connection:
        row = connection.execute(RESULT).fetchone()
    assert row is not None
    told, messages, placements, doubled, unnumbered, missing, audited = row
    show("mail", delivered=company.delivered, stored=messages, placed=placements, told=told, after=seconds)
    show("events", doubled=doubled, unnumbered=unnumbered, numbers_missing=missing)
    show("commits", audited=audited, bad=len(bad))
    for line in bad[:10]:
        print("  bad:", *line)
    right = told == messages == placements == company.delivered
    return right and not (doubled or unnumbered or missing or bad)


@contextlib.contextmanager
def company_of(mailboxes: int, folder: Path) -> Iterator[Company]:
    """Everything started but the workers."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django
    from django.conf import settings

    database = Database(folder / "postgres")
    place = {"HOST": str(database.cluster.sockets), "PORT": "", "NAME": "postgres", "USER": "postgres", "PASSWORD": ""}
    settings.DATABASES["default"].update(place)
    django.setup()
    from django.core.management import call_command
    from django.db import connections

    from tests.lab.ca import CertificateAuthority
    from tests.lab.installation import Installation
    from tests.lab.stubserver import running_stubserver
    from tests.lab.workers import Audit, workers
    from tests.world import make_world

    call_command("migrate", verbosity=0)
    (folder / "ca").mkdir()
    gaps = Gaps(database.url)
    try:
        with running_stubserver(CertificateAuthority(folder / "ca")) as server:
            world = make_world()
            addresses = [f"m{n}@example.jp" for n in range(mailboxes)]
            for address in addresses:
                world.add_folder(world.add_mailbox(address, port=server.imaps_port, secret="secret"))
            connections.close_all()
            audit = Audit(database.url)
            sampler = threading.Thread(target=gaps.run)
            sampler.start()
            try:
                with workers(Installation(database.url, folder, server), TTL) as crew:  # type: ignore[arg-type]
                    yield Company(database, server, crew, audit, gaps, addresses)
            finally:
                gaps.end()
                sampler.join()
    finally:
        database.stop()


def main(mailboxes: int, seconds: float, seed: int) -> int:
    """Run it and print."""
    print(f"{mailboxes} mailboxes, seed {seed}; seconds after the signal, or the start, unless said otherwise")
    with tempfile.TemporaryDirectory(prefix="fb-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        with company_of(mailboxes, Path(folder)) as company:
            one_by_one(company)
            chaos(company, seconds, random.Random(seed))
            return 0 if settle(company) else 1


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(
        main(
            int(given[0]) if given else 2_000,
            float(given[1]) if len(given) > 1 else 300.0,
            int(given[2]) if len(given) > 2 else 15,
        )
    )
