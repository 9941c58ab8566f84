"""A batch is stored whole or not at all, once, and only by who still may."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
import zstandard

from fumibako.archive import Stale
from tests.archive.conftest import ARRIVED, Store, mail

pytestmark = pytest.mark.lab

COUNTS = """
SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM placement), (SELECT count(*) FROM raw),
       (SELECT count(*) FROM event), (SELECT known::text FROM folder)
"""
NOTHING = [(0, 0, 0, 0, "{}")]


async def test_what_is_stored_is_byte_for_byte_what_came(store: Store) -> None:
    mails = {1: mail("one"), 2: mail("two", message_id="2@example.jp", body="x" * 50_000)}
    done = await store.commit(mails)
    assert (done.history, done.live, done.placements) == (2, 0, 2)
    rows = await store.rows(
        "SELECT uid, (SELECT string_agg(body, ''::bytea ORDER BY n) FROM raw WHERE raw.message_id = p.message_id)"
        " FROM placement p ORDER BY uid"
    )
    unpack = zstandard.ZstdDecompressor().decompressobj
    assert {uid: unpack().decompress(packed) for uid, packed in rows} == mails
    assert await store.rows("SELECT known::text FROM folder") == [("{[1,3)}",)]


async def test_history_makes_one_event_a_batch_and_new_mail_one_event_each(store: Store) -> None:
    await store.commit({98: mail("a", message_id="a"), 99: mail("b", message_id="b")})
    await store.commit({100: mail("c", message_id="c"), 101: mail("d", message_id="d")})
    events = await store.rows("SELECT kind, count, message_id IS NOT NULL FROM event ORDER BY id")
    assert sorted(events) == [("history.stored", 2, False), ("message.new", 1, True), ("message.new", 1, True)]


async def test_after_a_folder_was_numbered_anew_mail_since_the_last_proof_of_life_is_new(store: Store) -> None:
    since = int((ARRIVED + timedelta(minutes=2)).timestamp() * 1_000_000)
    mails = {n: mail(str(n), message_id=str(n)) for n in (1, 2, 3)}
    done = await store.commit(mails, live_since=since)
    assert (done.live, done.history) == (2, 1)
    origins = await store.rows("SELECT subject, origin FROM message ORDER BY subject")
    assert origins == [("1", "history"), ("2", "live"), ("3", "live")]
    events = await store.rows("SELECT kind, count FROM event ORDER BY kind")
    assert events == [("history.stored", 1), ("message.new", 1), ("message.new", 1)]


async def test_the_modseq_and_the_emailid_that_the_server_tells_are_kept(store: Store) -> None:
    await store.commit({1: mail()}, modseq=9_007_199_254_740_993, emailid="M6d99ac3275bb4e")
    told = await store.rows("SELECT modseq, emailid FROM placement JOIN message ON message.id = placement.message_id")
    assert told == [(9_007_199_254_740_993, "M6d99ac3275bb4e")]


class Dying:
    """Connections of which the first breaks: within the transaction, or when its COMMIT is done and not answered."""

    def __init__(self, url: str, within: str) -> None:
        self._url = url
        self._within = within
        self.tries = 0

    async def __call__(self) -> psycopg.AsyncConnection:
        self.tries += 1
        connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        if self.tries == 1:
            execute = connection.execute

            async def dies(query, values=None, **more):
                answer = await execute(query, values, **more)
                if "INSERT INTO event" in query:
                    if self._within == "answer":
                        await execute("COMMIT")
                    await self._end(connection.info.backend_pid)
                return answer

            connection.execute = dies
        return connection

    async def _end(self, backend: int) -> None:
        async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as other:
            await other.execute("SELECT pg_terminate_backend(%s, 10000)", [backend])


@pytest.mark.parametrize("within", ["transaction", "answer"])
async def test_a_batch_whose_connection_breaks_is_stored_once_by_the_next_try(store: Store, within: str) -> None:
    await store.commit({1: mail("old")})
    dying = Dying(store.url, within)
    mails = {2: mail("old"), 99: mail("a", message_id="a"), 100: mail("b", message_id="b"), 101: mail("c")}
    done = await store.commit(mails, connect=dying)
    assert dying.tries == 2
    assert (done.history, done.live, done.placements) == (1, 2, 4)
    assert await store.rows(COUNTS) == [(4, 5, 4, 4, "{[1,3),[99,102)}")]


async def test_a_mail_that_another_connection_has_stored_at_its_place_is_not_stored_again(store: Store) -> None:
    async def other() -> None:
        await store.commit({100: mail("a", message_id="a")})

    done = await store.commit({100: mail("a", message_id="a"), 101: mail("b", message_id="b")}, hold=other)
    assert (done.live, done.placements) == (1, 1)
    assert await store.rows(COUNTS) == [(2, 2, 2, 2, "{[100,102)}")]


async def test_the_same_bytes_at_two_places_are_one_message_without_a_second_event(store: Store) -> None:
    same = mail("moved")
    await store.commit({100: same})
    done = await store.commit({105: same, 106: same})
    assert (done.live, done.history, done.placements) == (0, 0, 2)
    assert await store.rows(COUNTS) == [(1, 3, 1, 1, "{[100,101),[105,107)}")]


async def test_a_mail_that_comes_back_is_no_longer_marked_as_deleted_or_left(store: Store) -> None:
    await store.commit({1: mail("moved"), 2: mail("gone", message_id="2")})
    await store.rows("UPDATE message SET deleted_at = now(), left_to_id = %s RETURNING 1", store.folder.pk)
    await store.commit({5: mail("moved")})
    marked = "SELECT subject FROM message WHERE deleted_at IS NOT NULL OR left_to_id IS NOT NULL"
    assert await store.rows(marked) == [("gone",)]


async def test_three_different_mails_without_message_id_are_three_mails(store: Store) -> None:
    await store.commit({n: mail("none", message_id=None, body=f"mail {n}") for n in (1, 2, 3)})
    assert await store.rows("SELECT count(*), count(DISTINCT sha256) FROM message") == [(3, 3)]


async def test_a_reused_message_id_with_other_content_is_another_mail(store: Store) -> None:
    await store.commit({1: mail("first", message_id="same"), 2: mail("second", message_id="same")})
    subjects = await store.rows("SELECT subject FROM message ORDER BY subject")
    assert subjects == [("first",), ("second",)]


async def test_a_mail_too_large_keeps_its_header_and_says_so(store: Store) -> None:
    await store.commit({1: b"Subject: huge\r\nFrom: a@example.jp\r\n\r\n"}, skipped="too_large")
    assert await store.rows("SELECT subject, skipped, sha256 FROM message") == [("huge", "too_large", None)]


async def test_unlinking_between_fetch_and_commit_stores_nothing_of_the_batch(store: Store) -> None:
    async def unlink() -> None:
        await store.rows("UPDATE mailbox SET generation = generation + 1 RETURNING 1")

    with pytest.raises(Stale):
        await store.commit({1: mail()}, hold=unlink)
    assert await store.rows(COUNTS) == NOTHING


async def test_a_folder_that_is_no_longer_chosen_gets_nothing_of_the_batch(store: Store) -> None:
    async def leave_out() -> None:
        await store.rows("UPDATE folder SET chosen = false RETURNING 1")

    with pytest.raises(Stale):
        await store.commit({1: mail()}, hold=leave_out)
    assert await store.rows(COUNTS) == NOTHING


async def test_a_change_that_is_under_way_is_waited_for_and_then_wins(store: Store) -> None:
    async with await psycopg.AsyncConnection.connect(store.url) as other:
        await other.execute("UPDATE mailbox SET generation = generation + 1")
        writing = asyncio.create_task(store.commit({1: mail()}))
        watcher = await psycopg.AsyncConnection.connect(store.url, autocommit=True)
        async with watcher, asyncio.timeout(20):
            while True:
                cursor = await watcher.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                if (await cursor.fetchone() or (0,))[0]:
                    break
        await other.commit()
    with pytest.raises(Stale):
        await writing
    assert await store.rows(COUNTS) == NOTHING


async def test_a_worker_that_has_lost_the_shard_commits_nothing(store: Store) -> None:
    async def take_over() -> None:
        await store.rows("UPDATE shard SET epoch = epoch + 1, owner = 2 WHERE id = %s RETURNING 1", store.box.shard)

    with pytest.raises(Stale):
        await store.commit({1: mail()}, hold=take_over)
    assert await store.rows(COUNTS) == NOTHING
    store.epoch += 1
    await store.commit({1: mail()})
    assert await store.rows(COUNTS) == [(1, 1, 1, 1, "{[1,2)}")]


async def test_another_uidvalidity_than_the_fetch_was_made_for_stores_nothing(store: Store) -> None:
    with pytest.raises(Stale):
        await store.commit({1: mail()}, uidvalidity=8)
    assert await store.rows(COUNTS) == NOTHING


async def test_history_is_sorted_by_a_credible_date_and_new_mail_by_its_arrival(store: Store) -> None:
    await store.commit(
        {
            1: mail("old", message_id="o", Date="Mon, 5 Jan 2026 10:00:00 +0900"),
            2: mail("future", message_id="f", Date="Sat, 5 Jan 2096 10:00:00 +0900"),
        }
    )
    await store.commit({100: mail("live", message_id="l", Date="Mon, 5 Jan 2026 10:00:00 +0900")})
    sorted_by = await store.rows("SELECT subject, sort_at = date, sort_at = internal_date FROM message ORDER BY id")
    assert sorted_by == [("old", True, False), ("future", False, True), ("live", False, True)]


async def test_a_row_that_points_into_another_organization_is_refused_by_postgresql(store: Store) -> None:
    await store.commit({1: mail()})
    await store.rows(
        "INSERT INTO organization (public_id, name, language, time_zone, default_range, requires_mail_domain)"
        " VALUES ('og_other', 'other', 'ja', 'Asia/Tokyo', '1y', false) RETURNING id"
    )
    tables = ("mailbox_person", "folder", "message", "body", "raw", "placement", "thread_key")
    for table in tables:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            await store.rows(
                f"UPDATE {table} SET organization_id = (SELECT id FROM organization WHERE public_id = 'og_other')"
                " RETURNING 1"
            )
