"""連携済みメールボックス: a person's mailboxes and unfinished links, how each stands, and its small settings."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from fumibako import linking
from fumibako.linking import State

from ..faces import box_sheets, draft_sheet
from ..pages import PersonRequest, page
from ..problems import words_of


@page
def mailboxes(request: PersonRequest) -> HttpResponse:
    """The list: what needs the person first; unlinked ones at the foot."""
    cards = linking.mailboxes_of(request.user)
    sheets = box_sheets(cards)
    unlinked = [box for box in sheets if box.face == State.UNLINKED]
    boxes = [box for box in sheets if box.face != State.UNLINKED]
    return render(
        request,
        "web/mailboxes.html",
        {
            "here": "settings",
            "boxes": boxes,
            "unlinked": unlinked,
            "drafts": [draft_sheet(draft) for draft in linking.drafts_of(request.user)],
            "mend": any(box.first for box in boxes),
            "importing": any(box.arriving for box in boxes),
        },
    )


@require_POST
@page
def sent_copy(request: PersonRequest, mailbox: str) -> HttpResponse:
    """Saves the choice of the Sent copy and answers with the page, of which htmx takes the choice."""
    try:
        linking.set_sent_copy(request.user, mailbox, request.POST.get("sent_copy", ""))
    except linking.BadInput as error:
        messages.error(request, words_of(error))
    return redirect("mailboxes")


@require_POST
@page
def alias_add(request: PersonRequest, mailbox: str) -> HttpResponse:
    """Names another address that arrives in a mailbox."""
    try:
        linking.add_alias(request.user, mailbox, request.POST.get("address", ""))
    except linking.BadInput as error:
        messages.error(request, words_of(error))
    else:
        messages.success(request, gettext("The address was added."))
    return redirect("mailboxes")


@require_POST
@page
def alias_remove(request: PersonRequest, mailbox: str) -> HttpResponse:
    """Takes such an address away again."""
    linking.remove_alias(request.user, mailbox, request.POST.get("address", ""))
    messages.success(request, gettext("The address was removed."))
    return redirect("mailboxes")


@require_POST
@page
def try_now(request: PersonRequest, mailbox: str) -> HttpResponse:
    """Has a waiting mailbox tried at once."""
    linking.try_now(request.user, mailbox)
    messages.success(request, gettext("Fumibako is trying to connect now."))
    return redirect("mailboxes")


@require_POST
@page
def prove_now(request: PersonRequest, mailbox: str) -> HttpResponse:
    """Has a mailbox compared with its server at once; the result comes to the page by itself."""
    if linking.ask_proof(request.user, mailbox):
        messages.success(request, gettext("The comparison has begun. Its result will be shown here."))
    else:
        messages.error(request, gettext("The mailbox is not connected to its server now. Try again once it is."))
    return redirect("mailboxes")
