"""What a mail says, as values: the nouns of this room."""

import re
from dataclasses import dataclass
from datetime import datetime

_SEPARATORS = r"\s<>()\[\]\"'「」【】（）〈〉《》,;:、。"
_ADDRESS_IN_NAME = re.compile(rf"[^@{_SEPARATORS}]{{1,64}}@[^@{_SEPARATORS}]{{1,255}}\.[\w-]{{2,}}")
_FULL_WIDTH_AT = str.maketrans("＠．", "@.")


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of an address header: `name` as shown ("" when there is none), `address` as written.

    The address is not validated: Japanese carriers handed out local parts such as `a..b.` that RFC 5322 forbids,
    and mail from them has to be read, matched and answered. It is "" when the header holds a name alone.
    """

    name: str
    address: str

    @property
    def name_holds_another_address(self) -> bool:
        """Whether the display name pretends to be a mail address that is not the real one (a forger's habit).

        A page shows the address beside the name always, and marks such a name.
        """
        if "@" not in self.name and "＠" not in self.name:
            return False
        named = _ADDRESS_IN_NAME.findall(self.name.translate(_FULL_WIDTH_AT))
        return any(other.casefold() != self.address.casefold() for other in named)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a mail that is not its text: described, its bytes stay in the raw mail (`part_bytes` gets them).

    `part` is the part's number as IMAP counts (RFC 9051 §6.4.5: "2", "1.2"), `size` is in bytes and `sha256` the
    digest of the same decoded bytes. `content_type` is lower case without parameters. `content_id` has no angle
    brackets; `inline` means that the HTML refers to it, so it is a picture of the text and no file of its own.
    """

    part: str
    name: str
    content_type: str
    size: int
    sha256: bytes
    content_id: str | None
    inline: bool


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail, read. Every text is decoded and free of NUL and lone surrogates, so any database takes it.

    Identifiers (`message_id`, `in_reply_to`, `references`, `list_id`) have no angle brackets; `message_id` is ""
    where the mail has none, which is common and no identity. `date` is aware, in the header's own zone, or None
    where it cannot be read; a date in the far future is kept, to sort by it or not is the archive's decision.
    `auto` says that a program sent it (RFC 3834, Precedence, delivery reports), so nobody waits for an answer.
    `text` is what a person reads first, made from the HTML when the mail has nothing else; `html` is the mail's own
    and unsafe: show it through `clean_html` only. `snippet` is at most 200 characters without quoted lines.
    `fingerprint` proposes that two mails are the same letter, see the function of that name.
    """

    message_id: str
    subject: str
    from_: tuple[Address, ...]
    sender: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    bcc: tuple[Address, ...]
    reply_to: tuple[Address, ...]
    date: datetime | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    list_id: str
    auto: bool
    text: str
    html: str | None
    snippet: str
    fingerprint: bytes
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class CleanHtml:
    """HTML that may be shown in a sandboxed frame, and how many remote pictures were left out of it."""

    html: str
    blocked_pictures: int
