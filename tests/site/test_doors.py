"""Who may come in: names of this installation, and nobody over plain HTTP but from this machine (rule 23)."""

import pytest
from django.test import Client

PAGE = "/settings/mailboxes/"


def get(path: str = PAGE, *, host: str, client: str = "127.0.0.1", secure: bool = False, **headers: str):
    """A request as uvicorn hands it on: `client` and `secure` are what a trusted proxy said, where there is one."""
    return Client().get(path, headers={"host": host, **headers}, REMOTE_ADDR=client, secure=secure)


@pytest.mark.parametrize(
    ("host", "client"),
    [("localhost:8000", "127.0.0.1"), ("127.0.0.1:8000", "127.0.0.1"), ("[::1]:8000", "::1"), ("a.localhost", "::1")],
)
def test_pages_are_given_over_plain_http_on_this_machine(db, host, client):
    assert get(host=host, client=client).status_code == 302


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7:8000", "192.0.2.99"),
        ("localhost:8000", "192.0.2.99"),  # a proxy here that is trusted: the browser is elsewhere
        ("192.0.2.7:8000", "127.0.0.1"),  # a proxy here that tells nothing
    ],
)
def test_from_another_machine_plain_http_gets_what_an_admin_does_about_it(settings, host, client):
    settings.FUMIBAKO_HOSTS = []
    response = get(host=host, client=client)
    text = response.content.decode()
    assert response.status_code == 403
    assert "HTTPS が必要です" in text
    assert "reverse_proxy 127.0.0.1:8000" in text
    assert not response.cookies


def test_what_an_admin_does_is_also_told_in_english():
    response = get("/?language=en", host="192.0.2.7", client="192.0.2.99")
    assert "HTTPS is needed" in response.content.decode()


def test_a_password_that_is_posted_over_plain_http_is_not_looked_at():
    """(Without a database: looking would fail.)"""
    typed = {"login": "admin", "password": "a password"}
    response = Client().post("/login/", typed, headers={"host": "192.0.2.7"}, REMOTE_ADDR="192.0.2.99")
    assert response.status_code == 403


def test_the_style_of_that_page_is_given(db):
    response = get("/static/web/fumibako.css", host="192.0.2.7", client="192.0.2.99")
    assert b"--ink" in response.getvalue()
    response.close()


def test_over_https_pages_are_given_and_cookies_are_for_https_alone(db):
    response = get("/login/", host="fumibako.example.co.jp", client="192.0.2.99", secure=True)
    assert response.status_code == 200
    assert response.cookies["fumibako_csrf"]["secure"]


def test_the_operator_can_open_plain_http(db, settings):
    settings.FUMIBAKO_INSECURE_LAN = True
    assert get(host="192.0.2.7:8000", client="192.0.2.99").status_code == 302


def test_a_foreign_name_that_points_here_gets_nothing():
    assert get(host="evil.example", client="127.0.0.1").status_code == 400


def test_listed_names_are_the_only_ones_beside_loopback(db, settings):
    settings.FUMIBAKO_HOSTS = ["Fumibako.example.co.jp"]
    assert get(host="fumibako.example.co.jp", client="192.0.2.99", secure=True).status_code == 302
    assert get(host="other.example.co.jp", client="192.0.2.99", secure=True).status_code == 400
    assert get(host="192.0.2.7", client="192.0.2.99", secure=True).status_code == 400
    assert get(host="localhost").status_code == 302


def test_load_balancers_ask_by_any_name(db):
    assert get("/healthz", host="10.0.0.7", client="10.0.0.1").status_code == 200
