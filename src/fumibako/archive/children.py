"""The children that parse for an owner, and the memory that they share with it.

A slot is one batch on its way: mails land in its first memory straight from the network, a child writes rows into the
second, the writer copies those to PostgreSQL, and the slot is free again. Who finds none free stops reading from the
server: there is no other backpressure.

A child that dies or hangs costs nobody anything but time: the batch's mails are tried one by one in a new child, and
the mail that does it again is stored without being read (``parser_died``, ``parser_hung``).
"""

import asyncio
import ctypes
import json
import mmap
import os
import signal
import sys
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from fumibako.archive.rows import Entry, Scope, Stored, Where
from fumibako.archive.turns import Turns

SLOT_SIZE = 80 << 20  # bytes of mail: the largest mail (64 MiB) and a batch beside it; untouched pages cost nothing
ROWS_SIZE = 256 << 20  # bytes of rows of one batch
SLOTS = 32  # of all folders that are fetched at once; each takes a few
URGENT_SLOTS = 16  # of them, that only first screens and live mail may take
WARM = 4  # slots that keep their pages while nobody uses them, as many as one import needs
KEPT = 16 << 20  # bytes that such a slot may keep
CHILDREN = 2
BATCH_TIMEOUT = 30.0  # seconds for a batch before its child counts as hung
MAIL_TIMEOUT = 10.0  # seconds for a single mail
_PR_SET_PDEATHSIG = 1


class ChildDied(Exception):
    """A child ended, or was ended because it gave no answer; ``reason`` is what a mail is marked with."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Region:
    """A piece of a slot's memory for one literal; ``view`` is where its bytes go."""

    __slots__ = ("length", "offset", "slot", "view")

    def __init__(self, slot: "Slot", offset: int, length: int) -> None:
        self.slot = slot
        self.offset = offset
        self.length = length
        self.view = slot.memory[offset : offset + length]


