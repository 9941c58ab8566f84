"""A stage of a proof as the person watches it, and as it stands in the record of a failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StageName = Literal["discover", "connect", "login", "folders", "smtp"]
StageState = Literal["now", "done", "failed"]


@dataclass(frozen=True)
class Stage:
    """One line of the progress list: what is being done, how it stands, what was found there.

    `found` is a host's id of the host book or a server's name (`provider_name` makes words of it), `detail` a fact in
    no language (a TLS version, a mechanism, a cause's code), `ms` the milliseconds it took once it has ended.
    """

    name: StageName
    state: StageState
    found: str | None = None
    detail: str | None = None
    ms: int | None = None
