"""フォルダを変更: another choice for a linked mailbox, with what follows from it said before it is saved."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from fumibako import archive, linking
from fumibako.linking import FolderChoice, FolderRow, MailboxCard, State

from ..faces import RANGES, box_sheets, folder_name
from ..folder_form import FolderForm
from ..pages import PersonRequest, page
from ..problems import words_of
from ..templatetags.texts import letters


@dataclass(frozen=True)
class Consequence:
    """One thing that follows from another choice."""

    icon: str
    text: str


@require_http_methods(["GET", "POST"])
@page
def mailbox_folders(request: PersonRequest, mailbox: str) -> HttpResponse:
    """Shows the choice as it is (`show` counts again, without saving), and changes it."""
    card = linking.get_mailbox(request.user, mailbox)
    if card.state == State.UNLINKED:
        return redirect("mailbox_relink", mailbox)
    folders = linking.folders_to_choose(request.user, mailbox=mailbox)
    now = current(folders, card.range)
    form = FolderForm(folders, now, request.user.organization.default_range)
    error = ""
    if request.method == "POST":
        form = FolderForm.from_post(folders, request.POST, card.range)
        form.usual = request.user.organization.default_range
        if "show" not in request.POST:
            try:
                linking.change_folders(request.user, mailbox, form.choice)
            except linking.BadInput as bad:
                error = words_of(bad)
            else:
                messages.success(request, gettext("The folders of %(address)s are saved.") % {"address": card.address})
                return redirect("mailboxes")
    (box,) = box_sheets([card])
    context = {
        "here": "settings",
        "box": box,
        "choice": form,
        "error": error,
        "consequences": consequences(card, folders, now, form.choice),
    }
    return render(request, "web/mailbox_folders.html", context, status=422 if error else 200)


def current(folders: tuple[FolderRow, ...], range: str) -> FolderChoice:
    """The choice as it stands."""
    chosen = [row for row in folders if row.chosen]
    sent = [row.key for row in chosen if row.role == "sent"]
    inbox = [row.key for row in chosen if row.role == "inbox"]
    others = frozenset(row.key for row in chosen) - set(sent) - set(inbox)
    return FolderChoice(
        sent=sent[0] if sent else None,
        inbox=inbox[0] if inbox else None,
        also_sent=frozenset(sent[1:]),
        others=others | frozenset(inbox[1:]),
        range=range,
    )


def consequences(
    card: MailboxCard, folders: tuple[FolderRow, ...], before: FolderChoice, after: FolderChoice
) -> list[Consequence]:
    """What another choice stops, what it begins, and what stays."""
    stored = {numbers.name: numbers.stored for numbers in archive.folder_numbers([card.id])[card.id]}
    lines = []
    for row in folders:
        words = {"name": folder_name(row.name), "count": letters(stored.get(row.name, 0))}
        if row.key in before.all - after.all:
            text = gettext("“%(name)s” is no longer imported. The %(count)s imported already stay.")
            lines.append(Consequence("info", text % words))
        elif row.key in after.all - before.all:
            lines.append(Consequence("plus", gettext("“%(name)s” is imported from now on.") % words))
    if after.range != before.range and after.range in RANGES:
        text = gettext("The period becomes %(range)s. Mail imported already does not become less.")
        lines.append(Consequence("info", text % {"range": RANGES[after.range]}))
    return lines
