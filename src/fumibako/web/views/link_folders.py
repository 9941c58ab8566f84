"""フォルダの選択: which folders are imported, how far back, and how many mails that is."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from fumibako import linking

from ..causes import failure_text
from ..folder_form import FolderForm
from ..pages import PersonRequest, page
from ..problems import words_of


@require_http_methods(["GET", "POST"])
@page
def link_folders(request: PersonRequest, draft: str) -> HttpResponse:
    """Shows the choice with its counts (`show` counts again, without saving), and links the mailbox with it."""
    found = linking.get_draft(request.user, draft)
    if found.state != "proved":
        return redirect("link_draft", draft)
    folders = linking.folders_to_choose(request.user, draft=draft)
    usual = request.user.organization.default_range
    if request.method == "GET":
        span = linking.earlier_range(request.user, draft) or usual
        form = FolderForm(folders, linking.suggest(folders, span), usual)
        return show(request, draft, form, found.proven)
    form = FolderForm.from_post(folders, request.POST, usual)
    if "show" in request.POST:
        return show(request, draft, form, found.proven)
    try:
        mailbox = linking.finish_link(request.user, draft, form.choice)
    except linking.BadInput as error:
        return show(request, draft, form, found.proven, error=words_of(error))
    except linking.LinkedByColleague:
        return redirect("link_draft", draft)
    return redirect("link_done", mailbox)


def show(
    request: PersonRequest, draft: str, form: FolderForm, proven: dict[str, Any] | None, error: str = ""
) -> HttpResponse:
    """The form."""
    failure = (proven or {}).get("smtp_failure")
    context = {
        "here": "settings",
        "draft": draft,
        "choice": form,
        "error": error,
        "smtp_cause": failure_text(failure) if failure else None,
        "back": reverse("link_login", args=[draft]),
    }
    return render(request, "web/link_folders.html", context, status=422 if error else 200)
