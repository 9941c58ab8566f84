"""Whose mailbox it is, where it lives, how it is logged in to, and which of its folders are wanted.

A link begins as a draft on the server (the wizard): ``start_link`` keeps the address and the sealed password, a worker
proves both logins (``prove_draft``), the person chooses folders, ``finish_link`` makes or takes up the mailbox. The
same draft proves a new password or other settings of a linked mailbox, which are switched only once they are proved. A
failed draft keeps the address, the settings and the cause, but no secret, and nothing runs for it.

Rules:

- One mailbox per (organization, IMAP server, login name) and per address, for ever: linking again takes up the same.
- Whatever changes what may be stored (unlink, relink, folder choice) raises the mailbox's ``generation`` in its own
  transaction, so that an ingest under way commits nothing.
- A secret lies sealed in a row of its own, apart for IMAP and SMTP, and unlinking deletes the row.
- Another person's mailbox is not found: every verb takes the person, and raises ``NotFound`` for what is not theirs.
- ``states`` holds the table of states; nothing else assigns one.

Models are imported from ``fumibako.linking.models``. The verbs below are looked up when they are first asked for,
because Django loads this package before its models can be.
"""

from importlib import import_module
from typing import Any

_FROM = {
    "drafts": (
        "Draft",
        "SecretsTyped",
        "ServerWish",
        "get_draft",
        "retry_link",
        "start_link",
        "start_password",
        "start_settings",
        "cancel_draft",
        "drafts_of",
    ),
    "prove": ("domain_settings", "expire_drafts", "in_thread", "prove_draft", "claim_draft", "take_drafts"),
    "link": (
        "RANGES",
        "FolderChoice",
        "FolderRow",
        "change_folders",
        "earlier_range",
        "finish_link",
        "folder_key",
        "folders_to_choose",
        "suggest",
    ),
    "limit_key": ("SHARDS", "declare_own_server", "is_of_one_mailbox", "server_of", "shard_of"),
    "unlink": ("stop_person", "unlink"),
    "settings": ("add_alias", "ask_proof", "remove_alias", "set_sent_copy", "try_now"),
    "overview": (
        "LoginSettings",
        "MailboxCard",
        "MailboxProof",
        "find_mailboxes",
        "get_mailbox",
        "mailboxes_of",
        "proofs_of",
        "readable_mailboxes",
        "readable_to",
        "worst_states",
    ),
    "secrets": ("SecretLost", "open_secret", "seal_secret"),
    "states": ("ACTIVE", "MOVE", "State", "move"),
    "errors": (
        "AlreadyLinked",
        "BadInput",
        "LinkingError",
        "LinkedByColleague",
        "NotFound",
        "OwnPassword",
    ),
}
_ROOM = {name: module for module, names in _FROM.items() for name in names}
__all__ = sorted(_ROOM)


def __getattr__(name: str) -> Any:
    if name not in _ROOM:
        raise AttributeError(name)
    module = import_module(f"{__name__}.{_ROOM[name]}")
    # Importing has named the file in this package: a verb that is called like its file (unlink) must stand above it.
    globals().update({verb: getattr(module, verb) for verb in _FROM[_ROOM[name]]})
    return globals()[name]
