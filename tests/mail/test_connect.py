import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from fumibako.mail.connect import (
    AddressRefused,
    CertificateExpired,
    CertificateForeignName,
    CertificateUntrusted,
    DnsFailure,
    Dropped,
    NameNotFound,
    Network,
    NotTls,
    Refused,
    Security,
    Server,
    TimedOut,
    TlsTooOld,
    Unreachable,
    ascii_name,
    connect_failure,
    dial,
    network,
    parse_private_hosts,
    server_name,
    tls_context,
    tls_failure,
)
from fumibako.mail.imap import ImapClient
from tests.lab.ports import free_port
from tests.mail.scripted import LOOPBACK, Talk, scripted, trusting

HOME = ip_address("127.0.0.1")


@dataclass
class Zone(asyncio.DatagramProtocol):
    """A name server: (name, kind) → records, "NXDOMAIN", "SERVFAIL" or None for silence; missing: no such record."""

    records: dict[tuple[str, str], list[str] | str | None]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        query = dns.message.from_wire(data)
        question = query.question[0]
        key = (question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype))
        self.asked.append(key)
        found = self.records.get(key, [])
        if found is None:
            return
        reply = dns.message.make_response(query, recursion_available=True)
        if isinstance(found, str):
            reply.set_rcode(dns.rcode.from_text(found))
        elif found:
            reply.answer.append(dns.rrset.from_text(question.name, 5, "IN", key[1], *found))
        self.transport.sendto(reply.to_wire(), addr)


@contextlib.asynccontextmanager
async def name_server(records):
    loop = asyncio.get_running_loop()
    transport, zone = await loop.create_datagram_endpoint(lambda: Zone(records), local_addr=("127.0.0.1", 0))
    try:
        yield Network(dns_server=transport.get_extra_info("sockname"), private=LOOPBACK), zone
    finally:
        transport.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def deaf_address() -> Iterator[tuple[str, int]]:
    """An address whose queue is full: a connection there neither succeeds nor fails."""
    with socket.socket() as sock, contextlib.ExitStack() as stack:
        sock.bind(("127.0.0.3", 0))
        sock.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(sock.getsockname())
        yield sock.getsockname()


# Names


async def test_records_of_a_kind_come_from_the_named_server():
    async with name_server({("example.jp", "MX"): ["10 mail.example.jp."]}) as (net, _):
        (record,) = await net.resolve("example.jp.", "MX")
        assert (record.preference, record.exchange.to_text()) == (10, "mail.example.jp.")


async def test_a_name_without_such_records_has_none():
    async with name_server({}) as (net, _):
        assert await net.resolve("example.jp", "SRV") == ()


async def test_an_unknown_name_is_told_from_a_name_server_that_fails():
    records = {("gone.jp", "A"): "NXDOMAIN", ("gone.jp", "AAAA"): "NXDOMAIN", ("broken.jp", "MX"): "SERVFAIL"}
    async with name_server(records) as (net, _):
        with pytest.raises(NameNotFound):
            await net.addresses("gone.jp")
        with pytest.raises(DnsFailure):
            await net.resolve("broken.jp", "MX")
        with pytest.raises(NameNotFound):
            await net.addresses("no-address.jp")


async def test_both_families_are_tried_in_turn_ipv6_first():
    records = {("a.jp", "A"): ["192.0.2.1", "192.0.2.2"], ("a.jp", "AAAA"): ["2001:db8::1", "2001:db8::2"]}
    async with name_server(records) as (net, _):
        assert [address.version for address in await net.addresses("a.jp")] == [6, 4, 6, 4]


async def test_a_name_server_that_is_silent_about_ipv6_costs_no_second():
    async with name_server({("a.jp", "A"): ["192.0.2.1"], ("a.jp", "AAAA"): None}) as (net, _):
        started = time.monotonic()
        assert [str(address) for address in await net.addresses("a.jp")] == ["192.0.2.1"]
        assert time.monotonic() - started < 1


async def test_a_name_server_that_says_no_such_name_about_ipv6_alone_is_passed_over():
    async with name_server({("a.jp", "A"): ["192.0.2.1"], ("a.jp", "AAAA"): "NXDOMAIN"}) as (net, _):
        assert [str(address) for address in await net.addresses("a.jp")] == ["192.0.2.1"]


