"""A mailbox seen from both sides: at its mail server, and in the product that is linked to it."""

import base64
import os
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import zstandard

from fumibako.archive.models import Message, Placement
from fumibako.events.models import Event
from fumibako.linking.models import Mailbox
from tests.lab.installation import Installation, until
from tests.lab.mailserver import MailServer

PASSWORD = "あö-password"
PATIENCE = 20.0  # seconds for what the product does by itself
_RAW = """
SELECT (SELECT string_agg(body, ''::bytea ORDER BY n) FROM raw WHERE raw.message_id = message.id)
  FROM message WHERE mailbox_id = %s
"""
_READ_ONLY = re.compile(
    r"(LOGIN|AUTHENTICATE|CAPABILITY|ID|ENABLE|NAMESPACE|COMPRESS|LIST|STATUS|EXAMINE|UNSELECT|SEARCH|FETCH|IDLE|NOTIFY"
    r"|NOOP|LOGOUT)\b"
)
_MARKS_AS_READ = re.compile(r"BODY\[|RFC822(?!\.(SIZE|HEADER))\b")

Place = tuple[int, int, frozenset[str]]
"""UIDVALIDITY, UID and flags of a mail in a folder."""


@dataclass
class Account:
    """One address at one server, and one installation that it is linked to."""

    server: MailServer
    fumibako: Installation
    address: str

    def link(self, *folders: str, port: int | None = None) -> None:
        """Link it by the command, with these folders or the usual ones."""
        chosen = [word for folder in folders for word in ("--folder", folder)]
        answer = self.fumibako.link(self.address, PASSWORD, *chosen, port=port)
        assert answer["linked"], answer

    def linked(self, *folders: str) -> None:
        """Link it, and wait until everything is here."""
        self.link(*folders)
        self.wait_for("live")

    @property
    def box(self) -> Mailbox:
        """Its row."""
        return Mailbox.objects.get(address=self.address)

    def wait_for(self, state: str) -> None:
        """Wait for a state; a mailbox that waits for its next try is told to try at once."""

        def reached() -> bool:
            box = self.box
            if state != "retrying" and box.state == "retrying":
                try_again(self.fumibako, box)
            return box.state == state

        until(reached, PATIENCE)

    @property
    def messages(self) -> int:
        """How many mails are stored."""
        return Message.objects.filter(mailbox=self.box).count()

    @property
    def news(self) -> int:
        """How many mails have been announced as new."""
        return Event.objects.filter(mailbox_id=self.box.pk, kind="message.new").count()

    def bodies(self) -> list[bytes]:
        """The bytes of every stored mail, sorted."""
        unpack = zstandard.ZstdDecompressor()
        with psycopg.connect(self.fumibako.url) as connection:
            rows = connection.execute(_RAW, [self.box.pk]).fetchall()
        return sorted(unpack.decompressobj().decompress(packed) for (packed,) in rows)

    def places(self, folder: str) -> set[Place]:
        """Where mails are in a folder, as far as the product knows."""
        rows = Placement.objects.filter(folder__mailbox=self.box, folder__name=folder, gone_at=None)
        return {(row.uidvalidity, row.uid, frozenset(row.flags) - {"\\Recent"}) for row in rows}

    def places_at_server(self, folder: str) -> set[Place]:
        """Where mails are in a folder of the server."""
        with self.server.phone(self.address) as phone:
            uidvalidity = phone.uidvalidity(folder)
            return {(uidvalidity, mail.uid, mail.flags) for mail in phone.listing(folder)}

    def agrees(self, *folders: str) -> None:
        """Wait until places and flags are those of the server."""
        for folder in folders:
            equal(lambda folder=folder: self.places(folder), self.places_at_server(folder))

    def message_at(self, folder: str, uid: int) -> str:
        """The public id of the mail at a place."""
        place = Placement.objects.get(folder__mailbox=self.box, folder__name=folder, uid=uid, gone_at=None)
        return Message.objects.get(pk=place.message_id).public_id


def open_account(server: MailServer, fumibako: Installation) -> Account:
    """A new account at the server, not yet linked."""
    account = Account(server, fumibako, f"{uuid.uuid4().hex[:10]}@example.jp")
    server.add_user(account.address, PASSWORD)
    return account


def try_again(fumibako: Installation, box: Mailbox) -> None:
    """Have a mailbox that waits for its next try connect at once."""
    with psycopg.connect(fumibako.url, autocommit=True) as connection:
        connection.execute(f"NOTIFY fumibako_work, 'try:{box.pk}'")


def equal(what: Callable[[], Any], expected: Any) -> None:
    """Wait until ``what`` returns this; says what it last returned where it never does."""
    seen: list[Any] = []

    def compare() -> bool:
        seen[:] = [what()]
        return bool(seen[0] == expected)

    try:
        until(compare, PATIENCE)
    except AssertionError:
        raise AssertionError(f"{seen[0]!r} and not {expected!r} after {PATIENCE:.0f} s") from None


def changes_nothing(command: str) -> bool:
    """Whether an IMAP command leaves the server as it was: no SELECT, and no mail's bytes without PEEK."""
    words = command.upper().removeprefix("UID ")
    return _READ_ONLY.match(words) is not None and _MARKS_AS_READ.search(words) is None


def dense_mail(number: int, size: int) -> bytes:
    """A mail of about ``size`` bytes that no compression makes much smaller."""
    noise = base64.encodebytes(os.urandom(size * 3 // 4)).replace(b"\n", b"\r\n")
    head = f"From: a@kyakusaki.example\r\nSubject: {number}\r\nMessage-ID: <dense{number}@kyakusaki.example>\r\n\r\n"
    return head.encode() + noise
