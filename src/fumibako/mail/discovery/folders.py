"""What a folder is for: by its special use (RFC 6154), else by the names that mail programs and hosts give."""

from __future__ import annotations

import json
import unicodedata
from importlib.resources import files

from fumibako.mail.discovery.values import Role
from fumibako.mail.imap import Listed

_BY_ATTRIBUTE: dict[str, Role] = {
    "\\sent": "sent",
    "\\drafts": "drafts",
    "\\junk": "junk",
    "\\trash": "trash",
    "\\archive": "archive",
    "\\all": "all",
}
_HOLDS_WHAT_IS_ELSEWHERE = frozenset({"\\flagged", "\\important"})  # views of mail that also lies in other folders


def role_of(folder: Listed) -> Role:
    """The role of a folder as LIST tells it. A folder inside trash or junk is trash or junk, whatever its name."""
    if folder.name_raw.upper() == b"INBOX":
        return "inbox"
    attributes = {attribute.lower() for attribute in folder.attributes}
    for attribute, role in _BY_ATTRIBUTE.items():
        if attribute in attributes:
            return role
    if attributes & _HOLDS_WHAT_IS_ELSEWHERE:
        return "other"
    *parents, last = folder.name.split(folder.delimiter) if folder.delimiter else [folder.name]
    for parent in parents:
        above = _BY_NAME.get(_folded(parent))
        if above == "trash" or above == "junk":
            return above
    return _BY_NAME.get(_folded(last), "other")


def may_be_sent(folder: Listed) -> bool:
    """Whether the name is that of a Sent folder at some programs and of an outbox or anything at others (送信箱)."""
    last = folder.name.split(folder.delimiter)[-1] if folder.delimiter else folder.name
    return _folded(last) in _MAY_BE_SENT


def has_sent_flag(folder: Listed) -> bool:
    """Whether the server itself says that sent mail goes there."""
    return any(attribute.lower() == "\\sent" for attribute in folder.attributes)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


_NAMES: dict[str, list[str]] = json.loads(files(__package__).joinpath("folders.json").read_text("utf-8"))
_MAY_BE_SENT = frozenset(map(_folded, _NAMES["sent_if_nothing_else"]))
_ROLES: tuple[Role, ...] = ("sent", "drafts", "trash", "junk", "archive", "all")
_BY_NAME: dict[str, Role] = {_folded(name): role for role in _ROLES for name in _NAMES[role]}
