"""A password that is typed, and the token of a one-time link, are found nowhere afterwards (pains R3, R4, R5).

Looked through are all tables, what web and worker log at their most talkative, every page on the way, and the arguments
of all processes; as they are, and in the forms in which they go over a wire.
"""

import base64
import re
import secrets
import subprocess
import sys
import traceback
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from django.conf import global_settings
from psycopg import sql

from fumibako.linking import folder_key
from fumibako.linking.models import LinkDraft, MailboxSecret
from fumibako.mail.connect import Security
from fumibako.mail.diagnosis import Failure
from fumibako.mail.discovery import ProbeRequest, Wish, prove
from fumibako.site.redaction import redact
from tests.lab.dovecot import Dovecot, authority, dovecot, sample_mail
from tests.lab.installation import Installation, installation, until
from tests.lab.ports import free_port
from tests.world import World, make_world

__all__ = ["authority", "dovecot"]

OWN = "a long password of one's own"
"""What `tests.world` gives people for Fumibako itself."""


@dataclass
class Web:
    """The pages of an installation, in a process of their own, and the browser of somebody logged in."""

    process: "subprocess.Popen[bytes]"
    log_file: Path
    browser: httpx.Client
    pages: list[str] = field(default_factory=list)

    def get(self, path: str) -> str:
        """Ask for a page."""
        return self._seen(self.browser.get(path, follow_redirects=True))

    def post(self, path: str, **form: str) -> str:
        """Send a form of the page at the same address."""
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path))
        assert token is not None, path
        form["csrfmiddlewaretoken"] = token[1]
        headers = {"origin": str(self.browser.base_url).rstrip("/")}
        return self._seen(self.browser.post(path, data=form, headers=headers, follow_redirects=True))

    def log_in(self, login: str, password: str) -> None:
        """Log somebody in at this browser."""
        self.post("/login/", login=login, password=password)
        assert "fumibako_session" in self.browser.cookies

    def log(self) -> str:
        """What the process has logged."""
        return self.log_file.read_text()

    def _seen(self, response: httpx.Response) -> str:
        self.pages.append("\n".join([str(response.url), str(response.headers), response.text]))
        assert response.status_code < 500, response.url
        return response.text


@contextmanager
def web_of(fumibako: Installation, port: int) -> Iterator[Web]:
    """The pages; the process ends with the block."""
    log_file = fumibako.folder / "web.log"
    with log_file.open("wb") as log:
        command = [sys.executable, "-m", "fumibako.site.command", "web", "--port", str(port)]
        process = subprocess.Popen(command, env=fumibako.environment, stderr=log)
    try:
        with httpx.Client(base_url=f"http://localhost:{port}", timeout=60, trust_env=False) as browser:
            until(lambda: _answers(browser, process))
            yield Web(process, log_file, browser)
    finally:
        process.terminate()
        process.wait(20)


