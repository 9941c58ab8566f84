"""What thousands of watched mailboxes cost one process: memory a connection, connections a second, CPU while idle.

    python -m bench.idle [CONNECTIONS | quick]

Each connection is the product's own client on uvloop over TLS, logged in, one folder open, in IDLE. The server is a
stub in a process of its own. Every connection ends its IDLE once in ROUND seconds for two STATUS, as the watch does.
"""

import asyncio
import gc
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from fumibako.mail.connect import Network, Security, Server, parse_private_hosts
from fumibako.mail.imap import ImapClient
from tests.lab.ca import CertificateAuthority
from tests.lab.stubserver import running_stubserver

CONNECTIONS = 10_000
AT_ONCE = 100  # connections being made at the same time
WARM = 50  # connections before the first look at memory: what is loaded once is no connection's
ROUND = 45.0  # seconds
SETTLE = 3.0  # seconds after the last connection before anything is measured
STILL, WATCHED = 20.0, 60.0  # seconds of each look at the CPU


def memory() -> int:
    """Bytes of this process that are in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu() -> float:
    """CPU seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def connect(server: Server, network: Network, number: int) -> ImapClient:
    """A client with an open folder."""
    client = await ImapClient.connect(server, network)
    await client.login(f"user{number}@example.jp", "secret")
    await client.identify()
    await client.list_folders()
    await client.examine(b"INBOX")
    return client


async def watch(client: ImapClient, first: float) -> None:
    """IDLE for `first` seconds, then a round of two STATUS, and another every ROUND seconds."""
    await client.idle(first)
    while True:
        await client.status(b"INBOX")
        await client.status(b"INBOX")
        await client.idle(ROUND)


async def percent(seconds: float) -> float:
    """CPU of this process in per cent of one core over the next seconds."""
    before, started = cpu(), time.perf_counter()
    await asyncio.sleep(seconds)
    return 100 * (cpu() - before) / (time.perf_counter() - started)


async def measure(server: Server, network: Network, count: int, still: float, watched: float) -> None:
    """Connect, idle, watch; print."""
    clients = [await connect(server, network, number) for number in range(WARM)]
    gc.collect()
    base, spent, started = memory(), cpu(), time.perf_counter()
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            clients.append(await connect(server, network, number))

    await asyncio.gather(*(one(number) for number in range(WARM, count)))
    took, spent = time.perf_counter() - started, cpu() - spent
    async with asyncio.TaskGroup() as watchers:
        tasks = [
            watchers.create_task(watch(client, SETTLE + still + ROUND * number / count))
            for number, client in enumerate(clients)
        ]
        await asyncio.sleep(SETTLE)
        gc.collect()
        grown = memory() - base
        print(f"{count} connections; {os.cpu_count()} cores shared with the server")
        each = 1000 * spent / (count - WARM)
        print(f"connect, login, ID, LIST, EXAMINE: {(count - WARM) / took:.0f}/s, {each:.2f} ms CPU each")
        print(f"memory: {grown / (count - WARM) / 1000:.1f} KB a connection, {memory() / 1e6:.0f} MB in all")
        print(f"CPU while nothing happens ({still:.0f} s): {await percent(still):.1f} % of a core")
        print(f"CPU with a round every {ROUND:.0f} s ({watched:.0f} s): {await percent(watched):.1f} % of a core")
        print(f"memory then: {(memory() - base) / (count - WARM) / 1000:.1f} KB a connection")
        for task in tasks:
            task.cancel()
    for client in clients:
        client.close()


def main(words: list[str]) -> None:
    """Run it and print."""
    quick = words == ["quick"]
    count = 200 if quick else int(words[0]) if words else CONNECTIONS
    with tempfile.TemporaryDirectory(prefix="fb-") as folder:
        authority = CertificateAuthority(Path(folder))
        os.environ["SSL_CERT_FILE"] = str(authority.cafile)
        with running_stubserver(authority) as stub:
            network = Network(private=parse_private_hosts(f"127.0.0.1:{stub.imaps_port}"))
            server = Server("127.0.0.1", stub.imaps_port, Security.TLS)
            uvloop.run(measure(server, network, count, *((1.0, 2.0) if quick else (STILL, WATCHED))))


if __name__ == "__main__":
    main(sys.argv[1:])
