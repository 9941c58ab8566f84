"""`fumibako up`: one parent for everything, and everything dies with it.

    lock on the data folder → web port bound → sample mail server, PostgreSQL → database made and migrated → web, worker

A child that dies is started again, at once and then ever more slowly. Ctrl-C, SIGTERM and SIGHUP stop all: web, worker
and sample together, PostgreSQL last. When the parent is killed, the kernel kills its children (`children.py`), so the
next start finds nothing in its way. What cannot be mended by trying again is told in a sentence before anything is left
running; a disk that fills up later is waited for.

The parent holds no connection and loads no Django. It runs asyncio's own loop and starts processes in the main thread.
"""

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fumibako.site import log, postgres
from fumibako.site.children import die_with_parent
from fumibako.site.data_folder import AlreadyRunning, DataFolder, Running, Sample
from fumibako.site.listening import listen
from fumibako.site.refusal import Refusal
from fumibako.site.welcome import renew_first_login, welcome
from fumibako.site.words import gettext

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.1  # seconds before a child that died is started again; doubled each time
LONGEST_PAUSE = 10.0  # seconds
STEADY = 10.0  # seconds that a child must have lived for the pause to begin anew
GRACE = 0.7  # seconds between SIGTERM and SIGKILL: what is killed commits nothing by halves
POSTGRES_GRACE = 0.8  # seconds for the last checkpoint; a slow disk gets it by recovery at the next start
LAST_GRACE = 5.0  # seconds between the second signal and SIGKILL
LOOK = 0.01  # seconds between two looks whether PostgreSQL is ready
DISK_LOOK = 2.0  # seconds between two looks whether a full disk has room again
SAMPLE_TIMEOUT = 30.0  # seconds for the sample to fill its mailbox at the first start


@dataclass(frozen=True)
class Wishes:
    """What the command line and the environment ask for."""

    data: Path
    host: str
    port: int
    sample: bool
    insecure_lan: bool
    database_url: str

    def environment(self) -> dict[str, str]:
        """What the children are told, beside what we were told."""
        return {
            **os.environ,
            "FUMIBAKO_DATA": str(self.data),
            "FUMIBAKO_HOST": self.host,
            "FUMIBAKO_PORT": str(self.port),
            "FUMIBAKO_INSECURE_LAN": "1" if self.insecure_lan else "",
        }


def up(wishes: Wishes) -> None:
    """Run everything until told to stop. Raises Refusal with what is in the way."""
    folder = DataFolder(wishes.data)
    try:
        folder.make()
        with folder.locked(), contextlib.closing(listen(wishes.host, wishes.port)) as listening:
            port = listening.getsockname()[1]
            _run(Installation(folder, replace(wishes, port=port), listening).run())
    except AlreadyRunning:
        raise Refusal(_already_running(folder)) from None
    except postgres.PostgresError as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Refusal(gettext("The disk is full: the data folder has no room to write.")) from error
        if error.errno in (errno.EACCES, errno.EROFS):
            raise Refusal(
                gettext("The data folder %(path)s cannot be written: %(error)s.")
                % {"path": wishes.data, "error": error.strerror}
            ) from error
        raise


def _already_running(folder: DataFolder) -> str:
    running = folder.running()
    where = {"path": folder.path, "pid": running.pid if running else "?", "url": running.url if running else "?"}
    return gettext("Fumibako is already running with the data folder %(path)s (process %(pid)s): %(url)s") % where


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run until done or told to stop; the work is cancelled then, and stops what it has started."""

    async def main() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(main())


@dataclass
class Child:
    """A process that is started again when it dies."""

    name: str
    command: list[str]
    options: dict[str, Any] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None

    async def start(self, **options: Any) -> asyncio.subprocess.Process:
        """Start it in a session of its own, so that a terminal's Ctrl-C reaches the parent alone."""
        given = {"stdin": asyncio.subprocess.DEVNULL, "start_new_session": True, **self.options, **options}
        given.setdefault("preexec_fn", die_with_parent(signal.SIGKILL))
        self.process = await asyncio.create_subprocess_exec(*self.command, **given)
        return self.process

    async def ended(self) -> int:
        """Wait for its end, end what it has left behind, and return its exit code."""
        assert self.process is not None
        code = await self.process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return code

    async def stop(self, *steps: tuple[signal.Signals, float]) -> None:
        """Ask it to end by one signal after the other, with the seconds that each is given; the last is SIGKILL."""
        if self.process is None or self.process.returncode is not None:
            return
        for number, grace in steps:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self.ended()
                    return
            logger.warning("%s did not stop in %.1f s after %s", self.name, grace, number.name)
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.ended()


