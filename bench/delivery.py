"""From a mail server's delivery to the committed event: how much later than the server itself tells of it.

    python -m bench.delivery [WATCHED | quick]

Mails are delivered by LMTP to MEASURED mailboxes of a Dovecot. A bare IDLE session on each hears of them beside one
worker process of the product. First the worker watches those mailboxes alone, then WATCHED in all, the rest of them at
a stub server. The moment of the commit is PostgreSQL's own (track_commit_timestamp).
"""

import os
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from bench.lab import usage
from bench.lab.product import Product, running_product
from tests.lab.ca import CertificateAuthority
from tests.lab.dovecot import Dovecot, running_dovecot, sample_mail
from tests.lab.stubserver import StubServer, running_stubserver

WATCHED = 2_000
MEASURED = 4  # mailboxes that mails are delivered to beside each other, so that 200 take half a minute
DELIVERIES = 50  # to each of them
STILL = 20.0  # seconds of the look at the worker's CPU
PATIENCE = 60.0  # seconds for one thing
PATIENCE_FOR_ALL = 200.0  # seconds until everybody is watched
PASSWORD = "bench"
_COMMITTED = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(message.xmin))::float8
  FROM message JOIN event ON event.message_id = message.id AND event.kind = 'message.new'
 WHERE message.mailbox_id = %s ORDER BY message.id
