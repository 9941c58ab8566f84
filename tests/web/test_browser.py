"""What pages do in a browser: live parts, folds, frames; and that they work where scripts do not run."""

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from fumibako.accounts.models import Person
from fumibako.archive.models import Message
from fumibako.linking.models import LinkDraft, Mailbox
from tests.web.rows import draft_row, found, key, letter, proved_draft, stage, store
from tests.web.test_mail import newsletter
from tests.world import World

sync_api = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
SMTP = {"smtp_host": "smtp.example.jp", "smtp_port": 465, "smtp_security": "tls", "smtp_username": "taro@example.jp"}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="no Chromium here"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator["sync_api.Browser"]:
    """Chromium for this file. Playwright keeps an event loop in this thread, which Django takes for a mistake."""
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
    asyncio.set_event_loop(None)


@pytest.fixture
def address(live_server) -> str:
    return live_server.url.replace("127.0.0.1", "localhost")


def logged_in(chromium, address: str, person: Person, **options: object):
    """A browser window in which a person is logged in."""
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    context = chromium.new_context(base_url=address, locale="ja-JP", **options)
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])
    return context


@pytest.fixture
def page(chromium, address: str, member: Person) -> Iterator["sync_api.Page"]:
    """A page whose scripts raise nothing and break no policy."""
    context = logged_in(chromium, address, member)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: "Content Security Policy" in line.text and faults.append(line.text))
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def plain(chromium, browser_name: str, address: str, member: Person) -> Iterator["sync_api.Page"]:
    """A page without JavaScript. `browser_name` sorts its test to those of `page`, so that Chromium starts once."""
    context = logged_in(chromium, address, member, java_script_enabled=False)
    yield context.new_page()
    context.close()


def changed(page: "sync_api.Page") -> None:
    """Tell the page what the event stream tells it."""
    page.evaluate("document.body.dispatchEvent(new CustomEvent('changed'))")


def test_a_password_is_shown_and_hidden_by_its_button(page: "sync_api.Page") -> None:
    page.goto("/settings/mailboxes/link/")
    field, button = page.locator("#password"), page.locator("[data-shows=password]")
    field.fill("secret")
    button.click()
    sync_api.expect(field).to_have_attribute("type", "text")
    sync_api.expect(button).to_have_text("隠す")
    button.click()
    sync_api.expect(field).to_have_attribute("type", "password")


def test_stages_move_by_themselves_and_lead_to_the_folders(page: "sync_api.Page", member: Person) -> None:
    draft = draft_row(member)
    page.goto(f"/settings/mailboxes/link/{draft.public_id}/")
    LinkDraft.objects.update(state="proving", stages=[stage("discover"), stage("connect", "now")])
    sync_api.expect(page.locator(".stages .now")).to_contain_text("安全に接続する")
    draft.delete()
    proved = proved_draft(member, found("INBOX", "inbox", (1, 2, 3)), public_id=draft.public_id)
    page.wait_for_url(f"**/{proved.public_id}/folders/")


def test_a_failure_takes_the_place_of_the_stages(page: "sync_api.Page", member: Person) -> None:
    from tests.web.rows import failed_draft

    draft = draft_row(member)
    page.goto(f"/settings/mailboxes/link/{draft.public_id}/")
    failure = failed_draft(member, "wrong_credentials", address="other@example.jp").failure
    LinkDraft.objects.filter(pk=draft.pk).update(state="failed", failure=failure)
    sync_api.expect(page.locator("h1")).to_contain_text("パスワードが違います")


def test_counts_follow_the_chosen_range_and_folders(page: "sync_api.Page", member: Person) -> None:
    sent = [found("Sent", "sent", (1, 10, 100)), found("送信済み", "sent", (2, 20, 200))]
    draft = proved_draft(member, found("INBOX", "inbox", (3, 30, 300)), found("案件", mails=(4, 40, 400)), *sent)
    page.goto(f"/settings/mailboxes/link/{draft.public_id}/folders/")
    total = page.locator(".row.add .push")
    sync_api.expect(total).to_contain_text("60")
    page.select_option("[name=range]", "all")
    sync_api.expect(total).to_contain_text("600")
    page.get_by_role("checkbox", name="案件").check()
    sync_api.expect(total).to_contain_text("1,000")
    page.select_option("[name=sent]", key("送信済み"))
    sync_api.expect(page.get_by_text("「Sent」も送信フォルダとして取り込む")).to_be_visible()
    assert not Mailbox.objects.exists()


