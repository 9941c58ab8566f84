"""A folder to store into, and the children that make its rows."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import psycopg
import pytest
import pytest_asyncio

from fumibako.archive import Batch, Committed, Entry, Fence, Job, ParserPool, Scope, Where, commit_batch, take_ids
from fumibako.linking.models import Folder, Mailbox
from tests.world import World, make_world

ARRIVED = datetime(2026, 11, 1, 9, tzinfo=UTC)  # and a minute later for each UID


def mail(
    subject: str = "Hello", *, message_id: str | None = "1@example.jp", body: str = "text", **headers: str
) -> bytes:
    """A small mail with CRLF line ends."""
    lines = ["From: Suzuki <suzuki@tokyo-shoji.example>", "To: taro@example.jp", f"Subject: {subject}"]
    lines += [f"Message-ID: <{message_id}>"] if message_id else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += ["", body, ""]
    return "\r\n".join(lines).encode()


@dataclass
class Store:
    """Stores mails into one folder, as an actor would."""

    url: str
    parsers: ParserPool
    box: Mailbox
    folder: Folder
    epoch: int = 1

    async def commit(
        self,
        mails: dict[int, bytes],
        *,
        skipped: str | None = None,
        modseq: int | None = None,
        emailid: str | None = None,
        scope: Scope = Scope.ALL,
        hold=None,
        connect=None,
        **where: object,
    ) -> Committed:
        """Store these mails by UID; ``hold`` is awaited when the rows are made, before the transaction.

        ``connect`` gives the connection for each try of the transaction, which is done again after each outage.
        """
        connect = connect or partial(psycopg.AsyncConnection.connect, self.url, autocommit=True)
        slot = await self.parsers.take_slot()
        try:
            entries = []
            for uid, raw in mails.items():
                region = slot.allocate(len(raw))
                region.view[:] = raw
                arrived = int((ARRIVED + timedelta(minutes=uid % 60)).timestamp() * 1_000_000)
                flags = ("\\Seen",)
                entries.append(
                    Entry(region.offset, region.length, uid, flags, arrived, len(raw), modseq, emailid, skipped)
                )
            place = {
                "organization": self.box.organization_id,
                "mailbox": self.box.pk,
                "folder": self.folder.pk,
                "uidvalidity": self.folder.uidvalidity,
                "role": self.folder.role,
                "linked_uidnext": self.folder.linked_uidnext,
                "own": (self.box.address_key,),
            }
            async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
                ids = await take_ids(connection, len(entries))
            job = Job(slot, Where(**{**place, **where}), tuple(entries), ids, scope=scope)
            built = await self.parsers.build(job)
            if hold is not None:
                await hold()
            batch = Batch(job, self.box.generation, tuple((uid, uid) for uid in mails))
            fence = Fence(self.box.shard, self.epoch)
            while True:
                try:
                    async with await connect() as connection:
                        return await commit_batch(connection, batch, built, fence, self.parsers.build)
                except psycopg.OperationalError:
                    continue
        finally:
            self.parsers.release(slot)

    async def rows(self, query: str, *values: object) -> list[tuple]:
        """The answer to a query on a connection of its own."""
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            cursor = await connection.execute(query, values or None)
            return await cursor.fetchall()


@pytest.fixture
def world(database_url: str) -> World:
    return make_world()


@pytest.fixture
def box(world: World) -> Mailbox:
    return world.add_mailbox()


@pytest.fixture
def folder(world: World, box: Mailbox) -> Folder:
    return world.add_folder(box, uidvalidity=7, linked_uidnext=100)


@pytest_asyncio.fixture
async def store(database_url: str, box: Mailbox, folder: Folder) -> AsyncIterator[Store]:
    async with ParserPool(children=1, slots=4, batch_timeout=5, mail_timeout=3) as parsers:
        yield Store(database_url, parsers, box, folder)