async def test_the_hosts_file_counts_only_without_a_name_server_of_ones_own(monkeypatch, tmp_path: Path):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.9 mail.inside Mail # mine\nfd00::9 mail.inside\n")
    monkeypatch.setattr(network, "HOSTS_FILE", hosts)
    assert [str(address) for address in await Network().addresses("MAIL.inside")] == ["fd00::9", "127.0.0.9"]
    async with name_server({("mail.inside", "A"): ["192.0.2.7"]}) as (net, _):
        assert [str(address) for address in await net.addresses("mail.inside")] == ["192.0.2.7"]


def test_japanese_host_names_become_a_labels():
    assert ascii_name("メール.例え.jp.") == "xn--4dkua4c.xn--r8jz45g.jp"
    assert server_name(Server("Mail.Example.JP", 993, Security.TLS)) == "mail.example.jp"
    assert server_name(Server("[::1]", 993, Security.TLS)) == "::1"


@pytest.mark.parametrize("name", ["", " ", "a b.jp", "a..jp", "x" * 64 + ".jp", "a\r\nb.jp", "-a.jp", "a.jp/x"])
def test_what_cannot_be_a_host_name_is_no_name(name):
    with pytest.raises(NameNotFound):
        ascii_name(name)


# Dialing


async def test_it_connects_to_what_was_resolved_and_checked_and_asks_only_once(listener):
    host, port = listener.getsockname()
    async with name_server({("mail.jp", "A"): [host]}) as (net, zone):
        dialed = await dial(Server("mail.jp", port, Security.TLS), net)
        with dialed.sock as sock:
            assert sock.getpeername() == (host, port)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert dialed.address == HOME
        assert sorted(zone.asked) == [("mail.jp", "A"), ("mail.jp", "AAAA")]


async def test_a_name_that_points_inside_is_refused_without_a_connection(listener):
    host, port = listener.getsockname()
    async with name_server({("evil.jp", "A"): [host, "10.0.0.1"]}) as (net, _):
        with pytest.raises(AddressRefused) as caught:
            await dial(Server("evil.jp", port, Security.TLS), Network(dns_server=net.dns_server))
    listener.settimeout(0)
    with pytest.raises(BlockingIOError):
        listener.accept()
    assert (caught.value.host, caught.value.port) == ("evil.jp", port)


async def test_of_several_addresses_only_the_permitted_are_tried(listener):
    host, port = listener.getsockname()
    async with name_server({("mail.jp", "A"): ["127.0.0.2", host]}) as (net, _):
        only = Network(dns_server=net.dns_server, private=parse_private_hosts(f"{host}:{port}"))
        dialed = await dial(Server("mail.jp", port, Security.TLS), only)
        dialed.sock.close()
        assert dialed.address == HOME


async def test_a_port_where_nothing_listens_is_refused():
    with pytest.raises(Refused):
        await dial(Server("127.0.0.1", free_port(), Security.TLS), Network(private=LOOPBACK))


async def test_an_address_that_never_answers_delays_the_next_by_a_quarter_of_a_second(deaf_address):
    deaf, port = deaf_address
    with socket.create_server(("127.0.0.4", port)):
        async with name_server({("mail.jp", "A"): [deaf, "127.0.0.4"]}) as (net, _):
            started = time.monotonic()
            dialed = await dial(Server("mail.jp", port, Security.TLS), net)
            dialed.sock.close()
            assert str(dialed.address) in (deaf, "127.0.0.4")
            assert time.monotonic() - started < 3


async def test_an_ipv6_that_leads_nowhere_does_not_stop_ipv4(listener):
    host, port = listener.getsockname()
    records = {("mail.jp", "AAAA"): ["::1"], ("mail.jp", "A"): [host]}
    async with name_server(records) as (net, _):
        dialed = await dial(Server("mail.jp", port, Security.TLS), net)
        dialed.sock.close()
        assert dialed.address == HOME


async def test_a_host_that_never_answers_times_out(deaf_address):
    deaf, port = deaf_address
    with pytest.raises(TimedOut):
        await dial(Server(deaf, port, Security.TLS), Network(private=LOOPBACK), timeout=0.5)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(111, "x"), Refused),
        (OSError(113, "No route to host"), Unreachable),
        (OSError(101, "Network is unreachable"), Unreachable),
        (ConnectionResetError(104, "x"), Dropped),
        (ConnectionAbortedError(), Dropped),
        (TimeoutError(), TimedOut),
        (OSError(110, "x"), TimedOut),
    ],
)
def test_each_way_to_fail_has_its_name(error, kind):
    assert type(connect_failure(error, Server("a.jp", 993, Security.TLS))) is kind


