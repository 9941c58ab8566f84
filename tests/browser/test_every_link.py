"""Every link on every page leads somewhere, for an admin and for a member, in both languages."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.crawler import Crawl
from tests.browser.installation import NO_SUCH_DOMAIN, Installation
from tests.browser.people import Newcomer, log_in
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
def tried(reader: Newcomer, installation: Installation, browser: Browser) -> Newcomer:
    """The reader, who has also tried to link an address that does not exist."""
    page = browser.new_page(storage_state=reader.state, base_url=installation.url)
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


@pytest.fixture(params=list(LANGUAGES))
def speaking(
    request: pytest.FixtureRequest, tried: Newcomer, new_context: Callable[..., BrowserContext]
) -> Iterator[Page]:
    """Their page, in each of the languages."""
    page = new_context(storage_state=tried.state).new_page()
    speak(page, request.param)
    yield page
    speak(page, "ja")


def test_every_link_of_somebody_with_a_mailbox_leads_somewhere(speaking: Page, base_url: str) -> None:
    crawl = Crawl(speaking, base_url)
    crawl.walk()
    assert crawl.faults == []
    assert {kind.partition("?")[0] for kind in crawl.opened} >= EVERY_PAGE | {"/admin/people/", "/admin/people/*/"}


def test_every_link_of_a_member_leads_somewhere(page: Page, installation: Installation, base_url: str) -> None:
    log_in(page, installation.member.login, installation.member.password)
    crawl = Crawl(page, base_url)
    crawl.walk()
    assert crawl.faults == []
    assert not [kind for kind in crawl.opened if kind.startswith("/admin/")]
