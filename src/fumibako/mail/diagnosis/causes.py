"""The causes: what can be wrong, in one sentence, what to do about it and who does it, in Japanese and English."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

WhoActs = Literal["member", "admin", "host", "nobody"]
Retry = Literal["never", "later", "now"]


@dataclass(frozen=True)
class Cause:
    """One cause: `stage` where it arises ("any": everywhere), who must act, and whether trying again can help."""

    code: str
    stage: str
    sentence_ja: str
    sentence_en: str
    who_acts: WhoActs
    steps_ja: tuple[str, ...]
    steps_en: tuple[str, ...]
    retry: Retry

    @property
    def remedy_ja(self) -> str:
        """The steps as running Japanese text."""
        return "".join(f"{step.rstrip('。')}。" for step in self.steps_ja)

    @property
    def remedy_en(self) -> str:
        """The steps as running English text."""
        return " ".join(f"{step.rstrip('.')}." for step in self.steps_en)


def _load() -> dict[str, Cause]:
    rows = json.loads(files(__package__).joinpath("causes.json").read_text("utf-8"))
    return {
        row["code"]: Cause(**{**row, "steps_ja": tuple(row["steps_ja"]), "steps_en": tuple(row["steps_en"])})
        for row in rows
    }


CAUSES: dict[str, Cause] = _load()
