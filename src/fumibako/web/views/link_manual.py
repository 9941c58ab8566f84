"""メールボックス連携（手動設定）: both servers by hand, for a new address or for a draft."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from fumibako import linking

from ..causes import failure_text
from ..pages import PersonRequest, page
from ..problems import words_of
from ..server_form import ServerForm


@require_http_methods(["GET", "POST"])
@page
def link_manual(request: PersonRequest) -> HttpResponse:
    """The form for a new address. What was typed on the page before comes along, but for the password."""
    if request.POST.get("from") == "link":
        form = ServerForm(address=request.POST.get("address", ""))
        return show(request, form, action=reverse("link_manual"), back=reverse("link"))
    form = ServerForm.from_post(request.POST) if request.method == "POST" else ServerForm()
    if request.method == "POST":
        answer = begin(request, form)
        if answer is not None:
            return answer
    return show(request, form, action=reverse("link_manual"), back=reverse("link"))


@require_http_methods(["GET", "POST"])
@page
def link_servers(request: PersonRequest, draft: str) -> HttpResponse:
    """The form of a draft, filled with what was typed and what was found."""
    kept = linking.get_draft(request.user, draft)
    if request.method == "POST":
        form = ServerForm.from_post(request.POST)
        answer = begin(request, form)
        if answer is not None:
            return answer
    else:
        form = ServerForm.from_draft(kept)
    cause = failure_text(kept.failure) if kept.failure and request.method == "GET" else None
    back = reverse("link_draft", args=[draft])
    return show(request, form, action=reverse("link_servers", args=[draft]), back=back, cause=cause)


def begin(request: PersonRequest, form: ServerForm) -> HttpResponse | None:
    """Begins a draft with these servers and goes to it; None when something typed is wrong."""
    try:
        draft = linking.start_link(request.user, form.address, form.secrets(request.POST), **form.wishes())
    except linking.BadInput as error:
        form.errors["imap_password" if error.field == "password" else error.field] = words_of(error)
    except linking.OwnPassword:
        form.own_password = True
    except linking.AlreadyLinked as error:
        card = linking.get_mailbox(request.user, error.mailbox)
        return render(request, "web/link.html", {"here": "settings", "own": card})
    else:
        return redirect("link_draft", draft.public_id)
    return None


def show(request: PersonRequest, form: ServerForm, **context: object) -> HttpResponse:
    """The form, with what is wrong at its field."""
    status = 422 if form.errors or form.own_password else 200
    return render(request, "web/link_manual.html", {"here": "settings", "form": form, **context}, status=status)
