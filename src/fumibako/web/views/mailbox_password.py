"""パスワードを変更, パスワードを再入力, もう一度連携する: a mailbox that is known gets a password."""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from fumibako import linking
from fumibako.linking import LoginSettings, SecretsTyped, ServerWish, State

from ..faces import box_sheets
from ..pages import PersonRequest, page
from ..problems import words_of


@dataclass
class PasswordForm:
    """What was wrong with the passwords typed; they themselves are never shown again."""

    own_password: bool = False
    errors: dict[str, str] = field(default_factory=dict)


@require_http_methods(["GET", "POST"])
@page
def mailbox_password(request: PersonRequest, mailbox: str) -> HttpResponse:
    """A new password for a linked mailbox, proved before it is kept; folders and mail stay."""
    card = linking.get_mailbox(request.user, mailbox)
    if card.state == State.UNLINKED:
        return redirect("mailbox_relink", mailbox)
    form = PasswordForm()
    if request.method == "POST":
        answer = begin(form, lambda secrets: linking.start_password(request.user, mailbox, secrets), request)
        if answer is not None:
            return answer
    again = card.state in {State.NEEDS_ATTENTION, State.RETRYING}
    return show(
        request,
        card,
        form,
        heading=gettext("Enter the password again") if again else gettext("Change the password"),
        promise=gettext("Folder choice and imported mail stay as they are."),
        verb=gettext("Save"),
        asks_new=True,
    )


@require_http_methods(["GET", "POST"])
@page
def mailbox_relink(request: PersonRequest, mailbox: str) -> HttpResponse:
    """Links an unlinked mailbox again, with the servers that are known of it."""
    card = linking.get_mailbox(request.user, mailbox)
    if card.state != State.UNLINKED:
        return redirect("mailboxes")
    form = PasswordForm()
    if request.method == "POST":

        def start(secrets: SecretsTyped) -> linking.Draft:
            return linking.start_link(
                request.user, card.address, secrets, imap=wish_of(card.imap), smtp=wish_of(card.smtp)
            )

        answer = begin(form, start, request)
        if answer is not None:
            return answer
    return show(
        request,
        card,
        form,
        heading=gettext("Link again"),
        promise=gettext("It goes on where it ended. No mail is doubled."),
        verb=gettext("Next"),
        asks_new=False,
    )


def begin(
    form: PasswordForm, start: Callable[[SecretsTyped], linking.Draft], request: PersonRequest
) -> HttpResponse | None:
    """Begins to prove what was typed and goes to its stages; None when something typed is wrong."""
    secrets = SecretsTyped(request.POST.get("password", ""), request.POST.get("smtp_password") or None)
    try:
        draft = start(secrets)
    except linking.BadInput as error:
        form.errors[error.field] = words_of(error)
    except linking.OwnPassword:
        form.own_password = True
    else:
        return redirect("link_draft", draft.public_id)
    return None


def wish_of(login: LoginSettings | None) -> ServerWish:
    """The settings of a login as they were proved; empty ones where there was none."""
    if login is None:
        return ServerWish()
    return ServerWish(login.username, login.host, str(login.port or ""), login.security)


def show(request: PersonRequest, card: linking.MailboxCard, form: PasswordForm, **context: str | bool) -> HttpResponse:
    """The form."""
    (box,) = box_sheets([card])
    status = 422 if form.errors or form.own_password else 200
    shown = {"here": "settings", "box": box, "form": form, **context}
    return render(request, "web/mailbox_password.html", shown, status=status)
