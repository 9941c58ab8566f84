"""What every process that we start has in common: it dies with the one that started it."""

import ctypes
import os
import signal
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # linux/prctl.h

_libc = ctypes.CDLL(None)  # loaded before a fork, where loading is not safe


def die_with_parent(end: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends `end` to the child when its parent dies, however the parent dies.

    The kernel means the *thread* that forked, so processes are started from the main thread.
    """
    parent = os.getpid()

    def before_exec() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(end), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec
