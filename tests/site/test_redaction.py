"""Secrets and mail stay out of the log, whatever a library says (pains R4, R5)."""

import base64
import io
import json
import logging

import psycopg.errors
import pytest

from fumibako.context import working_on
from fumibako.site import log
from fumibako.site.redaction import redact

MARKER = "Marker-9f3b!x"
PLAIN = base64.b64encode(f"\0taro@example.jp\0{MARKER}".encode()).decode()
OAUTH = base64.b64encode(f"user=a@example.jp\1auth=Bearer {MARKER}\1\1".encode()).decode()


@pytest.mark.parametrize(
    "said",
    [
        f"a1 LOGIN taro@example.jp {MARKER}",
        f'a1 LOGIN "taro@example.jp" "{MARKER}"',
        f"sent b'a1 LOGIN {{4}}\\r\\ntaro {{13}}\\r\\n{MARKER}\\r\\n'",
        f"a1 LOGIN {{4+}}\r\ntaro {{13+}}\r\n{MARKER}\r\n",
        f"* 1 FETCH (BODY[] {{2000}}\r\nSubject: {MARKER}\r\n\r\nhello)",
        f"a1 AUTHENTICATE PLAIN {PLAIN}",
        f"a1 authenticate xoauth2 {OAUTH}",
        f"C: {PLAIN}",
        f"> {OAUTH}",
        f"AUTH PLAIN {PLAIN}",
        f"AUTH LOGIN {base64.b64encode(MARKER.encode()).decode()}",
        f"login failed for password={MARKER}",
        f"{{'username': 'taro', 'password': '{MARKER}', 'port': 993}}",
        f'{{"secret": "{MARKER}"}}',
        f"Wish(username='taro', secret='{MARKER}', host=None)",
        f"Authorization: Bearer {MARKER}",
        f"postgresql://fumibako:{MARKER}@db.example.jp/fumibako",
        f"duplicate key value\nDETAIL:  Key (subject)=({MARKER}) already exists.",
    ],
)
def test_what_a_server_or_library_says_is_logged_without_the_secret(said):
    clean = redact(said)
    assert MARKER not in clean
    assert PLAIN not in clean
    assert OAUTH not in clean


@pytest.mark.parametrize(
    "said",
    [
        "[AUTHENTICATIONFAILED] Invalid credentials",
        "535 5.7.8 Error: authentication failed",
        "imported 1000 messages of mb_0c1kRk2ZmL5kq0vY3sXw in 3.4 s",
        "GET /settings/mailboxes/ 200 in 12 ms",
    ],
)
def test_what_holds_no_secret_is_logged_as_it_is(said):
    assert redact(said) == said


@pytest.fixture
def logged():
    """The lines of a logger set up as in production."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in log.QUIET}
    quiet = "fumibako.site.requests", "django.request"
    levels = {name: logging.getLogger(name).level for name in quiet}
    log.configure("DEBUG", "json")
    lines = io.StringIO()
    root.handlers[0].setStream(lines)
    yield lambda: [json.loads(line) for line in lines.getvalue().splitlines()]
    root.handlers[:], root.level = before[0], before[1]
    for name, level in {**before[2], **levels}.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(False)


def test_a_line_carries_what_is_worked_on(logged):
    with working_on(request="r1"), working_on(mailbox="mb_1", job="import"):
        logging.getLogger("fumibako.x").info("working", extra={"count": 3})
    logging.getLogger("fumibako.x").info("done")
    first, second = logged()
    assert {**first, "time": ""} == {
        "time": "",
        "level": "info",
        "logger": "fumibako.x",
        "message": "working",
        "request": "r1",
        "mailbox": "mb_1",
        "job": "import",
        "count": 3,
    }
    assert "mailbox" not in second


def test_a_traceback_and_fields_hold_no_secret(logged):
    try:
        raise psycopg.errors.UniqueViolation(f"duplicate\nDETAIL:  Key (text)=({MARKER}) exists.")
    except psycopg.Error:
        logging.getLogger("fumibako.x").exception(
            "LOGIN taro %s", MARKER, extra={"password": MARKER, "words": f"token={MARKER}", "thing": object()}
        )
    assert MARKER not in json.dumps(logged())


def test_a_request_is_logged_with_its_route_and_without_its_query(logged, client, db):
    response = client.get("/mail/", {"q": MARKER})
    lines = [line for line in logged() if line["logger"] == "fumibako.site.requests"]
    assert len(lines) == 1
    assert lines[0]["request"] == response.headers["X-Request-ID"]
    assert (lines[0]["method"], lines[0]["path"]) == ("GET", "/mail/")
    assert MARKER not in json.dumps(logged())


def test_the_request_id_of_a_proxy_is_kept(client, db):
    assert client.get("/healthz", headers={"x-request-id": "proxy-0123456789"}).headers["X-Request-ID"] == (
        "proxy-0123456789"
    )
