import re

import pytest
from django.test import Client
from django.urls import reverse

from fumibako import accounts
from fumibako.accounts.models import AuditEvent, OneTimeLink, Person, Session
from tests.company import PASSWORD, join
from tests.world import World

PEOPLE = "/admin/people/"
NEW = {"name": "高木 亮", "login": "takagi", "email": "takagi@example.co.jp", "role": "member"}


@pytest.fixture
def office(client: Client, admin: Person) -> Client:
    """The admin's browser."""
    client.force_login(admin)
    return client


def text(response) -> str:
    """The page as one reads it: no-break spaces are spaces."""
    return response.content.decode().replace("\u00a0", " ")


def rows(response) -> list[str]:
    """The login names in the list, in order."""
    return re.findall(r'<small class="sub">([^<]+)</small></th>', text(response))


def address_in(response) -> str:
    (found,) = re.findall(r'value="(http://localhost/in/[^"]+)"', text(response))
    return found


def test_adding_somebody_shows_a_link_once_that_lets_them_in(office: Client) -> None:
    response = office.post(PEOPLE, NEW)
    assert response.status_code == 200 and "高木 亮さんのリンクを作りました。" in text(response)
    assert "no-store" in response.headers["Cache-Control"]
    assert "http://localhost/in/" not in text(office.get(PEOPLE)), "shown once"
    theirs = Client(headers={"host": "localhost"})
    address = address_in(response).removeprefix("http://localhost")
    assert theirs.post(address, {"password": "a phrase of my own"}).status_code == 302
    assert theirs.get(reverse("mailboxes")).status_code == 200
    assert "招待中" in text(response) and "招待中" not in text(office.get(PEOPLE))


def test_what_was_typed_stays_and_each_error_stands_at_its_field(office: Client, member: Person) -> None:
    response = office.post(PEOPLE, {"name": "高木 亮", "login": "Ｙamada", "email": "takagi", "role": "boss"})
    page = text(response)
    assert response.status_code == 422
    assert 'value="高木 亮"' in page and 'value="Ｙamada"' in page and 'value="takagi"' in page
    assert 'aria-describedby="add-login-error"' in page
    assert "このログイン名は使われています。" in page and "一覧から選んでください。" in page
    assert '<details class="sheet fold" id="add" open>' in page
    assert Person.objects.count() == 2


def test_the_list_is_led_by_who_needs_somebody_and_ended_by_the_stopped(
    office: Client, admin: Person, member: Person
) -> None:
    organization = admin.organization
    world = World(organization, member)
    world.add_mailbox("yamada@example.co.jp", state="needs_attention")
    sasaki, watanabe = join(organization, "sasaki", "佐々木 花"), join(organization, "watanabe", "渡辺 由紀")
    world.add_mailbox("sasaki@example.co.jp", person=sasaki, state="live")
    accounts.stop_person(watanabe, by=admin)
    page = office.get(PEOPLE)
    assert rows(page) == ["yamada", "sasaki", "sato", "watanabe"]
    assert "利用中 3 人 ・ 停止 1 人 ・ 管理者 1 人" in text(page)
    for word in ("要対応", "連携中", "未連携"):
        assert re.search(rf'<span class="chip \w+">{word}</span>', text(page))
    assert rows(office.get(PEOPLE + "?show=attention")) == ["yamada"]
    assert rows(office.get(PEOPLE + "?show=unlinked")) == ["sato"]
    assert rows(office.get(PEOPLE + "?show=stopped")) == ["watanabe"]
    assert len(rows(office.get(PEOPLE + "?show=nonsense"))) == 4


def test_a_long_list_has_pages(office: Client, admin: Person, django_assert_max_num_queries) -> None:
    everybody = [
        Person(organization=admin.organization, login=f"p{n:03}", name=f"人 {n:03}", name_key=f"人{n:03}")
        for n in range(120)
    ]
    Person.objects.bulk_create(everybody)
    with django_assert_max_num_queries(12):
        first = office.get(PEOPLE)
    third = office.get(PEOPLE + "?show=unlinked&page=3")
    assert (len(rows(first)), len(rows(third))) == (50, 21)
    assert 'href="/admin/people/?page=2"' in text(first) and "121 人のうち 1〜50 人目を表示" in text(first)
    assert 'href="/admin/people/?show=unlinked&amp;page=2"' in text(third)
    assert office.get(PEOPLE + "?page=nonsense").status_code == 200


def test_pages_for_admins_are_no_member_s(client: Client, admin: Person, member: Person) -> None:
    client.force_login(member)
    for address in (PEOPLE, *(f"{PEOPLE}{admin.public_id}/{verb}" for verb in ("", "link/", "stop/", "resume/"))):
        for answer in (client.get(address), client.post(address, NEW)):
            assert answer.status_code == 403
            assert "管理者" in text(answer)
    assert Person.objects.count() == 2 and not AuditEvent.objects.filter(actor=member, kind="person.added").exists()
    assert 'href="/admin/people/"' not in text(client.get(reverse("mailboxes")))


