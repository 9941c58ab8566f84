import smtplib

import pytest

from .conftest import Running

MAIL = b"Subject: to myself\r\n\r\n.dot\r\n\x82\xb1\r\n"


def inbox(server: Running) -> list[bytes]:
    with server.imap() as client:
        client.select(readonly=True)
        _, data = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
    return [part[1] for part in data if isinstance(part, tuple)]


def test_a_mail_to_oneself_arrives_in_the_inbox(server: Running) -> None:
    address, password = server.login
    before = len(inbox(server))
    with server.smtp() as client:
        client.login(address, password)
        client.sendmail(address, [address, "n.takahashi@tokyo-shoji.example"], MAIL)
    after = inbox(server)
    assert len(after) == before + 1
    assert after[-1].endswith(MAIL)
    assert after[-1].startswith(b"Return-Path: <" + address.encode())


def test_a_mail_to_others_is_accepted_and_goes_nowhere(server: Running) -> None:
    address, password = server.login
    before = inbox(server)
    with server.smtp() as client:
        client.login(address, password)
        assert client.sendmail(address, ["tanaka@minato-kogyo.example"], MAIL) == {}
    assert inbox(server) == before


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
def test_a_wrong_password_is_refused(server: Running, mechanism: str) -> None:
    with server.smtp() as client:
        client.ehlo()
        client.user, client.password = server.ready["address"], "wrong"
        name = mechanism.removeprefix("auth_").upper()
        with pytest.raises(smtplib.SMTPAuthenticationError, match=r"535.*5\.7\.8"):
            client.auth(name, getattr(client, mechanism))


def test_nothing_is_sent_without_a_login_or_in_anothers_name(server: Running) -> None:
    address, password = server.login
    with server.smtp() as client:
        client.ehlo()
        assert client.mail(address)[0] == 530
        client.login(address, password)
        assert client.mail("suzuki@sample-shoji.example")[0] == 553
        assert client.mail(address)[0] == 250
        assert client.rset()[0] == 250
