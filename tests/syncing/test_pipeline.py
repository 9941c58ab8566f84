"""Many mailboxes share few slots and children: who is waited for gets what it needs, whatever the others do."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace

import pytest
import pytest_asyncio
from psycopg_pool import AsyncConnectionPool

from fumibako.archive import Fence, ParserPool
from fumibako.linking.models import Folder, Mailbox
from fumibako.mail.imap import Fetched, UidSet
from fumibako.syncing import pipeline as module
from fumibako.syncing.pipeline import Pipeline
from tests.world import World

pytestmark = pytest.mark.lab

PATIENCE = 20.0  # seconds
OTHERS = ("one", "two", "three")


class Server:
    """A client of a server that gives the mails of ``mails``, but of those in ``stuck`` the first byte only."""

    def __init__(self, mails: dict[int, bytes], stuck: frozenset[int] = frozenset()) -> None:
        self.identity: str | None = None
        self.allocate: Callable | None = None
        self._mails = mails
        self._stuck = stuck
        self._may_read = asyncio.Event()
        self._may_read.set()
        self.pauses = 0

    def pause_reading(self) -> None:
        self.pauses += 1
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def fetch(self, sequence: str, items: str, *, uid: bool, on_message: Callable[[Fetched], None]):
        assert uid
        return asyncio.ensure_future(self._answer(sequence, "BODY" in items, on_message))

    async def _answer(self, sequence: str, bodies: bool, on_message: Callable[[Fetched], None]) -> None:
        for first, last in re.findall(r"(\d+)(?::(\d+))?", sequence):
            for uid in range(int(first), int(last or first) + 1):
                await self._give(uid, bodies, on_message)

    async def _give(self, uid: int, bodies: bool, on_message: Callable[[Fetched], None]) -> None:
        mail = self._mails[uid]
        if not bodies:
            on_message(Fetched(uid, uid=uid, size=len(mail)))
            return
        await self._may_read.wait()
        assert self.allocate is not None
        memory = self.allocate(len(mail))
        await self._may_read.wait()
        if uid in self._stuck:
            memory.view[:1] = mail[:1]
            await asyncio.Event().wait()
        memory.view[:] = mail
        on_message(
            Fetched(uid, uid=uid, flags=(), internaldate=datetime(2026, 11, 1, tzinfo=UTC), size=len(mail), body=memory)
        )


Rows = dict[str, tuple[Mailbox, Folder]]


@pytest.fixture
def rows(world: World) -> Rows:
    """Mailboxes by name, each with its folder."""
    boxes = {name: world.add_mailbox(f"{name}@example.jp") for name in ("one", "two", "three", "first")}
    return {name: (box, world.add_folder(box, uidvalidity=1, linked_uidnext=10_000)) for name, box in boxes.items()}


@pytest_asyncio.fixture
async def hands(database_url: str) -> AsyncIterator[SimpleNamespace]:
    nobody = SimpleNamespace(wake=lambda: None, beat=lambda mailbox, organization: None)
    async with (
        ParserPool(children=1, slots=4) as parsers,
        AsyncConnectionPool(database_url, open=False, kwargs={"autocommit": True}) as pool,
    ):
        yield SimpleNamespace(
            parsers=parsers, pool=pool, numberer=nobody, pulse=nobody, commits=count(9), fence=lambda n: Fence(n, 1)
        )


def mails(count: int, name: str = "m", size: int = 100) -> dict[int, bytes]:
    return {
        uid: f"Subject: {name} {uid}\r\nMessage-ID: <{name}{uid}@example.jp>\r\n\r\n{'x' * size}\r\n".encode()
        for uid in range(1, count + 1)
    }


def pipeline(rows: Rows, hands: SimpleNamespace, name: str, server: Server, *, urgent: bool = False) -> Pipeline:
    row, folder = rows[name]
    box = SimpleNamespace(
        id=row.pk,
        organization=row.organization_id,
        own=(row.address_key,),
        shard=row.shard,
        generation=row.generation,
        commits=asyncio.Lock(),
    )
    looked = SimpleNamespace(folder=folder, highest_modseq=None, old=UidSet())
    return Pipeline(hands, server, box, looked, urgent=urgent)  # type: ignore[arg-type]


async def stored(hands: SimpleNamespace, name: str) -> int:
    async with hands.pool.connection() as connection:
        cursor = await connection.execute("SELECT count(*) FROM message WHERE subject LIKE %s", [f"{name} %"])
        ((number,),) = await cursor.fetchall()
    return number


async def until(what: Callable) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await what():
            await asyncio.sleep(0.02)


async def test_a_first_screen_does_not_wait_for_servers_that_stand_still_in_mid_mail(
    rows: Rows, hands: SimpleNamespace
) -> None:
    servers = [Server(mails(1, name), frozenset({1})) for name in OTHERS]
    boxes = [pipeline(rows, hands, name, server) for name, server in zip(OTHERS, servers, strict=True)]
    stalled = [asyncio.create_task(box.run(UidSet.of([1]))) for box in boxes]
    async with asyncio.timeout(PATIENCE):
        while not sum(server.pauses for server in servers):
            await asyncio.sleep(0)
        await pipeline(rows, hands, "first", Server(mails(50, "first")), urgent=True).run(UidSet.of(range(1, 51)))
    assert await stored(hands, "first") == 50
    assert not any(task.done() for task in stalled)
    for task in stalled:
        task.cancel()
    await asyncio.gather(*stalled, return_exceptions=True)
    assert hands.parsers.free_slots == 4


async def test_what_has_come_is_stored_when_a_server_falls_silent_between_two_mails(
    rows: Rows, hands: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALLED", 0.05)
    server = Server(mails(3, "one"))
    give = server._give

    async def falls_silent(uid: int, *rest: object) -> None:
        await (asyncio.Event().wait() if uid == 3 else give(uid, *rest))  # type: ignore[arg-type]

    server._give = falls_silent  # type: ignore[method-assign]
    task = asyncio.create_task(pipeline(rows, hands, "one", server).run(UidSet.of([1, 2, 3])))

    async def there() -> bool:
        return await stored(hands, "one") == 2 and hands.parsers.free_slots == 4

    await until(there)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_mails_that_find_no_slot_land_beside_and_are_stored_all_the_same(
    rows: Rows, hands: SimpleNamespace
) -> None:
    slots = [await hands.parsers.take_slot(), await hands.parsers.take_slot()]
    server = Server(mails(200, "one", size=200_000))
    task = asyncio.create_task(pipeline(rows, hands, "one", server).run(UidSet.of(range(1, 201))))
    async with asyncio.timeout(PATIENCE):
        while not server.pauses:
            await asyncio.sleep(0)
    assert await stored(hands, "one") == 0
    for slot in slots:
        hands.parsers.release(slot)
    async with asyncio.timeout(PATIENCE):
        await task
    assert await stored(hands, "one") == 200


async def test_two_connections_of_a_mailbox_may_fetch_the_same_mail(rows: Rows, hands: SimpleNamespace) -> None:
    one, other = (pipeline(rows, hands, "one", Server(mails(20, "one")), urgent=True) for _ in range(2))
    other._commits = one._commits
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(one.run(UidSet.of(range(1, 21))), other.run(UidSet.of(range(1, 21))))
    assert await stored(hands, "one") == 20
