"""Which request, job and mailbox the running code works for; every log line carries what is set.

    with working_on(mailbox="mb_0c1kRk2…"):
        ...

Values are public ids. They follow the code into tasks and threads that it starts (context variables).
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_ids: ContextVar[dict[str, str]] = ContextVar("working_on", default={})  # noqa: B039 - never changed, only replaced


@contextlib.contextmanager
def working_on(**ids: str) -> Iterator[None]:
    """Add ids (``request``, ``job``, ``mailbox``) to what is worked on, until the block ends."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def ids() -> dict[str, str]:
    """What is worked on here and now."""
    return _ids.get()