@dataclass
class Installation:
    """All children of one data folder."""

    folder: DataFolder
    wishes: Wishes
    listening: socket.socket
    children: list[Child] = field(default_factory=list)
    database: Child | None = None
    cluster: postgres.Cluster | None = None

    async def run(self) -> None:
        """Start everything in its order, say where it is, and keep it running."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self.folder.clear_running()
                sampling = tasks.create_task(self._start_sample(tasks)) if self.wishes.sample else None
                sockets = None if self.wishes.database_url else await self._start_database(tasks)
                sample = await sampling if sampling else None
                running = Running(os.getpid(), self._url(), self.wishes.port, sockets, sample)
                self.folder.write_running(running)
                await self._prepare()
                for name, arguments, options in self._servers():
                    child = Child(name, [sys.executable, "-m", "fumibako.site.command", *arguments], options)
                    tasks.create_task(self._keep(child, await self._start(child)))
                await _answers(self.listening)
                renew_first_login(self.folder, running)
                print(welcome(self.folder, running), flush=True)  # noqa: T201
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            await self._stop()

    def _servers(self) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
        environment = self.wishes.environment()
        number = self.listening.fileno()
        yield "web", ["web", "--fd", str(number)], {"env": environment, "pass_fds": (number,)}
        yield "worker", ["worker"], {"env": environment}

    async def _start(self, child: Child, **options: Any) -> asyncio.subprocess.Process:
        self.children.append(child)
        return await child.start(**options)

    async def _keep(self, child: Child, process: asyncio.subprocess.Process) -> None:
        """Start a child again whenever it ends."""
        clock = asyncio.get_running_loop().time
        pause = FIRST_PAUSE
        while True:
            since = clock()
            code = await child.ended()
            if clock() - since > STEADY:
                pause = FIRST_PAUSE
            logger.error("%s ended with %d; starting it again", child.name, code, extra={"pid": process.pid})
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            process = await child.start()

    async def _prepare(self) -> None:
        """Run `first_run` to its end; what it has to say it says itself."""
        child = Child("first_run", [sys.executable, "-m", "fumibako.site.first_run"])
        self.children.append(child)
        await child.start(env=self.wishes.environment())
        if await child.ended() != 0:
            raise Refusal(gettext("The database could not be prepared."))

    # --- The sample mail server ---------------------------------------------------------------------------------------

    async def _start_sample(self, tasks: asyncio.TaskGroup) -> Sample | None:
        """The sample when it answers; None, with a line in the log, when it cannot."""
        command = [sys.executable, "-m", "fumibako.site.sample", "--folder", str(self.folder.sample)]
        child = Child("sample", command, {"env": self.wishes.environment()})
        process = await self._start(child, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(SAMPLE_TIMEOUT):
                sample = Sample(**json.loads(await process.stdout.readline()))
        except (TimeoutError, ValueError, TypeError):
            logger.error("the sample mail server did not start; going on without it")
            return None
        child.options["stdout"] = asyncio.subprocess.DEVNULL
        tasks.create_task(self._keep(child, process))
        return sample

    # --- PostgreSQL ---------------------------------------------------------------------------------------------------

    async def _start_database(self, tasks: asyncio.TaskGroup) -> str:
        """The folder of the running server's socket. Raises PostgresError."""
        self.cluster = cluster = await asyncio.to_thread(postgres.prepare, self.folder.postgres)
        self.database = Child("postgres", cluster.command(), {**cluster.options(), "stderr": asyncio.subprocess.PIPE})
        words: deque[str] = deque(maxlen=20)
        reading = await self._database_ready(cluster, words)
        tasks.create_task(self._keep_database(cluster, words, reading))
        return str(cluster.sockets)

    async def _database_ready(self, cluster: postgres.Cluster, words: deque[str]) -> asyncio.Task[None]:
        """Start the server and wait until it takes connections; returns the task that reads what it says."""
        assert self.database is not None
        words.clear()
        process = await self.database.start()
        assert process.stderr is not None
        reading = asyncio.create_task(_read_words(process.stderr, words))
        while not cluster.ready(process.pid):
            if process.returncode is not None:
                await reading
                raise _why_not_started(cluster, words)
            await asyncio.sleep(LOOK)
        return reading

    async def _keep_database(self, cluster: postgres.Cluster, words: deque[str], reading: asyncio.Task[None]) -> None:
        """Start PostgreSQL again whenever it ends; while the disk is full, wait."""
        assert self.database is not None
        pause = FIRST_PAUSE
        while True:
            code = await self.database.ended()
            await reading
            logger.error("postgres ended with %d; starting it again", code)
            while True:
                await asyncio.sleep(pause)
                try:
                    await asyncio.to_thread(postgres.prepare, self.folder.postgres)
                    reading = await self._database_ready(cluster, words)
                    break
                except postgres.DiskFull as error:
                    await self._wait_for_room(error)
                except postgres.NotStarted as error:
                    logger.error("%s", error)
                    pause = min(2 * pause, LONGEST_PAUSE)
            pause = FIRST_PAUSE

    async def _wait_for_room(self, error: postgres.DiskFull) -> None:
        logger.error("%s Waiting for room.", error)
        while postgres.free_bytes(self.folder.path) < postgres.ROOM_TO_START:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(DISK_LOOK)

    # --- The end ------------------------------------------------------------------------------------------------------

    async def _stop(self) -> None:
        await asyncio.gather(*(child.stop((signal.SIGTERM, GRACE)) for child in self.children))
        if self.database is not None and self.cluster is not None:
            await self.database.stop((signal.SIGINT, POSTGRES_GRACE), (signal.SIGQUIT, LAST_GRACE))
            self.cluster.tidy()
        self.folder.clear_running()

    def _url(self) -> str:
        host = self.listening.getsockname()[0]
        if host in ("0.0.0.0", "::"):  # noqa: S104
            host = "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self.wishes.port}/"


