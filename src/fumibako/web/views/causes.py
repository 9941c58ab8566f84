"""メールボックス連携 エラーについて: every cause by stage, its code as the anchor that other pages link to."""

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy

from fumibako.mail.diagnosis import CAUSES

from ..causes import CauseText, cause_text
from ..pages import PersonRequest, page

GROUPS = (
    ("before", gettext_lazy("Address and company settings"), ("address", "policy")),
    ("seek", gettext_lazy("Finding the server"), ("discovery", "dns")),
    ("connect", gettext_lazy("Connecting to the server"), ("connect", "greeting")),
    ("tls", gettext_lazy("Secure connection"), ("tls",)),
    ("login", gettext_lazy("Logging in"), ("login",)),
    ("folder", gettext_lazy("Folders and space"), ("select", "append")),
    ("any", gettext_lazy("Faults and limits of the server"), ("any",)),
    ("smtp", gettext_lazy("Logging in to the sending server"), ("smtp-auth", "smtp-mail")),
)
"""Stages as the page groups them. What can only happen while sending is told once sending exists."""

LATER = frozenset({"recommended_settings_missing", "oauth_token_expired", "oauth_revoked", "oauth_scope_missing"})
"""Causes that cannot arise before their pages exist."""

FREQUENT = ("wrong_credentials", "wrong_username_shape", "imap_disabled")


@dataclass(frozen=True)
class Group:
    """The causes of some stages."""

    id: str
    word: str
    causes: tuple[CauseText, ...]


def codes_of(stages: tuple[str, ...]) -> list[str]:
    """The causes that can arise at these stages, in the order of the book."""
    return [code for code, cause in CAUSES.items() if cause.stage in stages and code not in LATER]


@page
def causes(request: PersonRequest) -> HttpResponse:
    """The page."""
    groups = [
        Group(name, str(word), tuple(cause_text(code) for code in codes_of(stages))) for name, word, stages in GROUPS
    ]
    frequent = [cause_text(code) for code in FREQUENT]
    return render(request, "web/causes.html", {"here": "settings", "groups": groups, "frequent": frequent})
