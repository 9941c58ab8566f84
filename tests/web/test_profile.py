import re

import pytest
from django.test import Client
from django.urls import reverse

from fumibako import accounts
from fumibako.accounts.models import Person, Session
from tests.company import PASSWORD

FRESH = "another long phrase"
PROFILE = "/settings/profile/"


@pytest.fixture
def desk(client: Client, member: Person) -> Client:
    """The member's browser."""
    client.force_login(member)
    return client


def text(response) -> str:
    """The page as one reads it: no-break spaces are spaces."""
    return response.content.decode().replace("\u00a0", " ")


def test_a_profile_shows_what_holds_now(desk: Client) -> None:
    page = text(desk.get(PROFILE))
    assert 'value="山田 太郎"' in page and 'value="yamada"' in page
    assert '<option value="ja" lang="ja" selected>日本語</option>' in page
    assert '<option value="Asia/Tokyo" selected>東京（UTC+9）</option>' in page


def test_language_and_time_zone_hold_from_the_next_page_on(desk: Client, member: Person) -> None:
    response = desk.post(PROFILE, {"name": "Taro Yamada", "language": "en", "time_zone": "Europe/London"}, follow=True)
    page = text(response)
    assert '<html lang="en">' in page and "Saved." in page and "Taro Yamada" in page
    assert re.search(r'<option value="Europe/London" selected>London \(UTC\+[01]\)</option>', page)


def test_a_time_zone_set_elsewhere_is_offered_too(desk: Client, member: Person) -> None:
    Person.objects.filter(pk=member.pk).update(time_zone="Asia/Kathmandu")
    assert '<option value="Asia/Kathmandu" selected>Asia/Kathmandu（UTC+5:45）</option>' in text(desk.get(PROFILE))


def test_what_is_wrong_stands_at_its_field(desk: Client, member: Person) -> None:
    response = desk.post(PROFILE, {"name": " ", "language": "fr", "time_zone": "Europe/Edo"})
    assert response.status_code == 422
    for field in ("name", "language", "time-zone"):
        assert f'id="{field}-error" role="alert"' in text(response)
    member.refresh_from_db()
    assert member.name == "山田 太郎"


def test_a_member_cannot_change_login_name_or_role_here(desk: Client, member: Person) -> None:
    desk.post(PROFILE, {"name": "x", "language": "ja", "time_zone": "UTC", "login": "boss", "role": "admin"})
    member.refresh_from_db()
    assert (member.login, member.role) == ("yamada", "member")


def test_a_new_password_keeps_this_device_and_ends_the_others(desk: Client, member: Person) -> None:
    Client().force_login(member)
    response = desk.post(reverse("profile_password"), {"current": PASSWORD, "password": FRESH}, follow=True)
    assert "文箱のパスワードを変更しました。" in text(response)
    assert list(Session.objects.values_list("pk", flat=True)) == [desk.session.session_key]
    assert accounts.log_in("yamada", FRESH) == member


def test_a_wrong_present_password_is_told_at_its_field(desk: Client) -> None:
    response = desk.post(reverse("profile_password"), {"current": "wrong", "password": "short"})
    page = text(response)
    assert response.status_code == 422
    assert 'id="current-error" role="alert">いまのパスワードが違います。' in page
    assert 'id="new-error" role="alert">パスワードが短すぎます。' in page
    assert 'value="山田 太郎"' in page and "wrong" not in re.sub(r"[\w-]*wrong[\w-]*=", "", page)
    assert desk.get(PROFILE).status_code == 200, "the session goes on"


def test_a_reload_after_a_session_that_ended_is_no_dead_end(desk: Client) -> None:
    assert desk.get(reverse("profile_password")).headers["Location"] == PROFILE