def test_an_opened_fold_stays_open_and_a_typed_word_stays_typed(page: "sync_api.Page", world: World) -> None:
    box = world.add_mailbox(**SMTP)
    page.goto("/settings/mailboxes/")
    page.locator(f"#{box.public_id}-more > summary").click()
    field = page.locator("[name=address]")
    field.fill("info@exam")
    with page.expect_response(re.compile("/settings/mailboxes/$")):
        changed(page)
    sync_api.expect(field).to_have_value("info@exam")
    page.locator("h1").click()
    Mailbox.objects.update(state="retrying", cause="server_unreachable")
    changed(page)
    sync_api.expect(page.locator(".chip")).to_have_text("再接続待ち")
    Mailbox.objects.update(state="live")
    changed(page)
    sync_api.expect(page.locator(".chip")).to_have_text("連携中")


def test_the_sent_copy_is_saved_by_the_press_alone(page: "sync_api.Page", world: World) -> None:
    world.add_mailbox(**SMTP)
    page.goto("/settings/mailboxes/")
    with page.expect_response(re.compile("/sent-copy/")):
        page.get_by_role("radio", name="オフ").check()
    sync_api.expect(page.get_by_role("radio", name="オフ")).to_be_checked()
    page.reload()
    sync_api.expect(page.get_by_role("radio", name="オフ")).to_be_checked()


def test_new_mail_appears_without_reload_beside_the_opened_letter(page: "sync_api.Page", world: World) -> None:
    box = world.add_mailbox()
    folder = world.add_folder(box, uidvalidity=1)
    store(box, folder, letter("はじめの件", "はじめの本文"), at=timezone.now() - timedelta(hours=1))
    page.goto("/mail/")
    page.get_by_text("はじめの件").click()
    sync_api.expect(page.locator("#read")).to_contain_text("はじめの本文")
    sync_api.expect(page.locator("#rows a")).to_have_attribute("aria-current", "true")
    sync_api.expect(page.locator("#rows a.new")).to_have_count(0)
    store(box, folder, letter("届いた件"))
    changed(page)
    sync_api.expect(page.locator("#rows li").first).to_contain_text("届いた件")
    sync_api.expect(page.locator("#rows a[aria-current]")).to_contain_text("はじめの件")
    page.keyboard.press("k")
    sync_api.expect(page.locator("#subject")).to_have_text("届いた件")
    page.keyboard.press("j")
    sync_api.expect(page.locator("#subject")).to_have_text("はじめの件")
    page.go_back()
    sync_api.expect(page.locator("#subject")).to_have_text("届いた件")


def test_a_framed_letter_shows_its_picture_and_runs_nothing(page: "sync_api.Page", world: World) -> None:
    box = world.add_mailbox()
    message: Message = store(box, world.add_folder(box, uidvalidity=1), newsletter())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_response(re.compile("/frame/.+")) as picture:
        page.goto(f"/mail/{message.public_id}/")
    assert picture.value.status == 200
    sync_api.expect(page.frame_locator("iframe").locator("body")).to_contain_text("新製品")
    assert not [url for url in asked if "tracker.example" in url]


def test_an_ended_login_leads_to_the_login_page_by_itself(page: "sync_api.Page", world: World) -> None:
    world.add_mailbox(**SMTP)
    page.goto("/settings/mailboxes/")
    page.context.clear_cookies()
    changed(page)
    page.wait_for_url("**/login/?next=/settings/mailboxes/")


def test_without_javascript_a_mailbox_is_linked_changed_and_unlinked(plain: "sync_api.Page", member: Person) -> None:
    plain.goto("/settings/mailboxes/")
    plain.click("text=メールボックスを連携する")
    plain.fill("[name=address]", "taro@example.jp")
    plain.fill("[name=password]", "secret")
    plain.click("text=次へ")
    sync_api.expect(plain.locator("h1")).to_have_text("接続しています")
    draft = LinkDraft.objects.get()
    public_id = draft.public_id
    draft.delete()
    proved_draft(member, found("INBOX", "inbox", (1, 2, 3)), public_id=public_id)
    plain.wait_for_url("**/folders/", timeout=10_000)
    plain.select_option("[name=range]", "all")
    plain.click("[name=show]")
    sync_api.expect(plain.locator(".row.add .push")).to_contain_text("選択中 3")
    plain.click("button:text-is('次へ')")
    sync_api.expect(plain.locator("h1")).to_have_text("連携完了")
    plain.click("a:text-is('完了')")
    Mailbox.objects.update(state="live", smtp_username="taro@example.jp")
    plain.reload()
    plain.get_by_role("radio", name="オン").check()
    plain.click("form[data-saves] button")
    assert Mailbox.objects.get().sent_copy == "on"
    plain.click("text=メールボックスを連携解除")
    plain.click("text=解除する")
    sync_api.expect(plain.locator("[role=status]")).to_contain_text("taro@example.jp の連携を解除しました。")
    assert Mailbox.objects.get().state == "unlinked"
