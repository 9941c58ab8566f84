import imaplib
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from .conftest import Running, Start


def test_a_wrong_password_is_refused_by_code(server: Running) -> None:
    client = imaplib.IMAP4_SSL("localhost", server.ready["imap_port"], ssl_context=server.trust, timeout=10)
    with pytest.raises(imaplib.IMAP4.error, match=r"\[AUTHENTICATIONFAILED\]"):
        client.login(server.ready["address"], "wrong")
    with pytest.raises(imaplib.IMAP4.error, match=r"\[AUTHENTICATIONFAILED\]"):
        client.login("somebody@sample-shoji.example", server.ready["password"])
    client.login(*server.login)
    client.logout()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_both_sasl_mechanisms_let_the_owner_in(server: Running, mechanism: str) -> None:
    address, password = (text.encode() for text in server.login)
    answers = iter([address, password]) if mechanism == "LOGIN" else iter([b"\0" + address + b"\0" + password])
    client = imaplib.IMAP4_SSL("127.0.0.1", server.ready["imap_port"], ssl_context=server.trust, timeout=10)
    assert f"AUTH={mechanism}" in client.capabilities
    client.authenticate(mechanism, lambda _challenge: next(answers))
    assert client.state == "AUTH"
    client.logout()


def test_nobody_may_act_for_somebody_else(server: Running) -> None:
    address, password = server.login
    client = imaplib.IMAP4_SSL("127.0.0.1", server.ready["imap_port"], ssl_context=server.trust, timeout=10)
    with pytest.raises(imaplib.IMAP4.error, match=r"\[AUTHORIZATIONFAILED\]"):
        client.authenticate("PLAIN", lambda _: f"boss@sample-shoji.example\0{address}\0{password}".encode())
    client.shutdown()


def test_the_certificate_holds_for_the_name_and_for_the_address(server: Running) -> None:
    for host in ("localhost", "127.0.0.1"):
        with server.imap(host) as client:
            assert client.noop()[0] == "OK"


def test_who_does_not_trust_the_authority_is_not_let_in(server: Running) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        imaplib.IMAP4_SSL("localhost", server.ready["imap_port"], ssl_context=ssl.create_default_context(), timeout=10)


def test_folder_names_are_in_modified_utf_7(server: Running) -> None:
    with server.imap() as client:
        _, lines = client.list()
    assert lines == [
        b'(\\HasNoChildren) "/" INBOX',
        b'(\\HasNoChildren) "/" &kAFP4W4IMH8-',
        b'(\\Noselect \\HasChildren) "/" &aEhO9g-',
        b'(\\HasNoChildren) "/" &aEhO9g-/&Z3FOrFVGTos-',
        b'(\\HasNoChildren) "/" &aEhO9g-/&MH8wajBoXeVpbQ-',
    ]


def test_looking_at_a_mail_does_not_mark_it_as_read(server: Running) -> None:
    with server.imap() as client:
        client.select()
        _, (unseen,) = client.uid("SEARCH", "UNSEEN")
        uid = unseen.split()[0].decode()
        client.uid("FETCH", uid, "(BODY.PEEK[] BODY.PEEK[TEXT] RFC822.SIZE)")
        client.select(readonly=True)
        client.uid("FETCH", uid, "(BODY[])")
        assert client.uid("SEARCH", "UNSEEN")[1] == [unseen]


def test_what_is_fetched_is_what_was_appended_byte_for_byte(server: Running) -> None:
    raw = b'Subject: bytes\r\nX-Odd: \x1b$B$"\x1b(B \xff\xfe\r\n\r\n\x80\x81 and no end of line'
    with server.imap() as client:
        client.append("INBOX", "(\\Seen \\Flagged)", '"29-Feb-2024 23:59:59 +0900"', raw)
        client.select()
        _, data = client.uid("FETCH", "*", "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
    assert data[0][1] == raw
    assert b'"29-Feb-2024 23:59:59 +0900"' in data[0][0]
    assert b"RFC822.SIZE %d " % len(raw) in data[0][0]
    assert {flag for flag in imaplib.ParseFlags(data[0][0]) if flag != b"\\Recent"} == {b"\\Seen", b"\\Flagged"}


def test_a_search_by_date_finds_what_is_not_older(server: Running) -> None:
    day = datetime.now(UTC) - timedelta(days=90)
    with server.imap() as client:
        client.select(readonly=True)
        _, (found,) = client.uid("SEARCH", "SINCE", f"{day:%d-%b-%Y}")
        _, lines = client.uid("FETCH", "1:*", "(UID INTERNALDATE)")
    since = [
        line.split(b"UID ")[1].split(b" ")[0]
        for line in lines
        if datetime.strptime(line.split(b'"')[1].decode(), "%d-%b-%Y %H:%M:%S %z").date() >= day.date()
    ]
    assert 10 < len(since) < len(lines)
    assert found.split() == since


def test_a_waiting_client_is_told_of_a_mail_at_once(server: Running) -> None:
    with server.imap() as waiting, server.imap() as other:
        _, (count,) = waiting.select(readonly=True)
        for number in (1, 2):
            waiting.send(b"IDLE%d IDLE\r\n" % number)
            assert waiting.readline().startswith(b"+")
            other.append("INBOX", "", "", b"Subject: new\r\n\r\nnew\r\n")
            assert waiting.readline() == b"* %d EXISTS\r\n" % (int(count) + number)
            waiting.send(b"DONE\r\n")
            while not waiting.readline().startswith(b"IDLE%d OK" % number):
                pass


def test_a_mail_that_came_between_two_waits_is_told(server: Running) -> None:
    with server.imap() as waiting, server.imap() as other:
        _, (count,) = waiting.select(readonly=True)
        other.append("INBOX", "", "", b"Subject: between\r\n\r\nbetween\r\n")
        waiting.send(b"IDLE IDLE\r\n")
        assert waiting.readline().startswith(b"+")
        assert waiting.readline() == b"* %d EXISTS\r\n" % (int(count) + 1)


def test_a_mail_can_be_copied_moved_and_deleted(server: Running) -> None:
    with server.imap() as client:
        client.create("work")
        client.append("work", "", "", b"Subject: one\r\n\r\none\r\n")
        client.select("work")
        client.copy("1", "INBOX")
        client.uid("MOVE", "1", "INBOX")
        assert client.status("work", "(MESSAGES UIDNEXT)")[1] == [b"work (MESSAGES 0 UIDNEXT 2)"]
        client.select("INBOX")
        _, (found,) = client.uid("SEARCH", "SUBJECT", "one")
        assert len(found.split()) == 2
        client.uid("STORE", found.replace(b" ", b",").decode(), "+FLAGS", "(\\Deleted)")
        client.expunge()
        assert client.uid("SEARCH", "SUBJECT", "one")[1] == [b""]
        client.delete("work")


def test_a_folder_made_again_has_another_uidvalidity(tmp_path_factory: pytest.TempPathFactory, start: Start) -> None:
    folder = tmp_path_factory.mktemp("again")
    seen = set()
    for _ in range(2):
        running = start(folder)
        with running.imap() as client:
            client.create("a")
            client.rename("a", "b")
            seen.add(client.status("b", "(UIDVALIDITY)")[1][0])
            client.delete("b")
        running.kill()
    assert len(seen) == 2


def test_it_tells_its_name(server: Running) -> None:
    with server.imap() as client:
        client.xatom("ID", '("name" "test")')
        assert client.response("ID")[1] == [b'("name" "Fumibako sample")']
