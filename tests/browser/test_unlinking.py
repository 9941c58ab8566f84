"""Unlinking a mailbox and linking it again, in a browser."""

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.installation import Installation
from tests.browser.people import Newcomer
from tests.browser.wizard import QUIET, chosen_option, finish_link, number, sheet, stored_count
from tests.browser.words import JAPANESE


def test_an_unlinked_mailbox_stays_readable_and_linking_it_again_doubles_nothing(
    installation: Installation, changer: Newcomer, new_context: Callable[..., BrowserContext]
) -> None:
    page, sample = new_context(storage_state=changer.state).new_page(), installation.sample
    page.goto("/")
    sheet(page, sample.address).get_by_role("link", name=JAPANESE.unlink_mailbox).click()
    expect(page.get_by_role("heading", name=f"{sample.address} の連携を解除しますか")).to_be_visible()
    expect(page.get_by_text("取り込み済みのメールは削除されず、文箱に残ります。")).to_be_visible()
    stored = number(page.get_by_role("definition").first.inner_text())
    page.get_by_role("button", name=JAPANESE.unlink).click()

    expect(page.get_by_role("status")).to_contain_text(f"{sample.address} の連携を解除しました。")
    expect(page.get_by_role("status")).to_contain_text(f"取り込み済みの {stored} 通は残っています。")
    foot = page.get_by_role("group").filter(has_text=JAPANESE.unlinked_mailboxes)
    expect(foot).to_contain_text(sample.address)
    expect(sheet(page, sample.address)).to_have_count(0)

    read_a_letter(page)
    page.get_by_role("link", name=JAPANESE.settings).click()
    foot.get_by_role("link", name=JAPANESE.link_again).click()
    page.get_by_label(JAPANESE.password, exact=True).fill(sample.password)
    page.get_by_role("button", name=JAPANESE.next).click()
    expect(page.get_by_role("heading", name=JAPANESE.folders_title)).to_be_visible()
    assert chosen_option(page, JAPANESE.sent_folder).startswith("送信済み")
    assert chosen_option(page, JAPANESE.receiving_folder).startswith(QUIET)
    finish_link(page)
    box = sheet(page, sample.address)
    expect(box.get_by_text(JAPANESE.linked, exact=True)).to_be_visible()
    expect(page.get_by_text(JAPANESE.unlinked_mailboxes)).to_have_count(0)
    assert stored_count(box) == stored


def read_a_letter(page: Page) -> None:
    """Open the newest mail of the list."""
    page.get_by_role("link", name=JAPANESE.mail, exact=True).click()
    page.locator("#rows").get_by_role("link").first.click()
    expect(page.get_by_role("article").get_by_role("heading")).to_have_text(re.compile(".+"))
