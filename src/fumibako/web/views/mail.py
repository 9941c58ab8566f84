"""メール: the mails of one's mailboxes, by folder or by words, and the one that is opened beside them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from fumibako import archive, linking
from fumibako.archive import FolderEntry, MessageRow
from fumibako.mail.letter import Address

from ..pages import PersonRequest, page

PAGE = 50  # mails

QUERY = ("box", "folder", "q", "after")
"""What a list is asked by; a letter's address carries it along, so that the list beside it stays."""


@dataclass(frozen=True)
class ListRow:
    """A mail in a list. `url` opens it beside the list that it stands in."""

    id: str
    url: str
    who: str
    subject: str
    snippet: str
    files: bool
    at: datetime
    unread: bool
    box: str
    odd: bool


@dataclass(frozen=True)
class FolderLink:
    """A line of the list at the left."""

    url: str
    word: str
    unread: int
    here: bool


@page
def mail(request: PersonRequest) -> HttpResponse:
    """The list without a letter opened."""
    return render(request, "web/mail.html", mail_context(request))


def mail_context(request: PersonRequest) -> dict[str, object]:
    """Everything of the page but the letter: mailboxes, folders and the list that the address asks for."""
    asked = {name: request.GET[name] for name in QUERY if request.GET.get(name)}
    box, words = asked.get("box"), asked.get("q", "").strip()
    searching = "q" in request.GET
    folder = None if searching else asked.setdefault("folder", "inbox")
    cards = linking.mailboxes_of(request.user)
    entries, listing = archive.list_with_folders(
        request.user, mailbox=box, folder=folder, words=words, after=asked.get("after"), limit=PAGE
    )
    query = urlencode(asked)
    names = Counter(entry.name for entry in entries)
    return {
        "here": "mail",
        "cards": cards,
        "box": box,
        "words": words,
        "searching": searching,
        "folder": folder,
        "folders": [folder_link(entry, asked, folder, names) for entry in entries if entry.key != "unreadable"],
        "odd": [folder_link(entry, asked, folder, names) for entry in entries if entry.key == "unreadable"],
        "heading": heading(entries, folder, words),
        "rows": [list_row(row, query, named=len(cards) > 1 and box is None) for row in listing.rows],
        "next": with_query({**asked, "after": listing.next}) if listing.next else None,
        "newest": with_query({name: value for name, value in asked.items() if name != "after"}),
        "later_page": "after" in asked,
        "trails": listing.trails,
        "list_url": with_query(asked),
    }


def heading(entries: tuple[FolderEntry, ...], folder: str | None, words: str) -> str:
    """The list's title."""
    if folder is None:
        return gettext("Search: %(words)s") % {"words": words} if words else gettext("Search mail")
    names = {entry.key: entry.name for entry in entries}
    return folder_word(folder, names.get(folder, ""))


def folder_word(key: str, name: str) -> str:
    """A folder's name on the page: roles have one word in every mailbox, others their own name."""
    words = {
        "inbox": gettext("Received"),
        "sent": gettext("Sent"),
        "unreadable": gettext("Mail that could not be read"),
    }
    return words.get(key, name)


def folder_link(entry: FolderEntry, asked: dict[str, str], folder: str | None, names: Counter[str]) -> FolderLink:
    """A folder with its unread count, within the chosen mailbox; of two with one name each says whose it is."""
    whose = f" ({entry.mailbox_address})" if entry.mailbox_address and names[entry.name] > 1 else ""
    query = {"box": asked["box"]} if "box" in asked else {}
    return FolderLink(
        url=with_query({**query, "folder": entry.key}),
        word=folder_word(entry.key, entry.name) + whose,
        unread=entry.unread,
        here=entry.key == folder,
    )


def with_query(query: Mapping[str, str]) -> str:
    """The page's address with this query."""
    return f"{reverse('mail')}?{urlencode(query)}"


def list_row(row: MessageRow, query: str, *, named: bool = False) -> ListRow:
    """A mail as the list shows it; `named` adds which mailbox it is in."""
    url = reverse("letter", args=[row.public_id])
    return ListRow(
        id=row.public_id,
        url=f"{url}?{query}" if query else url,
        who=who(row),
        subject=row.subject or gettext("(no subject)"),
        snippet=row.snippet,
        files=row.attachments > 0,
        at=row.at,
        unread=row.unread,
        box=f"{row.mailbox_address.partition('@')[0]}@" if named else "",
        odd=bool(row.unreadable or row.skipped),
    )


def who(row: MessageRow) -> str:
    """Whom a mail is from, or that it is one's own and whom it went to."""
    if not row.outgoing:
        return called(row.sender)
    names = gettext(", ").join(called(address) for address in row.to[:3])
    return gettext("Me → %(names)s") % {"names": names} if names else gettext("Me")


def called(address: Address) -> str:
    """A name for a narrow column: the address itself where there is no name or the name is another address."""
    if address.name and not address.name_holds_another_address:
        return address.name
    return address.address or address.name
