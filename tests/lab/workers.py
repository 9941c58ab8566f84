"""Several worker processes on one database, each with a name, and who of them holds what.

python -m tests.lab.workers TTL
"""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import uvloop

from .installation import PATIENCE, Installation

OWNED = """
SELECT application_name, array_agg(shard.id) FILTER (WHERE shard.id IS NOT NULL)
  FROM pg_locks JOIN pg_stat_activity USING (pid) LEFT JOIN shard ON shard.owner = objid::bigint
 WHERE locktype = 'advisory' AND classid = 1650551663 AND objsubid = 2 AND granted
 GROUP BY application_name
"""
AUDIT = """
CREATE TABLE IF NOT EXISTS audit_owner (me bigint PRIMARY KEY, worker text);
CREATE TABLE IF NOT EXISTS audit_commit
  (what text, worker text, owner bigint, at timestamptz DEFAULT clock_timestamp());
CREATE OR REPLACE FUNCTION audit_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO audit_commit SELECT TG_TABLE_NAME, current_setting('application_name'), shard.owner
    FROM mailbox JOIN shard ON shard.id = mailbox.shard
   WHERE mailbox.id = COALESCE((to_jsonb(NEW)->>'mailbox_id')::bigint,
                               (SELECT mailbox_id FROM folder WHERE folder.id = (to_jsonb(NEW)->>'folder_id')::bigint));
  RETURN NULL;
END $$;
"""
AUDITED = """
DROP TRIGGER IF EXISTS audit ON {0};
CREATE CONSTRAINT TRIGGER audit AFTER INSERT ON {0} DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION audit_commit();
"""
NOTE_OWNERS = """
INSERT INTO audit_owner SELECT objid::bigint, application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
 WHERE locktype = 'advisory' AND classid = 1650551663 AND objsubid = 2 AND granted
ON CONFLICT DO NOTHING
"""
BAD = """
SELECT what, audit_commit.worker, audit_owner.worker, at::text
  FROM audit_commit LEFT JOIN audit_owner ON me = owner
 WHERE audit_commit.worker <> coalesce(audit_owner.worker, 'nobody')
"""


@dataclass
class Workers:
    """Workers of one installation; each logs to NAME.log of its folder."""

    installation: Installation
    ttl: float
    processes: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)

    def start(self, *names: str) -> None:
        """Start workers of these names."""
        for name in names:
            joint = "&" if "?" in self.installation.url else "?"
            environment = {
                **self.installation.environment,
                "DATABASE_URL": f"{self.installation.url}{joint}application_name={name}",
            }
            with (self.installation.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "tests.lab.workers", str(self.ttl)],
                    env=environment,
                    stderr=log,
                    cwd=Path(__file__).parents[2],
                    start_new_session=True,
                )

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a worker a signal."""
        self.processes[name].send_signal(number)

    def wait(self, name: str) -> int:
        """Wait for the end of a worker; returns its exit code."""
        return self.processes.pop(name).wait(PATIENCE)

    def kill(self, name: str) -> None:
        """End a worker without a word."""
        self.send(name, signal.SIGKILL)
        self.wait(name)

    def log(self, name: str) -> str:
        """What a worker has logged."""
        return (self.installation.folder / f"{name}.log").read_text()

    def owned(self) -> dict[str, frozenset[int]]:
        """The shards of each worker that is present."""
        with psycopg.connect(self.installation.url) as connection:
            return {name: frozenset(shards or ()) for name, shards in connection.execute(OWNED).fetchall()}

    def share(self, *names: str) -> bool:
        """Whether exactly these workers are present, hold every shard, and as many each but for one."""
        try:
            owned = self.owned()
        except psycopg.OperationalError:  # it is just starting
            return False
        counts = [len(shards) for shards in owned.values()]
        return owned.keys() == set(names) and sum(counts) == 64 and max(counts) - min(counts) <= 1


class Audit:
    """Writes down, at each COMMIT that stores mail or tells an event, who commits and whose the shard is."""

    def __init__(self, url: str) -> None:
        self._url = url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(AUDIT)
            for table in ("placement", "event"):
                connection.execute(AUDITED.format(table))

    def note_owners(self) -> None:
        """Learn which owner is which worker; once while each is present."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(NOTE_OWNERS)

    def bad_commits(self) -> list[tuple[str, ...]]:
        """Rows that somebody else than the shard's owner has committed."""
        with psycopg.connect(self._url) as connection:
            return connection.execute(BAD).fetchall()

    def remove(self) -> None:
        """Leave nothing behind."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("DROP FUNCTION audit_commit CASCADE")
            connection.execute("DROP TABLE audit_commit, audit_owner")


@contextlib.contextmanager
def workers(installation: Installation, ttl: float) -> Iterator[Workers]:
    """Workers that end with the block; ``ttl`` in seconds."""
    made = Workers(installation, ttl)
    try:
        yield made
    finally:
        for name in list(made.processes):
            made.kill(name)


def main(ttl: float) -> None:
    """Be a worker."""
    from fumibako.site.setup import read_settings, set_up

    set_up(pool=read_settings().FUMIBAKO_DATABASE_POOL)
    from fumibako.site.network import network
    from fumibako.syncing.worker import run_worker

    uvloop.run(run_worker(network(), ttl=ttl))


if __name__ == "__main__":
    main(float(sys.argv[1]))
