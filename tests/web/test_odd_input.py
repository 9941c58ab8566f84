"""Whatever stands in an address, a query or a field, the answer is one of ours and never a fault."""

import pytest
from django.test import Client

from fumibako.accounts.models import Person
from tests.web.routes import routes

pytestmark = pytest.mark.lab

ODD = ("%00", "%ff", "%F0%9F%92%A9", "..", "%2e%2e", "mb_'--", "x" * 3000, "9" * 30)
FINE = {200, 302, 400, 403, 404, 405, 422}


@pytest.fixture(params=["member", "admin"])
def somebody(request: pytest.FixtureRequest, client: Client) -> Client:
    client.force_login(request.getfixturevalue(request.param))
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("odd", ODD)
def test_an_address_that_names_nothing_is_not_found(somebody: Client, odd: str) -> None:
    for route in routes():
        if route.parameters:
            path = route.path({name: "9" * 30 if name == "n" else odd for name in route.parameters})
            for ask in (somebody.get, somebody.post):
                assert ask(path).status_code in {302, 400, 403, 404, 405}, path


@pytest.mark.parametrize("odd", [*ODD, "a+b+c+" * 100, "OTk5OTk5OTk5OTk5OTk5OTk5OS45OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ"])
def test_a_list_is_asked_for_by_anything(somebody: Client, odd: str) -> None:
    for name in ("q", "box", "folder", "after"):
        assert somebody.get(f"/mail/?{name}={odd}").status_code in FINE, name


@pytest.mark.parametrize("odd", ["a\0b", "\0", "\u202e\ud7ff", "9" * 400, "x" * 5000, "{{ x }}"])
def test_a_field_may_hold_anything(somebody: Client, member: Person, odd: str) -> None:
    names = ("address", "password", "imap_password", "imap_username", "imap_host", "imap_port", "imap_security")
    plain = {"address": "a@example.jp", "password": "x", "imap_password": "x"}
    people = {
        "name": "高木",
        "login": "takagi",
        "email": "",
        "role": "member",
        "language": "ja",
        "time_zone": "Asia/Tokyo",
    }
    for path, form, fields in (
        ("/settings/mailboxes/link/", plain, names[:2]),
        ("/settings/mailboxes/link/manual/", plain, names),
        ("/admin/people/", people, ("name", "login", "email", "role")),
        ("/settings/profile/", people, ("name", "language", "time_zone")),
        ("/login/", people, ("login",)),
    ):
        for name in fields:
            assert somebody.post(path, {**form, name: odd}).status_code in FINE, (path, name)
