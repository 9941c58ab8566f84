from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F
from django.test import Client
from django.urls import reverse

from fumibako import accounts
from fumibako.accounts.models import Person, Session, WrongLogin
from tests.company import PASSWORD
from tests.world import World

LOGIN = "/login/"


def log_in(client: Client, login: str = "yamada", password: str = PASSWORD, **more: str):
    return client.post(LOGIN, {"login": login, "password": password, **more})


def text(response) -> str:
    """The page as one reads it: no-break spaces are spaces."""
    return response.content.decode().replace("\u00a0", " ")


def test_the_first_page_asks_for_a_login(client: Client, member: Person) -> None:
    response = client.get("/", follow=True)
    assert response.redirect_chain[-1][0] == "/login/?next=/settings/mailboxes/"
    assert "ログイン" in text(response)


def test_a_person_without_mailbox_comes_to_the_mailboxes(client: Client, member: Person) -> None:
    assert log_in(client, " ＹＡＭＡＤＡ").headers["Location"] == reverse("mailboxes")
    assert client.get(reverse("mailboxes")).status_code == 200


def test_a_person_with_a_mailbox_comes_to_the_mail(client: Client, member: Person) -> None:
    World(member.organization, member).add_mailbox()
    assert log_in(client).headers["Location"] == reverse("mail")


def test_the_login_goes_on_to_the_page_that_was_wanted(client: Client, member: Person) -> None:
    page = client.get("/login/?next=/settings/profile/")
    assert '<input type="hidden" name="next" value="/settings/profile/">' in text(page)
    assert log_in(client, next="/settings/profile/").headers["Location"] == "/settings/profile/"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil"])
def test_the_login_leads_to_no_other_site(client: Client, member: Person, elsewhere: str) -> None:
    assert log_in(client, next=elsewhere).headers["Location"] == reverse("mailboxes")


