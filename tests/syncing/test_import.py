"""The main job against a real Dovecot: every mail, once, byte for byte, and nothing changed on the server."""

import imaplib
import uuid
from pathlib import Path

import psycopg
import pytest
import zstandard

from fumibako.archive.models import Message, Placement
from fumibako.events.models import Event
from fumibako.linking.models import LinkDraft, Mailbox, MailboxSecret
from fumibako.mail.imap.mutf7 import encode
from tests.lab.dovecot import Dovecot, sample_mail
from tests.lab.faulty_parser import with_faulty_parser
from tests.lab.installation import Installation, installation, until
from tests.world import World

pytestmark = pytest.mark.lab

PASSWORD = "あöä-password"
RAW = """
SELECT uid, (SELECT string_agg(body, ''::bytea ORDER BY n) FROM raw WHERE raw.message_id = placement.message_id)
  FROM placement JOIN folder ON folder.id = folder_id WHERE folder.role = %s ORDER BY uid
"""


@pytest.fixture
def address(dovecot: Dovecot) -> str:
    """An address of this test alone."""
    address = f"{uuid.uuid4().hex[:10]}@example.jp"
    dovecot.add_user(address, PASSWORD)
    return address


def _raw(url: str, role: str = "inbox") -> list[bytes]:
    unpack = zstandard.ZstdDecompressor()
    with psycopg.connect(url) as connection:
        rows = connection.execute(RAW, [role]).fetchall()
    return [unpack.decompressobj().decompress(packed) for _, packed in rows]


def _linked(fumibako: Installation, address: str, *more: str) -> dict:
    answer = fumibako.link(address, PASSWORD, *more)
    assert answer["linked"], answer
    return answer


def _live(fumibako: Installation, address: str) -> dict:
    return until(lambda: (seen := fumibako.status(address))["state"] == "live" and seen)


def test_a_thousand_mails_are_stored_byte_for_byte_and_the_server_is_left_as_it_was(
    fumibako: Installation, dovecot: Dovecot, address: str, database_url: str
) -> None:
    mails = [sample_mail(n, 1500 + n % 7000) for n in range(1000)]
    dovecot.fill(address, mails[:900])
    dovecot.fill(address, mails[900:], seen=False)
    before = {path.name: path.stat().st_mtime for path in dovecot.maildir(address).glob("cur/*")}
    fumibako.start_worker()
    answer = _linked(fumibako, address)
    assert answer["imap"]["username"] == address
    status = _live(fumibako, address)
    assert (status["stored"], status["on_server"], status["unreadable"]) == (1000, 1000, 0)
    assert sorted(_raw(database_url)) == sorted(mails)
    assert {path.name: path.stat().st_mtime for path in dovecot.maildir(address).glob("cur/*")} == before
    assert [line for line in dovecot.changes() if address in line] == []


def test_a_worker_killed_in_mid_import_goes_on_where_it_was_and_stores_nothing_twice(
    fumibako: Installation, dovecot: Dovecot, address: str
) -> None:
    dovecot.fill(address, [sample_mail(n, 40_000) for n in range(1000)])
    fumibako.start_worker()
    _linked(fumibako, address)
    for least in (1, 200, 500):
        until(lambda least=least: Message.objects.count() >= least)
        fumibako.kill_worker()
        assert Message.objects.count() < 1000, "the import was over before the worker was killed"
        fumibako.start_worker()
    status = _live(fumibako, address)
    assert (status["stored"], status["on_server"]) == (1000, 1000)
    assert (Message.objects.count(), Placement.objects.count()) == (1000, 1000)
    told = Event.objects.filter(kind="history.stored").values_list("count", flat=True)
    assert sum(told) == 1000
    assert not Event.objects.filter(kind="message.new").exists()


def test_a_mail_delivered_later_is_announced_as_new_once(
    fumibako: Installation, dovecot: Dovecot, address: str
) -> None:
    dovecot.fill(address, [sample_mail(n) for n in range(3)])
    fumibako.start_worker()
    _linked(fumibako, address)
    _live(fumibako, address)
    dovecot.deliver(address, sample_mail(99))
    until(lambda: Event.objects.filter(kind="message.new", seq__isnull=False).count() == 1)
    assert Message.objects.get(origin="live").subject == "見積 99"
    status = until(lambda: (seen := fumibako.status(address))["stored"] == 4 and seen)
    assert status["on_server"] == 4


