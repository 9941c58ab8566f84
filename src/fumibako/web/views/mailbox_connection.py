"""接続の設定: servers and user names of a linked mailbox, proved before they are kept."""

from dataclasses import replace

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from fumibako import linking
from fumibako.linking import State

from ..faces import box_sheets
from ..pages import PersonRequest, page
from ..problems import words_of
from ..server_form import ServerForm


@require_http_methods(["GET", "POST"])
@page
def mailbox_connection(request: PersonRequest, mailbox: str) -> HttpResponse:
    """The form, filled; an empty password stands for the stored one."""
    card = linking.get_mailbox(request.user, mailbox)
    if card.state == State.UNLINKED:
        return redirect("mailbox_relink", mailbox)
    if request.method == "POST":
        form = ServerForm.from_post(request.POST)
        answer = begin(request, mailbox, form)
        if answer is not None:
            return answer
    else:
        form = ServerForm.from_card(card)
    (box,) = box_sheets([card])
    context = {
        "here": "settings",
        "box": box,
        "form": form,
        "cause": box.cause,
        "cause_colour": "act" if box.face == State.NEEDS_ATTENTION else "wait",
    }
    status = 422 if form.errors or form.own_password else 200
    return render(request, "web/mailbox_connection.html", context, status=status)


def begin(request: PersonRequest, mailbox: str, form: ServerForm) -> HttpResponse | None:
    """Begins to prove what was typed and goes to its stages; None when something typed is wrong."""
    secrets = form.secrets(request.POST)
    if form.same:
        secrets = replace(secrets, smtp=secrets.imap or None)
    try:
        draft = linking.start_settings(request.user, mailbox, secrets, **form.wishes())
    except linking.BadInput as error:
        form.errors["imap_password" if error.field == "password" else error.field] = words_of(error)
    except linking.OwnPassword:
        form.own_password = True
    else:
        return redirect("link_draft", draft.public_id)
    return None
