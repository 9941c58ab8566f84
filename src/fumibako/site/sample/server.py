"""The whole sample server: one folder on disk, two ports, one mailbox, mail that arrives."""

import asyncio
import fcntl
import json
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from fumibako.site.sample.account import Account
from fumibako.site.sample.arrivals import arrive
from fumibako.site.sample.certificate import server_context
from fumibako.site.sample.folders import Mailbox
from fumibako.site.sample.imap import serve_imap
from fumibako.site.sample.mailbox import fill
from fumibako.site.sample.smtp import serve_smtp
from fumibako.site.sample.store import Store

LOOPBACK = "127.0.0.1"
log = logging.getLogger(__name__)


class FolderInUse(Exception):
    """Another sample server has this folder."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder against a second server; the lock ends with the process, however that ends."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as busy:
        raise FolderInUse(str(folder)) from busy
    finally:
        os.close(descriptor)


def listen(wanted: int, name: str) -> socket.socket:
    """A listening socket on the wanted port of loopback, or on a free one when it is 0 or taken."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, wanted))
    except OSError:
        listening.close()
        if wanted == 0:
            raise
        log.warning("The sample's %s port %d is taken by another program; choosing a new one.", name, wanted)
        return listen(0, name)
    listening.listen()
    return listening


def ready_line(account: Account, ca_file: Path) -> str:
    """What a supervisor reads when the server answers."""
    return json.dumps(
        {
            "imap_port": account.imap_port,
            "smtp_port": account.smtp_port,
            "address": account.address,
            "password": account.password,
            "ca": str(ca_file.resolve()),
        }
    )


async def serve(folder: Path, arrivals_every: float) -> None:
    """Serve until SIGTERM or SIGINT; a new mail comes about every `arrivals_every` seconds (0: never).

    Raises FolderInUse when another server has the folder.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with held(folder), closing(Store(folder / "mail.sqlite")) as store:
        context = server_context(folder)
        account = Account.kept_in(folder / "account.json")
        imap, smtp = listen(account.imap_port, "IMAP"), listen(account.smtp_port, "SMTP")
        account = account.at(imap_port=imap.getsockname()[1], smtp_port=smtp.getsockname()[1])
        account.keep(folder / "account.json")
        fill(store, datetime.now(UTC))
        mailbox = Mailbox(store)
        servers = [
            await serve_imap(imap, context, account, mailbox),
            await serve_smtp(smtp, context, account, mailbox.inbox),
        ]
        arriving = asyncio.create_task(arrive(store, mailbox.inbox, arrivals_every))
        print(ready_line(account, folder / "ca.pem"), flush=True)  # noqa: T201
        await stop.wait()
        arriving.cancel()
        for server in servers:
            server.close()
        await asyncio.gather(arriving, return_exceptions=True)
