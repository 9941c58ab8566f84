"""Gone on the server is not gone here: a mail that leaves the imported folders is marked, in time, and comes back."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from unittest import mock

import pytest
import pytest_asyncio

from fumibako.archive import Stale
from fumibako.mail.imap import Fetched, ImapClient, UidSet
from fumibako.mail.imap.mutf7 import encode
from fumibako.syncing import departures
from fumibako.syncing.departures import Departures, settle
from tests.lab.dovecot import Dovecot, sample_mail
from tests.syncing.linked import Linked, link
from tests.world import World

pytestmark = pytest.mark.lab

MARKS = """
SELECT (SELECT min(uid) FROM placement WHERE message_id = message.id), deleted_at IS NOT NULL, left_to_id
  FROM message WHERE deleted_at IS NOT NULL OR left_to_id IS NOT NULL ORDER BY message.id
"""
GO = "UPDATE placement SET gone_at = now() - interval '16 minutes' WHERE folder_id = %s AND uid = ANY(%s)"


@pytest.fixture
def linked(world: World, dovecot: Dovecot, database_url: str) -> Linked:
    made = link(world, dovecot, database_url, range(1, 7))
    dovecot.fill(made.address, [sample_mail(100)], folder="ごみ箱")
    dovecot.fill(made.address, [sample_mail(200)], folder="Project")
    return made


@pytest.fixture
def inbox(linked: Linked, world: World) -> int:
    return linked.import_folder(world)


@pytest.fixture
def trash(linked: Linked, world: World) -> int:
    return linked.import_folder(world, "ごみ箱", "trash", chosen=False)


@pytest.fixture
def project(linked: Linked, world: World) -> int:
    return linked.import_folder(world, "Project", "other", chosen=False)


@pytest_asyncio.fixture
async def session(linked: Linked) -> AsyncIterator[tuple[Any, ImapClient]]:
    async with linked.at_work() as at_work:
        yield at_work


async def settled(linked: Linked, session: tuple[Any, ImapClient], inbox: int, since: str = "0") -> Departures:
    """Settle after a full look that began ``since`` ago."""
    hands, client = session
    box, _ = await linked.load(hands, inbox)
    ((looked_at,),) = linked.rows("SELECT now() - %s::interval", since)
    assert isinstance(looked_at, datetime)
    return await settle(hands, client, box, looked_at)


async def test_a_mail_is_deleted_only_after_a_while_and_a_full_look_since(
    linked: Linked, session: Any, inbox: int, dovecot: Dovecot
) -> None:
    with dovecot.phone(linked.address) as phone:
        phone.expunge("INBOX", 2)
    linked.rows("UPDATE placement SET gone_at = now() - interval '14 minutes' WHERE uid = 2")
    assert await settled(linked, session, inbox) == Departures()
    linked.rows(GO, inbox, [2])
    assert await settled(linked, session, inbox, since="17 minutes") == Departures()
    assert linked.rows(MARKS) == []
    assert await settled(linked, session, inbox) == Departures(deleted=1)
    assert linked.rows(MARKS) == [(2, True, None)]
    assert await settled(linked, session, inbox) == Departures()
    assert linked.rows("SELECT count(*) FROM message") == [(6,)]


async def test_a_mail_with_another_place_has_gone_nowhere(linked: Linked, session: Any, inbox: int) -> None:
    ((message, uidvalidity),) = linked.rows("SELECT message_id, uidvalidity FROM placement WHERE uid = 2")
    linked.place(message, inbox, uidvalidity, 70)
    linked.rows(GO, inbox, [2])
    assert await settled(linked, session, inbox) == Departures()
    assert linked.rows("SELECT settled_at = gone_at FROM placement WHERE uid = 2") == [(True,)]
    linked.rows(GO, inbox, [70])
    assert await settled(linked, session, inbox) == Departures(deleted=1)


async def test_a_mail_that_was_moved_to_a_folder_that_is_not_imported_has_left_to_it(
    linked: Linked, session: Any, inbox: int, trash: int, project: int, dovecot: Dovecot
) -> None:
    missing = add_refused_folder(linked)
    with dovecot.phone(linked.address) as phone:
        phone.move("INBOX", 2, "ごみ箱")
        phone.move("INBOX", 3, "Project")
        phone.expunge("INBOX", 4)
    linked.rows(GO, inbox, [2, 3, 4])
    assert await settled(linked, session, inbox) == Departures(deleted=1, left=2, opened=True)
    assert linked.rows(MARKS) == [(2, False, trash), (3, False, project), (4, True, None)]
    assert missing not in {folder for _, _, folder in linked.rows(MARKS)}


def add_refused_folder(linked: Linked) -> int:
    """A folder that is listed here and that the server refuses to open."""
    ((folder,),) = linked.rows(
        "INSERT INTO folder (organization_id, public_id, mailbox_id, name_raw, name, delimiter, role, selectable,"
        " chosen, to_import) VALUES (%s, 'fo_x', %s, %s, %s, '/', 'trash', true, false, 0) RETURNING id",
        linked.box.organization_id,
        linked.box.pk,
        b"No longer there",
        "No longer there",
    )
    return folder


async def test_another_mail_with_the_same_message_id_is_not_taken_for_it(
    linked: Linked, session: Any, inbox: int, trash: int, dovecot: Dovecot
) -> None:
    with dovecot.phone(linked.address) as phone:
        phone.append("ごみ箱", sample_mail(2, size=9000))
        phone.expunge("INBOX", 2)
    linked.rows(GO, inbox, [2])
    assert await settled(linked, session, inbox) == Departures(deleted=1, opened=True)


async def test_many_mails_are_looked_for_some_at_a_time(
    linked: Linked, session: Any, inbox: int, trash: int, dovecot: Dovecot
) -> None:
    with dovecot.phone(linked.address) as phone:
        for uid in (1, 2, 3, 4, 5):
            phone.move("INBOX", uid, "ごみ箱")
    linked.rows(GO, inbox, [1, 2, 3, 4, 5])
    with mock.patch.object(departures, "LOOKUPS", 3), mock.patch.object(departures, "TOGETHER", 2):
        assert await settled(linked, session, inbox) == Departures(left=3, more=True, opened=True)
        assert await settled(linked, session, inbox) == Departures(left=2, opened=True)
    assert [folder for _, _, folder in linked.rows(MARKS)] == [trash] * 5


async def test_the_servers_own_id_of_a_mail_is_asked_for_where_there_is_one(
    linked: Linked, session: Any, inbox: int, trash: int
) -> None:
    linked.rows(GO, inbox, [2, 3])
    linked.rows("UPDATE message SET emailid = 'M' || id, message_id = ''")
    ((second, third),) = linked.rows("SELECT min(message_id), max(message_id) FROM placement WHERE gone_at IS NOT NULL")
    server = Objectid({encode("ごみ箱"): {f"M{third}": 9}})
    hands, _ = session
    assert await settled(linked, (hands, server), inbox) == Departures(deleted=1, left=1, opened=True)
    assert server.searches == [f"OR EMAILID M{second} EMAILID M{third}".encode()]
    assert linked.rows(MARKS) == [(2, True, None), (3, False, trash)]


class Objectid:
    """A server with OBJECTID, which Dovecot 2.3 is not: folders of mails by their EMAILID."""

    identity = "EMAILID"

    def __init__(self, folders: dict[bytes, dict[str, int]]) -> None:
        self._folders = folders
        self._open: dict[str, int] = {}
        self.searches: list[bytes] = []

    async def examine(self, name_raw: bytes) -> Any:
        self._open = self._folders[name_raw]
        return mock.Mock(exists=len(self._open))

    async def uid_search(self, criteria: bytes) -> Any:
        self.searches.append(criteria)
        return UidSet.of(uid for name, uid in self._open.items() if name.encode() in criteria.split())

    async def fetch(self, sequence: str, items: str, *, uid: bool, on_message: Any) -> None:
        assert "EMAILID" in items
        for name, number in self._open.items():
            on_message(Fetched(seq=number, uid=number, emailid=name))


@pytest.mark.parametrize(
    "change", ["UPDATE mailbox SET generation = generation + 1", "UPDATE shard SET epoch = epoch + 1"]
)
async def test_who_has_been_overtaken_marks_nothing(linked: Linked, session: Any, inbox: int, change: str) -> None:
    linked.rows(GO, inbox, [2])
    hands, client = session
    box, _ = await linked.load(hands, inbox)
    ((looked_at,),) = linked.rows("SELECT now()")
    linked.rows(change)
    with pytest.raises(Stale):
        await settle(hands, client, box, looked_at)
    assert linked.rows(MARKS) == []


async def test_what_has_gone_is_found_by_an_index_of_what_is_open(linked: Linked, session: Any, inbox: int) -> None:
    ((uidvalidity,),) = linked.rows("SELECT uidvalidity FROM folder")
    linked.rows(
        "INSERT INTO placement (organization_id, folder_id, uidvalidity, uid, message_id, flags, gone_at, settled_at)"
        " SELECT %s, %s, %s, n, (SELECT min(id) FROM message), '{}', gone, gone"
        " FROM (SELECT n, CASE WHEN n %% 2 = 0 THEN now() END AS gone FROM generate_series(100, 20000) n) AS places",
        linked.box.organization_id,
        inbox,
        uidvalidity,
    )
    linked.rows("ANALYZE placement")
    plan = linked.rows(f"EXPLAIN {departures.OPEN.replace('%(mailbox)s', str(linked.box.pk))}")
    assert "placement_unsettled" in str(plan), plan
