"""Which servers are tried, in which order, and which may see a password."""

from fumibako.mail.connect import Security, Server
from fumibako.mail.discovery.candidates import Candidate, Source, candidates, recognized
from fumibako.mail.discovery.lookup import Records
from fumibako.mail.discovery.values import DomainSettings, Wish

NOTHING = Wish(secret="x")


def shown(found: tuple[Candidate, ...]) -> list[tuple[str, int, bool]]:
    return [(one.server.host, one.server.port, one.authority) for one in found]


def with_authority(found: tuple[Candidate, ...]) -> set[str]:
    return {one.server.host for one in found if one.authority}


def test_a_typed_server_stands_alone_and_is_tried_with_tls_first() -> None:
    records = Records(mx=("mx.example.jp",), resolving=frozenset({"imap.example.jp"}))
    found = candidates("imap", "example.jp", Wish(secret="x", host="sv9.yoso.net"), records=records)
    assert shown(found) == [("sv9.yoso.net", 993, True), ("sv9.yoso.net", 143, True)]
    assert [one.server.security for one in found] == [Security.TLS, Security.STARTTLS]


def test_a_typed_port_or_security_is_kept() -> None:
    port = candidates("imap", "example.jp", Wish(secret="x", host="m.jp", port=143))
    odd_port = candidates("imap", "example.jp", Wish(secret="x", host="m.jp", port=10993))
    security = candidates("smtp", "example.jp", Wish(secret="x", host="m.jp", security=Security.STARTTLS))
    assert [one.server for one in port] == [Server("m.jp", 143, Security.STARTTLS)]
    assert [one.server.security for one in odd_port] == [Security.TLS, Security.STARTTLS]
    assert [one.server for one in security] == [Server("m.jp", 587, Security.STARTTLS)]


def test_the_organization_s_settings_win_alone() -> None:
    settings = DomainSettings("example.jp", Server("sv1.host.jp", 993, Security.TLS))
    records = Records(mx=("mail.example.jp",), resolving=frozenset({"imap.example.jp"}))
    found = candidates("imap", "example.jp", NOTHING, settings=settings, records=records)
    assert [one.server for one in found] == [settings.imap]
    assert found[0].authority


def test_names_below_the_own_domain_have_authority() -> None:
    records = Records(
        mx=("mx1.example.jp",),
        srv={"imap": (Server("box.example.jp", 993, Security.TLS),)},
        resolving=frozenset({"imap.example.jp"}),
    )
    found = candidates("imap", "example.jp", NOTHING, records=records)
    assert with_authority(found) == {"box.example.jp", "mx1.example.jp", "imap.example.jp"}
    assert found[0].server == Server("box.example.jp", 993, Security.TLS)


def test_a_common_name_that_does_not_resolve_is_not_tried() -> None:
    found = candidates("imap", "example.jp", NOTHING, records=Records(mx=("example.jp",)))
    assert {one.server.host for one in found} == {"example.jp"}


def test_foreign_names_of_mx_and_srv_have_no_authority_until_the_person_agrees() -> None:
    records = Records(mx=("mx.yoso.net",), srv={"imap": (Server("imap.yoso.net", 993, Security.TLS),)})
    asked = candidates("imap", "example.jp", NOTHING, records=records)
    agreed = candidates("imap", "example.jp", NOTHING, records=records, trusted=frozenset({"imap.yoso.net"}))
    assert with_authority(asked) == set()
    assert asked[0].server.host == "imap.yoso.net"
    assert with_authority(agreed) == {"imap.yoso.net"}


def test_a_name_that_only_ends_like_the_own_domain_is_foreign() -> None:
    records = Records(mx=("mail.notexample.jp", "example.jp.evil.net"))
    assert with_authority(candidates("imap", "example.jp", NOTHING, records=records)) == set()


def test_candidates_with_authority_come_before_foreign_ones() -> None:
    records = Records(
        srv={"imap": (Server("imap.yoso.net", 993, Security.TLS),)}, resolving=frozenset({"mail.example.jp"})
    )
    found = candidates("imap", "example.jp", NOTHING, records=records)
    assert [one.authority for one in found] == sorted((one.authority for one in found), reverse=True)


def test_the_book_names_the_servers_of_a_domain() -> None:
    imap = candidates("imap", "nifty.com", NOTHING)
    smtp = candidates("smtp", "icloud.com", NOTHING)
    assert shown(imap) == [("imap.nifty.com", 993, True)]
    assert shown(smtp) == [("smtp.mail.me.com", 587, True)]


def test_a_server_that_is_only_a_lead_gives_no_authority() -> None:
    """ヘテムル: the sending server is confirmed, the reading one is not."""
    records = Records(mx=("mx-proxy001.heteml.jp",))
    assert "imap.heteml.jp" not in with_authority(candidates("imap", "example.jp", NOTHING, records=records))
    assert "smtp.heteml.jp" in with_authority(candidates("smtp", "example.jp", NOTHING, records=records))


def test_an_mx_that_fits_a_sure_pattern_of_server_names_is_that_host_s_server() -> None:
    records = Records(mx=("sv123.xserver.jp",))
    found = candidates("imap", "example.jp", NOTHING, records=records)
    assert shown(found) == [("sv123.xserver.jp", 993, True), ("sv123.xserver.jp", 143, True)]
    host = recognized("example.jp", records)
    assert host is not None and host.id == "xserver"


def test_a_name_that_imitates_a_pattern_is_foreign() -> None:
    for name in ("sv1.xserver.jp.evil.net", "sv1.evil.xserver.jp.net", "xsv1xserver.jp", "sv1.xserverxjp"):
        assert with_authority(candidates("imap", "example.jp", NOTHING, records=Records(mx=(name,)))) == set()


def test_google_is_recognized_by_its_mx() -> None:
    records = Records(mx=("aspmx.l.google.com", "alt1.aspmx.l.google.com"))
    found = candidates("imap", "example.co.jp", NOTHING, records=records)
    assert shown(found)[0] == ("imap.gmail.com", 993, True)
    host = recognized("example.co.jp", records)
    assert host is not None and host.id == "google"


def test_a_gateway_s_mx_is_not_taken_for_the_mailbox_s_host() -> None:
    records = Records(mx=("mx1.example.jp.cust.pphosted.com",), resolving=frozenset({"mail.example.jp"}))
    assert with_authority(candidates("imap", "example.jp", NOTHING, records=records)) == {"mail.example.jp"}


def test_the_server_for_sending_is_looked_for_beside_a_typed_one_for_reading() -> None:
    known = candidates("smtp", "example.jp", NOTHING, imap_host="imap.gmail.com")
    unknown = candidates("smtp", "example.jp", NOTHING, imap_host="imap.chiisai.net")
    assert shown(known)[0] == ("smtp.gmail.com", 465, True)
    assert with_authority(unknown) == {"imap.chiisai.net"}
    assert "smtp.chiisai.net" in {one.server.host for one in unknown if not one.authority}


def test_a_server_named_twice_is_tried_once() -> None:
    records = Records(
        mx=("mail.example.jp",),
        srv={"imap": (Server("mail.example.jp", 993, Security.TLS),)},
        resolving=frozenset({"mail.example.jp"}),
    )
    found = candidates("imap", "example.jp", NOTHING, records=records)
    assert shown(found) == [("mail.example.jp", 993, True), ("mail.example.jp", 143, True)]
    assert found[0].source is Source.SRV
