"""Every address: what it gives to nobody, to another organization, and whether every link leads somewhere."""

import re
from collections import deque
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from fumibako.accounts.models import Person
from fumibako.linking.models import Mailbox
from tests.web.rows import draft_row, failed_draft, found, letter, proved_draft, store
from tests.world import World

PUBLIC = {"login", "login_help", "language", "one_time_link", "healthz", "home", "logout", "letter_picture"}
"""Addresses that need no login (a picture has its token)."""

SMTP = {"smtp_host": "smtp.example.jp", "smtp_port": 465, "smtp_security": "tls", "smtp_username": "taro@example.jp"}


def every_address(resolver: URLResolver | None = None, before: str = "/") -> list[tuple[str, str]]:
    """Name and path of each address; a path keeps its <parts>."""
    addresses = []
    for entry in (resolver or get_resolver()).url_patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            addresses.append((str(entry.name), path))
        else:
            addresses += every_address(entry, path)
    return addresses


@pytest.fixture
def full(world: World) -> dict[str, str]:
    """A member with something on every page, and what stands for each <part> of an address."""
    box = world.add_mailbox(**SMTP)
    mail = letter()
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="見積.pdf")
    message = store(box, world.add_folder(box, uidvalidity=1), mail)
    world.add_mailbox("old@example.jp", state="unlinked", unlinked_at=timezone.now())
    world.add_mailbox("ill@example.jp", state="needs_attention", cause="imap_disabled")
    world.add_mailbox("slow@example.jp", state="retrying", cause="wrong_credentials")
    draft = failed_draft(world.person, "wrong_credentials", address="b@example.jp")
    failed_draft(
        world.person, "server_needs_consent", address="c@example.jp", state="consent", proposed=["sv1.example"]
    )
    draft_row(world.person, "d@example.jp", state="proving")
    draft_row(world.person, "e@example.jp", state="colleague")
    proved_draft(world.person, found("INBOX", "inbox", (1, 2, 3)), address="f@example.jp")
    return {
        "<str:mailbox>": box.public_id,
        "<str:draft>": draft.public_id,
        "<str:message>": message.public_id,
        "<int:n>": "0",
        "<str:person>": world.person.public_id,
        "<str:token>": "token",
    }


def filled(path: str, parts: dict[str, str]) -> str:
    for part, value in parts.items():
        path = path.replace(part, value)
    assert "<" not in path, path
    return path


def test_nobody_gets_anything_but_the_login(full: dict[str, str], client: Client) -> None:
    for name, path in every_address():
        if name in PUBLIC:
            continue
        for ask in (client.get, client.post):
            response = ask(filled(path, full))
            assert response.status_code in {302, 405}, path
            if response.status_code == 302:
                assert response["Location"].startswith("/login/"), path


def test_nothing_of_an_organization_is_reached_by_any_address_from_another(
    full: dict[str, str], stranger: Person, client: Client
) -> None:
    client.force_login(stranger)
    before = list(Mailbox.objects.order_by("id").values())
    walked = 0
    for name, path in every_address():
        if name in PUBLIC or "<" not in path:
            continue
        for ask in (client.get, client.post):
            response = ask(filled(path, full), {"password": "x", "sent_copy": "off", "address": "x@example.jp"})
            assert response.status_code in {404, 405}, path
            walked += 1
    assert walked > 40
    for _, path in every_address():
        if "<" not in path and path not in {"/logout/", "/language/"}:
            page = client.get(path).content.decode()
            assert "example.jp</h3>" not in page and "お見積りの件" not in page and "山田 太郎" not in page, path
    assert list(Mailbox.objects.order_by("id").values()) == before


@pytest.mark.parametrize("role", ["member", "admin"])
def test_every_link_on_every_page_leads_somewhere(
    full: dict[str, str], desk: Client, member: Person, role: str
) -> None:
    member.role = role
    member.save()
    seen: set[str] = set()
    queue = deque(["/", f"/settings/mailboxes/{full['<str:mailbox>']}/linked/"])
    targets: set[str] = set()
    while queue:
        path = queue.popleft()
        if path in seen:
            continue
        seen.add(path)
        response = desk.get(path, follow=True)
        assert response.status_code == 200, path
        if not response["Content-Type"].startswith("text/html"):
            continue
        page = response.content.decode()
        here = response.redirect_chain[-1][0] if response.redirect_chain else path
        for link in re.findall(r'<(?:a|iframe|link)[^>]* (?:href|src)="([^"]*)"', page):
            link = urljoin(here, unescape(link))
            address = urlsplit(link)
            if address.scheme or address.path.startswith("/static/"):
                continue
            if address.fragment and address.path == urlsplit(here).path:
                assert f'id="{address.fragment}"' in page, (path, link)
            queue.append(address.path + (f"?{address.query}" if address.query else ""))
        targets |= {
            urlsplit(urljoin(here, unescape(action))).path for action in re.findall(r'(?:form)?action="([^"]*)"', page)
        }
    known = [re.compile(re.sub(r"<\w+:\w+>", "[^/]+", path)) for _, path in every_address()]
    for target in targets:
        assert any(pattern.fullmatch(target) for pattern in known), target
    assert len(seen) > 20 and ("/admin/people/" in seen) == (role == "admin")


def test_a_page_that_is_not_there_says_so_in_japanese_and_english(desk: Client, client: Client) -> None:
    assert "ページが見つかりません" in desk.get("/nowhere/").content.decode()
    nobody = Client(headers={"host": "localhost"})
    nobody.cookies["fumibako_language"] = "en"
    response = nobody.get("/nowhere/")
    assert response.status_code == 404 and "Page not found" in response.content.decode()


def test_a_form_that_is_too_old_saves_nothing_and_says_what_to_do(member: Person) -> None:
    strict = Client(enforce_csrf_checks=True, headers={"host": "localhost"})
    strict.force_login(member)
    response = strict.post("/settings/mailboxes/link/", {"address": "taro@example.jp", "password": "x"})
    assert response.status_code == 403 and "画面の有効期限が切れました" in response.content.decode()


def test_a_fault_of_ours_is_told_without_its_details(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from fumibako import linking

    def broken(person: Person) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(linking, "mailboxes_of", broken, raising=False)
    desk.raise_request_exception = False
    response = desk.get("/settings/mailboxes/")
    page = response.content.decode()
    assert response.status_code == 500 and "この画面を表示できませんでした" in page and "a secret detail" not in page


def test_pages_run_no_inline_script_and_load_nothing_from_elsewhere(full: dict[str, str], desk: Client) -> None:
    for path in ("/settings/mailboxes/", "/settings/mailboxes/link/", "/mail/", f"/mail/{full['<str:message>']}/"):
        response = desk.get(path)
        policy = response["Content-Security-Policy"]
        assert "script-src 'self'" in policy and "unsafe" not in policy
        page = response.content.decode()
        assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=", page)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
