"""An event loop whose clock jumps: nothing is waited for but real I/O, so an hour of pauses takes a moment."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Hands out what is ready. With no I/O under way, the loop's time moves to its next timer instead of passing."""

    jumped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if len(self.get_map()) > 1 or timeout is None:  # more than the loop's own wake-up pipe: the database answers
            return super().select(None if timeout is None else min(timeout, 0.05))
        self.jumped += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = _Selector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.jumped


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
