"""The two logins of a mailbox as the form of 手動設定 and 接続の設定 has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from django.utils.translation import gettext

from fumibako.linking import Draft, LoginSettings, MailboxCard, SecretsTyped, ServerWish

AUTOMATIC = frozenset({"自動判別", "Automatic"})
"""What a port's field says when it is left to us, in either language."""


@dataclass
class LoginFields:
    """One of the two logins, as text."""

    username: str = ""
    host: str = ""
    port: str = ""
    security: str = ""

    @classmethod
    def of(cls, known: Mapping[str, Any]) -> Self:
        """The fields of a login that is known as a mapping; what is missing is left to be found."""
        port = str(known.get("port") or "") or gettext("Automatic")
        texts = {name: str(known.get(name) or "") for name in ("username", "host", "security")}
        return cls(port=port, **texts)

    @classmethod
    def proved(cls, login: LoginSettings | None) -> Self:
        """The fields of a proved login; empty ones for a login that there is not."""
        return cls.of(vars(login) if login else {})

    def wish(self) -> ServerWish:
        """What the login is wanted to be; 自動判別 is empty."""
        port = self.port.strip()
        return ServerWish(
            username=self.username.strip(),
            host=self.host.strip(),
            port="" if port in AUTOMATIC else port,
            security=self.security,
        )


@dataclass
class ServerForm:
    """What was typed or found. `same`: sending has the user name and password of receiving. No password is kept."""

    address: str = ""
    same: bool = True
    imap: LoginFields = field(default_factory=lambda: LoginFields.of({}))
    smtp: LoginFields = field(default_factory=lambda: LoginFields.of({}))
    own_password: bool = False
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_post(cls, post: Mapping[str, str]) -> Self:
        """What a browser sent."""
        imap, smtp = (
            LoginFields.of(
                {name.removeprefix(prefix): value for name, value in post.items() if name.startswith(prefix)}
            )
            for prefix in ("imap_", "smtp_")
        )
        return cls(address=post.get("address", ""), same="same" in post, imap=imap, smtp=smtp)

    @classmethod
    def from_draft(cls, draft: Draft) -> Self:
        """What a draft was told, filled up with what was proved."""
        proven = draft.proven or {}
        imap, smtp = (
            LoginFields.of({**(proven.get(name) or {}), **draft.wishes.get(name, {})}) for name in ("imap", "smtp")
        )
        return cls(address=draft.address, same=smtp.username in {"", imap.username}, imap=imap, smtp=smtp)

    @classmethod
    def from_card(cls, card: MailboxCard) -> Self:
        """The settings of a linked mailbox as they were proved."""
        imap, smtp = LoginFields.proved(card.imap), LoginFields.proved(card.smtp)
        return cls(address=card.address, same=smtp.username in {"", imap.username}, imap=imap, smtp=smtp)

    def wishes(self) -> dict[str, ServerWish]:
        """Both logins as the verbs take them."""
        smtp = LoginFields(**vars(self.smtp))
        if self.same:
            smtp.username = self.imap.username
        return {"imap": self.imap.wish(), "smtp": smtp.wish()}

    def secrets(self, post: Mapping[str, str]) -> SecretsTyped:
        """The passwords that came with the form."""
        own = None if self.same else post.get("smtp_password") or None
        return SecretsTyped(post.get("imap_password", ""), own)
