"""Stored mail: one door in (``ingest``), one door to the bytes (``raw``), one door out for people (``read``).

Nothing stored is changed by a sync but flags and places; a message goes only by erase or retention. Parsing happens in
child processes (``children`` for the import, ``reader`` for a page), which hold no socket and no secret.

For pages and commands (``person`` is an ``accounts.models.Person``; what it may not read is not found):

- ``list_messages(person, *, mailbox=None, folder=None, words="", after=None, limit=50) -> Listing``
- ``folders_of(person, mailbox=None) -> tuple[FolderEntry, ...]``, with unread counts; its keys are ``folder`` above
- ``list_with_folders(person, …)``: both for one page
- ``read_message(person, public_id, *, mark=True) -> MessageView``: headers, text, cleaned HTML, files
- ``read_attachment(person, public_id, n) -> File`` and ``read_raw(person, public_id) -> bytes``
- ``sign_picture``, ``read_picture(token) -> File``: pictures of a sandboxed frame by tokens that end after 10 minutes;
  the cleaned HTML holds such tokens as relative URLs (``<img src="TOKEN">``), for the page of the frame to serve
- ``mailbox_numbers(ids)`` and ``folder_numbers(ids)``: how much is stored

Models are imported from ``fumibako.archive.models``; verbs are looked up when first asked for.
"""

from importlib import import_module
from typing import Any

_FROM = {
    "errors": ("ArchiveError", "NotFound", "Stale"),
    "ingest": ("Batch", "Committed", "Fence", "commit_batch", "multirange", "take_ids"),
    "rows": ("Scope", "Where"),
    "texts": ("Due", "next_due", "read_texts"),
    "statistics": ("analyze_young",),
    "children": ("Built", "ChildDied", "Entry", "Job", "ParserPool", "Region", "Slot"),
    "read": (
        "File",
        "FileRow",
        "FolderEntry",
        "Listing",
        "MessageRow",
        "MessageView",
        "folders_of",
        "list_messages",
        "list_with_folders",
        "read_attachment",
        "read_message",
        "read_picture",
        "read_raw",
        "sign_picture",
    ),
    "reader": ("Reading", "Unreadable"),
    "reparse": ("Reparsed", "read_again"),
    "counts": ("FolderNumbers", "MailboxNumbers", "folder_numbers", "mailbox_numbers"),
}
_ROOM = {name: module for module, names in _FROM.items() for name in names}
__all__ = sorted(_ROOM)


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_ROOM[name]}"), name)
