"""The text of imported mail follows its row in the list, and search says so until it is there."""

from functools import partial

import psycopg
import pytest

from fumibako import archive
from fumibako.archive import Scope, next_due, read_texts
from fumibako.linking import in_thread
from tests.archive.conftest import Store, mail
from tests.archive.test_children import faulty, faulty_parser
from tests.world import World

__all__ = ["faulty", "faulty_parser"]
pytestmark = pytest.mark.lab

TEXTS = """
SELECT subject, snippet, text, unreadable FROM message LEFT JOIN body ON body.message_id = message.id ORDER BY subject
"""
DUE = "SELECT cardinality(messages) FROM text_due"


async def read_all(store: Store) -> int:
    """Read what is due in the store's shard; returns how many batches there were."""
    done = 0
    async with await psycopg.AsyncConnection.connect(store.url, autocommit=True) as connection:
        while (due := await next_due(connection, [store.box.shard], [])) is not None:
            await read_texts(connection, store.parsers, due)
            done += 1
    return done


async def test_a_mail_is_listed_before_its_text_is_read_and_searched_afterwards(store: Store, world: World) -> None:
    await store.commit({1: mail("one", body="apples"), 2: mail("two", message_id="2", body="pears")}, scope=Scope.LIST)
    assert await store.rows(TEXTS) == [("one", "apples", None, None), ("two", "pears", None, None)]
    found = await in_thread(partial(archive.list_messages, world.person, words="pears"))
    assert (found.rows, found.trails) == ((), True)
    assert await read_all(store) == 1
    assert await store.rows(TEXTS) == [("one", "apples", "apples", None), ("two", "pears", "pears", None)]
    assert await store.rows(DUE) == []
    found = await in_thread(partial(archive.list_messages, world.person, words="pears"))
    assert ([row.subject for row in found.rows], found.trails) == (["two"], False)


async def test_new_mail_has_its_text_at_once(store: Store) -> None:
    await store.commit({100: mail("new", body="now")})
    assert await store.rows(TEXTS) == [("new", "now", "now", None)]
    assert await store.rows(DUE) == []


async def test_texts_of_which_a_part_is_there_are_gone_on_with(store: Store) -> None:
    await store.commit({n: mail(f"m{n}", message_id=str(n), body=f"text {n}") for n in (1, 2, 3)}, scope=Scope.LIST)
    await store.rows(
        "INSERT INTO body (organization_id, message_id, text) "
        " SELECT organization_id, id, 'there' FROM message WHERE subject = 'm2' RETURNING message_id"
    )
    await read_all(store)
    assert [text for _, _, text, _ in await store.rows(TEXTS)] == ["text 1", "there", "text 3"]


async def test_a_mail_whose_whole_text_kills_its_child_is_marked_and_the_others_are_read(faulty: Store) -> None:
    mails = {1: mail("a", body="fine"), 2: mail("b", message_id="2", body="x\r\n" * 4000 + "kill the parser")}
    await faulty.commit(mails, scope=Scope.LIST)
    await read_all(faulty)
    read = [(subject, text, unreadable) for subject, _, text, unreadable in await faulty.rows(TEXTS)]
    assert read in ([("", "", "parser_died"), ("a", "fine", None)], [("a", "fine", None), ("b", "", "parser_died")])
    assert await faulty.rows(DUE) == []


async def test_texts_of_mailboxes_that_another_worker_holds_are_left_to_it(store: Store) -> None:
    await store.commit({1: mail()}, scope=Scope.LIST)
    async with await psycopg.AsyncConnection.connect(store.url, autocommit=True) as connection:
        assert await next_due(connection, [store.box.shard + 1], []) is None
        due = await next_due(connection, [store.box.shard], [])
        assert due is not None
        assert await next_due(connection, [store.box.shard], [due.id]) is None
