"""What the server has is what is stored or skipped by name; a difference heals itself, or is named."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from fumibako.archive import Stale
from fumibako.mail.imap import ImapClient, UidSet
from fumibako.syncing.completeness import HEALINGS, Proof, due, folders_due, prove_folder
from tests.lab.dovecot import Dovecot, sample_mail
from tests.syncing.linked import Linked, link
from tests.world import World

NOTHING = UidSet()
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture
def linked(world: World, dovecot: Dovecot, database_url: str) -> Linked:
    return link(world, dovecot, database_url, range(6))


@pytest.fixture
def inbox(linked: Linked, world: World) -> int:
    return linked.import_folder(world)


@pytest_asyncio.fixture
async def session(linked: Linked) -> AsyncIterator[tuple[Any, ImapClient]]:
    async with linked.at_work() as at_work:
        yield at_work


async def prove(
    linked: Linked, session: tuple[Any, ImapClient], inbox: int, waiting: UidSet = NOTHING, client: Any = None
) -> Proof:
    hands, own = session
    box, folder = await linked.load(hands, inbox)
    await own.examine(folder.name_raw)
    return await prove_folder(hands, client or own, box, folder, waiting)


def noted(linked: Linked) -> dict[str, Any]:
    ((proof, proved),) = linked.rows("SELECT proof, proved_at > now() - interval '1 minute' FROM folder")
    assert proved
    return proof


def events(linked: Linked) -> list[dict[str, Any]]:
    return [detail for (detail,) in linked.rows("SELECT detail FROM event WHERE kind = 'mailbox.proof' ORDER BY id")]


@pytest.mark.lab
async def test_a_folder_that_is_whole_is_proved_without_a_word(linked: Linked, session: Any, inbox: int) -> None:
    proof = await prove(linked, session, inbox)
    assert (proof.on_server, proof.stored, proof.skipped, proof.waiting, proof.differences) == (6, 6, {}, 0, {})
    assert {name: noted(linked)[name] for name in ("on_server", "stored", "missing", "extra")} == {
        "on_server": 6,
        "stored": 6,
        "missing": 0,
        "extra": 0,
    }
    assert events(linked) == []


@pytest.mark.lab
async def test_what_is_skipped_is_told_by_reason_and_what_is_on_its_way_is_not_missing(
    linked: Linked, session: Any, inbox: int, dovecot: Dovecot
) -> None:
    linked.rows("DELETE FROM placement WHERE uid IN (1, 2, 5)")
    linked.rows(
        "INSERT INTO skip (organization_id, folder_id, uidvalidity, reason, uids)"
        " SELECT organization_id, id, uidvalidity, 'before_range', '{[1,4)}' FROM folder"
    )
    linked.rows("DELETE FROM placement WHERE uid = 3")
    with dovecot.phone(linked.address) as phone:
        phone.expunge("INBOX", 3)
    dovecot.deliver(linked.address, sample_mail(7))
    proof = await prove(linked, session, inbox, UidSet.of([5]))
    assert (proof.on_server, proof.stored, proof.skipped, proof.waiting) == (6, 2, {"before_range": 2}, 2)
    assert proof.differences == {}
    assert linked.rows("SELECT uids::text FROM skip") == [("{[1,3)}",)]


@pytest.mark.lab
async def test_a_missing_mail_is_named_told_and_left_to_the_next_look(
    linked: Linked, session: Any, inbox: int, caplog: pytest.LogCaptureFixture
) -> None:
    linked.rows("DELETE FROM placement WHERE uid IN (2, 3)")
    proof = await prove(linked, session, inbox)
    assert (proof.missing, proof.stored) == (UidSet.of([2, 3]), 4)
    assert linked.rows("SELECT known::text FROM folder") == [("{[1,2),[4,7)}",)]
    assert noted(linked)["missing_uids"] == [[2, 3]]
    assert events(linked) == [{"on_server": 6, "stored": 4, "missing": 2}]
    assert "a folder differed from the server" in caplog.text


@pytest.mark.lab
async def test_a_mail_that_stays_missing_is_fetched_three_times_and_then_skipped_by_name(
    linked: Linked, session: Any, inbox: int
) -> None:
    linked.rows("DELETE FROM placement WHERE uid = 2")
    for _ in range(HEALINGS):
        linked.rows("UPDATE folder SET known = '{[1,7)}'")
        assert (await prove(linked, session, inbox)).missing == UidSet.of([2])
        assert linked.rows("SELECT known::text FROM folder") == [("{[1,2),[3,7)}",)]
    # While an import is responsible for it, it is neither healed once more nor forgotten.
    assert (await prove(linked, session, inbox, UidSet.of([2]))).missing == NOTHING
    proof = await prove(linked, session, inbox)
    assert (proof.missing, proof.given_up, proof.skipped) == (NOTHING, UidSet.of([2]), {"not_stored": 1})
    assert linked.rows("SELECT reason, uids::text FROM skip") == [("not_stored", "{[2,3)}")]
    assert linked.rows("SELECT known::text FROM folder") == [("{[1,7)}",)]
    after = await prove(linked, session, inbox)
    assert (after.skipped, after.differences) == ({"not_stored": 1}, {})
    assert len(events(linked)) == HEALINGS + 1


@pytest.mark.lab
async def test_a_mail_that_was_fetched_anew_is_missing_for_the_first_time_when_it_is_missing_again(
    linked: Linked, session: Any, inbox: int
) -> None:
    ((message, uidvalidity),) = linked.rows("SELECT message_id, uidvalidity FROM placement WHERE uid = 2")
    for _ in range(2):
        for _ in range(HEALINGS):
            linked.rows("DELETE FROM placement WHERE uid = 2")
            assert (await prove(linked, session, inbox)).missing == UidSet.of([2])
        linked.place(message, inbox, uidvalidity, 2)
        assert (await prove(linked, session, inbox)).differences == {}


@pytest.mark.lab
async def test_what_is_gone_on_the_server_is_marked_and_what_was_marked_wrongly_is_there_again(
    linked: Linked, session: Any, inbox: int, dovecot: Dovecot
) -> None:
    with dovecot.phone(linked.address) as phone:
        phone.expunge("INBOX", 4)
    linked.rows("UPDATE placement SET gone_at = now() WHERE uid = 5")
    linked.rows("UPDATE message SET deleted_at = now(), left_to_id = %s", inbox)
    proof = await prove(linked, session, inbox)
    assert (proof.on_server, proof.stored, proof.extra, proof.back) == (5, 4, UidSet.of([4]), UidSet.of([5]))
    assert linked.rows("SELECT uid FROM placement WHERE gone_at IS NOT NULL") == [(4,)]
    assert (await prove(linked, session, inbox)).differences == {}
    marked = "SELECT uid FROM placement p JOIN message m ON m.id = p.message_id WHERE m.deleted_at IS NOT NULL"
    assert linked.rows(f"{marked} OR left_to_id IS NOT NULL") == [(4,)]
    assert linked.rows("SELECT count(*) FROM message") == [(6,)]


@pytest.mark.lab
async def test_a_mail_expunged_while_the_proof_runs_is_no_difference(
    linked: Linked, session: Any, inbox: int, dovecot: Dovecot
) -> None:
    client = session[1]
    search = client.uid_search

    async def then_expunged(criteria: bytes = b"ALL") -> UidSet:
        answer = await search(criteria)
        if 3 in answer:
            with dovecot.phone(linked.address) as phone:
                phone.expunge("INBOX", 3)
            linked.rows("UPDATE placement SET gone_at = now() WHERE uid = 3")  # as the watch does
        return answer

    with mock.patch.object(client, "uid_search", then_expunged):
        proof = await prove(linked, session, inbox)
    assert (proof.on_server, proof.stored, proof.differences) == (5, 5, {})


@pytest.mark.lab
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE mailbox SET generation = generation + 1",
        "UPDATE folder SET uidvalidity = uidvalidity + 1",
        "UPDATE shard SET epoch = epoch + 1",
    ],
)
async def test_who_has_been_overtaken_notes_nothing(linked: Linked, session: Any, inbox: int, change: str) -> None:
    linked.rows("DELETE FROM placement WHERE uid = 2")
    hands, client = session
    box, folder = await linked.load(hands, inbox)
    await client.examine(folder.name_raw)
    linked.rows(change)
    with pytest.raises(Stale):
        await prove_folder(hands, client, box, folder, NOTHING)
    assert linked.rows("SELECT proved_at, known::text FROM folder") == [(None, "{[1,7)}")]
    assert events(linked) == []


@pytest.mark.lab
async def test_chosen_folders_without_a_proof_are_due(linked: Linked, session: Any, inbox: int, world: World) -> None:
    linked.rows("INSERT INTO folder (organization_id, public_id, mailbox_id, name_raw, name, delimiter, role,"
                " selectable, chosen, to_import) SELECT organization_id, 'fo_x', mailbox_id, 'x', 'x', '', 'other',"
                " true, false, 0 FROM folder")  # fmt: skip
    hands, _ = session
    box, _ = await linked.load(hands, inbox)
    assert await folders_due(hands, box) == {inbox}
    await prove(linked, session, inbox)
    assert await folders_due(hands, box) == set()


def times_due(mailbox: int, proved_at: datetime, day: datetime) -> list[datetime]:
    minutes = (day + timedelta(minutes=n) for n in range(7 * 60))
    return [now for now in minutes if due(mailbox, proved_at, "Asia/Tokyo", now)]


def test_mailboxes_are_proved_each_night_at_times_of_their_own() -> None:
    day = datetime(2026, 11, 25, tzinfo=TOKYO)
    first = [times_due(mailbox, day - timedelta(hours=21), day)[0] for mailbox in range(120)]
    assert all(2 <= at.hour < 5 or (at.hour, at.minute) == (5, 0) for at in first)
    assert len({(at.hour, at.minute // 10) for at in first}) >= 15
    again = times_due(7, first[7], day + timedelta(days=1))[0]
    assert again == first[7] + timedelta(days=1)
    assert times_due(7, first[7], day) == [at for at in times_due(7, first[7], day) if at < first[7]]


def test_a_proof_that_is_two_days_old_or_was_never_made_is_due_at_any_hour() -> None:
    noon = datetime(2026, 11, 25, 12, tzinfo=TOKYO)
    assert due(1, None, "Asia/Tokyo", noon)
    assert due(1, noon - timedelta(days=2, seconds=1), "Asia/Tokyo", noon.astimezone(UTC))
    assert not due(1, noon - timedelta(days=1, hours=20), "Asia/Tokyo", noon)


def test_the_night_is_that_of_the_organizations_time_zone() -> None:
    morning = datetime(2026, 11, 25, 5, 30, tzinfo=TOKYO)
    before = morning - timedelta(hours=30)
    assert due(1, before, "Asia/Tokyo", morning)
    assert not due(1, before, "Europe/Berlin", morning)
