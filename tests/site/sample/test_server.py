import json
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Running, Start

FOLDERS = ("INBOX", '"&kAFP4W4IMH8-"', '"&aEhO9g-/&Z3FOrFVGTos-"', '"&aEhO9g-/&MH8wajBoXeVpbQ-"')


def everything(server: Running) -> dict[str, object]:
    """All that a client can know of the mailbox."""
    seen: dict[str, object] = {}
    with server.imap() as client:
        for folder in FOLDERS:
            seen[folder] = client.status(folder, "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN MAILBOXID)")
            client.select(folder, readonly=True)
            seen[folder + " mails"] = client.uid(
                "FETCH", "1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE EMAILID THREADID BODY.PEEK[])"
            )
    return seen


def test_it_says_how_to_log_in_when_it_answers(server: Running) -> None:
    assert set(server.ready) == {"imap_port", "smtp_port", "address", "password", "ca"}
    assert server.ready["address"].endswith(".example")
    with server.imap() as client:
        assert client.state == "AUTH"


def test_it_stops_when_asked_though_clients_wait(tmp_path: Path, start: Start) -> None:
    running = start(tmp_path)
    with running.imap() as waiting, running.smtp():
        waiting.select()
        waiting.send(b"IDLE IDLE\r\n")
        assert waiting.readline().startswith(b"+")
        assert running.stop() == 0


def test_after_a_kill_everything_is_as_it_was(tmp_path: Path, start: Start) -> None:
    first = start(tmp_path)
    with first.imap() as client:
        client.select()
        client.store("1", "+FLAGS", "(\\Flagged)")
        client.append("INBOX", "(\\Seen)", '"05-Mar-2026 10:11:12 +0900"', b"Subject: kept\r\n\r\nkept\r\n")
    before = everything(first)
    first.kill()
    second = start(tmp_path)
    assert everything(second) == before
    assert second.ready == first.ready


def test_a_uid_is_never_given_twice(tmp_path: Path, start: Start) -> None:
    running = start(tmp_path)
    with running.imap() as client:
        client.append("INBOX", "", "", b"Subject: gone\r\n\r\ngone\r\n")
        client.select()
        _, (gone,) = client.uid("SEARCH", "SUBJECT", "gone")
        client.uid("STORE", gone.decode(), "+FLAGS", "(\\Deleted)")
        client.expunge()
    running.kill()
    with start(tmp_path).imap() as client:
        _, (appended,) = client.append("INBOX", "", "", b"Subject: next\r\n\r\nnext\r\n")
    assert int(appended.split()[2].rstrip(b"]")) == int(gone) + 1


def test_a_taken_port_is_told_and_replaced_by_a_free_one(tmp_path: Path, start: Start) -> None:
    first = start(tmp_path)
    first.stop()
    with socket.create_server(("127.0.0.1", first.ready["imap_port"])):
        second = start(tmp_path, errors=subprocess.PIPE)
    assert second.ready["imap_port"] != first.ready["imap_port"]
    assert second.ready["smtp_port"] == first.ready["smtp_port"]
    second.stop()
    assert second.process.stderr
    assert f"IMAP port {first.ready['imap_port']} is taken" in second.process.stderr.read()
    assert json.loads((tmp_path / "account.json").read_text())["imap_port"] == second.ready["imap_port"]


def test_a_second_server_in_the_same_folder_is_refused(tmp_path: Path, start: Start) -> None:
    start(tmp_path)
    command = [sys.executable, "-m", "fumibako.site.sample", "--folder", str(tmp_path)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=10)
    assert second.returncode == 1
    assert "Another sample mail server is running" in second.stderr


def test_it_listens_on_loopback_alone(server: Running) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no other address")
    for port in (server.ready["imap_port"], server.ready["smtp_port"]):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=2)


def test_secrets_are_for_their_owner_alone(server: Running) -> None:
    folder = Path(server.ready["ca"]).parent
    for name in ("account.json", "ca.key", "server.pem", "mail.sqlite"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name


def test_each_mailbox_has_a_password_of_its_own(tmp_path: Path, start: Start, server: Running) -> None:
    assert start(tmp_path).ready["password"] != server.ready["password"]
