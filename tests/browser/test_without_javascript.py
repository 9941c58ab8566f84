"""Linking a mailbox in a browser that runs no scripts."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from tests.browser.installation import Installation
from tests.browser.people import Newcomer
from tests.browser.wizard import begin_sample, chosen_count, sheet
from tests.browser.words import JAPANESE


def test_a_mailbox_is_linked_without_scripts(
    installation: Installation, newcomer: Callable[..., Newcomer], new_context: Callable[..., BrowserContext]
) -> None:
    page = new_context(storage_state=newcomer().state, java_script_enabled=False).new_page()
    page.goto("/")
    begin_sample(page, installation.sample)
    before = chosen_count(page)
    page.get_by_role("combobox", name=JAPANESE.period).select_option(label="すべて")
    page.get_by_role("button", name="数え直す").click()
    expect(page.get_by_text(JAPANESE.chosen)).to_contain_text("（すべて）")
    assert chosen_count(page) > before
    page.get_by_role("button", name=JAPANESE.next).click()
    expect(page.get_by_role("heading", name=JAPANESE.done_title)).to_be_visible()
    expect(page.get_by_role("heading", name=JAPANESE.ready_to_read)).to_be_visible()
    page.get_by_role("link", name=JAPANESE.finish).click()
    expect(sheet(page, installation.sample.address)).to_be_visible()
    page.get_by_role("link", name=JAPANESE.mail, exact=True).click()
    page.locator("#rows").get_by_role("link").first.click()
    expect(page.get_by_role("article").get_by_role("heading")).to_be_visible()
