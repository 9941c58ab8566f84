"""Whatever a mail does to the process that reads it, the next mail is stored in the same run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fumibako.archive import ChildDied, ParserPool
from fumibako.linking.models import Folder, Mailbox
from tests.archive.conftest import Store, mail
from tests.lab.faulty_parser import with_faulty_parser

pytestmark = pytest.mark.lab


@pytest.fixture
def faulty_parser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", with_faulty_parser(tmp_path))


@pytest_asyncio.fixture
async def faulty(faulty_parser: None, database_url: str, box: Mailbox, folder: Folder) -> AsyncIterator[Store]:
    async with ParserPool(children=2, slots=2, batch_timeout=4, mail_timeout=2) as parsers:
        yield Store(database_url, parsers, box, folder)


STORED = "SELECT subject, unreadable FROM message JOIN placement ON placement.message_id = message.id ORDER BY uid"


async def test_a_mail_that_kills_its_child_by_sigsegv_is_kept_unread_and_the_others_are_read(faulty: Store) -> None:
    done = await faulty.commit(
        {1: mail("before", message_id="1"), 2: mail("bad", body="kill the parser"), 3: mail("after", message_id="3")}
    )
    assert done.unreadable == 1
    assert await faulty.rows(STORED) == [("before", None), ("", "parser_died"), ("after", None)]


async def test_a_mail_that_never_ends_is_kept_unread_and_the_others_are_read(faulty: Store) -> None:
    await faulty.commit({1: mail("bad", body="never end"), 2: mail("after", message_id="2")})
    assert await faulty.rows(STORED) == [("", "parser_hung"), ("after", None)]


async def test_children_live_on_after_one_has_died(faulty: Store) -> None:
    await faulty.commit({1: mail(body="kill the parser")})
    await faulty.commit({2: mail("next", message_id="2")})
    assert await faulty.rows(STORED) == [("", "parser_died"), ("next", None)]


async def test_mails_are_not_blamed_where_children_cannot_live_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str, box: Mailbox, folder: Folder
) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit(1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with ParserPool(children=1, slots=1) as parsers:
        store = Store(database_url, parsers, box, folder)
        with pytest.raises(ChildDied):
            await store.commit({1: mail()})
    assert await store.rows("SELECT count(*) FROM message") == [(0,)]


async def test_a_child_gets_nothing_of_the_owners_environment(
    monkeypatch: pytest.MonkeyPatch, database_url: str, box: Mailbox, folder: Folder
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://marker-secret@/x")
    async with ParserPool(children=1, slots=1):
        for entry in Path("/proc").glob("[0-9]*/environ"):
            try:
                command = (entry.parent / "cmdline").read_bytes()
                environment = entry.read_bytes()
            except OSError:
                continue
            if b"fumibako.archive.child" in command:
                assert b"marker-secret" not in environment
