import pytest
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.test import Client

from fumibako import accounts
from fumibako.accounts.models import AuditEvent, Person, Session
from tests.company import PASSWORD


def sessions_of(person: Person) -> int:
    return Session.objects.filter(person=person).count()


def test_every_session_of_a_stopped_person_ends_at_once(admin: Person, member: Person) -> None:
    for _ in range(2):
        Client().force_login(member)
    Client().force_login(admin)
    accounts.stop_person(member, by=admin)
    assert (sessions_of(member), sessions_of(admin)) == (0, 1)


def test_a_session_that_began_while_the_person_was_stopped_is_nobody_s(admin: Person, member: Person) -> None:
    client = Client()
    client.force_login(member)
    Person.objects.filter(pk=member.pk).update(state="stopped", stopped_at="2026-11-01T00:00Z")
    request = HttpRequest()
    request.session = client.session
    assert not get_user(request).is_authenticated


def test_a_resumed_person_logs_in_with_the_password_they_had(admin: Person, member: Person) -> None:
    accounts.stop_person(member, by=admin)
    accounts.resume_person(member, by=admin)
    assert accounts.log_in("yamada", PASSWORD) == member
    kinds = AuditEvent.objects.filter(subject=member.public_id).order_by("id").values_list("kind", flat=True)
    assert list(kinds)[-2:] == ["person.stopped", "person.resumed"]


def test_nobody_stops_themselves(admin: Person) -> None:
    with pytest.raises(accounts.OneSelf):
        accounts.stop_person(admin, by=admin)


def test_the_last_active_admin_is_not_stopped(admin: Person, member: Person) -> None:
    with pytest.raises(accounts.LastAdmin):
        accounts.stop_person(admin, by=None)


def test_of_two_admins_who_stop_each_other_one_stays(admin: Person, member: Person) -> None:
    second = accounts.change_person(member, name="山田", login="yamada", email="", role="admin", by=admin)
    accounts.stop_person(second, by=admin)
    with pytest.raises(accounts.LastAdmin):
        accounts.stop_person(admin, by=second)


def test_stopping_twice_is_one_stop(admin: Person, member: Person) -> None:
    accounts.stop_person(member, by=admin)
    accounts.stop_person(member, by=admin)
    assert AuditEvent.objects.filter(kind="person.stopped").count() == 1


def test_people_are_stopped_by_admins_of_their_organization_only(
    admin: Person, member: Person, stranger: Person
) -> None:
    for verb in (accounts.stop_person, accounts.resume_person):
        for somebody in (member, stranger):
            with pytest.raises(accounts.NotAllowed):
                verb(admin, by=somebody)


def test_a_new_password_ends_all_other_sessions(member: Person) -> None:
    here, there = Client(), Client()
    for client in (here, there):
        client.force_login(member)
    accounts.change_password(
        member, current=PASSWORD, password="another long phrase", keep_session=here.session.session_key
    )
    assert list(Session.objects.values_list("session_key", flat=True)) == [here.session.session_key]


def test_a_password_set_by_link_ends_all_sessions(admin: Person, member: Person) -> None:
    Client().force_login(member)
    accounts.use_link(accounts.make_link(member, by=admin).token, "another long phrase")
    assert sessions_of(member) == 0


def test_a_password_is_not_changed_without_the_present_one(member: Person) -> None:
    with pytest.raises(accounts.Invalid) as raised:
        accounts.change_password(member, current="wrong", password="short", keep_session=None)
    assert {problem.field for problem in raised.value.problems} == {"current", "password"}
    assert accounts.log_in("yamada", PASSWORD) == member
