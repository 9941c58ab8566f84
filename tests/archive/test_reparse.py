"""A better reader reaches old mail, without a new event, and whatever stops it."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from fumibako.archive import ParserPool, Reparsed, read_again
from fumibako.archive.reparse import BATCH
from fumibako.events import connect_directly
from fumibako.mail.letter import PARSER_VERSION
from tests.archive.conftest import Store, mail
from tests.lab.faulty_parser import with_faulty_parser
from tests.lab.installation import Installation, installation, until

pytestmark = pytest.mark.lab

WITH_FILE = (
    b"From: taro@example.jp\r\nTo: Suzuki <suzuki@tokyo-shoji.example>\r\nSubject: files\r\n"
    b"Message-ID: <f@example.jp>\r\nReferences: <a@example.jp>\r\nDate: Mon, 5 Jan 2026 10:00:00 +0900\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello</p>\r\n"
    b'--b\r\nContent-Type: text/plain; name="a.txt"\r\nContent-Disposition: attachment; filename="quote.txt"\r\n\r\n'
    b"the file\r\n--b--\r\n"
)
EVERYTHING = """
SELECT (SELECT json_agg(to_jsonb(m) - 'parser_version' ORDER BY id) FROM message m),
       (SELECT json_agg(b ORDER BY message_id) FROM body b),
       (SELECT json_agg(a ORDER BY message_id, n) FROM attachment a),
       (SELECT json_agg(k ORDER BY message_id, key) FROM thread_key k),
       (SELECT json_agg(p ORDER BY uid) FROM placement p),
       (SELECT json_agg(e ORDER BY id) FROM event e)
"""
MISREAD = (
    "UPDATE message SET parser_version = 0, date = NULL, subject = '?', from_name = '?', from_address = '?',"
    " recipients = '{}', snippet = '?', attachments = 9, has_html = NOT has_html, message_id = '?',"
    " outgoing = NOT outgoing RETURNING 1",
    "UPDATE body SET text = '?' RETURNING 1",
    "UPDATE attachment SET name = '?', content_id = '?' RETURNING 1",
    "INSERT INTO attachment (organization_id, message_id, n, part, name, content_type, size, sha256, inline)"
    " SELECT organization_id, message_id, 7, '7', '', '', 0, '', false FROM attachment RETURNING 1",
    "UPDATE thread_key SET key = key + 1 WHERE own RETURNING 1",
)


async def again(store: Store, told: list[tuple[int, int]] | None = None) -> Reparsed:
    """Read again with the store's children."""
    async with await connect_directly() as connection:
        return await read_again(
            connection, store.parsers, lambda *done: told.append(done) if told is not None else None
        )


async def test_what_an_older_parser_got_wrong_is_put_right_and_nothing_else_changes(store: Store) -> None:
    await store.commit({1: mail("見積の件", body="東京"), 2: WITH_FILE})
    await store.commit({100: mail("new", message_id="n")})
    before = await store.rows(EVERYTHING)
    for statement in MISREAD:
        await store.rows(statement)
    assert await store.rows(EVERYTHING) != before
    told: list[tuple[int, int]] = []
    assert await again(store, told) == Reparsed(read=3, unreadable=0)
    assert await store.rows(EVERYTHING) == before
    assert await store.rows("SELECT DISTINCT parser_version FROM message") == [(PARSER_VERSION,)]
    assert told == [(3, 3)]
    assert await again(store) == Reparsed(read=0, unreadable=0)


async def test_what_an_older_parser_could_not_read_is_read(store: Store) -> None:
    await store.commit({1: mail("見積の件", body="東京")})
    await store.rows("UPDATE message SET parser_version = 0, unreadable = 'parser_died', subject = '' RETURNING 1")
    assert await again(store) == Reparsed(read=1, unreadable=0)
    assert await store.rows("SELECT subject, unreadable FROM message") == [("見積の件", None)]


async def test_a_mail_of_which_only_the_head_is_here_keeps_saying_why(store: Store) -> None:
    await store.commit({1: b"Subject: huge\r\nFrom: a@example.jp\r\n\r\n"}, skipped="too_large")
    await store.rows("UPDATE message SET parser_version = 0, subject = '?' RETURNING 1")
    assert await again(store) == Reparsed(read=1, unreadable=0)
    assert await store.rows("SELECT subject, skipped, sha256 FROM message") == [("huge", "too_large", None)]


