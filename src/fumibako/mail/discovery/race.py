"""Trying candidates beside one another, and keeping the likeliest that is proven.

The first candidate starts at once; each further one when the last has failed or STAGGER has passed (as RFC 8305 does
with addresses), so that a server that answers well sees one connection and no more. A later candidate that is proven
waits PATIENCE for likelier ones; one without authority waits for all that have it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from fumibako.mail.discovery.candidates import Candidate

STAGGER = 0.3  # seconds between the starts of two candidates
PATIENCE = 2.0  # seconds that a proven candidate waits for likelier ones


class Closable(Protocol):
    """A connection that can be ended at once."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


@dataclass
class Outcome(Generic[C]):
    """How it ended: the winner with its connection, if any, and why each other candidate failed (in their order)."""

    winner: Candidate | None = None
    connection: C | None = None
    failures: list[tuple[Candidate, BaseException]] = field(default_factory=list)


async def race(
    candidates: Sequence[Candidate], attempt: Callable[[Candidate], Awaitable[C]], *, deadline: float
) -> Outcome[C]:
    """Try the candidates until one is proven, all have failed, or `deadline` (seconds from now) has passed.

    `attempt` connects and proves the server without sending any secret. The caller owns the connection that is
    returned; all others are closed. A candidate still under way at the deadline has failed by TimeoutError.
    """
    until = time.monotonic() + deadline
    tasks = _start(candidates, attempt)
    kept: asyncio.Task[C] | None = None
    first_proven_at: float | None = None
    try:
        while kept is None and (now := time.monotonic()) < until and (open_ones := _open(tasks)):
            patience_ends = until if first_proven_at is None else first_proven_at + PATIENCE
            wake = patience_ends if now < patience_ends else until
            await asyncio.wait(open_ones, timeout=min(wake, until) - now, return_when=asyncio.FIRST_COMPLETED)
            if first_proven_at is None and any(map(_is_proven, tasks)):
                first_proven_at = time.monotonic()
            impatient = first_proven_at is not None and time.monotonic() >= first_proven_at + PATIENCE
            kept = _choose(candidates, tasks, impatient)
        kept = kept or next(filter(_is_proven, tasks), None)
        failures = [(one, _failure(task)) for one, task in zip(candidates, tasks, strict=True) if not _is_proven(task)]
        if kept is None:
            return Outcome(failures=failures)
        return Outcome(candidates[tasks.index(kept)], kept.result(), failures)
    finally:
        await _end(tasks, kept)


def _start(candidates: Sequence[Candidate], attempt: Callable[[Candidate], Awaitable[C]]) -> list[asyncio.Task[C]]:
    """A task for each candidate; each opens the gate of the next when it fails, or STAGGER after its own start."""
    gates = [asyncio.Event() for _ in range(len(candidates) + 1)]
    gates[0].set()

    async def one(index: int) -> C:
        await gates[index].wait()
        asyncio.get_running_loop().call_later(STAGGER, gates[index + 1].set)
        try:
            return await attempt(candidates[index])
        except Exception:
            gates[index + 1].set()
            raise

    return [asyncio.create_task(one(index)) for index in range(len(candidates))]


def _choose(
    candidates: Sequence[Candidate], tasks: Sequence[asyncio.Task[C]], impatient: bool
) -> asyncio.Task[C] | None:
    """The proven candidate to keep now; None while there is none, or a likelier one is worth waiting for."""
    first = next((index for index, task in enumerate(tasks) if _is_proven(task)), None)
    if first is None:
        return None
    ahead = [one for one, task in zip(candidates[:first], tasks, strict=False) if not task.done()]
    given_up = impatient and all(one.authority == candidates[first].authority for one in ahead)
    return tasks[first] if not ahead or given_up else None


def _open(tasks: Sequence[asyncio.Task[C]]) -> list[asyncio.Task[C]]:
    return [task for task in tasks if not task.done()]


def _is_proven(task: asyncio.Task[C]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _failure(task: asyncio.Task[C]) -> BaseException:
    if not task.done() or task.cancelled():
        return TimeoutError("not proven in time")
    return task.exception() or TimeoutError("proven, but a likelier one was kept")


async def _end(tasks: Sequence[asyncio.Task[C]], kept: asyncio.Task[C] | None) -> None:
    """Cancel what is under way and close what nobody keeps."""
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for task, result in zip(tasks, results, strict=True):
        if task is not kept and not isinstance(result, BaseException):
            result.close()
