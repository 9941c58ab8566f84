"""Proving a login for sending, against a real Postfix and against servers that a test makes up."""

import asyncio
from collections.abc import Iterator

import pytest

from fumibako.mail.connect import (
    CertificateForeignName,
    CertificateUntrusted,
    Network,
    NotAMailServer,
    NotTls,
    Security,
    Server,
    TimedOut,
)
from fumibako.mail.submission import Refused, StartTlsMissing, SubmissionClient
from tests.lab.ca import CertificateAuthority
from tests.lab.dns import running_dns
from tests.lab.mailhost import (
    MailHost,
    loopback_address,
    loopback_network,
    needs_standard_ports,
    running_mail_host,
)
from tests.lab.recorder import recorder

pytestmark = [pytest.mark.lab, needs_standard_ports]

USER, SECRET = "taro@example.jp", "pä55ワードあ"
NAME = "mail.example.jp"


@pytest.fixture(scope="module")
def host(authority: CertificateAuthority) -> Iterator[MailHost]:
    with running_mail_host(authority, NAME) as running:
        running.dovecot.add_user(USER, SECRET)
        yield running


@pytest.fixture
def network(host: MailHost, authority: CertificateAuthority) -> Iterator[Network]:
    with running_dns({NAME: {"A": [host.address]}, "other.example.jp": {"A": [host.address]}}) as dns:
        yield loopback_network(authority, host.address, dns=dns.address)


@pytest.mark.parametrize("server", [Server(NAME, 465, Security.TLS), Server(NAME, 587, Security.STARTTLS)])
async def test_a_login_beyond_ascii_works_with_tls_and_with_starttls(network: Network, server: Server) -> None:
    async with await SubmissionClient.connect(server, network) as client:
        assert client.tls == "TLSv1.3"
        assert await client.login(USER, SECRET) == "PLAIN"
        await client.try_sender(USER)
        await client.quit()


async def test_auth_login_works_where_it_is_asked_for(network: Network) -> None:
    async with await SubmissionClient.connect(Server(NAME, 465, Security.TLS), network) as client:
        assert await client.login(USER, SECRET, "LOGIN") == "LOGIN"


async def test_a_wrong_password_is_refused_in_the_server_s_words(network: Network) -> None:
    async with await SubmissionClient.connect(Server(NAME, 465, Security.TLS), network) as client:
        with pytest.raises(Refused) as caught:
            await client.login(USER, "wrong")
    assert (caught.value.code, caught.value.step) == (535, "smtp-auth")
    assert caught.value.reply.startswith("535 5.7.8")


async def test_a_certificate_of_another_name_ends_it_before_anything_is_said(network: Network) -> None:
    for server in (Server("other.example.jp", 465, Security.TLS), Server("other.example.jp", 587, Security.STARTTLS)):
        with pytest.raises(CertificateForeignName):
            await SubmissionClient.connect(server, network)


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(authority: CertificateAuthority) -> None:
    address = loopback_address()
    with running_dns({"self.example.jp": {"A": [address]}}) as dns:
        network = loopback_network(authority, address, dns=dns.address)
        async with recorder(address, 465, authority.self_signed("self.example.jp"), greeting=b"220 x\r\n") as server:
            with pytest.raises(CertificateUntrusted):
                await SubmissionClient.connect(Server("self.example.jp", 465, Security.TLS), network)
            assert not server.got


async def greeted(authority: CertificateAuthority, greeting: bytes, security: Security, **more: object) -> None:
    """Connect to a server that says this at first; in the clear where STARTTLS is wanted."""
    address = loopback_address()
    tls = security is Security.TLS
    certificate = authority.issue("odd.example.jp") if tls else None
    with running_dns({"odd.example.jp": {"A": [address]}}) as dns:
        network = loopback_network(authority, address, dns=dns.address)
        port = 465 if tls else 587
        async with recorder(address, port, certificate, greeting=greeting):
            server = Server("odd.example.jp", port, security)
            client = await SubmissionClient.connect(server, network, **more)  # type: ignore[arg-type]
            client.close()


@pytest.mark.parametrize(
    "words", [b"HTTP/1.1 400 Bad Request\r\n", b"* OK IMAP\r\n", b"+OK POP3\r\n", b"SSH-2.0-x\r\n"]
)
async def test_what_does_not_greet_as_a_mail_server_is_told_without_its_words(
    authority: CertificateAuthority, words: bytes
) -> None:
    with pytest.raises(NotAMailServer) as caught:
        await greeted(authority, words, Security.TLS)
    assert words.decode().strip() not in str(caught.value)


async def test_a_refusal_in_place_of_a_greeting_is_told_in_the_server_s_words(authority: CertificateAuthority) -> None:
    with pytest.raises(Refused) as caught:
        await greeted(authority, b"554 blocked using zen\r\n", Security.TLS)
    assert (caught.value.reply, caught.value.step) == ("554 blocked using zen", "smtp-connect")


async def test_without_starttls_nothing_is_said_in_the_clear(authority: CertificateAuthority) -> None:
    with pytest.raises(StartTlsMissing):
        await greeted(authority, b"220 old server\r\n", Security.STARTTLS)


async def test_a_server_that_never_greets_has_a_deadline(authority: CertificateAuthority) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(TimedOut):
            await greeted(authority, b"", Security.TLS, timeout=0.3)


async def test_tls_spoken_to_a_port_in_the_clear_is_told_as_such(authority: CertificateAuthority) -> None:
    address = loopback_address()
    with running_dns({"odd.example.jp": {"A": [address]}}) as dns:
        network = loopback_network(authority, address, dns=dns.address)
        async with recorder(address, 465, None, greeting=b"220 hello\r\n"):
            with pytest.raises(NotTls):
                await SubmissionClient.connect(Server("odd.example.jp", 465, Security.TLS), network)


async def test_a_secret_that_the_server_repeats_is_taken_out_of_its_words(authority: CertificateAuthority) -> None:
    address = loopback_address()
    with running_dns({"odd.example.jp": {"A": [address]}}) as dns:
        network = loopback_network(authority, address, dns=dns.address)
        login = b"535 5.7.8 no such password: hunter2!"
        certificate = authority.issue("odd.example.jp")
        async with recorder(address, 465, certificate, greeting=b"220 x\r\n", login=login):
            server = Server("odd.example.jp", 465, Security.TLS)
            async with await SubmissionClient.connect(server, network) as client:
                with pytest.raises(Refused) as caught:
                    await client.login(USER, "hunter2!")
    assert "hunter2!" not in str(caught.value) + repr(caught.value)
    assert caught.value.words.startswith("5.7.8 no such password")
