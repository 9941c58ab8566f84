from datetime import timedelta

import pytest
from django.db.models import F

from fumibako import accounts
from fumibako.accounts import Problem, Reason
from fumibako.accounts.models import OneTimeLink, Person
from tests.company import PASSWORD

FRESH = "another long phrase"


def test_a_link_sets_the_password_once(admin: Person, member: Person) -> None:
    link = accounts.make_link(member, by=admin)
    assert accounts.open_link(link.token) == member
    accounts.use_link(link.token, FRESH)
    assert accounts.log_in("yamada", FRESH) == member
    with pytest.raises(accounts.DeadLink):
        accounts.use_link(link.token, "a third long phrase")
    with pytest.raises(accounts.DeadLink):
        accounts.open_link(link.token)


def test_a_link_ends_after_a_day(admin: Person, member: Person) -> None:
    link = accounts.make_link(member, by=admin)
    OneTimeLink.objects.update(expires_at=F("expires_at") - timedelta(hours=23, minutes=59))
    assert accounts.open_link(link.token) == member
    OneTimeLink.objects.update(expires_at=F("expires_at") - timedelta(minutes=2))
    with pytest.raises(accounts.DeadLink):
        accounts.open_link(link.token)
    with pytest.raises(accounts.DeadLink):
        accounts.use_link(link.token, FRESH)


def test_a_new_link_replaces_the_one_before(admin: Person, member: Person) -> None:
    old = accounts.make_link(member, by=admin)
    new = accounts.make_link(member, by=admin)
    with pytest.raises(accounts.DeadLink):
        accounts.open_link(old.token)
    assert accounts.open_link(new.token) == member


def test_the_token_is_kept_nowhere(admin: Person, member: Person) -> None:
    link = accounts.make_link(member, by=admin)
    for row in OneTimeLink.objects.values():
        assert link.token not in str(row) and link.token.encode() not in bytes(row["token_hash"])


def test_a_password_that_is_not_taken_leaves_the_link_usable(admin: Person, member: Person) -> None:
    link = accounts.make_link(member, by=admin)
    with pytest.raises(accounts.Invalid):
        accounts.use_link(link.token, "short")
    accounts.use_link(link.token, FRESH)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", Reason.MISSING),
        ("eleven char", Reason.SHORT),
        ("x" * 1025, Reason.LONG),
        ("aaaaaaaaaaaaaa", Reason.COMMON),
        ("administrator", Reason.COMMON),
        ("ＹＡＭＡＤＡ.ＴＡＲＯ１", Reason.COMMON),
    ],
)
def test_a_password_is_long_and_neither_common_nor_the_login_name(
    admin: Person, member: Person, password: str, reason: Reason
) -> None:
    accounts.change_person(member, name="山田", login="yamada.taro1", email="", role="member", by=admin)
    link = accounts.make_link(member, by=admin)
    with pytest.raises(accounts.Invalid) as raised:
        accounts.use_link(link.token, password)
    assert raised.value.problems == (Problem("password", reason),)


def test_a_long_sentence_in_japanese_is_a_password(admin: Person, member: Person) -> None:
    link = accounts.make_link(member, by=admin)
    accounts.use_link(link.token, "今日も一日よろしくお願いします")
    assert accounts.log_in("yamada", "今日も一日よろしくお願いします") == member


def test_links_are_made_by_admins_of_the_same_organization_only(
    admin: Person, member: Person, stranger: Person
) -> None:
    for somebody in (member, stranger):
        with pytest.raises(accounts.NotAllowed):
            accounts.make_link(admin, by=somebody)


def test_stopped_people_get_no_link_and_their_links_end(admin: Person, member: Person) -> None:
    link = accounts.make_link(member, by=admin)
    accounts.stop_person(member, by=admin)
    with pytest.raises(accounts.DeadLink):
        accounts.use_link(link.token, FRESH)
    with pytest.raises(accounts.Stopped):
        accounts.make_link(member, by=admin)


def test_one_who_changes_the_password_ends_the_link(admin: Person, member: Person) -> None:
    link = accounts.make_link(member, by=admin)
    accounts.change_password(member, current=PASSWORD, password=FRESH, keep_session=None)
    with pytest.raises(accounts.DeadLink):
        accounts.open_link(link.token)
