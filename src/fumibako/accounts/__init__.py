"""Who uses Fumibako: organizations, people and their roles, how they log in, and the trail of what was done.

Rules:

- A login name is one person's in the whole installation. Full-width and capital letters make no difference.
- Nobody's password is set for them: a one-time link (24 hours, once, only its hash kept) lets a person set it.
- An organization always keeps one active admin.
- Stopping a person ends their logins at once. Their mailboxes are the business of `linking`, which stops both.
- Every verb that changes an account writes its line of the audit trail in the same transaction.

Models are imported from ``fumibako.accounts.models``. Everything else comes from here; verbs are looked up when they
are first asked for, because Django loads this package before its models can be.
"""

from fumibako.accounts.ids import public_id

__all__ = ["public_id"]
