"""A mailbox on a real Dovecot with rows here as an import leaves them, and a client that is logged in to it."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import psycopg

from fumibako.archive import Fence
from fumibako.linking.models import Mailbox
from fumibako.mail.imap import ImapClient
from fumibako.mail.imap.mutf7 import encode
from fumibako.syncing.database import make_pool
from fumibako.syncing.mailbox import Folder, load_folders, load_mailbox
from tests.lab.dovecot import Dovecot, sample_mail
from tests.world import World

PASSWORD = "password"
_MESSAGE = """
INSERT INTO message (organization_id, public_id, mailbox_id, fingerprint, size, internal_date, sort_at, origin,
                     outgoing, message_id, subject, from_name, from_address, recipients, snippet, attachments,
                     has_html, parser_version)
VALUES (%s, 'ms_' || gen_random_uuid(), %s, '', %s, now(), now(), 'history', false, %s, '', '', '', '{}', '', 0,
        false, 1)
RETURNING id
"""
_PLACE = "INSERT INTO placement (organization_id, folder_id, uidvalidity, uid, message_id, flags) VALUES"


@dataclass
class Linked:
    """The mailbox. Rows are written and read on a connection of the tests' own."""

    dovecot: Dovecot
    box: Mailbox
    url: str
    epoch: int = 1

    @property
    def address(self) -> str:
        """Its address, which is its login name too."""
        return self.box.address

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """The answer to a query."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def import_folder(self, world: World, name: str = "INBOX", role: str = "inbox", *, chosen: bool = True) -> int:
        """Store what the server has in a folder (nothing where it is not chosen); returns the folder's id."""
        with self.dovecot.phone(self.address) as phone:
            mails, uidvalidity = phone.listing(name), phone.uidvalidity(name)
            letters = phone.mails(name)
        uidnext = mails[-1].uid + 1 if mails else 1
        folder = world.add_folder(
            self.box, name, role, chosen=chosen, uidvalidity=uidvalidity, uidnext=uidnext, linked_uidnext=uidnext
        )
        self.rows("UPDATE folder SET name_raw = %s WHERE id = %s", encode(name), folder.pk)
        if chosen:
            for listed, letter in zip(mails, letters, strict=True):
                name_line = next(line for line in letter.split(b"\r\n") if line.startswith(b"Message-ID:"))
                self.store(folder.pk, uidvalidity, listed.uid, listed.size, name_line[13:-1].decode())
        return folder.pk

    def store(self, folder: int, uidvalidity: int, uid: int, size: int = 1, message_id: str = "") -> int:
        """Store a message at a place; returns its id."""
        ((message,),) = self.rows(_MESSAGE, self.box.organization_id, self.box.pk, size, message_id)
        self.place(message, folder, uidvalidity, uid)
        return message

    def place(self, message: int, folder: int, uidvalidity: int, uid: int) -> None:
        """Give a message a place, which needs no fetch then."""
        values = (self.box.organization_id, folder, uidvalidity, uid, message)
        self.rows(f"{_PLACE} (%s, %s, %s, %s, %s, '{{}}')", *values)
        self.rows("UPDATE folder SET known = known + int8multirange(int8range(%s, %s)) WHERE id = %s",
                  uid, uid + 1, folder)  # fmt: skip

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[tuple[Any, ImapClient]]:
        """The worker's hands, as far as they are needed, and a client that is logged in."""
        async with make_pool() as pool:
            hands = SimpleNamespace(
                pool=pool,
                fence=lambda shard: Fence(shard, self.epoch),
                numberer=SimpleNamespace(wake=lambda: None),
            )
            async with await ImapClient.connect(self.dovecot.tls, self.dovecot.network) as client:
                await client.login(self.address, PASSWORD)
                yield hands, client

    async def load(self, hands: Any, folder: int) -> tuple[Any, Folder]:
        """The mailbox and one of its folders as a session loads them."""
        box = await load_mailbox(hands, self.box.pk)
        assert box is not None
        return box, next(one for one in await load_folders(hands, self.box.pk) if one.id == folder)


def link(world: World, dovecot: Dovecot, url: str, mails: Iterable[int]) -> Linked:
    """A mailbox of an address of its own, whose inbox on the server has these mails."""
    address = f"{uuid.uuid4().hex[:10]}@example.jp"
    dovecot.add_user(address, PASSWORD)
    dovecot.fill(address, [sample_mail(n) for n in mails])
    return Linked(dovecot, world.add_mailbox(address, port=dovecot.imaps_port, secret=PASSWORD), url)
