import pytest
from django.test import Client
from django.urls import reverse

from fumibako import accounts
from fumibako.accounts.models import Person, Session

FRESH = "another long phrase"


@pytest.fixture
def address(admin: Person, member: Person) -> str:
    return reverse("one_time_link", args=[accounts.make_link(member, by=admin).token])


def test_opening_a_link_asks_for_a_password_and_uses_nothing_up(client: Client, address: str) -> None:
    for _ in range(2):
        page = client.get(address)
        assert "山田 太郎さんのパスワードを設定" in page.content.decode()
    assert "no-store" in page.headers["Cache-Control"]
    assert client.head(address).status_code == 200


def test_setting_the_password_logs_in_and_ends_link_and_other_sessions(
    client: Client, address: str, member: Person
) -> None:
    Client().force_login(member)
    response = client.post(address, {"password": FRESH})
    assert response.headers["Location"] == reverse("mailboxes")
    assert client.get(reverse("mailboxes")).status_code == 200
    assert list(Session.objects.values_list("pk", flat=True)) == [client.session.session_key]
    again = Client(headers={"host": "localhost"}).get(address)
    assert again.status_code == 404
    assert "このリンクは使えません" in again.content.decode()


def test_somebody_else_logged_in_here_is_logged_out(
    client: Client, address: str, admin: Person, member: Person
) -> None:
    client.force_login(admin)
    client.post(address, {"password": FRESH})
    assert Session.objects.get().person == member


def test_a_short_password_is_told_at_its_field(client: Client, address: str) -> None:
    response = client.post(address, {"password": "short"})
    assert response.status_code == 422
    assert "パスワードが短すぎます。" in response.content.decode()
    assert 'value="short"' not in response.content.decode()
    assert client.post(address, {"password": FRESH}).status_code == 302


def test_a_token_that_nobody_made_is_answered_like_a_used_one(client: Client, db: None) -> None:
    response = client.get(reverse("one_time_link", args=["in_0000000000000000000000"]))
    assert response.status_code == 404
    assert "このリンクは使えません" in response.content.decode()


def test_the_token_is_in_no_log(client: Client, address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "django.request")  # as fumibako.site.log has it
    caplog.set_level("INFO")
    client.get(address)
    client.post(address, {"password": "short"})
    client.post(address, {"password": FRESH})
    client.get(address)
    token = address.rstrip("/").rsplit("/", 1)[1]
    assert caplog.records
    assert token not in caplog.text and FRESH not in caplog.text