# TLS


async def quiet(talk: Talk) -> None:
    await talk.say(b"* OK [CAPABILITY IMAP4rev1] ready")
    await talk.hear()


async def connect_to(authority, context, trust=True):
    async with scripted(authority, quiet, context=context) as lab:
        net = lab.network if trust else Network(private=LOOPBACK)
        (await ImapClient.connect(lab.server, net)).close()


async def test_a_certificate_of_the_listed_authority_is_believed(authority):
    await connect_to(authority, authority.issue("127.0.0.1").context())


async def test_a_private_authority_counts_on_its_listed_ports_alone(authority):
    here = Server("127.0.0.1", 993, Security.TLS)
    other = Server("127.0.0.1", 994, Security.TLS)
    net = trusting(authority, 993)
    mine = {cert["serialNumber"] for cert in tls_context(here, net, HOME).get_ca_certs()}
    theirs = {cert["serialNumber"] for cert in tls_context(other, net, HOME).get_ca_certs()}
    assert len(mine - theirs) == 1
    with pytest.raises(CertificateUntrusted) as caught:
        await connect_to(authority, authority.issue("127.0.0.1").context(), trust=False)
    assert caught.value.verify_code in (19, 20, 21)


async def test_ssl_cert_file_adds_to_the_store(authority, monkeypatch):
    server = Server("127.0.0.1", 993, Security.TLS)
    before = tls_context(server, Network(), HOME).cert_store_stats()["x509"]
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cafile))
    assert tls_context(server, Network(), HOME).cert_store_stats()["x509"] >= before
    await connect_to(authority, authority.issue("127.0.0.1").context(), trust=False)


def test_connections_share_a_context(authority):
    server, net = Server("127.0.0.1", 993, Security.TLS), trusting(authority, 993)
    assert tls_context(server, net, HOME) is tls_context(server, net, HOME)


async def test_a_self_signed_certificate_is_untrusted_and_not_a_network_fault(authority):
    with pytest.raises(CertificateUntrusted) as caught:
        await connect_to(authority, authority.self_signed("127.0.0.1").context())
    assert caught.value.verify_code == 18


async def test_a_certificate_of_another_name_is_foreign(authority):
    with pytest.raises(CertificateForeignName) as caught:
        await connect_to(authority, authority.issue("mail.example.jp", "127.0.0.2").context())
    assert caught.value.verify_code == 64
    assert caught.value.address == HOME


async def test_an_expired_certificate_is_expired(authority):
    with pytest.raises(CertificateExpired) as caught:
        await connect_to(authority, authority.issue("127.0.0.1", days=-3).context())
    assert caught.value.verify_code == 10


async def test_a_server_that_speaks_only_old_tls_is_too_old(authority):
    async def refuse_the_version(talk: Talk) -> None:
        await talk.reader.read(1)
        talk.writer.write(bytes.fromhex("15 0301 0002 02 46"))  # alert: fatal, protocol_version (RFC 8446 §6)
        await talk.reader.read()

    async with scripted(authority, refuse_the_version, security=Security.STARTTLS) as lab:
        with pytest.raises(TlsTooOld) as caught:
            await ImapClient.connect(Server("127.0.0.1", lab.server.port, Security.TLS), lab.network)
    assert "PROTOCOL_VERSION" in (caught.value.reason or "")


async def test_a_port_that_answers_in_the_clear_is_not_tls(authority):
    async with scripted(authority, quiet, security=Security.STARTTLS) as lab:
        with pytest.raises(NotTls):
            await ImapClient.connect(Server("127.0.0.1", lab.server.port, Security.TLS), lab.network)


async def test_a_server_that_hangs_up_in_the_handshake_has_dropped(authority):
    async def hang_up(talk: Talk) -> None:
        await talk.reader.read(1)

    async with scripted(authority, hang_up, security=Security.STARTTLS) as lab:
        with pytest.raises(Dropped):
            await ImapClient.connect(Server("127.0.0.1", lab.server.port, Security.TLS), lab.network)


def test_what_openssl_says_of_weak_keys_is_too_old():
    error = ssl.SSLError(1, "[SSL: DH_KEY_TOO_SMALL] dh key too small")
    error.reason = "DH_KEY_TOO_SMALL"
    assert type(tls_failure(error, Server("a.jp", 993, Security.TLS))) is TlsTooOld
