"""From an address and a password to proven logins, against real Dovecot, Postfix and DNS on the standard ports."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count

import pytest

from fumibako.mail.connect import Network, Security, Server
from fumibako.mail.diagnosis import Failure, Stage
from fumibako.mail.discovery import DomainSettings, ProbeRequest, Proven, Wish, prove
from tests.lab.ca import CertificateAuthority
from tests.lab.dns import Fails, NameServer, running_dns
from tests.lab.dovecot import sample_mail
from tests.lab.mailhost import (
    MailHost,
    loopback_address,
    loopback_network,
    needs_standard_ports,
    running_mail_host,
)
from tests.lab.ports import running
from tests.lab.recorder import Recorder, recorder

pytestmark = [pytest.mark.lab, needs_standard_ports]

PASSWORD = "himitsu-MARKER-42"
NAMES = ("mail.kaisha.jp", "imap.kaisha.jp", "smtp.kaisha.jp", "kaisha.jp", "sv1.yoso.net")
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def host(authority: CertificateAuthority) -> Iterator[MailHost]:
    settings = (
        "smtpd_delay_reject = no\n"
        "smtpd_sender_restrictions = check_sender_access inline:{ { nosend@kaisha.jp = REJECT not allowed to send } }"
    )
    with running_mail_host(authority, *NAMES, settings=settings) as running:
        yield running


@pytest.fixture
def dns(host: MailHost) -> Iterator[NameServer]:
    """A name server that knows kaisha.jp, whose MX is its mail host."""
    here = {"A": [host.address]}
    zones = {
        "kaisha.jp": {"MX": ["10 mail.kaisha.jp."]},
        "mail.kaisha.jp": here,
        "sv1.yoso.net": here,
    }
    with running_dns(zones) as server:
        yield server


@dataclass
class Lab:
    """What a test has at hand."""

    host: MailHost
    dns: NameServer
    authority: CertificateAuthority
    believed: list[str]
    stages: list[Stage] = field(default_factory=list)

    @property
    def network(self) -> Network:
        return loopback_network(self.authority, *self.believed, dns=self.dns.address)

    def user(self, *, domain: str = "kaisha.jp", login: str | None = None, password: str = PASSWORD) -> str:
        """A new user of the host; returns the address."""
        local = f"taro{next(_NUMBERS)}"
        address = f"{local}@{domain}"
        self.host.dovecot.add_user(address, password, login=local if login == "local" else login)
        return address

    async def prove(self, address: str, password: str = PASSWORD, **more: object) -> Proven:
        imap = more.pop("imap", Wish(secret=password))
        smtp = more.pop("smtp", Wish(secret=password))
        request = ProbeRequest(address, imap, smtp, **more)  # type: ignore[arg-type]
        return await prove(request, self.network, self.stages.append)

    async def fails(self, address: str, password: str = PASSWORD, **more: object) -> Failure:
        with pytest.raises(Failure) as caught:
            await self.prove(address, password, **more)
        return caught.value

    async def refusals(self, *logins: str) -> int:
        """How many logins with these names Dovecot has refused; it says so when their connections have ended."""
        async with asyncio.timeout(5):
            while not all(self._refused(login) for login in logins):
                await asyncio.sleep(0.02)
        return sum(sum(self._refused(login)) for login in logins)

    def _refused(self, login: str) -> list[int]:
        said = rf"auth failed, (\d+) attempts.*user=<{re.escape(login)}>"
        return [int(attempts) for attempts in re.findall(said, self.host.dovecot.log())]


@pytest.fixture
def lab(host: MailHost, dns: NameServer, authority: CertificateAuthority) -> Lab:
    return Lab(host, dns, authority, [host.address])


def typed(host: str, password: str = PASSWORD, **more: object) -> Wish:
    return Wish(secret=password, host=host, **more)  # type: ignore[arg-type]


# --- what links -------------------------------------------------------------------------------------------------------


async def test_an_address_and_a_password_are_enough(lab: Lab) -> None:
    address = lab.user()
    proven = await lab.prove(address)
    assert proven.imap.server == Server("mail.kaisha.jp", 993, Security.TLS)
    assert (proven.imap.username, proven.imap.mechanism) == (address, "PLAIN")
    assert proven.smtp is not None and proven.smtp_failure is None
    assert proven.smtp.server == Server("mail.kaisha.jp", 465, Security.TLS)
    assert [folder.role for folder in proven.folders][:2] == ["inbox", "sent"]


async def test_each_stage_is_told_when_it_begins_and_when_it_ends(lab: Lab) -> None:
    proven = await lab.prove(lab.user())
    told = [(stage.name, stage.state) for stage in lab.stages]
    names = ["discover", "connect", "login", "folders", "smtp"]
    assert told == [(name, state) for name in names for state in ("now", "done")]
    assert [stage.name for stage in proven.stages] == names
    assert all(stage.ms is not None for stage in proven.stages)
    assert proven.stages[0].found == "mail.kaisha.jp"


async def test_the_first_stage_is_told_before_dns_has_answered(lab: Lab) -> None:
    lab.dns.zones["kaisha.jp"] = Fails.SILENT
    task = asyncio.create_task(lab.fails(lab.user()))
    async with asyncio.timeout(1):
        while not lab.stages:
            await asyncio.sleep(0.01)
    assert lab.stages[0].name == "discover"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_password_beyond_ascii_is_proven_for_reading_and_sending(lab: Lab) -> None:
    password = "pä55ワードあ"
    proven = await lab.prove(lab.user(password=password), password)
    assert proven.smtp is not None


async def test_where_the_address_is_no_login_the_part_before_the_at_is_tried_next(lab: Lab) -> None:
    address = lab.user(login="local")
    proven = await lab.prove(address)
    assert proven.imap.username == address.partition("@")[0]
    assert proven.smtp is not None and proven.smtp.username == proven.imap.username
    assert await lab.refusals(address) == 1


async def test_a_user_name_that_was_typed_is_used_for_both_logins(lab: Lab) -> None:
    address = lab.user(login="kir12345.taro")
    wish = Wish(username="kir12345.taro", secret=PASSWORD)
    proven = await lab.prove(address, imap=wish, smtp=wish)
    assert proven.imap.username == "kir12345.taro"
    assert proven.smtp is not None and proven.smtp.username == "kir12345.taro"


async def test_sending_can_have_another_user_name_and_another_password(lab: Lab) -> None:
    address = lab.user()
    lab.host.dovecot.add_user(f"send-{address}", "another-secret")
    smtp = Wish(username=f"send-{address}", secret="another-secret")
    proven = await lab.prove(address, smtp=smtp)
    assert proven.imap.username == address
    assert proven.smtp is not None and proven.smtp.username == f"send-{address}"


async def test_srv_names_the_servers_and_their_ports(lab: Lab) -> None:
    lab.dns.zones["imap.kaisha.jp"] = lab.dns.zones["smtp.kaisha.jp"] = {"A": [lab.host.address]}
    lab.dns.zones["_imap._tcp.kaisha.jp"] = {"SRV": ["0 1 143 imap.kaisha.jp."]}
    lab.dns.zones["_submission._tcp.kaisha.jp"] = {"SRV": ["0 1 587 smtp.kaisha.jp."]}
    proven = await lab.prove(lab.user())
    assert proven.imap.server == Server("imap.kaisha.jp", 143, Security.STARTTLS)
    assert proven.smtp is not None
    assert proven.smtp.server == Server("smtp.kaisha.jp", 587, Security.STARTTLS)


async def test_common_names_below_the_domain_are_found_where_mx_is_a_gateway(lab: Lab) -> None:
    lab.dns.zones["kaisha.jp"] = {"MX": ["10 mx1.gateway.example."]}
    lab.dns.zones["imap.kaisha.jp"] = lab.dns.zones["smtp.kaisha.jp"] = {"A": [lab.host.address]}
    proven = await lab.prove(lab.user())
    assert proven.imap.server.host == "imap.kaisha.jp"
    assert proven.smtp is not None and proven.smtp.server.host == "smtp.kaisha.jp"


async def test_the_organization_s_settings_need_no_look_up_of_the_domain(lab: Lab) -> None:
    settings = DomainSettings(
        "hoka.jp",
        Server("sv1.yoso.net", 143, Security.STARTTLS),
        Server("sv1.yoso.net", 587, Security.STARTTLS),
        imap_login="local",
        smtp_login="local",
    )
    address = lab.user(domain="hoka.jp", login="local")
    proven = await lab.prove(address, domain=settings)
    assert (proven.imap.server, proven.smtp and proven.smtp.server) == (settings.imap, settings.smtp)
    assert "hoka.jp" not in {name for name, _ in lab.dns.questions}


async def test_typed_servers_are_used_with_ports_found_by_themselves(lab: Lab) -> None:
    address = lab.user(domain="hoka.jp")
    proven = await lab.prove(address, imap=typed("ＳＶ１．yoso.net "), smtp=typed("sv1.yoso.net"))
    assert proven.imap.server == Server("sv1.yoso.net", 993, Security.TLS)
    assert proven.smtp is not None and proven.smtp.server.port == 465


async def test_a_typed_port_is_the_only_one_tried(lab: Lab) -> None:
    imap = typed("mail.kaisha.jp", port=143, security=Security.STARTTLS)
    proven = await lab.prove(lab.user(), imap=imap, smtp=typed("mail.kaisha.jp", port=587))
    assert (proven.imap.server.port, proven.smtp and proven.smtp.server.port) == (143, 587)


async def test_only_the_server_for_reading_has_to_be_typed(lab: Lab) -> None:
    proven = await lab.prove(lab.user(domain="hoka.jp"), imap=typed("sv1.yoso.net"))
    assert proven.smtp is not None and proven.smtp.server.host == "sv1.yoso.net"


# --- the survey -------------------------------------------------------------------------------------------------------


async def test_the_folders_are_counted_by_range_and_nothing_changes_on_the_server(lab: Lab) -> None:
    address = lab.user()
    lab.host.dovecot.fill(address, [sample_mail(number) for number in range(5)], seen=False)
    lab.host.dovecot.fill(address, [sample_mail(9)], folder="案件/A")
    proven = await lab.prove(address)
    by_name = {folder.name: folder for folder in proven.folders}
    assert by_name["INBOX"].counts == {"all": 5, "1y": 5, "3m": 5}
    assert by_name["INBOX"].messages == 5 and by_name["INBOX"].uidvalidity and by_name["INBOX"].uidnext == 6
    assert by_name["案件/A"].counts["all"] == 1
    assert not by_name["案件"].selectable and by_name["案件"].messages is None
    assert by_name["送信済みアイテム"].counts == {"all": 0, "1y": 0, "3m": 0}
    assert {folder.role for folder in proven.folders} == {"inbox", "sent", "drafts", "other"}
    assert not [line for line in lab.host.dovecot.changes() if address in line and "flag_change" in line]


async def test_of_several_sent_folders_the_flagged_one_comes_first_then_the_newest(lab: Lab) -> None:
    address = lab.user()
    lab.host.dovecot.fill(address, [sample_mail(1), sample_mail(2)], folder="Sent Messages")
    lab.host.dovecot.fill(address, [sample_mail(3)], folder="Sent")
    old = lab.host.dovecot.maildir(address, "Sent Messages")
    for path in (old / "cur").iterdir():
        path.rename(path.with_name("1500000000" + path.name[10:]))
        os.utime(old / "cur" / ("1500000000" + path.name[10:]), (1_500_000_000, 1_500_000_000))
    proven = await lab.prove(address)
    sent = [folder for folder in proven.folders if folder.role == "sent"]
    assert [folder.name for folder in sent] == ["送信済みアイテム", "Sent", "Sent Messages"]
    assert sent[2].newest is not None and sent[2].newest.year == 2017
    assert sent[2].counts == {"all": 2, "1y": 0, "3m": 0}


# --- whose password goes where ----------------------------------------------------------------------------------------


@asynccontextmanager
async def foreign_host(lab: Lab, name: str) -> AsyncIterator[tuple[Recorder, Recorder]]:
    """Recorders for IMAP and SMTP with a valid certificate of a foreign name."""
    address = loopback_address()
    lab.believed.append(address)
    lab.dns.zones[name] = {"A": [address]}
    certificate = lab.authority.issue(name)
    async with (
        recorder(address, 993, certificate) as imap,
        recorder(address, 465, certificate, greeting=b"220 hello\r\n", login=b"535 5.7.8 no") as smtp,
    ):
        yield imap, smtp


@pytest.mark.parametrize("named_by", ["MX", "SRV"])
async def test_a_foreign_host_never_gets_the_password_unasked(lab: Lab, named_by: str) -> None:
    lab.dns.zones["kyaku.jp"] = {"MX": ["10 mx.evil.net."] if named_by == "MX" else ["10 mx.nowhere.example."]}
    if named_by == "SRV":
        lab.dns.zones["_imaps._tcp.kyaku.jp"] = {"SRV": ["0 1 993 mx.evil.net."]}
        lab.dns.zones["_submissions._tcp.kyaku.jp"] = {"SRV": ["0 1 465 mx.evil.net."]}
    async with foreign_host(lab, "mx.evil.net") as (imap, smtp):
        failure = await lab.fails("hanako@kyaku.jp")
        assert (failure.cause, failure.proposed) == ("server_needs_consent", ("mx.evil.net",))
        assert imap.connections >= 1
        assert (imap.logins, smtp.logins) == (0, 0)
        assert PASSWORD.encode() not in imap.got + smtp.got
        assert b"AUTH" not in (imap.got + smtp.got).upper()


async def test_a_foreign_host_is_used_once_the_person_has_agreed(lab: Lab) -> None:
    lab.dns.zones["kyaku.jp"] = {"MX": ["10 sv1.yoso.net."]}
    address = lab.user(domain="kyaku.jp")
    asked = await lab.fails(address)
    assert (asked.cause, asked.proposed) == ("server_needs_consent", ("sv1.yoso.net",))
    proven = await lab.prove(address, trusted_names=frozenset({"sv1.yoso.net"}))
    assert proven.imap.server.host == "sv1.yoso.net" and proven.smtp is not None


async def test_a_foreign_name_that_cannot_prove_itself_is_not_even_proposed(lab: Lab) -> None:
    lab.dns.zones["kyaku.jp"] = {"MX": ["10 other.evil.net."]}
    async with foreign_host(lab, "mx.evil.net") as (imap, _):
        lab.dns.zones["other.evil.net"] = lab.dns.zones["mx.evil.net"]
        failure = await lab.fails("hanako@kyaku.jp")
        assert (failure.cause, failure.proposed) == ("host_not_identified", ())
        assert not imap.got


async def test_at_most_two_logins_are_made_with_a_wrong_password(lab: Lab) -> None:
    address = lab.user()
    failure = await lab.fails(address, "wrong-" + PASSWORD)
    assert (failure.cause, failure.stage) == ("wrong_credentials", "login")
    assert failure.server_words == "NO [AUTHENTICATIONFAILED] Authentication failed."
    assert await lab.refusals(address, address.partition("@")[0]) == 2


@pytest.mark.parametrize("answer", [b"NO [ALERT] Too many failed logins", b"NO [UNAVAILABLE] Try later", b"NO xyzzy"])
async def test_one_login_is_made_where_the_refusal_is_not_about_the_password(lab: Lab, answer: bytes) -> None:
    async with own_imap(lab, login=answer) as server:
        await lab.fails("hanako@kyaku.jp")
        assert server.logins == 1


@asynccontextmanager
async def own_imap(
    lab: Lab, *, certificate: object = None, port: int = 993, names: tuple[str, ...] = (), **more: object
) -> AsyncIterator[Recorder]:
    """An IMAP server that is the MX of kyaku.jp, with a valid certificate unless another is given."""
    address = loopback_address()
    lab.believed.append(address)
    lab.dns.zones["kyaku.jp"] = {"MX": ["10 mail.kyaku.jp."]}
    lab.dns.zones["mail.kyaku.jp"] = {"A": [address]}
    shown = certificate or lab.authority.issue("mail.kyaku.jp")
    async with recorder(address, port, shown, **more) as server:  # type: ignore[arg-type]
        yield server


# --- what fails, each with its own cause ------------------------------------------------------------------------------


async def test_an_unknown_domain_is_told_as_such(lab: Lab) -> None:
    failure = await lab.fails("taro@kaihsa.jp")
    assert failure.cause == "domain_unknown"
    assert [(stage.name, stage.state, stage.detail) for stage in failure.stages] == [
        ("discover", "failed", "domain_unknown")
    ]


async def test_a_wrong_address_and_an_empty_password_are_told_before_anything_is_asked(lab: Lab) -> None:
    assert (await lab.fails("taro")).cause == "wrong_address"
    for password in ("", "with\0nul", "half a pair \ud83d"):
        assert (await lab.fails("taro@kaisha.jp", password)).cause == "wrong_password"
    assert lab.dns.questions == []


async def test_a_server_that_is_down_is_told_with_its_name(lab: Lab) -> None:
    lab.dns.zones["kyaku.jp"] = {"MX": ["10 mail.kyaku.jp."]}
    lab.dns.zones["mail.kyaku.jp"] = {"A": [loopback_address()]}
    failure = await lab.fails("hanako@kyaku.jp")
    assert (failure.cause, failure.stage) == ("connection_refused", "connect")
    assert "mail.kyaku.jp:993" in failure.detail


async def test_a_certificate_of_another_name_is_told_and_the_password_is_kept(lab: Lab) -> None:
    async with own_imap(lab, certificate=lab.authority.issue("sv9.host.jp")) as server:
        failure = await lab.fails("hanako@kyaku.jp")
        assert (failure.cause, failure.stage, bytes(server.got)) == ("cert_foreign_name", "tls", b"")


async def test_a_self_signed_certificate_is_never_told_as_not_reachable(lab: Lab) -> None:
    async with own_imap(lab, certificate=lab.authority.self_signed("mail.kyaku.jp")) as server:
        failure = await lab.fails("hanako@kyaku.jp")
        assert (failure.cause, bytes(server.got)) == ("cert_untrusted", b"")


async def test_an_expired_certificate_is_told(lab: Lab) -> None:
    async with own_imap(lab, certificate=lab.authority.issue("mail.kyaku.jp", days=-1)):
        assert (await lab.fails("hanako@kyaku.jp")).cause == "cert_expired"


async def test_a_server_with_old_tls_only_is_told(lab: Lab) -> None:
    address, shown = loopback_address(), lab.authority.issue("old.kyaku.jp")
    lab.dns.zones["old.kyaku.jp"] = {"A": [address]}
    words = ["openssl", "s_server", "-accept", f"{address}:993", "-cert", shown.cert, "-key", shown.key]
    with running([*words, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-quiet"], 993, host=address):
        failure = await lab.fails("hanako@kyaku.jp", imap=typed("old.kyaku.jp", port=993))
    assert (failure.cause, failure.stage) == ("tls_too_old", "tls")


async def test_starttls_that_is_not_offered_is_told_and_nothing_goes_in_the_clear(lab: Lab) -> None:
    address = loopback_address()
    lab.dns.zones["clear.kyaku.jp"] = {"A": [address]}
    async with recorder(address, 143, None) as server:
        imap = typed("clear.kyaku.jp", port=143, security=Security.STARTTLS)
        failure = await lab.fails("hanako@kyaku.jp", imap=imap, smtp=typed("mail.kaisha.jp"))
        assert server.got.count(b"\n") <= 2 and b"STARTTLS" in server.got
    assert failure.cause == "plaintext_refused"


async def test_a_port_that_is_no_mail_server_shows_none_of_its_words(lab: Lab) -> None:
    async with own_imap(lab, greeting=b"HTTP/1.1 400 Bad Request\r\nServer: internal-admin\r\n\r\n"):
        failure = await lab.fails("hanako@kyaku.jp")
        assert (failure.cause, failure.server_words) == ("wrong_port", None)
        assert "internal-admin" not in str(failure)


async def test_a_bye_in_place_of_a_greeting_is_told_in_the_server_s_words(lab: Lab) -> None:
    async with own_imap(lab, greeting=b"* BYE maintenance until 6:00\r\n"):
        failure = await lab.fails("hanako@kyaku.jp")
        assert (failure.cause, failure.server_words) == ("server_down", "* BYE maintenance until 6:00")


async def test_a_typed_server_that_does_not_exist_is_a_wrong_server_name(lab: Lab) -> None:
    failure = await lab.fails(lab.user(), imap=typed("mial.kaisha.jp"))
    assert (failure.cause, failure.stage) == ("wrong_server_name", "dns")


@pytest.mark.parametrize("address", ["10.1.2.3", "169.254.169.254", "192.168.0.1", "0.0.0.0"])
async def test_every_refused_address_gets_the_same_answer(lab: Lab, address: str) -> None:
    lab.dns.zones["inner.kyaku.jp"] = {"A": [address]}
    by_name = await lab.fails("hanako@kyaku.jp", imap=typed("inner.kyaku.jp"))
    by_number = await lab.fails("hanako@kyaku.jp", imap=typed(address))
    for failure in (by_name, by_number):
        assert (failure.cause, failure.detail, failure.server_words) == ("private_address_refused", "", None)


async def test_a_dns_that_does_not_answer_is_not_taken_for_an_unknown_domain(lab: Lab) -> None:
    lab.dns.zones["kyaku.jp"] = Fails.SERVFAIL
    assert (await lab.fails("hanako@kyaku.jp")).cause == "dns_failure"


async def test_a_domain_without_mail_is_told(lab: Lab) -> None:
    lab.dns.zones["kyaku.jp"] = {"TXT": ['"nothing"']}
    assert (await lab.fails("hanako@kyaku.jp")).cause == "domain_has_no_mail"


async def test_no_server_at_all_leads_to_the_form_for_entering_them(lab: Lab) -> None:
    lab.dns.zones["kyaku.jp"] = {"MX": ["10 mx.gateway.example."]}
    assert (await lab.fails("hanako@kyaku.jp")).cause == "host_not_identified"


async def test_a_host_that_takes_no_passwords_gets_none(lab: Lab) -> None:
    lab.dns.zones["kyaku.jp"] = {"MX": ["0 kyaku-jp.mail.protection.outlook.com."]}
    assert (await lab.fails("hanako@kyaku.jp")).cause == "oauth_only"


async def test_a_server_that_never_greets_has_a_deadline(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("fumibako.mail.discovery.prove"), "DISCOVERY_SECONDS", 0.5)
    async with asyncio.timeout(5), own_imap(lab, greeting=b""):
        failure = await lab.fails("hanako@kyaku.jp")
        assert failure.cause == "server_unreachable"
        assert "mail.kyaku.jp:993" in failure.detail


async def test_a_login_that_is_never_answered_has_a_deadline(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("fumibako.mail.discovery.prove"), "WHOLE_SECONDS", 4.0)
    async with asyncio.timeout(8), own_imap(lab, login=b"* still thinking"):
        failure = await lab.fails("hanako@kyaku.jp", smtp=typed("mail.kaisha.jp"))
        assert (failure.cause, failure.stage) == ("server_unreachable", "login")
        assert failure.stages[-1].detail == "server_unreachable"


async def test_a_sending_server_that_never_greets_does_not_keep_the_login_waiting(lab: Lab) -> None:
    address = loopback_address()
    lab.dns.zones["silent.kyaku.jp"] = {"A": [address]}
    async with recorder(address, 465, lab.authority.issue("silent.kyaku.jp"), greeting=b""):
        lab.believed.append(address)
        user = lab.user()
        task = asyncio.create_task(lab.prove(user, smtp=typed("silent.kyaku.jp", port=465)))
        async with asyncio.timeout(8):
            while not any(stage.name == "login" and stage.state == "done" for stage in lab.stages):
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


# --- sending fails, reading works -------------------------------------------------------------------------------------


async def test_a_wrong_password_for_sending_links_for_receiving(lab: Lab) -> None:
    proven = await lab.prove(lab.user(), smtp=Wish(secret="another-wrong-one"))
    assert proven.smtp is None and proven.smtp_failure is not None
    assert (proven.smtp_failure.cause, proven.smtp_failure.stage) == ("wrong_credentials", "smtp-auth")
    assert (proven.smtp_failure.server_words or "").startswith("535 5.7.8")
    assert proven.stages[-1].state == "failed"


async def test_an_own_address_that_may_not_send_links_for_receiving(lab: Lab) -> None:
    lab.host.dovecot.add_user("nosend@kaisha.jp", PASSWORD)
    proven = await lab.prove("nosend@kaisha.jp")
    assert proven.smtp is None and proven.smtp_failure is not None
    assert (proven.smtp_failure.stage, proven.smtp_failure.cause) == ("smtp-mail", "sender_refused")


async def test_a_sending_server_that_is_down_links_for_receiving(lab: Lab) -> None:
    lab.dns.zones["down.kaisha.jp"] = {"A": [loopback_address()]}
    proven = await lab.prove(lab.user(), smtp=typed("down.kaisha.jp"))
    assert proven.smtp is None and proven.smtp_failure is not None
    assert proven.smtp_failure.cause == "connection_refused"


async def test_the_proof_of_sending_names_no_recipient_and_sends_nothing(lab: Lab) -> None:
    before = lab.host.postfix.log()
    await lab.prove(lab.user())
    async with asyncio.timeout(5):
        while "quit=1" not in (said := lab.host.postfix.log()[len(before) :]):
            await asyncio.sleep(0.02)
    assert "auth=1" in said and "mail=1" in said and "rset=1" in said
    assert "rcpt=" not in said and "data=" not in said


# --- secrets ----------------------------------------------------------------------------------------------------------


async def test_no_failure_of_any_kind_shows_the_password(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    failures: list[Failure] = [
        await lab.fails("taro@kaihsa.jp"),
        await lab.fails(lab.user(), "wrong-" + PASSWORD),
        await lab.fails(lab.user(), imap=typed("mial.kaisha.jp")),
    ]
    repeating = f"NO unknown command AUTHENTICATE {PASSWORD}".encode()
    async with own_imap(lab, login=repeating):
        failures.append(await lab.fails("hanako@kyaku.jp"))
    receiving = await lab.prove(lab.user(), smtp=Wish(secret="wrong-" + PASSWORD))
    assert receiving.smtp_failure is not None
    failures.append(receiving.smtp_failure)
    shown = [repr(receiving), repr(Wish(secret=PASSWORD)), caplog.text, *map(repr, lab.stages)]
    for failure in failures:
        shown += [repr(failure), str(failure), repr(vars(failure)), repr(failure.args)]
    assert not [text for text in shown if PASSWORD in text or "MARKER" in text]