def test_a_login_begins_a_session_of_its_own(client: Client, member: Person, admin: Person) -> None:
    client.force_login(admin)
    before = client.session.session_key
    client.post(reverse("logout"))
    planted = client.cookies[settings.SESSION_COOKIE_NAME] = before
    log_in(client)
    assert client.session.session_key != planted
    assert Session.objects.get(pk=client.session.session_key).person == member


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(client: Client, member: Person) -> None:
    response = log_in(client)
    cookie = response.cookies[settings.SESSION_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert not cookie["secure"]
    response = Client(headers={"host": "localhost"}).post(LOGIN, {"login": "yamada", "password": PASSWORD}, secure=True)
    assert response.cookies[settings.SESSION_COOKIE_NAME]["secure"]


def test_a_form_of_another_site_logs_nobody_in(member: Person) -> None:
    client = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    for address in (LOGIN, reverse("logout"), reverse("language")):
        assert client.post(address, {"login": "yamada", "password": PASSWORD}).status_code == 403


def test_wrong_tries_are_counted_down_and_the_name_stays_typed(client: Client, member: Person) -> None:
    log_in(client, password="wrong one")
    response = log_in(client, password="wrong two")
    assert response.status_code == 422
    assert "ログイン名かパスワードが違います。" in text(response)
    assert "あと 8 回間違えると、15 分間ログインできません。" in text(response)
    assert 'value="yamada"' in text(response) and "wrong two" not in text(response)
    assert text(response).count('aria-invalid="true" aria-describedby="refused') == 2


def test_after_ten_wrong_tries_the_page_says_when_to_try_again(client: Client, member: Person) -> None:
    for _ in range(9):
        log_in(client, password="wrong")
    response = log_in(client, password="wrong")
    assert "10 回間違えたため、ログインを止めています。" in text(response)
    assert "を過ぎてから、もう一度お試しください。" in text(response)
    assert text(log_in(client)).count("ログインを止めています") == 1, "the right password waits too"
    WrongLogin.objects.update(last_at=F("last_at") - timedelta(minutes=16))
    assert log_in(client).status_code == 302


def test_nobody_learns_which_login_names_exist(client: Client, member: Person) -> None:
    known, unknown = log_in(client, "yamada", "wrong"), log_in(client, "yamano", "wrong")
    without_name = [text(page).replace("yamada", "").replace("yamano", "") for page in (known, unknown)]
    tokens = [page[: page.index("csrf")] + page[page.index('<div class="note') :] for page in without_name]
    assert tokens[0].split("csrfmiddlewaretoken")[0] == tokens[1].split("csrfmiddlewaretoken")[0]
    assert known.status_code == unknown.status_code


def test_empty_fields_are_told_at_the_field_and_cost_no_try(client: Client, member: Person) -> None:
    response = log_in(client, "", "")
    assert "ログイン名を入力してください。" in text(response) and "パスワードを入力してください。" in text(response)
    assert not WrongLogin.objects.exists()


def test_stopped_people_are_told_whom_to_ask(client: Client, member: Person, admin: Person) -> None:
    accounts.stop_person(member, by=admin)
    response = log_in(client)
    assert "利用が停止されています。" in text(response)
    assert not Session.objects.exists()


def test_a_stopped_person_s_next_click_is_the_login(client: Client, member: Person, admin: Person) -> None:
    log_in(client)
    accounts.stop_person(member, by=admin)
    assert client.get(reverse("mailboxes")).headers["Location"].startswith(LOGIN)


def test_sessions_that_ran_out_are_cleared_away(client: Client, member: Person, admin: Person) -> None:
    Client().force_login(admin)
    Session.objects.update(expire_date="2020-01-01T00:00Z")
    log_in(client)
    assert Session.objects.get().person == member


def test_logging_out_ends_the_session(client: Client, member: Person) -> None:
    log_in(client)
    assert client.post(reverse("logout")).headers["Location"] == LOGIN
    assert not Session.objects.exists()
    assert client.get(reverse("logout")).status_code == 405, "a link or a picture logs nobody out"


def test_the_page_names_the_company_only_where_there_is_one(client: Client, member: Person) -> None:
    assert "株式会社サンプルの文箱" in text(client.get(LOGIN))
    accounts.create_organization("有限会社よそ")
    page = text(client.get(LOGIN))
    assert "株式会社サンプル" not in page and "有限会社よそ" not in page


def test_english_is_chosen_by_a_button_and_stays(client: Client, member: Person) -> None:
    page = client.get(LOGIN, headers={"accept-language": "en"})
    assert "<h1" in text(page) and "ログイン</h1>" in text(page), "what the browser prefers does not count"
    response = client.post(reverse("language"), {"language": "en", "next": LOGIN})
    assert response.headers["Location"] == LOGIN
    page = text(client.get(LOGIN))
    assert '<html lang="en">' in page and "Log in</h1>" in page
    log_in(client)
    member.refresh_from_db()
    assert member.language == "en", "who never chose otherwise keeps it"
    assert '<html lang="en">' in text(client.get(reverse("mailboxes")))


def test_a_language_that_is_not_spoken_is_not_kept(client: Client, member: Person) -> None:
    response = client.post(reverse("language"), {"language": "tlh", "next": "https://evil.example/"})
    assert response.headers["Location"] == LOGIN
    assert settings.LANGUAGE_COOKIE_NAME not in response.cookies


def test_who_has_no_password_is_told_to_ask_an_admin(client: Client, member: Person) -> None:
    assert reverse("login_help") in text(client.get(LOGIN))
    assert "管理者にリンクを発行してもらってください" in text(client.get(reverse("login_help")))


def test_who_is_logged_in_goes_past_the_login(client: Client, member: Person) -> None:
    log_in(client)
    assert client.get("/login/?next=/settings/profile/").headers["Location"] == "/settings/profile/"


def test_the_login_page_is_kept_by_no_cache(client: Client, member: Person) -> None:
    assert "no-store" in client.get(LOGIN).headers["Cache-Control"]
