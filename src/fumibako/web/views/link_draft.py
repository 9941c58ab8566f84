"""A link under way: its stages, then whatever it needs (one click, another password, the folders)."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from fumibako import linking
from fumibako.linking import Draft, SecretsTyped
from fumibako.mail.discovery import provider_name

from ..causes import CREDENTIALS, cause_text, english, failure_text
from ..faces import PASSWORD_MENDS
from ..pages import PersonRequest, page
from ..problems import words_of

STAGES = {
    "discover": gettext_lazy("Find the mail server"),
    "connect": gettext_lazy("Connect securely"),
    "login": pgettext_lazy("stage", "Log in"),
    "folders": gettext_lazy("Check the folders"),
    "smtp": gettext_lazy("Check the sending server"),
}
"""The five stages of a proof in their order, by plain names."""

MARKS = {"done": "done", "now": "now", "failed": "bad"}


@dataclass(frozen=True)
class StageLine:
    """A stage as the page shows it; `mark` is a class of the style sheet, empty for one that is still to come."""

    word: str
    mark: str
    found: str


@page
def link_draft(request: PersonRequest, draft: str) -> HttpResponse:
    """Where the draft stands: the page that its state asks for."""
    found = linking.get_draft(request.user, draft)
    if found.state == "proved":
        return redirect("link_folders", draft)
    if found.state == "done":
        return finished(request, found)
    if found.state == "failed":
        return failed(request, found)
    if found.state == "colleague" and found.mailbox:
        card = linking.get_mailbox(request.user, found.mailbox)
        return render(request, "web/link.html", {"here": "settings", "own": card})
    template = {"consent": "web/link_consent.html", "colleague": "web/link_colleague.html"}
    return show(request, template.get(found.state, "web/link_stages.html"), found)


@require_POST
@page
def link_consent(request: PersonRequest, draft: str) -> HttpResponse:
    """Agrees to the servers that were shown, and goes on with the password that the draft holds."""
    proposed = set((linking.get_draft(request.user, draft).failure or {}).get("proposed", []))
    agreed = proposed.intersection(request.POST.getlist("name"))
    try:
        linking.retry_link(request.user, draft, trust=sorted(agreed))
    except linking.BadInput:
        return redirect("link_login", draft)
    return redirect("link_draft", draft)


@require_POST
@page
def link_again(request: PersonRequest, draft: str) -> HttpResponse:
    """Tries a failed draft again; its password is typed anew, since a failed draft keeps none."""
    found = linking.get_draft(request.user, draft)
    secrets = SecretsTyped(request.POST.get("password", ""), request.POST.get("smtp_password") or None)
    try:
        linking.retry_link(request.user, draft, secrets=secrets)
    except linking.BadInput as error:
        return failed(request, found, password_error=words_of(error))
    except linking.OwnPassword:
        return failed(request, found, own_password=True)
    return redirect("link_draft", draft)


@require_POST
@page
def link_stop(request: PersonRequest, draft: str) -> HttpResponse:
    """Leaves the wizard: the draft and its password are gone."""
    linking.cancel_draft(request.user, draft)
    return redirect("mailboxes")


@require_http_methods(["GET", "POST"])
@page
def link_discard(request: PersonRequest, draft: str) -> HttpResponse:
    """Unlinks a link that failed: asks, then drops what was typed."""
    found = linking.get_draft(request.user, draft)
    if found.state == "done":
        return redirect("link_draft", draft)
    if request.method == "POST":
        linking.cancel_draft(request.user, draft)
        messages.success(request, gettext("%(address)s was unlinked.") % {"address": found.address})
        return redirect("mailboxes")
    return show(request, "web/link_discard.html", found)


def finished(request: PersonRequest, draft: Draft) -> HttpResponse:
    """A draft that has done its work: on to the new mailbox, or back to the list where a setting was changed."""
    if draft.purpose == "link":
        return redirect("link_done", draft.mailbox)
    text = gettext("The new settings of %(address)s work and are saved.")
    messages.success(request, text % {"address": draft.address})
    return redirect("mailboxes")


def failed(
    request: PersonRequest, draft: Draft, *, own_password: bool = False, password_error: str = ""
) -> HttpResponse:
    """The cause, its steps, and the way on."""
    cause = failure_text(draft.failure or {})
    context = {
        "cause": cause,
        "credentials": cause.code in CREDENTIALS | PASSWORD_MENDS,
        "own_smtp_login": bool(draft.wishes.get("smtp", {}).get("username")),
        "own_password": own_password,
        "password_error": password_error,
    }
    status = 422 if own_password or password_error else 200
    return show(request, "web/link_failed.html", draft, status=status, **context)


def show(request: PersonRequest, template: str, draft: Draft, *, status: int = 200, **context: Any) -> HttpResponse:
    """A page about a draft."""
    failure = draft.failure or {}
    context |= {
        "here": "settings",
        "draft": draft,
        "stages": stage_lines(draft),
        "domain": draft.address.rpartition("@")[2],
        "proposed": failure.get("proposed", []),
        "server_words": failure.get("server_words"),
        "detail": failure.get("detail", ""),
    }
    return render(request, template, context, status=status)


def stage_lines(draft: Draft) -> list[StageLine]:
    """All five stages, those to come included; after a failure only those that were begun."""
    seen = {stage["name"]: stage for stage in draft.stages}
    over = draft.state in {"failed", "consent"}
    if not seen and not over:
        seen["discover"] = {"state": "now", "found": None}
    lines = []
    for name, word in STAGES.items():
        stage = seen.get(name)
        if stage is None and over:
            continue
        found = found_words(stage, draft) if stage else ""
        lines.append(StageLine(str(word), MARKS[stage["state"]] if stage else "", found))
    return lines


def found_words(stage: dict[str, Any], draft: Draft) -> str:
    """What a stage found, in words: a host's name, the server, how the connection is protected, or the cause."""
    if stage["state"] == "failed":
        cause = cause_text((draft.failure or {}).get("cause", "")) if draft.failure else None
        return f"{cause.sentence} ({cause.code})" if cause else ""
    if not stage["found"]:
        return ""
    return provider_name(stage["found"], "en" if english() else "ja") or stage["found"]