def test_people_of_another_organization_are_not_found_and_not_listed(
    office: Client, admin: Person, stranger: Person
) -> None:
    assert rows(office.get(PEOPLE)) == ["sato"]
    before = AuditEvent.objects.count()
    for verb in ("", "link/", "stop/", "resume/"):
        address = f"{PEOPLE}{stranger.public_id}/{verb}"
        assert office.get(address).status_code == 404
        assert office.post(address, NEW).status_code == 404
    assert AuditEvent.objects.count() == before
    stranger.refresh_from_db()
    assert stranger.is_active


def test_who_is_not_logged_in_comes_to_the_login(client: Client, admin: Person) -> None:
    for verb in ("", "link/", "stop/", "resume/"):
        address = f"{PEOPLE}{admin.public_id}/{verb}"
        assert client.post(address).headers["Location"] == f"/login/?next={address}"


def test_a_person_s_page_shows_addresses_and_states(office: Client, admin: Person, member: Person) -> None:
    world = World(admin.organization, member)
    world.add_mailbox("yamada@example.co.jp", state="needs_attention")
    world.add_folder(world.boxes[0], "秘密の案件")
    page = text(office.get(f"{PEOPLE}{member.public_id}/"))
    assert "yamada@example.co.jp" in page and "要対応" in page
    assert "秘密の案件" not in page, "folder names are the member's own"


def test_an_admin_changes_name_login_and_role(office: Client, member: Person) -> None:
    address = f"{PEOPLE}{member.public_id}/"
    response = office.post(address, {"name": "山田 太朗", "login": "taro", "email": "", "role": "admin"}, follow=True)
    assert "保存しました。" in text(response)
    member.refresh_from_db()
    assert (member.name, member.login, member.role) == ("山田 太朗", "taro", "admin")


def test_the_only_admin_stays_one(office: Client, admin: Person) -> None:
    address = f"{PEOPLE}{admin.public_id}/"
    response = office.post(address, {"name": admin.name, "login": "sato", "email": "", "role": "member"})
    assert response.status_code == 422 and "ほかに管理者がいません。" in text(response)


def test_a_new_link_replaces_the_one_before(office: Client, member: Person) -> None:
    address = f"{PEOPLE}{member.public_id}/link/"
    first, second = (address_in(office.post(address)) for _ in range(2))
    visitor = Client(headers={"host": "localhost"})
    assert visitor.get(first.removeprefix("http://localhost")).status_code == 404
    assert visitor.get(second.removeprefix("http://localhost")).status_code == 200
    assert OneTimeLink.objects.waiting().count() == 1
    assert office.get(address).headers["Location"] == f"{PEOPLE}{member.public_id}/"


def test_stopping_says_what_follows_and_ends_sessions_and_mailboxes(office: Client, member: Person) -> None:
    box = World(member.organization, member).add_mailbox("yamada@example.co.jp", secret="mail password")
    Client().force_login(member)
    address = f"{PEOPLE}{member.public_id}/stop/"
    page = text(office.get(address))
    assert "山田 太郎さんの利用を停止しますか" in page and "取り込みを止めます。" in page
    assert "取り込み済みの 0 通は残ります。" in page
    response = office.post(address, follow=True)
    assert "山田 太郎さんの利用を停止しました。" in text(response)
    assert not Session.objects.filter(person=member).exists()
    box.refresh_from_db()
    assert box.state == "unlinked" and not box.mailboxsecret_set.exists()
    assert office.get(address).status_code == 302, "nothing left to stop"
    assert f'action="{PEOPLE}{member.public_id}/link/"' not in text(response), "no link for a stopped person"


def test_a_stopped_person_is_resumed(office: Client, client: Client, admin: Person, member: Person) -> None:
    accounts.stop_person(member, by=admin)
    address = f"{PEOPLE}{member.public_id}/resume/"
    assert office.get(address).status_code == 302
    member.refresh_from_db()
    assert not member.is_active, "looking changes nothing"
    assert "またログインできます" in text(office.post(address, follow=True))
    assert accounts.log_in("yamada", PASSWORD) == member


def test_nobody_stops_themselves(office: Client, admin: Person) -> None:
    page = office.post(f"{PEOPLE}{admin.public_id}/stop/", follow=True)
    assert "自分の利用は停止できません。" in text(page)
    assert f'href="{PEOPLE}{admin.public_id}/stop/"' not in text(office.get(f"{PEOPLE}{admin.public_id}/"))
    admin.refresh_from_db()
    assert admin.is_active


def test_names_are_shown_as_text(office: Client) -> None:
    page = text(office.post(PEOPLE, {**NEW, "name": "<script>alert(1)</script>"}))
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page
