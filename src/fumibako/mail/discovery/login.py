"""Logging in with the user names that are worth a try, and telling the first refusal when none works."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from fumibako.mail.diagnosis import Failure, diagnose

_ANOTHER_NAME_MAY_HELP = frozenset({"wrong_credentials", "wrong_username_shape", "no_mailbox_at_address"})
_TELLS_LESS = _ANOTHER_NAME_MAY_HELP | {"connection_dropped", "server_unreachable"}

Login = Callable[[str], Awaitable[str]]
"""Logs in with a user name over a fresh connection; returns the mechanism."""


async def first_that_works(
    names: Sequence[str], log_in: Login, *, stage: str, host_id: str | None
) -> tuple[str, str, int]:
    """Try the names in order; returns (name, mechanism, refusals before it).

    The next name is tried only when the refusal was about name or password; never after a sign of a lock, a fault or a
    switch that is off. Raises the Failure of the first refusal, or of the last when that tells more (a lock).
    """
    first: Failure | None = None
    for refusals, name in enumerate(names):
        try:
            return name, await log_in(name), refusals
        except Exception as error:
            failure = diagnose(error, stage=stage, host_id=host_id)
        told = first if first and failure.cause in _TELLS_LESS else failure
        if failure.cause not in _ANOTHER_NAME_MAY_HELP:
            raise told from None
        first = told
    assert first is not None
    first.detail = first.detail or "tried as " + ", ".join(names)
    raise first from None
