"""Causes as pages say them: in the reader's language, with the steps that mend them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language, gettext

from fumibako.mail.diagnosis import CAUSES

UNKNOWN = "unknown"

CREDENTIALS = frozenset({"wrong_credentials", "wrong_username_shape", "wrong_address"})
"""Causes after which the likeliest fault lies in what was typed."""


@dataclass(frozen=True)
class CauseText:
    """One cause in the reader's language. `who` says who can mend it."""

    code: str
    sentence: str
    steps: tuple[str, ...]
    who: str
    retry: str


def english() -> bool:
    """Whether the reader's pages are in English; Japanese for anything else."""
    return (get_language() or "ja").startswith("en")


def cause_text(code: str) -> CauseText:
    """The cause of this code; one that is not known (any more) is told as just that."""
    cause = CAUSES.get(code)
    if cause is None:
        sentence = gettext("The mail server answered in a way that Fumibako does not know.")
        return CauseText(UNKNOWN, sentence, (), "", "now")
    steps = cause.steps_en if english() else cause.steps_ja
    sentence = cause.sentence_en if english() else cause.sentence_ja
    return CauseText(code, sentence, steps, who_acts(cause.who_acts), cause.retry)


def failure_text(failure: Mapping[str, Any]) -> CauseText:
    """The cause of a draft's failure, which may have a sentence of its own."""
    about = cause_text(failure["cause"])
    sentence = failure["sentence"]["en" if english() else "ja"]
    return CauseText(about.code, sentence, about.steps, about.who, failure["retry"])


def who_acts(who: str) -> str:
    """Who can mend a cause, as the page of causes says it."""
    return {
        "member": gettext("You can mend this yourself"),
        "admin": gettext("Your admin must act"),
        "host": gettext("The mail host must act"),
        "nobody": gettext("Fumibako tries again by itself"),
    }[who]