async def _read_words(stream: asyncio.StreamReader, words: deque[str]) -> None:
    """Keep the last lines of a server, and pass on those that tell of its end."""
    while line := await stream.readline():
        text = line.decode(errors="replace").rstrip()
        words.append(text)
        grave = text.startswith(("FATAL", "PANIC"))
        logger.log(logging.WARNING if grave else logging.DEBUG, "postgres: %s", text)


def _why_not_started(cluster: postgres.Cluster, words: deque[str]) -> postgres.PostgresError:
    said = "\n".join(words)
    if postgres.says_disk_full(said):
        return postgres.DiskFull(
            gettext("The disk is full: the database at %(data)s has no room.") % {"data": cluster.data}
        )
    return postgres.NotStarted(
        gettext("The database at %(data)s did not start: %(words)s")
        % {"data": cluster.data, "words": words[-1] if words else "?"}
    )


async def _answers(listening: socket.socket) -> None:
    """Wait for the first answer of the web server: the socket takes connections before anybody serves them."""
    address = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(host, address[1])
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            line = await reader.readline()
            writer.close()
            if b" 200 " in line:
                return
        await asyncio.sleep(0.1)


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


def configure_log() -> None:
    """The parent's log, by the same variables as Django's settings read."""
    log.configure(
        (os.environ.get("FUMIBAKO_LOG_LEVEL") or "INFO").upper(), os.environ.get("FUMIBAKO_LOG_FORMAT") or "auto"
    )
