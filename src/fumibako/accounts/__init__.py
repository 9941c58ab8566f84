"""Who uses Fumibako: organizations, people and their roles, how they log in, and the trail of what was done.

Rules:

- A login name is one person's in the whole installation. Full-width and capital letters make no difference.
- Nobody's password is set for them: a one-time link (24 hours, once, only its hash kept) lets a person set it.
- An organization always keeps one active admin, and nobody stops themselves.
- Stopping a person ends their logins at once. Their mailboxes are the business of `linking`, which stops both.
- Every verb that changes an account writes its line of the audit trail in the same transaction. Verbs that are an
  admin's say by whom (``by``) and refuse others; ``by=None`` is the operator at the command line.

Models are imported from ``fumibako.accounts.models``. Everything else comes from here; verbs are looked up when they
are first asked for, because Django loads this package before its models can be.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fumibako.accounts.errors import (
    AccountsError,
    DeadLink,
    Invalid,
    LastAdmin,
    LoginPaused,
    LoginRefused,
    NotAllowed,
    OneSelf,
    Problem,
    Reason,
    Stopped,
)
from fumibako.accounts.ids import public_id

if TYPE_CHECKING:
    from fumibako.accounts.links import Link, make_link, open_link, use_link
    from fumibako.accounts.logins import log_in
    from fumibako.accounts.organizations import create_organization
    from fumibako.accounts.passwords import change_password
    from fumibako.accounts.people import Added, add_person, change_person, change_profile, choose_language
    from fumibako.accounts.rights import require_admin
    from fumibako.accounts.stopping import resume_person, stop_person
    from fumibako.accounts.trail import audit

__all__ = [
    "AccountsError",
    "Added",
    "DeadLink",
    "Invalid",
    "LastAdmin",
    "Link",
    "LoginPaused",
    "LoginRefused",
    "NotAllowed",
    "OneSelf",
    "Problem",
    "Reason",
    "Stopped",
    "add_person",
    "audit",
    "change_password",
    "change_person",
    "change_profile",
    "choose_language",
    "create_organization",
    "log_in",
    "make_link",
    "open_link",
    "public_id",
    "require_admin",
    "resume_person",
    "stop_person",
    "use_link",
]

_LATER = {
    "Added": "people",
    "Link": "links",
    "add_person": "people",
    "audit": "trail",
    "change_password": "passwords",
    "change_person": "people",
    "change_profile": "people",
    "choose_language": "people",
    "create_organization": "organizations",
    "log_in": "logins",
    "make_link": "links",
    "open_link": "links",
    "require_admin": "rights",
    "resume_person": "stopping",
    "stop_person": "stopping",
    "use_link": "links",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
