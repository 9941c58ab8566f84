"""メールボックスを連携解除: what stops, what stays, how much that is."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from fumibako import linking
from fumibako.linking import State

from ..faces import box_sheets
from ..pages import PersonRequest, page
from ..templatetags.texts import gap, letters


@require_http_methods(["GET", "POST"])
@page
def mailbox_unlink(request: PersonRequest, mailbox: str) -> HttpResponse:
    """Asks, and unlinks."""
    card = linking.get_mailbox(request.user, mailbox)
    if card.state == State.UNLINKED:
        return redirect("mailboxes")
    if request.method == "POST":
        linking.unlink(request.user, mailbox)
    (box,) = box_sheets([card])
    if request.method == "POST":
        said = gettext("%(address)s was unlinked.") % {"address": box.address}
        stays = gettext("The %(count)s imported stay here.") % {"count": letters(box.stored)}
        messages.success(request, format_html("<b>{}</b>{}{}", said, gap(), stays))
        return redirect("mailboxes")
    return render(request, "web/mailbox_unlink.html", {"here": "settings", "box": box})