def _answers(browser: httpx.Client, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None
    try:
        return browser.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def world(database_url: str, settings: Any) -> World:
    settings.PASSWORD_HASHERS = global_settings.PASSWORD_HASHERS  # as the processes have them
    return make_world()


@pytest.fixture
def fumibako(database_url: str, world: World, dovecot: Dovecot, tmp_path: Path) -> Iterator[Installation]:
    talkative = {"FUMIBAKO_LOG_LEVEL": "DEBUG", "FUMIBAKO_LOG_FORMAT": "json"}
    with installation(database_url, tmp_path, dovecot, **talkative) as made:
        made.start_worker()
        yield made


@pytest.fixture
def web(fumibako: Installation) -> Iterator[Web]:
    with web_of(fumibako, free_port()) as pages:
        yield pages


@pytest.fixture
def marker() -> str:
    """A password that is nowhere else."""
    return f"marker{secrets.token_hex(12)}"


@pytest.fixture
def address(dovecot: Dovecot) -> str:
    """An address that no other test uses; its right password is `right` and the address."""
    address = f"{uuid.uuid4().hex[:10]}@example.jp"
    dovecot.add_user(address, f"right-{address}")
    dovecot.fill(address, [sample_mail(n) for n in range(3)])
    return address


def forms_of(secret: str, username: str = "") -> set[str]:
    """How a secret may look in a text: as it is, in base64 at each offset (RFC 4616 puts a name before it), in hex."""
    forms = {secret, secret.encode().hex()}
    for before in (b"", b"x", b"xx", f"\0{username}\0".encode()):
        encoded = base64.b64encode(before + secret.encode()).decode()
        forms.add(encoded[4:-4])
    return forms


def tables_with(url: str, forms: set[str]) -> list[str]:
    """The tables in which one of these texts stands, in any column of any row."""
    patterns = [f"%{form}%" for form in forms]
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        query = sql.SQL("SELECT count(*) FROM {} t WHERE t::text LIKE ANY(%s)")
        counts = {
            name: connection.execute(query.format(sql.Identifier(name)), [patterns]).fetchone() for (name,) in names
        }
    assert len(counts) > 15
    return [name for name, count in counts.items() if count != (0,)]


def processes_with(forms: set[str]) -> list[str]:
    """The processes of this machine that have one of these texts among their arguments."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if any(form in arguments for form in forms):
            found.append(arguments)
    return found


def assert_nowhere(
    fumibako: Installation, web: Web, secret: str, username: str = "", *, on_pages: bool = False
) -> None:
    forms = forms_of(secret, username)
    assert tables_with(fumibako.url, forms) == []
    assert processes_with(forms) == []
    texts = {"worker": fumibako.log(), "web": web.log()}
    if not on_pages:
        texts["pages"] = "\n".join(web.pages)
    for name, text in texts.items():
        assert text, name
        assert not [form for form in forms if form in text], name


def type_link(web: Web, fumibako: Installation, address: str, password: str) -> None:
    """Fill in the form with servers of one's own, and wait for its end."""
    page = web.post(
        "/settings/mailboxes/link/manual/",
        address=address,
        imap_password=password,
        imap_host="127.0.0.1",
        imap_port=str(fumibako.server.imaps_port),
        same="on",
    )
    assert address in page
    over = {"failed", "proved"}
    draft = until(lambda: LinkDraft.objects.filter(address=address, state__in=over).first())
    web.get(f"/settings/mailboxes/link/{draft.public_id}/")


@pytest.mark.lab
def test_a_wrong_password_leaves_no_trace_of_itself(
    fumibako: Installation, web: Web, address: str, marker: str
) -> None:
    web.log_in("taro", OWN)
    type_link(web, fumibako, address, marker)
    draft = LinkDraft.objects.get()
    assert draft.state == "failed"
    assert address in web.get("/settings/mailboxes/")
    assert tables_with(fumibako.url, {address}) == ["link_draft"], "the search finds what is there"
    assert processes_with({"fumibako.site.command"})
    assert_nowhere(fumibako, web, marker, address)


@pytest.mark.lab
def test_a_password_that_works_stands_sealed_in_one_place_and_nowhere_else(
    fumibako: Installation, web: Web, dovecot: Dovecot, address: str, marker: str
) -> None:
    dovecot.set_password(address, marker)
    web.log_in("taro", OWN)
    type_link(web, fumibako, address, marker)
    draft = LinkDraft.objects.get()
    assert draft.state == "proved"
    web.post(f"/settings/mailboxes/link/{draft.public_id}/folders/", inbox=folder_key(b"INBOX"), range="all")
    until(lambda: fumibako.status(address)["state"] == "live")
    for page in ("/settings/mailboxes/", "/mail/"):
        web.get(page)
    assert MailboxSecret.objects.count() == 2
    assert_nowhere(fumibako, web, marker, address)


@pytest.mark.lab
def test_a_password_given_to_the_command_line_is_in_no_argument_and_no_answer(
    fumibako: Installation, web: Web, address: str, marker: str
) -> None:
    web.get("/login/")
    answer = fumibako.link(address, marker, code=1)
    assert answer["linked"] is False
    assert not [form for form in forms_of(marker, address) if form in str(answer)]
    assert_nowhere(fumibako, web, marker, address)


@pytest.mark.lab
def test_a_one_time_link_is_on_the_page_that_shows_it_and_nowhere_else(
    fumibako: Installation, web: Web, world: World, marker: str
) -> None:
    world.add_person("boss", role="admin")
    web.log_in("boss", OWN)
    page = web.post("/admin/people/", name="高木 亮", login="takagi", email="", role="member")
    link = re.search(r'value="http://localhost:\d+(/in/(in_\w+)/)"', page)
    assert link is not None
    path, token = link[1], link[2]
    web.pages.clear()
    web.get("/admin/people/")
    assert token not in web.pages[-1]
    web.browser.cookies.clear()
    assert "12" in web.post(path, password="short")
    web.post(path, password=marker)
    web.get("/settings/mailboxes/")
    assert_nowhere(fumibako, web, marker)
    assert_nowhere(fumibako, web, token, on_pages=True)
    assert web.browser.get(path).status_code == 404
    assert_nowhere(fumibako, web, token, on_pages=True)


@pytest.mark.lab
def test_a_wrong_login_is_nowhere_although_people_type_passwords_into_the_wrong_field(
    fumibako: Installation, web: Web, marker: str
) -> None:
    page = web.post("/login/", login=marker, password=f"{marker}2")
    assert f"{marker}2" not in page
    assert_nowhere(fumibako, web, marker, on_pages=True)


@pytest.mark.lab
async def test_no_exception_of_a_failed_login_holds_the_password(dovecot: Dovecot, address: str, marker: str) -> None:
    wish = Wish(username=address, secret=marker, host="127.0.0.1", port=dovecot.imaps_port, security=Security.TLS)
    request = ProbeRequest(address, wish, wish)
    with pytest.raises(Failure) as told:
        await prove(request, dovecot.network, lambda stage: None)
    failure = told.value
    said = [repr(request), str(failure), repr(failure), repr(vars(failure)), *traceback.format_exception(failure)]
    chain: BaseException | None = failure
    while chain is not None:
        said += [repr(chain), repr(chain.args), repr(vars(chain))]
        chain = chain.__cause__ or chain.__context__
    assert not [text for text in said if any(form in text for form in forms_of(marker, address))]


SECRET = "Marker-9f3b!x"
ENCODED = base64.b64encode(SECRET.encode()).decode()
PLAIN = base64.b64encode(f"\0taro@example.jp\0{SECRET}".encode()).decode()


@pytest.mark.parametrize(
    "conversation",
    [
        f"S: 334 VXNlcm5hbWU6\nC: dGFybw==\nS: 334 UGFzc3dvcmQ6\nC: {ENCODED}\nS: 535 no",
        f"C: AUTH LOGIN\r\nS: 334 UGFzc3dvcmQ6\r\nC: {ENCODED}\r\n",
        f"AUTH LOGIN dGFybw==\n334 UGFzc3dvcmQ6\n{ENCODED}",
        f"auth plain {PLAIN}",
        f"AUTH PLAIN\r\n334 \r\n{PLAIN}\r\n",
        f"b'334 UGFzc3dvcmQ6\\r\\n', b'{ENCODED}\\r\\n'",
        f"a1 AUTHENTICATE LOGIN\r\n+ VXNlcm5hbWU6\r\ndGFybw==\r\n+ UGFzc3dvcmQ6\r\n{ENCODED}\r\na1 NO",
        f"a1 AUTHENTICATE PLAIN\r\n+ \r\n{PLAIN}\r\na1 OK",
        f"a1 AUTHENTICATE PLAIN\r\n+\r\n{PLAIN}",
        f"A0001 login taro {SECRET}",
        f"A0001 LOGIN {{4}}\r\n+ OK\r\ntaro {{13}}\r\n+ OK\r\n{SECRET}\r\n",
        f"b'A0001 LOGIN {{4+}}\\r\\ntaro {{13+}}\\r\\n{SECRET}'",
    ],
)
def test_a_conversation_is_logged_without_what_was_answered_to_a_prompt(conversation: str) -> None:
    clean = redact(conversation)
    assert not [form for form in (SECRET, ENCODED, PLAIN) if form in clean]


@pytest.mark.parametrize("said", ["x = (a +\n     b)", "1 + 1\nis 2", "second login of taro"])
def test_what_only_looks_like_a_prompt_or_a_login_stays(said: str) -> None:
    assert redact(said) == said
