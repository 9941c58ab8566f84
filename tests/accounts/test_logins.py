from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from fumibako import accounts
from fumibako.accounts.models import Person, WrongLogin
from tests.company import PASSWORD


def refuse(login: str, times: int) -> list[int]:
    """Try wrong passwords and return how many tries were left after each."""
    left = []
    for _ in range(times):
        with pytest.raises(accounts.LoginRefused) as raised:
            accounts.log_in(login, "wrong")
        left.append(raised.value.tries_left)
    return left


def test_the_name_may_be_typed_in_full_width_and_capital_letters(member: Person) -> None:
    assert accounts.log_in("　ＹａｍａＤＡ ", PASSWORD) == member


@pytest.mark.parametrize("login", ["yamada", "nobody", "だれか", "x" * 5000, "\0", ""])
def test_names_that_nobody_has_are_answered_like_known_ones(member: Person, login: str) -> None:
    assert refuse(login, 9) == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    with pytest.raises(accounts.LoginPaused):
        accounts.log_in(login, "wrong")
    with pytest.raises(accounts.LoginPaused):
        accounts.log_in(login, "wrong")


def test_after_ten_wrong_tries_the_right_password_waits_fifteen_minutes(member: Person) -> None:
    refuse("yamada", 9)
    with pytest.raises(accounts.LoginPaused) as first:
        accounts.log_in("ＹＡＭＡＤＡ", "wrong")
    with pytest.raises(accounts.LoginPaused) as second:
        accounts.log_in("yamada", PASSWORD)
    assert second.value.until == first.value.until, "trying meanwhile makes the pause no longer"
    WrongLogin.objects.update(last_at=F("last_at") - timedelta(minutes=15, seconds=1))
    assert accounts.log_in("yamada", PASSWORD) == member


@pytest.mark.django_db(transaction=True)
def test_many_tries_at_once_are_still_ten(member: Person) -> None:
    def attempt(_: int) -> type[accounts.AccountsError]:
        try:
            accounts.log_in("yamada", "wrong")
        except accounts.AccountsError as error:
            return type(error)
        finally:
            connection.close()
        raise AssertionError("a wrong password was taken")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(24)))
    assert answers.count(accounts.LoginRefused) == 9
    assert answers.count(accounts.LoginPaused) == 15


def test_the_tenth_try_may_be_right(member: Person) -> None:
    refuse("yamada", 9)
    assert accounts.log_in("yamada", PASSWORD) == member
    assert refuse("yamada", 1) == [9], "counting begins anew"


def test_wrong_tries_are_forgotten_after_fifteen_minutes(member: Person) -> None:
    refuse("yamada", 5)
    WrongLogin.objects.update(last_at=F("last_at") - timedelta(minutes=15, seconds=1))
    assert refuse("yamada", 1) == [9]


def test_one_name_s_pause_is_nobody_else_s(member: Person, admin: Person) -> None:
    refuse("yamada", 9)
    assert accounts.log_in("sato", PASSWORD) == admin


def test_a_new_password_by_link_ends_the_pause(member: Person, admin: Person) -> None:
    refuse("yamada", 9)
    with pytest.raises(accounts.LoginPaused):
        accounts.log_in("yamada", "wrong")
    accounts.use_link(accounts.make_link(member, by=admin).token, "another long phrase")
    assert accounts.log_in("yamada", "another long phrase") == member


def test_what_was_typed_as_a_name_is_not_kept(db: None) -> None:
    refuse("my secret password", 1)
    (row,) = WrongLogin.objects.values()
    assert b"secret" not in bytes(row["name_hash"])


def test_old_tries_of_others_are_cleared_away(db: None) -> None:
    refuse("nobody", 3)
    WrongLogin.objects.update(last_at=F("last_at") - timedelta(minutes=16))
    refuse("somebody", 1)
    assert WrongLogin.objects.count() == 1


def test_stopped_people_are_told_so_only_when_they_know_the_password(member: Person, admin: Person) -> None:
    accounts.stop_person(member, by=admin)
    with pytest.raises(accounts.Stopped):
        accounts.log_in("yamada", PASSWORD)
    refuse("yamada", 1)


def test_who_was_added_but_set_no_password_cannot_log_in(member: Person, admin: Person) -> None:
    accounts.add_person(member.organization, name="高木", login="takagi", role="member", by=admin)
    refuse("takagi", 1)
