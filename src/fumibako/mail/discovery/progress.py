"""The stages of a proof as they are told while it runs (A2), and kept for the record."""

from __future__ import annotations

import time
from collections.abc import Callable

from fumibako.mail.diagnosis import Stage, StageName, StageState

OnStage = Callable[[Stage], None]


class Progress:
    """Tells each stage when it begins and when it ends."""

    def __init__(self, on_stage: OnStage) -> None:
        """`on_stage` is called in the running task; it should only take note."""
        self._on_stage = on_stage
        self._stages: dict[StageName, Stage] = {}
        self._begun: dict[StageName, float] = {}

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Each stage that has begun, as it stands now, in the order in which they began."""
        return tuple(self._stages.values())

    @property
    def at(self) -> StageName:
        """The stage that began last."""
        return next(reversed(self._stages))

    def begin(self, name: StageName) -> None:
        """Say that a stage is under way."""
        self._begun[name] = time.monotonic()
        self._tell(Stage(name, "now"))

    def done(self, name: StageName, found: str | None = None, detail: str | None = None) -> None:
        """Say that a stage has ended well, and what was found."""
        self._end(name, "done", found, detail)

    def fail(self, name: StageName, cause: str) -> None:
        """Say that a stage has failed, with the code of the cause."""
        self._end(name, "failed", None, cause)

    def fail_open(self, cause: str) -> None:
        """Say so of every stage that is still under way."""
        for stage in self.stages:
            if stage.state == "now":
                self.fail(stage.name, cause)

    def _end(self, name: StageName, state: StageState, found: str | None, detail: str | None) -> None:
        ms = round((time.monotonic() - self._begun[name]) * 1000)
        self._tell(Stage(name, state, found, detail, ms))

    def _tell(self, stage: Stage) -> None:
        self._stages[stage.name] = stage
        self._on_stage(stage)