"""


class Ear:
    """A bare IDLE session: when the server said that there are so many mails."""

    def __init__(self, dovecot: Dovecot, address: str) -> None:
        context = ssl.create_default_context(cafile=str(dovecot.authority.cafile))
        plain = socket.create_connection((dovecot.host, dovecot.imaps_port))
        self._connection = context.wrap_socket(plain, server_hostname="localhost")
        self._heard: dict[int, float] = {}
        self._told = threading.Condition()
        self._connection.sendall(f"a LOGIN {address} {PASSWORD}\r\nb EXAMINE INBOX\r\nc IDLE\r\n".encode())
        self._idling = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._idling.wait(PATIENCE):
            raise TimeoutError("Dovecot does not idle")

    def _listen(self) -> None:
        with self._connection.makefile("rb") as lines:
            for line in lines:
                words = line.split()
                if words[:1] == [b"+"]:
                    self._idling.set()
                elif words[2:] == [b"EXISTS"]:
                    with self._told:
                        self._heard[int(words[1])] = time.time()
                        self._told.notify_all()

    def wait(self, count: int) -> float:
        """When it heard of so many mails."""
        with self._told:
            if not self._told.wait_for(lambda: count in self._heard, PATIENCE):
                raise TimeoutError(f"Dovecot does not tell of mail {count}")
            return self._heard[count]


@dataclass(frozen=True)
class Delivery:
    """One delivery: seconds until the bare session heard of it, and until the event was committed."""

    heard: float
    committed: float


class Inbox:
    """A measured mailbox."""

    def __init__(self, product: Product, dovecot: Dovecot, number: int) -> None:
        self.address = f"bench{number}@example.jp"
        self._dovecot = dovecot
        dovecot.add_user(self.address, PASSWORD)
        self._box = product.world.add_mailbox(self.address, port=dovecot.imaps_port, secret=PASSWORD)
        self._folder = product.world.add_folder(self._box)
        self._url = product.fumibako.url
        self._ear = Ear(dovecot, self.address)
        self._delivered = 0

    def wait_for_watch(self) -> None:
        """Wait until what is delivered is new, and deliver a first mail, until which more is looked at than later."""

        def linked() -> bool | None:
            self._folder.refresh_from_db()
            return self._folder.linked_uidnext is not None or None

        until(linked, "a mailbox is not looked at")
        self.deliver(1)

    def deliver(self, count: int) -> list[Delivery]:
        """Deliver one mail after the other, each when the last has come here and there."""
        import psycopg

        done = []
        with psycopg.connect(self._url, autocommit=True) as connection:
            for _ in range(count):
                self._delivered += 1
                mail = sample_mail(self._delivered, to=self.address)
                self._dovecot.deliver(self.address, mail)
                at = time.time()
                heard = self._ear.wait(self._delivered)
                committed = until(lambda: self._committed(connection), "the product does not store a mail")
                done.append(Delivery(heard - at, committed - at))
        return done

    def _committed(self, connection) -> float | None:
        rows = connection.execute(_COMMITTED, [self._box.id]).fetchall()
        return rows[self._delivered - 1][0] if len(rows) >= self._delivered else None


def until(what: Callable[[], float | None], otherwise: str, patience: float = PATIENCE) -> float:
    """Wait until there is an answer, and return it."""
    end = time.monotonic() + patience
    while (answer := what()) is None:
        if time.monotonic() > end:
            raise TimeoutError(otherwise)
        time.sleep(0.02)
    return answer


def percentiles(seconds: list[float]) -> str:
    """Median and 99th, in milliseconds."""
    cuts = quantiles(seconds, n=100, method="inclusive")
    return f"{1000 * cuts[49]:>8.0f}{1000 * cuts[98]:>8.0f}"


def measure(title: str, inboxes: list[Inbox], deliveries: int) -> None:
    """Deliver to all of them at once, and print."""
    with ThreadPoolExecutor(len(inboxes)) as threads:
        done = [one for many in threads.map(lambda inbox: inbox.deliver(deliveries), inboxes) for one in many]
    heard = percentiles([one.heard for one in done])
    committed = percentiles([one.committed for one in done])
    later = percentiles([one.committed - one.heard for one in done])
    print(f"{title:<30}{len(done):>6}{heard}{committed}{later}", flush=True)


def watch_many(product: Product, stub: StubServer, count: int) -> None:
    """Link so many mailboxes at the stub server, wait until all are watched, print what they cost the worker."""
    worker = product.fumibako.worker.pid
    memory, spent, started = usage.resident(worker), product.spent(), time.monotonic()
    for number in range(count):
        box = product.world.add_mailbox(f"u{number}@example.jp", port=stub.imaps_port, secret=PASSWORD)
        product.world.add_folder(box)
    product.tell_of_mailboxes()
    added = time.monotonic() - started
    until(
        lambda: True if len(stub.seen().watched) == count else None, "not all mailboxes are watched", PATIENCE_FOR_ALL
    )
    took = time.monotonic() - started
    each = {part: 1000 * (after - spent[part]) / count for part, after in product.spent().items()}
    print(f"{count} more mailboxes: rows made in {added:.0f} s, all watched after {took:.0f} s")
    print(f"CPU until then, ms a mailbox: {_parts(each)}")
    grown = (usage.resident(worker) - memory) / count
    spent = product.spent()
    time.sleep(STILL)
    idle = {part: 100 * (after - spent[part]) / STILL for part, after in product.spent().items()}
    print(f"memory of the worker: {grown / 1000:.1f} KB a mailbox")
    print(f"CPU while nothing comes ({STILL:.0f} s), % of a core: {_parts(idle)}", flush=True)


def _parts(numbers: dict[str, float]) -> str:
    return ", ".join(f"{part} {number:.1f}" for part, number in numbers.items())


def main(words: list[str]) -> None:
    """Run it and print."""
    quick = words == ["quick"]
    watched, measured, deliveries = (20, 2, 3) if quick else (int(words[0]) if words else WATCHED, MEASURED, DELIVERIES)
    with tempfile.TemporaryDirectory(prefix="fb-") as folder:
        Path(folder).chmod(0o755)
        authority = CertificateAuthority(Path(folder))
        with (
            running_dovecot(authority) as dovecot,
            running_stubserver(authority) as stub,
            running_product(dovecot, track_commit_timestamp="on") as product,
        ):
            os.environ["SSL_CERT_FILE"] = str(authority.cafile)
            inboxes = [Inbox(product, dovecot, number) for number in range(measured)]
            product.tell_of_mailboxes()
            for inbox in inboxes:
                inbox.wait_for_watch()
            titles = f"{'mails':>6}{'server tells':>16}{'committed':>16}{'later by':>16}"
            print(f"{'milliseconds: median, 99th':<30}{titles}")
            measure(f"{measured} mailboxes watched", inboxes, deliveries)
            watch_many(product, stub, watched - measured)
            measure(f"{watched} mailboxes watched", inboxes, deliveries)


if __name__ == "__main__":
    main(sys.argv[1:])
