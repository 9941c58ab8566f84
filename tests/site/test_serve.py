"""`fumibako web` as a process of its own, over HTTP: streams, proxies and its end."""

import contextlib
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from django.conf import settings
from django.test import Client

from fumibako.accounts import add_person, create_organization
from fumibako.accounts.models import Person
from fumibako.events.feed import CHANNEL, topic_of
from tests.site.processes import FUMIBAKO, PATIENCE, environment, wait_for

pytestmark = pytest.mark.lab


@pytest.fixture
def web(database_url: str, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A web process over the test database, and its port."""
    keys = tmp_path / "keys"
    keys.write_text(f"fernet {settings.FUMIBAKO_KEYS[0]}\ndjango {settings.SECRET_KEY}\n")
    given = environment(DATABASE_URL=database_url, FUMIBAKO_KEY_FILE=str(keys), FUMIBAKO_DATA=str(tmp_path))
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        number = listening.fileno()
        with subprocess.Popen([FUMIBAKO, "web", "--fd", str(number)], env=given, pass_fds=(number,)) as process:
            wait_for(lambda: get(port, "/healthz") == 200, "the web server")
            yield process, port
            process.kill()


@pytest.fixture
def person(transactional_db: None) -> Person:
    """Somebody who can log in."""
    organization = create_organization("株式会社試験")
    return add_person(organization, name="太郎", login="taro", role="member", by=None).person


def cookie_of(person: Person) -> str:
    """The cookie of a login."""
    client = Client()
    client.force_login(person)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def get(port: int, path: str, **headers: str) -> int:
    """The status of an answer."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=given, timeout=PATIENCE, trust_env=False).status_code


def notify(url: str, topic: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, topic))


def test_a_page_hears_that_something_of_its_person_changed_and_ends_with_the_server(web, person, database_url):
    process, port = web
    with httpx.stream("GET", f"http://127.0.0.1:{port}/live", headers={"Cookie": cookie_of(person)}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")
        notify(database_url, topic_of(person.pk))
        assert next(line for line in lines if line == "event: changed")
        process.send_signal(signal.SIGTERM)
        assert process.wait(3) == -signal.SIGTERM
        assert len(list(lines)) < 10  # it ends


def test_streams_are_for_people_and_not_over_plain_http_from_elsewhere(web, person):
    _, port = web
    cookie = cookie_of(person)
    assert get(port, "/live") == 403
    assert get(port, "/live", Cookie=f"{settings.SESSION_COOKIE_NAME}=forged") == 403
    assert get(port, "/live", Cookie=cookie, Host="192.0.2.7") == 403
    assert get(port, "/live", Cookie=cookie, X_Forwarded_For="192.0.2.99") == 403


def test_a_proxy_on_this_machine_says_how_the_browser_came(web):
    _, port = web
    host = "fumibako.example.co.jp"
    encrypted = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "192.0.2.99"}
    assert get(port, "/login/", Host=host, **encrypted) == 200
    assert get(port, "/login/", Host=host, X_Forwarded_Proto="http", X_Forwarded_For="192.0.2.99") == 400
    assert get(port, "/login/", Host="192.0.2.7", X_Forwarded_For="192.0.2.99") == 403


def test_healthz_fails_while_the_database_is_away_and_recovers(web, database_url):
    _, port = web
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    elsewhere = database_url.replace(f"/{name}?", "/postgres?")
    with psycopg.connect(elsewhere, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            wait_for(lambda: get(port, "/healthz") == 503, "unhealthy")
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    wait_for(lambda: get(port, "/healthz") == 200, "healthy again")
