"""The host book: its form, and how hosts are recognized."""

import json
from importlib.resources import files
from typing import Any

import pytest

from fumibako.mail.discovery import Limits, host_id_of, limits_of, provider_name
from fumibako.mail.discovery.book import host_of_domain, host_of_server, hosts_of_mx

HOSTS: list[dict[str, Any]] = json.loads(files("fumibako.mail.discovery").joinpath("hosts.json").read_text("utf-8"))
REPLIES: list[dict[str, Any]] = json.loads(files("fumibako.mail.diagnosis").joinpath("replies.json").read_text("utf-8"))


def test_every_host_has_an_id_of_its_own_names_and_sources() -> None:
    assert len({host["id"] for host in HOSTS}) == len(HOSTS)
    for host in HOSTS:
        assert host["name_ja"] and host["name_en"] and host["source"] and host["checked"]
        assert host["login"] in {"address", "local", "percent", "ask"}


def test_every_server_of_the_book_is_encrypted_and_on_a_mail_port() -> None:
    for host in HOSTS:
        assert all(one["ports"] and set(one["ports"]) <= {993, 143} for one in host.get("imap", ()))
        assert all(one["ports"] and set(one["ports"]) <= {465, 587} for one in host.get("smtp", ()))


def test_no_domain_belongs_to_two_hosts() -> None:
    domains = [domain for host in HOSTS for domain in host.get("domains", ())]
    assert len(domains) == len(set(domains))


def test_the_hosts_of_known_replies_are_in_the_book() -> None:
    named = {name for row in REPLIES for name in (row["host"], *row.get("also", ())) if not name.startswith("any")}
    missing = named - {host["id"] for host in HOSTS}
    assert missing <= {"yahoo.co.jp"}, missing


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("gmail.com", "google"),
        ("docomo.ne.jp", "docomo"),
        ("tokyo.nifty.com", "nifty"),
        ("gol.com.example", None),
        ("notgmail.com", None),
    ],
)
def test_a_host_is_recognized_by_its_own_domains(domain: str, host: str | None) -> None:
    found = host_of_domain(domain)
    assert (found.id if found else None) == host


def test_a_host_that_is_surely_recognized_by_its_mx_comes_first() -> None:
    assert hosts_of_mx("mx01.lolipop.jp")[0].id == "lolipop"
    assert hosts_of_mx("kaisha-co-jp.mail.protection.outlook.com")[0].id == "microsoft365"
    assert hosts_of_mx("mx.example.net") == ()


def test_a_server_leads_to_its_host() -> None:
    found = host_of_server("mss-g2-140.kagoya.net", "imap")
    assert found is not None and found[0].id == "kagoya" and found[1].sure
    assert host_of_server("mail.example.net", "imap") is None


def test_a_provider_is_shown_in_the_reader_s_language_and_a_server_s_name_as_it_is() -> None:
    assert provider_name("sakura", "ja") == "さくらのレンタルサーバ"
    assert provider_name("sakura", "en") == "SAKURA internet"
    assert provider_name("mail.example.jp", "ja") == "mail.example.jp"


def test_what_a_host_allows_has_a_source_and_is_found_by_the_name_of_its_server() -> None:
    told = [host for host in HOSTS if "limits" in host]
    assert all(host["limits"]["source"] and set(host["limits"]) > {"source"} for host in told)
    assert limits_of("IMAP.gmail.com") == Limits(by_user=True, connections=15)
    assert limits_of("outlook.office365.com").by_user and limits_of("imap.mail.yahoo.com").by_user
    assert limits_of("mail.zenlogic.jp") == Limits(interval=600)
    assert limits_of("imap.example.jp") == limits_of("imap.lolipop.jp") == Limits()
    assert (host_id_of("imap.gmail.com"), host_id_of("imap.example.jp")) == ("google", None)
