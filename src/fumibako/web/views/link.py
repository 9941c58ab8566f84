"""メールボックス連携: address and password, and a draft's own again by 戻る."""

from dataclasses import dataclass, field

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from fumibako import linking
from fumibako.linking import SecretsTyped

from ..pages import PersonRequest, page
from ..problems import words_of


@dataclass
class LinkForm:
    """What was typed; a password is never shown again."""

    address: str = ""
    own_password: bool = False
    errors: dict[str, str] = field(default_factory=dict)


@require_http_methods(["GET", "POST"])
@page
def link(request: PersonRequest) -> HttpResponse:
    """Asks for address and password, and begins a draft."""
    form = LinkForm(address=request.POST.get("address", ""))
    if request.method == "POST":
        answer = begin(request, form)
        if answer is not None:
            return answer
    return show(request, form, action=reverse("link"))


@require_http_methods(["GET", "POST"])
@page
def link_login(request: PersonRequest, draft: str) -> HttpResponse:
    """A draft's address again; unless something else is typed, nothing is logged in to a second time.

    Another address begins another draft in the place of this one.
    """
    kept = linking.get_draft(request.user, draft)
    form = LinkForm(address=request.POST.get("address", kept.address))
    if request.method == "POST":
        if form.address.strip() == kept.address and not request.POST.get("password"):
            return redirect("link_draft", draft)
        answer = begin(request, form, instead_of=draft)
        if answer is not None:
            return answer
    return show(request, form, action=reverse("link_login", args=[draft]), kept=kept.proven is not None)


def begin(request: PersonRequest, form: LinkForm, *, instead_of: str = "") -> HttpResponse | None:
    """Begins a draft and goes to it; None when something typed is wrong, which the form then says.

    The draft `instead_of`, whose address was wrong, goes.
    """
    try:
        draft = linking.start_link(request.user, form.address, SecretsTyped(request.POST.get("password", "")))
    except linking.BadInput as error:
        form.errors[error.field] = words_of(error)
    except linking.OwnPassword:
        form.own_password = True
    except linking.AlreadyLinked as error:
        card = linking.get_mailbox(request.user, error.mailbox)
        return render(request, "web/link.html", {"here": "settings", "own": card})
    else:
        if instead_of and instead_of != draft.public_id:
            linking.cancel_draft(request.user, instead_of)
        return redirect("link_draft", draft.public_id)
    return None


def show(request: PersonRequest, form: LinkForm, *, action: str, kept: bool = False) -> HttpResponse:
    """The form; `kept` says that the draft's login has been proved and its password may stay."""
    status = 422 if form.errors or form.own_password else 200
    context = {"here": "settings", "form": form, "action": action, "kept": kept}
    return render(request, "web/link.html", context, status=status)
