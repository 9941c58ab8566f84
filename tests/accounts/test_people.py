import pytest
from django.db import IntegrityError, transaction

from fumibako import accounts
from fumibako.accounts import Problem, Reason
from fumibako.accounts.models import AuditEvent, OneTimeLink, Organization, Person


def problems(raised: pytest.ExceptionInfo[accounts.Invalid]) -> set[Problem]:
    return set(raised.value.problems)


def test_a_person_is_added_with_a_link_and_a_line_in_the_trail(organization: Organization, admin: Person) -> None:
    added = accounts.add_person(
        organization, name=" 高木　亮 ", login="Takagi", role="member", email="takagi@example.co.jp", by=admin
    )
    person = Person.objects.get(pk=added.person.pk)
    assert (person.name, person.login, person.email) == ("高木 亮", "takagi", "takagi@example.co.jp")
    assert person.public_id.startswith("pe_") and len(person.public_id) == 25
    assert not person.has_usable_password()
    assert accounts.open_link(added.link.token) == person
    line = AuditEvent.objects.get(kind="person.added", subject=person.public_id)
    assert (line.actor, line.organization) == (admin, organization)


def test_full_width_and_capital_letters_make_no_other_login_name(organization: Organization, member: Person) -> None:
    with pytest.raises(accounts.Invalid) as raised:
        accounts.add_person(organization, name="別人", login="ＹＡＭＡＤＡ", role="member", by=None)
    assert problems(raised) == {Problem("login", Reason.TAKEN)}


def test_a_login_name_of_another_organization_is_taken_too(organization: Organization, stranger: Person) -> None:
    with pytest.raises(accounts.Invalid) as raised:
        accounts.add_person(organization, name="与曽", login="yoso", role="member", by=None)
    assert problems(raised) == {Problem("login", Reason.TAKEN)}


def test_every_wrong_field_is_told_at_once_and_nobody_is_added(organization: Organization) -> None:
    with pytest.raises(accounts.Invalid) as raised:
        accounts.add_person(organization, name="  ", login="山田", role="boss", email="no address", by=None)
    assert problems(raised) == {
        Problem("name", Reason.MISSING),
        Problem("login", Reason.CHARACTERS),
        Problem("role", Reason.UNKNOWN),
        Problem("email", Reason.CHARACTERS),
    }
    assert not Person.objects.exists()


@pytest.mark.parametrize("login", ["", ".taro", "taro yamada", "taro/yamada", "a" * 151, "たろう", "taro\0"])
def test_a_login_name_is_ascii_letters_digits_and_a_few_signs(organization: Organization, login: str) -> None:
    with pytest.raises(accounts.Invalid):
        accounts.add_person(organization, name="山田", login=login, role="member", by=None)


@pytest.mark.parametrize("login", ["taro", "t.yamada", "taro+crm@example.co.jp", "0123", "y_1-2"])
def test_addresses_and_numbers_are_login_names(organization: Organization, login: str) -> None:
    added = accounts.add_person(organization, name="山田", login=login, role="member", by=None)
    assert added.person.login == login


def test_only_an_admin_of_the_same_organization_adds_people(
    organization: Organization, member: Person, stranger: Person
) -> None:
    for somebody in (member, stranger):
        with pytest.raises(accounts.NotAllowed):
            accounts.add_person(organization, name="高木", login="takagi", role="member", by=somebody)


def test_a_change_keeps_the_person_and_tells_what_changed(admin: Person, member: Person) -> None:
    accounts.change_person(member, name="山田 太朗", login="taro.yamada", email="", role="member", by=admin)
    changed = Person.objects.get(pk=member.pk)
    assert (changed.name, changed.login, changed.public_id) == ("山田 太朗", "taro.yamada", member.public_id)
    assert AuditEvent.objects.get(kind="person.changed").detail == {"name": "山田 太朗", "login": "taro.yamada"}


def test_a_person_keeps_their_own_login_name_when_something_else_changes(admin: Person, member: Person) -> None:
    changed = accounts.change_person(
        member, name="山田 太郎", login="yamada", email="y@example.co.jp", role="member", by=admin
    )
    assert changed.email == "y@example.co.jp"


def test_the_last_admin_stays_admin(admin: Person) -> None:
    with pytest.raises(accounts.LastAdmin):
        accounts.change_person(admin, name=admin.name, login=admin.login, email="", role="member", by=admin)


def test_people_are_changed_by_admins_of_their_organization_only(
    admin: Person, member: Person, stranger: Person
) -> None:
    for somebody in (member, stranger):
        with pytest.raises(accounts.NotAllowed):
            accounts.change_person(admin, name="x", login="x", email="", role="member", by=somebody)


def test_a_profile_has_name_language_and_time_zone(member: Person) -> None:
    changed = accounts.change_profile(member, name="Taro Yamada", language="en", time_zone="Europe/London")
    assert (changed.spoken, changed.clock) == ("en", "Europe/London")
    with pytest.raises(accounts.Invalid) as raised:
        accounts.change_profile(member, name="", language="fr", time_zone="Europe/Edo")
    assert problems(raised) == {
        Problem("name", Reason.MISSING),
        Problem("language", Reason.UNKNOWN),
        Problem("time_zone", Reason.UNKNOWN),
    }


def test_without_a_choice_the_organization_speaks_and_tells_the_time(member: Person) -> None:
    assert (member.spoken, member.clock) == ("ja", "Asia/Tokyo")


def test_a_language_chosen_before_login_is_no_change_of_a_choice_already_made(member: Person) -> None:
    accounts.choose_language(member, "en")
    assert Person.objects.get(pk=member.pk).language == "en"
    accounts.choose_language(member, "ja")
    assert Person.objects.get(pk=member.pk).language == "en"


def test_half_width_kana_and_capitals_are_sorted_with_their_like(organization: Organization) -> None:
    for login, name in (("b", "ｱﾍﾞ"), ("c", "アオキ"), ("a", "アサダ")):
        accounts.add_person(organization, name=name, login=login, role="member", by=None)
    assert list(Person.objects.order_by("name_key").values_list("login", flat=True)) == ["c", "a", "b"]


def test_the_database_refuses_lines_that_point_to_people_of_another_organization(
    organization: Organization, member: Person, stranger: Person
) -> None:
    rows = [
        AuditEvent(organization=organization, actor=stranger, kind="x"),
        OneTimeLink(organization=organization, person=stranger, token_hash=b"1", expires_at="2030-01-01T00:00Z"),
        OneTimeLink(
            organization=organization,
            person=member,
            made_by=stranger,
            token_hash=b"2",
            expires_at="2030-01-01T00:00Z",
        ),
    ]
    for row in rows:
        with pytest.raises(IntegrityError, match="same_organization"), transaction.atomic():
            row.save()


def test_public_ids_are_long_and_never_the_same() -> None:
    ids = {accounts.public_id("ms") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(made) == 25 and made[3:].isalnum() for made in ids)