def test_mail_filed_in_the_sent_folder_by_another_program_is_listed_as_outgoing(
    fumibako: Installation, dovecot: Dovecot, address: str
) -> None:
    dovecot.fill(address, [sample_mail(1)])
    fumibako.start_worker()
    _linked(fumibako, address)
    _live(fumibako, address)
    with imaplib.IMAP4("127.0.0.1", dovecot.imap_port) as outlook:
        outlook.authenticate("PLAIN", lambda _: f"\0{address}\0{PASSWORD}".encode())
        answer = outlook.append(f'"{encode("送信済みアイテム").decode()}"', "(\\Seen)", None, sample_mail(7))
    assert answer[0] == "OK"
    until(lambda: Message.objects.filter(outgoing=True).exists(), 60)
    assert Message.objects.get(outgoing=True).subject == "見積 7"


def test_flags_and_removals_on_the_server_are_seen_and_remove_nothing_here(
    fumibako: Installation, dovecot: Dovecot, address: str
) -> None:
    dovecot.fill(address, [sample_mail(n) for n in range(3)], seen=False)
    fumibako.start_worker()
    _linked(fumibako, address)
    _live(fumibako, address)
    with imaplib.IMAP4("127.0.0.1", dovecot.imap_port) as phone:
        phone.authenticate("PLAIN", lambda _: f"\0{address}\0{PASSWORD}".encode())
        phone.select("INBOX")
        phone.store("1", "+FLAGS", "(\\Seen)")
        phone.store("2", "+FLAGS", "(\\Deleted)")
        phone.expunge()
    until(lambda: Placement.objects.filter(seen=True, gone_at=None).count() == 1)
    until(lambda: Placement.objects.filter(gone_at__isnull=False).count() == 1)
    assert Message.objects.count() == 3
    status = until(lambda: (seen := fumibako.status(address))["on_server"] == 2 and seen)
    assert status["stored"] == 2


def test_only_the_chosen_folders_are_stored(fumibako: Installation, dovecot: Dovecot, address: str) -> None:
    dovecot.fill(address, [sample_mail(n) for n in range(5)])
    dovecot.fill(address, [sample_mail(100 + n) for n in range(4)], folder="Project")
    dovecot.fill(address, [sample_mail(200 + n) for n in range(3)], folder="Other")
    fumibako.start_worker()
    _linked(fumibako, address, "--folder", "Project")
    status = _live(fumibako, address)
    assert [(folder["name"], folder["stored"]) for folder in status["folders"]] == [("Project", 4)]
    assert Message.objects.count() == 4


def test_read_and_unread_mail_is_imported_alike(fumibako: Installation, dovecot: Dovecot, address: str) -> None:
    dovecot.fill(address, [sample_mail(1)], seen=True)
    dovecot.fill(address, [sample_mail(2)], seen=False)
    fumibako.start_worker()
    _linked(fumibako, address)
    _live(fumibako, address)
    assert sorted(Placement.objects.values_list("seen", flat=True)) == [False, True]


def test_folders_that_only_hold_folders_are_shown_and_never_opened(
    fumibako: Installation, dovecot: Dovecot, address: str
) -> None:
    dovecot.fill(address, [sample_mail(1)], folder="Parent.Child")
    fumibako.start_worker()
    _linked(fumibako, address, "--folder", "Parent/Child")
    status = _live(fumibako, address)
    assert (status["stored"], status["on_server"]) == (1, 1)
    parent = Mailbox.objects.get().folder_set.get(name="Parent")
    assert not parent.selectable


def test_unlinking_and_linking_again_doubles_nothing_and_announces_nothing(
    fumibako: Installation, dovecot: Dovecot, address: str
) -> None:
    dovecot.fill(address, [sample_mail(n) for n in range(50)])
    fumibako.start_worker()
    first = _linked(fumibako, address)
    _live(fumibako, address)
    fumibako.run("unlink", address)
    assert fumibako.status(address)["state"] == "unlinked"
    assert not MailboxSecret.objects.exists()
    assert Message.objects.count() == 50
    mail_events = Event.objects.exclude(kind="mailbox.state")
    before = mail_events.count()
    again = _linked(fumibako, address)
    assert again["mailbox"] == first["mailbox"]
    status = _live(fumibako, address)
    assert (status["stored"], Message.objects.count(), mail_events.count()) == (50, 50, before)


def test_mail_that_came_while_unlinked_is_history_when_linked_again(
    fumibako: Installation, dovecot: Dovecot, address: str
) -> None:
    dovecot.fill(address, [sample_mail(1)])
    fumibako.start_worker()
    _linked(fumibako, address)
    _live(fumibako, address)
    fumibako.run("unlink", address)
    dovecot.deliver(address, sample_mail(2))
    _linked(fumibako, address)
    until(lambda: Message.objects.count() == 2)
    _live(fumibako, address)
    assert not Event.objects.filter(kind="message.new").exists()


