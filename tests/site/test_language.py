"""Japanese from the first page on; English by choice."""

import pytest

from fumibako.accounts import add_person, change_profile, create_organization

pytestmark = [pytest.mark.django_db, pytest.mark.lab]


@pytest.fixture
def person():
    return add_person(create_organization("株式会社試験"), name="太郎", login="taro", role="member", by=None).person


def language_of(response) -> str:
    return response.headers["Content-Language"]


def test_an_english_browser_is_answered_in_japanese(client):
    assert language_of(client.get("/login/", headers={"accept-language": "en-US,en"})) == "ja"


def test_what_the_browser_chose_before_a_login_is_kept(client):
    client.cookies["fumibako_language"] = "en"
    assert language_of(client.get("/login/")) == "en"
    client.cookies["fumibako_language"] = "xx"
    assert language_of(client.get("/login/")) == "ja"


def test_a_person_is_answered_in_their_own_language_whatever_the_browser_chose(client, person):
    client.force_login(person)
    client.cookies["fumibako_language"] = "en"
    assert language_of(client.get("/settings/mailboxes/")) == "ja"
    change_profile(person, name=person.name, language="en", time_zone="")
    client.cookies["fumibako_language"] = "ja"
    assert language_of(client.get("/settings/mailboxes/")) == "en"
