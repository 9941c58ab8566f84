"""A folder to store into, and the children that make its rows."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pytest
import pytest_asyncio

from fumibako.archive import Batch, Committed, Entry, Fence, Job, ParserPool, Where, commit_batch, take_ids
from fumibako.linking.models import Folder, Mailbox
from tests.world import World, make_world


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
        self, mails: dict[int, bytes], *, skipped: str | None = None, hold=None, **where: object
    ) -> Committed:
        """Store these mails by UID; ``hold`` is awaited when the rows are made, before the transaction."""
        slot = await self.parsers.take_slot()
        try:
            entries = []
            for uid, raw in mails.items():
                region = slot.allocate(len(raw))
                region.view[:] = raw
                arrived = int(datetime(2026, 11, 1, 9, uid % 60, tzinfo=UTC).timestamp() * 1_000_000)
                entries.append(
                    Entry(region.offset, region.length, uid, ("\\Seen",), arrived, len(raw), skipped=skipped)
                )
            async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
                place = {
                    "organization": self.box.organization_id,
                    "mailbox": self.box.pk,
                    "folder": self.folder.pk,
                    "uidvalidity": self.folder.uidvalidity,
                    "role": self.folder.role,
                    "linked_uidnext": self.folder.linked_uidnext,
                    "own": (self.box.address_key,),
                }
                ids = await take_ids(connection, len(entries))
                job = Job(slot, Where(**{**place, **where}), tuple(entries), ids)
                built = await self.parsers.build(job)
                if hold is not None:
                    await hold()
                batch = Batch(job, self.box.generation, tuple((uid, uid) for uid in mails))
                return await commit_batch(
                    connection, batch, built, Fence(self.box.shard, self.epoch), self.parsers.build
                )
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
    async with ParserPool(children=1, slots=2, batch_timeout=5, mail_timeout=3) as parsers:
        yield Store(database_url, parsers, box, folder)
