"""Every link on every page leads somewhere, for an admin and for a member, in both languages."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.crawler import Crawl
from tests.browser.installation import NO_SUCH_DOMAIN, Installation
from tests.browser.people import Newcomer
from tests.browser.wizard import begin_link
from tests.browser.words import JAPANESE, LANGUAGES

EVERY_PAGE = {
    "/settings/mailboxes/",
    "/settings/mailboxes/link/",
    "/settings/mailboxes/link/*/",
    "/settings/mailboxes/link/*/servers/",
    "/settings/mailboxes/link/*/unlink/",
    "/settings/mailboxes/link/errors/",
    "/settings/mailboxes/*/folders/",
    "/settings/mailboxes/*/password/",
    "/settings/mailboxes/*/connection/",
    "/settings/mailboxes/*/unlink/",
    "/settings/profile/",
    "/mail/",
    "/mail/*/",
    "/mail/*/raw/",
}
"""What a linked mailbox and a failed link make reachable."""


@pytest.fixture(scope="module")
def tried(reader: Newcomer, installation: Installation, browser: object) -> Newcomer:
    """The reader, who has also tried to link an address that does not exist."""
    page = browser.new_page(storage_state=reader.state, base_url=installation.url)  # type: ignore[attr-defined]
    page.goto("/")
    page.get_by_role("link", name=JAPANESE.settings).click()
    begin_link(page, f"shiro@{NO_SUCH_DOMAIN}", "x")
    expect(page.get_by_role("button", name=JAPANESE.try_again)).to_be_visible()
    page.context.close()
    return reader


def speak(page: Page, language: str) -> None:
    """Choose the language of the pages in one's profile."""
    page.goto("/settings/profile/")
    page.locator("#language").select_option(language)
    page.locator("form").filter(has=page.locator("#language")).get_by_role("button").click()
    expect(page.locator("html")).to_have_attribute("lang", language)


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_every_link_of_somebody_with_a_mailbox_leads_somewhere(
    tried: Newcomer, new_context: Callable[..., BrowserContext], base_url: str, language: str
) -> None:
    page = new_context(storage_state=tried.state).new_page()
    speak(page, language)
    crawl = Crawl(page, base_url)
    crawl.walk()
    assert crawl.faults == []
    assert {kind.partition("?")[0] for kind in crawl.opened} >= EVERY_PAGE | {"/admin/people/", "/admin/people/*/"}
