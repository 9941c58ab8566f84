"""What DNS says of a mail domain."""

from collections.abc import Iterator

import pytest

from fumibako.mail.connect import Network, Security, Server
from fumibako.mail.diagnosis import Failure
from fumibako.mail.discovery.lookup import Records, look_up
from tests.lab.dns import Fails, NameServer, running_dns

HERE = {"A": ["127.0.0.1"]}


@pytest.fixture
def dns() -> Iterator[NameServer]:
    with running_dns() as server:
        yield server


async def asked(dns: NameServer, domain: str) -> Records:
    return await look_up(domain, Network(dns_server=dns.address))


async def test_mx_are_ordered_by_preference_and_srv_by_priority_and_weight(dns: NameServer) -> None:
    dns.zones |= {
        "example.jp": {"MX": ["20 mx2.example.jp.", "10 MX1.example.jp."]},
        "_imaps._tcp.example.jp": {
            "SRV": ["20 0 993 late.example.jp.", "10 1 993 light.example.jp.", "10 9 993 heavy.example.jp."]
        },
        "_imap._tcp.example.jp": {"SRV": ["0 0 143 plain.example.jp."]},
        "_submission._tcp.example.jp": {"SRV": ["0 0 587 send.example.jp."]},
    }
    records = await asked(dns, "example.jp")
    assert records.mx == ("mx1.example.jp", "mx2.example.jp")
    assert [server.host for server in records.srv["imap"]] == [
        "heavy.example.jp",
        "light.example.jp",
        "late.example.jp",
        "plain.example.jp",
    ]
    assert records.srv["imap"][-1] == Server("plain.example.jp", 143, Security.STARTTLS)
    assert records.srv["smtp"] == (Server("send.example.jp", 587, Security.STARTTLS),)


async def test_a_service_that_srv_says_is_not_offered_is_none(dns: NameServer) -> None:
    dns.zones |= {"example.jp": {"MX": ["10 mail.example.jp."]}, "_imaps._tcp.example.jp": {"SRV": ["0 0 0 ."]}}
    assert (await asked(dns, "example.jp")).srv == {}


async def test_only_common_names_with_an_address_are_reported(dns: NameServer) -> None:
    dns.zones |= {"example.jp": {"MX": ["10 mx.example.jp."]}, "mail.example.jp": HERE, "imap.example.jp": {}}
    assert (await asked(dns, "example.jp")).resolving == {"mail.example.jp"}


async def test_a_domain_without_mx_that_has_an_address_is_its_own_mx(dns: NameServer) -> None:
    dns.zones |= {"example.jp": HERE}
    assert (await asked(dns, "example.jp")).mx == ("example.jp",)


@pytest.mark.parametrize(
    ("zones", "cause"),
    [
        ({}, "domain_unknown"),
        ({"example.jp": {"TXT": ['"v=spf1 -all"']}}, "domain_has_no_mail"),
        ({"example.jp": {"MX": ["0 ."], "A": ["127.0.0.1"]}}, "domain_has_no_mail"),
        ({"example.jp": Fails.SERVFAIL}, "dns_failure"),
    ],
)
async def test_what_dns_cannot_say_has_its_own_cause(dns: NameServer, zones: dict[str, object], cause: str) -> None:
    dns.zones |= zones  # type: ignore[arg-type]
    with pytest.raises(Failure) as caught:
        await asked(dns, "example.jp")
    assert caught.value.cause == cause


async def test_a_failing_mx_look_up_does_not_hide_what_else_was_found(dns: NameServer) -> None:
    dns.zones |= {"example.jp": Fails.SERVFAIL, "imap.example.jp": HERE}
    assert (await asked(dns, "example.jp")).resolving == {"imap.example.jp"}
