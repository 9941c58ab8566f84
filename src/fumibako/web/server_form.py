"""The two logins of a mailbox as the form of 手動設定 and 接続の設定 has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from django.utils.translation import gettext

from fumibako.linking import Draft, LoginSettings, MailboxCard, SecretsTyped, ServerWish


@dataclass
class ServerForm:
    """What was typed or found. `same`: sending has the user name and password of receiving. No password is kept."""

    address: str = ""
    same: bool = True
    imap_username: str = ""
    imap_host: str = ""
    imap_port: str = ""
    imap_security: str = ""
    smtp_username: str = ""
    smtp_host: str = ""
    smtp_port: str = ""
    smtp_security: str = ""
    own_password: bool = False
    errors: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.imap_port = self.imap_port or gettext("Automatic")
        self.smtp_port = self.smtp_port or gettext("Automatic")

    @classmethod
    def from_post(cls, post: Mapping[str, str]) -> Self:
        """What a browser sent."""
        typed = {f"{service}_{name}": post.get(f"{service}_{name}", "") for service in SERVICES for name in NAMES}
        return cls(address=post.get("address", ""), same="same" in post or not post, **typed)

    @classmethod
    def from_draft(cls, draft: Draft) -> Self:
        """What a draft was told, filled up with what was proved; the second login is its own where it was so typed."""
        found: dict[str, str] = {}
        for service in SERVICES:
            known = {**((draft.proven or {}).get(service) or {}), **draft.wishes.get(service, {})}
            found |= {f"{service}_{name}": str(known.get(name) or "") for name in NAMES}
        return cls(address=draft.address, same=same_login(found), **found)

    @classmethod
    def from_card(cls, card: MailboxCard) -> Self:
        """The settings of a linked mailbox as they were proved."""
        found = {**login_fields("imap", card.imap), **login_fields("smtp", card.smtp)}
        return cls(address=card.address, same=same_login(found), **found)

    def wish(self, service: str) -> ServerWish:
        """What one login is wanted to be; 自動判別 is empty."""
        values = {name: getattr(self, f"{service}_{name}").strip() for name in NAMES}
        if values["port"] in {gettext("Automatic"), "自動判別", "Automatic"}:
            values["port"] = ""
        if service == "smtp" and self.same:
            values["username"] = self.imap_username.strip()
        return ServerWish(**values)

    def secrets(self, post: Mapping[str, str]) -> SecretsTyped:
        """The passwords that came with the form."""
        own = None if self.same else post.get("smtp_password") or None
        return SecretsTyped(post.get("imap_password", ""), own)


SERVICES = ("imap", "smtp")
NAMES = ("username", "host", "port", "security")


def same_login(fields: Mapping[str, Any]) -> bool:
    """Whether sending is logged in to under the same user name."""
    return fields["smtp_username"] in {"", fields["imap_username"]}


def login_fields(service: str, login: LoginSettings | None) -> dict[str, str]:
    """The form's fields of a proved login; empty ones for a login that there is not."""
    return {f"{service}_{name}": str(getattr(login, name, "") or "") for name in NAMES}