def test_a_new_uidvalidity_doubles_nothing_and_announces_nothing(
    fumibako: Installation, dovecot: Dovecot, address: str
) -> None:
    dovecot.fill(address, [sample_mail(n) for n in range(20)])
    fumibako.start_worker()
    _linked(fumibako, address)
    _live(fumibako, address)
    fumibako.kill_worker()
    dovecot.renumber(address, 777)
    fumibako.start_worker()
    until(lambda: Placement.objects.filter(uidvalidity=777).count() == 20)
    status = _live(fumibako, address)
    assert (status["stored"], status["on_server"], Message.objects.count()) == (20, 20, 20)
    assert not Event.objects.filter(kind="message.new").exists()


def test_a_password_changed_at_the_server_waits_then_asks_a_person_and_loses_no_choice(
    fumibako: Installation, dovecot: Dovecot, address: str
) -> None:
    dovecot.fill(address, [sample_mail(1)])
    fumibako.start_worker()
    _linked(fumibako, address)
    _live(fumibako, address)
    fumibako.kill_worker()
    dovecot.set_password(address, "another password")
    logins = dovecot.log().count("Password mismatch")
    fumibako.start_worker()
    status = until(lambda: (seen := fumibako.status(address))["state"] == "retrying" and seen)
    assert status["cause"] in {"wrong_credentials", "wrong_password"}
    assert status["next_try"]
    assert "AUTHENTICATIONFAILED" in status["server_words"]
    with psycopg.connect(fumibako.url, autocommit=True) as connection:
        connection.execute(f"NOTIFY fumibako_work, 'try:{Mailbox.objects.get().pk}'")
    until(lambda: fumibako.status(address)["state"] == "needs_attention")
    assert dovecot.log().count("Password mismatch") == logins + 2
    assert [folder["name"] for folder in fumibako.status(address)["folders"]] == ["INBOX", "送信済みアイテム"]


def test_an_outage_ends_by_itself_without_anybody(fumibako: Installation, dovecot: Dovecot, address: str) -> None:
    dovecot.fill(address, [sample_mail(1)])
    fumibako.start_worker()
    _linked(fumibako, address)
    _live(fumibako, address)
    dovecot.personality("service imap-login {\n  inet_listener imaps {\n    port = 0\n  }\n}\n")
    dovecot.admin("kick", address)
    status = until(lambda: (seen := fumibako.status(address))["state"] == "retrying" and seen)
    assert status["next_try"]
    dovecot.personality("")
    dovecot.deliver(address, sample_mail(2))
    until(lambda: fumibako.status(address)["state"] == "live" and Message.objects.count() == 2)


def test_a_wrong_password_leaves_nothing_behind_but_a_failed_link_without_secret(
    fumibako: Installation, dovecot: Dovecot, address: str
) -> None:
    logins = dovecot.log().count("Password mismatch")
    answer = fumibako.link(address, "marker-7f3e", code=1)
    assert (answer["linked"], answer["stage"]) == (False, "login")
    assert answer["cause"] in {"wrong_credentials", "wrong_password"}
    assert answer["remedy"]["ja"] and answer["remedy"]["en"]
    assert dovecot.log().count("Password mismatch") == logins + 1
    assert not Mailbox.objects.exists()
    draft = LinkDraft.objects.get()
    assert (draft.state, draft.imap_sealed, draft.smtp_sealed) == ("failed", None, None)
    assert fumibako.status(address)["state"] == "failed"
    with psycopg.connect(fumibako.url) as connection:
        tables = connection.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        for (table,) in tables:
            found = connection.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%marker-7f3e%'").fetchone()
            assert found == (0,), table
    assert "marker-7f3e" not in fumibako.log()


def test_mails_that_kill_or_hang_the_parser_are_listed_and_the_next_is_read_in_the_same_run(
    database_url: str, world: World, dovecot: Dovecot, address: str, tmp_path: Path
) -> None:
    kill, hang = sample_mail(2) + b"kill the parser", sample_mail(3) + b"never end"
    dovecot.fill(address, [sample_mail(1), kill, hang, sample_mail(4)])
    with installation(database_url, tmp_path, dovecot, PYTHONPATH=with_faulty_parser(tmp_path)) as fumibako:
        fumibako.start_worker()
        worker = fumibako.worker
        _linked(fumibako, address)
        status = _live(fumibako, address)
        assert (status["stored"], status["on_server"], status["unreadable"]) == (4, 4, 2)
        assert sorted(Message.objects.values_list("unreadable", "subject"), key=str) == sorted(
            [(None, "見積 1"), ("parser_died", ""), ("parser_hung", ""), (None, "見積 4")], key=str
        )
        assert sorted(_raw(database_url)) == sorted([sample_mail(1), kill, hang, sample_mail(4)])
        assert fumibako.worker is worker and worker is not None and worker.poll() is None
