"""連携完了: how far the import is, and the first mails, readable already."""

from django.http import HttpResponse
from django.shortcuts import render

from fumibako import archive, linking

from ..faces import box_sheets
from ..pages import PersonRequest, page
from .mail import list_row

FIRST = 3  # mails shown


@page
def link_done(request: PersonRequest, mailbox: str) -> HttpResponse:
    """The page; its progress and mails are asked for again while the import runs."""
    (box,) = box_sheets([linking.get_mailbox(request.user, mailbox)])
    listing = archive.list_messages(request.user, mailbox=mailbox, limit=FIRST)
    letters = [list_row(row, query="") for row in listing.rows]
    return render(request, "web/link_done.html", {"here": "settings", "box": box, "letters": letters})