class Slot:
    """The two memories of one batch."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.fds = (os.memfd_create("mails"), os.memfd_create("rows"))
        os.ftruncate(self.fds[0], SLOT_SIZE)
        os.ftruncate(self.fds[1], ROWS_SIZE)
        self._maps = (mmap.mmap(self.fds[0], SLOT_SIZE), mmap.mmap(self.fds[1], ROWS_SIZE))
        self.memory = memoryview(self._maps[0])
        self.rows = memoryview(self._maps[1])
        self.filled = 0
        self.warm = False

    def allocate(self, size: int) -> Region:
        """Give the next ``size`` bytes. Raises MemoryError when the slot has no such room."""
        if self.filled + size > SLOT_SIZE:
            raise MemoryError(f"{size} bytes do not fit the slot")
        region = Region(self, self.filled, size)
        self.filled += size
        return region

    def argument(self) -> str:
        """How a child is told of the memories."""
        return f"{self.fds[0]}:{SLOT_SIZE}:{self.fds[1]}:{ROWS_SIZE}"

    def cool(self) -> None:
        """Give the pages back to the system."""
        self.warm = False
        for fd, size in zip(self.fds, (SLOT_SIZE, ROWS_SIZE), strict=True):
            os.ftruncate(fd, 0)
            os.ftruncate(fd, size)

    def close(self) -> None:
        """Give the memories back."""
        for fd in self.fds:
            os.close(fd)


@dataclass(frozen=True)
class Job:
    """A batch to make rows of: which slot, where its mails are from, and free message ids, one an entry.

    Who waits for an ``urgent`` one is somebody who looks at the page: it goes before those that are not.
    """

    slot: Slot
    where: Where
    entries: tuple[Entry, ...]
    ids: tuple[int, ...]
    known: dict[str, int] = field(default_factory=dict)
    urgent: bool = False
    scope: Scope = Scope.ALL


@dataclass(frozen=True)
class Built:
    """The rows of a batch: a piece of the slot's rows for each table, and what became of each entry.

    ``unread`` says by UID why a mail was not read.
    """

    tables: dict[str, tuple[int, int]]
    stored: tuple[Stored, ...]
    unread: dict[int, str]


@dataclass
class _Child:
    """A place for a child: the process that stands there, None where it has died."""

    process: asyncio.subprocess.Process | None


class ParserPool:
    """Children and slots of one owner. Open it with ``async with``, from the main thread."""

    def __init__(
        self,
        *,
        children: int = CHILDREN,
        slots: int = SLOTS,
        batch_timeout: float = BATCH_TIMEOUT,
        mail_timeout: float = MAIL_TIMEOUT,
    ) -> None:
        self._children = children
        self._slot_count = slots
        self._batch_timeout = batch_timeout
        self._mail_timeout = mail_timeout
        self._slots: list[Slot] = []
        self._free: Turns[Slot] = Turns(reserved=min(URGENT_SLOTS, slots // 2))
        self._idle: Turns[_Child] = Turns()
        self._calm = asyncio.Event()
        self._calm.set()

    async def __aenter__(self) -> "ParserPool":
        self._slots = [Slot(index) for index in range(self._slot_count)]
        for slot in self._slots:
            self._free.give(slot)
        for _ in range(self._children):
            self._idle.give(_Child(await self._spawn()))
        return self

    async def __aexit__(self, *error: object) -> None:
        for _ in range(self._children):
            child = await self._idle.take(urgent=True)
            if child.process is not None:
                await _end(child.process)
        for slot in self._slots:
            slot.close()

    @property
    def free_slots(self) -> int:
        """How many slots can be had without waiting."""
        return len(self._free)

    async def take_slot(self, *, urgent: bool = False) -> Slot:
        """Wait for a free slot. Whoever takes it gives it back by ``release``."""
        slot = await self._free.take(urgent=urgent)
        return self._lend(slot)

    def take_slot_at_once(self, *, urgent: bool = False) -> Slot | None:
        """A free slot, or None where one would have to wait."""
        slot = self._free.take_at_once(urgent=urgent)
        return None if slot is None else self._lend(slot)

    async def calm(self) -> None:
        """Wait until nobody has a slot."""
        await self._calm.wait()

    def _lend(self, slot: Slot) -> Slot:
        self._calm.clear()
        slot.filled = 0
        slot.warm = True
        return slot

    def release(self, slot: Slot) -> None:
        """Let the next batch have the slot."""
        others = sum(other.warm for other in self._slots) - 1
        if others >= WARM or slot.filled > KEPT:
            slot.cool()
        self._free.give(slot)
        if len(self._free) == self._slot_count:
            self._calm.set()

    async def build(self, job: Job) -> Built:
        """Make the rows of a batch, whatever its mails do to the children that read them.

        Raises ChildDied where a child does not even live without mails: then the mails are not to blame.
        """
        try:
            return await self._ask(job, self._batch_timeout)
        except ChildDied:
            await self._ask(replace(job, entries=(), ids=()), self._mail_timeout)
        marked = []
        for n, entry in enumerate(job.entries):
            try:
                await self._ask(replace(job, entries=(entry,), ids=(job.ids[n],)), self._mail_timeout)
            except ChildDied as died:
                entry = entry._replace(unreadable=died.reason)
            marked.append(entry)
        try:
            return await self._ask(replace(job, entries=tuple(marked)), self._batch_timeout)
        except ChildDied as died:
            unread = tuple(entry._replace(unreadable=entry.unreadable or died.reason) for entry in marked)
            return await self._ask(replace(job, entries=unread), self._batch_timeout)

    async def _ask(self, job: Job, seconds: float) -> Built:
        child = await self._idle.take(urgent=job.urgent)
        process, child.process = child.process, None
        try:
            process = process or await self._spawn()
            answer = await asyncio.wait_for(_exchange(process, job), seconds)
            child.process = process
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ChildDied("parser_died") from None
        except TimeoutError:
            raise ChildDied("parser_hung") from None
        finally:
            if child.process is None and process is not None:
                await asyncio.shield(_end(process))
            self._idle.give(child)
        return Built(
            tables={name: (at, length) for name, (at, length) in answer["tables"].items()},
            stored=tuple(Stored(*one) for one in answer["stored"]),
            unread={entry.uid: entry.unreadable for entry in job.entries if entry.unreadable},
        )

    async def _spawn(self) -> asyncio.subprocess.Process:
        fds = [fd for slot in self._slots for fd in slot.fds]
        parent = os.getpid()
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "fumibako.archive.child",
            *(slot.argument() for slot in self._slots),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=fds,
            env=child_environment(),
            preexec_fn=lambda: die_with(parent),
        )


def child_environment() -> dict[str, str]:
    """What a parsing child gets of our environment: how to find Python's modules, and nothing of ours."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TZ") if name in os.environ}


def die_with(parent: int) -> None:
    """In a new child: be killed when the process (the thread that forked, says prctl(2)) that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


async def _exchange(child: asyncio.subprocess.Process, job: Job) -> dict[str, Any]:
    if child.stdin is None or child.stdout is None:
        raise ConnectionError
    question = json.dumps(
        {
            "slot": job.slot.index,
            "where": asdict(job.where),
            "entries": job.entries,
            "ids": job.ids,
            "known": job.known,
            "scope": job.scope,
        }
    ).encode()
    child.stdin.write(len(question).to_bytes(4, "big") + question)
    await child.stdin.drain()
    length = int.from_bytes(await child.stdout.readexactly(4), "big")
    answer: dict[str, Any] = json.loads(await child.stdout.readexactly(length))
    return answer


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        child.kill()
    await child.wait()
