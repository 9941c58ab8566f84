"""How long to wait between tries at a host that is away: growing, jittered, short again only after a steady session."""

import random
from collections.abc import Callable

FIRST = 5.0  # seconds
LONGEST = 300.0  # seconds; an outage that ends is noticed within five minutes
GROWTH = 2.0
JITTER = 0.2  # of the pause, up or down: mailboxes that fell together do not come back together
STEADY = 120.0  # seconds that a session must have lived for the pause to be short again


class Backoff:
    """The pauses of one mailbox. A login that works resets nothing: a flaky host would be tried every few seconds."""

    def __init__(self, jitter: Callable[[float, float], float] = random.uniform) -> None:
        self._jitter = jitter
        self._pause = FIRST

    def pause(self, lived: float) -> float:
        """Seconds to wait after a session that has lived for ``lived`` seconds, counted from its login."""
        if lived >= STEADY:
            self._pause = FIRST
        pause = self._pause * self._jitter(1 - JITTER, 1 + JITTER)
        self._pause = min(self._pause * GROWTH, LONGEST)
        return min(pause, LONGEST)
