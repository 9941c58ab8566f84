"""The one exception that a person gets to see: a cause, where it arose, and what can be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fumibako.mail.diagnosis.causes import CAUSES, Cause, Retry
from fumibako.mail.diagnosis.stage import Stage

Language = Literal["ja", "en"]


@dataclass(frozen=True)
class Words:
    """The same text in both languages."""

    ja: str
    en: str

    def in_language(self, language: str) -> str:
        """The text in `language`; Japanese for anything but English."""
        return self.en if language.startswith("en") else self.ja


class Failure(Exception):
    """Something did not work, for a named cause.

    `cause` is a code of CAUSES. `stage` is where it arose, in the finer words of the causes (dns, tls, smtp-auth …).
    `server_words` are the mail server's own, and only if what answered greeted as a mail server (design rule 20).
    `detail` is a fact for the record (names, ports, addresses), never a secret. `proposed` are server names that want
    consent before a password goes there. `stages` is what was watched until then.
    """

    def __init__(
        self,
        cause: str,
        *,
        stage: str | None = None,
        server_words: str | None = None,
        detail: str = "",
        proposed: tuple[str, ...] = (),
        stages: tuple[Stage, ...] = (),
        sentence: Words | None = None,
        remedy: Words | None = None,
        retry: Retry | None = None,
    ) -> None:
        self.cause = cause
        self.about: Cause = CAUSES[cause]
        self.stage = stage or self.about.stage
        self.server_words = server_words
        self.detail = detail
        self.proposed = proposed
        self.stages = stages
        self.sentence = sentence or Words(self.about.sentence_ja, self.about.sentence_en)
        self.remedy = remedy or Words(self.about.remedy_ja, self.about.remedy_en)
        self.retry: Retry = retry or self.about.retry
        super().__init__(cause)

    def __str__(self) -> str:
        return f"{self.cause} at {self.stage}" + (f" ({self.detail})" if self.detail else "")

    def __repr__(self) -> str:
        return f"Failure({self.cause!r}, stage={self.stage!r})"