async def test_a_mail_from_ones_own_address_or_in_the_sent_folder_is_outgoing(store: Store) -> None:
    await store.commit({1: mail("received", message_id="1"), 2: WITH_FILE})
    await store.commit({3: mail("sent", message_id="3")}, role="sent")
    await store.rows("UPDATE message SET parser_version = 0, from_address = '?', outgoing = false RETURNING 1")
    await store.rows(
        "INSERT INTO folder (organization_id, public_id, mailbox_id, name_raw, name, delimiter, role, selectable,"
        " chosen, to_import) SELECT organization_id, 'fo_s', mailbox_id, 'Sent', 'Sent', '', 'sent', true, true, 0"
        " FROM folder RETURNING 1"
    )
    await store.rows("UPDATE placement SET folder_id = (SELECT id FROM folder WHERE role = 'sent') WHERE uid = 3"
                     " RETURNING 1")  # fmt: skip
    await again(store)
    outgoing = await store.rows("SELECT subject, outgoing FROM message ORDER BY subject")
    assert outgoing == [("files", True), ("received", False), ("sent", True)]


async def test_what_only_the_new_parser_cannot_read_stays_as_it_was_read(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit({1: mail("well read", body="kill the parser"), 2: mail("other", message_id="2")})
    await store.commit({3: mail("", message_id="3", body="kill the parser too")})
    await store.rows("UPDATE message SET parser_version = 0 RETURNING 1")
    await store.rows("UPDATE message SET unreadable = 'parser_hung' WHERE subject = '' RETURNING 1")
    monkeypatch.setenv("PYTHONPATH", with_faulty_parser(tmp_path))
    async with ParserPool(children=1, slots=1) as parsers, await connect_directly() as connection:
        assert await read_again(connection, parsers, lambda *done: None) == Reparsed(read=1, unreadable=2)
    assert await store.rows("SELECT subject, unreadable, parser_version FROM message ORDER BY id") == [
        ("well read", None, PARSER_VERSION),
        ("other", None, PARSER_VERSION),
        ("", "parser_died", PARSER_VERSION),
    ]


@pytest.fixture
def fumibako(database_url: str, tmp_path: Path) -> Iterator[Installation]:
    no_server: Any = SimpleNamespace(imap_port=1, imaps_port=2, authority=SimpleNamespace(cafile=""))
    with installation(database_url, tmp_path, no_server) as made:
        yield made


@contextlib.contextmanager
def held(store: Store, subject: str) -> Iterator[None]:
    """Hold a message's row, as a transaction of a worker does."""
    with psycopg.connect(store.url) as connection:
        connection.execute("SELECT 1 FROM message WHERE subject = %s FOR UPDATE", [subject])
        yield


async def test_killed_in_the_middle_it_goes_on_with_what_is_left(store: Store, fumibako: Installation) -> None:
    count = BATCH + 50
    await store.commit({n: mail(f"m{n}", message_id=str(n)) for n in range(1, count + 1)})
    await store.rows("UPDATE message SET parser_version = 0, snippet = '?' RETURNING 1")
    ((oldest,),) = await store.rows("SELECT subject FROM message ORDER BY sort_at, id LIMIT 1")

    def right() -> int:
        with psycopg.connect(store.url) as connection:
            ((done,),) = connection.execute("SELECT count(*) FROM message WHERE snippet = 'text'").fetchall()
        return done

    with held(store, oldest):
        running = subprocess.Popen(
            [sys.executable, "-m", "fumibako.site.command", "reparse", "--json"],
            env=fumibako.environment,
            stdout=subprocess.PIPE,
        )
        try:
            until(lambda: right() == BATCH)
        finally:
            running.send_signal(signal.SIGKILL)
            running.communicate()
    assert await store.rows("SELECT count(*) FROM message WHERE parser_version = 0") == [(count - BATCH,)]
    assert fumibako.run("reparse") == {"read": count - BATCH, "unreadable": 0}
    assert right() == count
    assert await store.rows("SELECT count(*) FROM event WHERE kind <> 'history.stored'") == [(151,)]
