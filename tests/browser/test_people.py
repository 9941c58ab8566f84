"""Colleagues in a browser: somebody new comes, sees nothing of others' mailboxes, and is stopped."""

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from tests.browser.installation import Installation
from tests.browser.people import PASSWORD, Newcomer, log_in, set_password
from tests.browser.wizard import begin_link, sheet
from tests.browser.words import JAPANESE

COLLEAGUE = "すでに社内のほかの方が連携しています"


def test_a_colleague_comes_sees_nothing_of_another_and_is_stopped(
    installation: Installation, reader: Newcomer, new_context: Callable[..., BrowserContext]
) -> None:
    sample = installation.sample
    admins = new_context(storage_state=reader.state)
    admin = admins.new_page()
    admin.goto("/")
    admin.get_by_role("link", name="管理").click()
    admin.get_by_role("link", name="メンバーを招待").click()
    admin.get_by_label("名前", exact=True).fill("小林 直子")
    admin.get_by_label(JAPANESE.login_name).fill("kobayashi")
    admin.get_by_role("button", name="リンクだけ作る").click()
    link = admin.get_by_label("1 回だけ使えるリンク").input_value()

    theirs = new_context()
    page = theirs.new_page()
    page.goto(link)
    set_password(page, JAPANESE, PASSWORD)
    theirs.close()
    theirs = new_context()
    page = theirs.new_page()
    log_in(page, "kobayashi", PASSWORD)
    expect(page.get_by_role("heading", name=JAPANESE.nothing_linked)).to_be_visible()
    expect(page.get_by_role("link", name="管理")).to_have_count(0)
    page.get_by_role("link", name=JAPANESE.mail, exact=True).click()
    expect(page.get_by_text("連携しているメールボックスは、まだありません。")).to_be_visible()
    search = page.get_by_role("searchbox", name=JAPANESE.search)
    search.fill("東京商事")
    search.press("Enter")
    expect(page.get_by_role("heading", name="検索: 東京商事")).to_be_visible()
    expect(page.locator("#rows").get_by_role("listitem")).to_have_count(0)

    admin.get_by_role("link", name=JAPANESE.mail, exact=True).click()
    letter = admin.locator("#rows").get_by_role("link").first.get_attribute("href")
    admin.get_by_role("link", name=JAPANESE.settings).click()
    box = sheet(admin, sample.address)
    unlinking = box.get_by_role("link", name=JAPANESE.unlink_mailbox).get_attribute("href")
    for address, status in ((letter, 404), (unlinking, 404), ("/admin/people/", 403)):
        assert theirs.request.get(str(address)).status == status

    page.get_by_role("link", name=JAPANESE.settings).click()
    begin_link(page, sample.address, "not-the-password")
    expect(page.get_by_role("button", name=JAPANESE.try_again)).to_be_visible()
    assert COLLEAGUE not in page.content()
    page.get_by_label(JAPANESE.password, exact=True).fill(sample.password)
    page.get_by_role("button", name=JAPANESE.try_again).click()
    expect(page.get_by_role("heading", name=COLLEAGUE)).to_be_visible()
    page.get_by_role("button", name="連携済みメールボックスへ").click()
    expect(page.get_by_role("heading", name=JAPANESE.nothing_linked)).to_be_visible()

    admin.get_by_role("link", name="管理").click()
    admin.get_by_role("row", name="小林 直子").get_by_role("link").click()
    admin.get_by_role("link", name="停止する").click()
    expect(admin.get_by_text("すぐにログアウトします。")).to_be_visible()
    admin.get_by_role("button", name="停止する").click()
    expect(admin.get_by_role("status")).to_contain_text("小林 直子さんの利用を停止しました。")
    page.get_by_role("link", name=JAPANESE.settings).click()
    expect(page).to_have_url(re.compile("/login/"))
    expect(page.get_by_role("heading", name=JAPANESE.log_in)).to_be_visible()
