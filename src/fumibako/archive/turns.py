"""Things of which there are few, lent in turn: to who is urgent first, else in the order of asking."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """What can be taken and is given back. The last ``reserved`` of it are for who is urgent alone.

    What came back last is lent first, so that what lies idle stays idle.
    """

    def __init__(self, reserved: int = 0) -> None:
        self._reserved = reserved
        self._free: list[T] = []
        self._waiting: dict[bool, deque[asyncio.Future[T]]] = {True: deque(), False: deque()}

    def __len__(self) -> int:
        return len(self._free)

    def give(self, thing: T) -> None:
        """Bring one, or bring it back."""
        self._free.append(thing)
        for urgent in (True, False):
            while self._waiting[urgent] and self._may_go(urgent):
                waiting = self._waiting[urgent].popleft()
                if not waiting.done():
                    waiting.set_result(self._free.pop())

    def take_at_once(self, *, urgent: bool) -> T | None:
        """One that is free; None where one would have to wait. Nobody who waits is passed by who is not more urgent."""
        first = not self._waiting[True] and (urgent or not self._waiting[False])
        return self._free.pop() if first and self._may_go(urgent) else None

    async def take(self, *, urgent: bool) -> T:
        """Wait for one."""
        if (thing := self.take_at_once(urgent=urgent)) is not None:
            return thing
        waiting: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting[urgent].append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self.give(waiting.result())
            raise

    def _may_go(self, urgent: bool) -> bool:
        return len(self._free) > (0 if urgent else self._reserved)
