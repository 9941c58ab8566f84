"""What it costs to find that a folder of 10,000 mails has not changed: round trips, bytes, seconds.

    python -m bench.resync [MAILS | quick]

Ours opens the folder with what is known of it (QRESYNC); IMAPClient opens it and asks for all UIDs and flags; mbsync
runs a second time. Seconds are of the direct way, over TLS; round trips and bytes, those of TLS included, are counted
by a proxy on a way of its own. The whole session is connect, login, resync, logout.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop

from bench.peers import HERE, mbsync_settings
from fumibako.mail.connect import Network, Security, Server, parse_private_hosts
from fumibako.mail.imap import ImapClient, Synced
from tests.lab.ca import CertificateAuthority
from tests.lab.dovecot import Dovecot, running_dovecot, sample_mail

MAILS = 10_000
RUNS = 5
SIZE = 500  # bytes of a mail
ADDRESS, PASSWORD = "bench@example.jp", "bench"


@dataclass
class Line:
    """What has passed: bytes, and how often the client spoke after the server had."""

    sent: int = 0
    received: int = 0
    turns: int = 0
    speaking: bool = False

    def since(self, before: "Line") -> str:
        """What has passed since then, for the table."""
        passed = (self.turns - before.turns, self.sent - before.sent, self.received - before.received)
        return "{:>13}{:>10}{:>11}".format(*passed)

    def copy(self) -> "Line":
        """As it is now."""
        return Line(self.sent, self.received, self.turns, self.speaking)


class Counter:
    """A proxy that counts."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.line = Line()
        self.port = 0

    async def start(self) -> None:
        """Listen."""
        server = await asyncio.start_server(self._accept, "127.0.0.1")
        self.port = server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(self._pass(reader, far_writer, True), self._pass(far_reader, writer, False))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: bool) -> None:
        try:
            while data := await reader.read(65536):
                self.line.turns += client and not self.line.speaking
                self.line.speaking = client
                self.line.sent += len(data) if client else 0
                self.line.received += 0 if client else len(data)
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()


class Ours:
    """The product's client with what it knew."""

    def __init__(self, dovecot: Dovecot, synced: Synced) -> None:
        self._network = Network(private=parse_private_hosts("127.0.0.1"))
        self._dovecot = dovecot
        self._synced = synced

    @classmethod
    async def knowing(cls, dovecot: Dovecot) -> "Ours":
        """All of the folder known."""
        ours = cls(dovecot, Synced(0, 0))
        async with await ours.connect(dovecot.imaps_port) as client:
            opened = await client.examine(b"INBOX")
            ours._synced = Synced(opened.uidvalidity, opened.highestmodseq or 0, await client.uid_search())
        return ours

    async def connect(self, port: int) -> ImapClient:
        """Connect and log in."""
        client = await ImapClient.connect(Server("127.0.0.1", port, Security.TLS), self._network)
        await client.login(ADDRESS, PASSWORD)
        await client.enable()
        return client

    async def resync(self, client: ImapClient) -> None:
        """Find that nothing has changed."""
        opened = await client.examine(b"INBOX", since=self._synced)
        if not opened.resynced or opened.changed or len(opened.vanished):
            raise RuntimeError(f"not an unchanged folder: {opened}")

    async def session(self, port: int) -> float:
        """Everything; returns the seconds of the resync."""
        async with await self.connect(port) as client:
            started = time.perf_counter()
            await self.resync(client)
            seconds = time.perf_counter() - started
            await client.logout()
        return seconds


async def imapclient(dovecot: Dovecot, cache: Path, port: int) -> float | None:
    """Seconds of IMAPClient's resync alone."""
    python = cache / "venv/bin/python"
    if not python.exists():
        return None
    there = {"PORT": str(port), "CAFILE": str(dovecot.authority.cafile), "ADDRESS": ADDRESS, "PASSWORD": PASSWORD}
    process = await asyncio.create_subprocess_exec(
        python, HERE / "lab/peers/imapclient_resync.py", env={**os.environ, **there}, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    return float(json.loads(output)["seconds"])


async def mbsync(dovecot: Dovecot, folder: Path, port: int) -> float | None:
    """Nothing of mbsync can be timed but the whole."""
    settings = mbsync_settings(folder, dovecot, port, ADDRESS, PASSWORD)
    process = await asyncio.create_subprocess_exec("mbsync", "-q", "-c", settings, "all")
    if await process.wait():
        raise RuntimeError("mbsync has failed")
    return None


async def measure(name: str, once: Callable[[int], Awaitable[float | None]], direct: int, counter: Counter) -> None:
    """Run a client some times directly and once through the counter; print."""
    whole, alone = [], []
    for _ in range(RUNS):
        started = time.perf_counter()
        seconds = await once(direct)
        whole.append(time.perf_counter() - started)
        alone.append(seconds)
    before = counter.line.copy()
    await once(counter.port)
    part = "" if None in alone else f"{median(alone):.4f}"
    print(f"{name:<32}{part:>10}{median(whole):>10.3f}{counter.line.since(before)}", flush=True)


async def run(dovecot: Dovecot, cache: Path, folder: Path) -> None:
    """Measure all of them."""
    counter = Counter(dovecot.imaps_port)
    await counter.start()
    ours = await Ours.knowing(dovecot)
    print(f"{'':<32}{'resync s':>10}{'session s':>10}{'round trips':>13}{'bytes out':>10}{'bytes in':>11}")
    await measure("ours, whole session", ours.session, dovecot.imaps_port, counter)
    async with await ours.connect(counter.port) as client:
        before = counter.line.copy()
        await ours.resync(client)
        print(f"{'ours, the resync alone':<52}{counter.line.since(before)}")
    if (cache / "venv/bin/python").exists():
        name = "IMAPClient, whole session"
        await measure(name, lambda port: imapclient(dovecot, cache, port), dovecot.imaps_port, counter)
    else:
        print("IMAPClient: not installed")
    try:
        await mbsync(dovecot, folder, dovecot.imaps_port)  # the first time brings everything
        name = "mbsync, whole session"
        await measure(name, lambda port: mbsync(dovecot, folder, port), dovecot.imaps_port, counter)
    except FileNotFoundError:
        print("mbsync: not installed")


def main(words: list[str]) -> None:
    """Run it and print."""
    count = 300 if words == ["quick"] else int(words[0]) if words else MAILS
    brought = subprocess.run([HERE / "bring-peers"], stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory(prefix="fb-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "mbsync").mkdir()
        authority = CertificateAuthority(folder)
        os.environ["SSL_CERT_FILE"] = str(authority.cafile)
        with running_dovecot(authority) as dovecot:
            dovecot.add_user(ADDRESS, PASSWORD)
            dovecot.fill(ADDRESS, (sample_mail(number, SIZE) for number in range(count)))
            print(f"{count} mails, nothing has changed; medians of {RUNS}")
            uvloop.run(run(dovecot, Path(brought.stdout.splitlines()[-1]), folder / "mbsync"))


if __name__ == "__main__":
    main(sys.argv[1:])
