"""Logging in and out, as people do it."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.words import JAPANESE, Words

PASSWORD = "a long sentence for the pages"


@dataclass(frozen=True)
class Newcomer:
    """Somebody with a password for the pages; `state` opens a browser in which they are logged in."""

    login: str
    password: str
    state: Any


def speak(page: Page, say: Words) -> None:
    """On a page before login: choose the language, unless it is spoken already."""
    if page.locator("html").get_attribute("lang") != say.language:
        page.get_by_role("button", name={"ja": "日本語", "en": "English"}[say.language]).click()


def log_in(page: Page, login: str, password: str, say: Words = JAPANESE) -> None:
    """From the first page through the login page."""
    page.goto("/")
    speak(page, say)
    page.get_by_label(say.login_name).fill(login)
    page.get_by_label(say.password).fill(password)
    page.get_by_role("button", name=say.log_in).click()
    expect(page.get_by_role("link", name=say.settings)).to_be_visible()


def set_password(page: Page, say: Words, password: str) -> None:
    """On the page of a one-time link, which logs in too."""
    speak(page, say)
    page.get_by_label(say.new_password, exact=True).fill(password)
    page.get_by_role("button", name=say.set_and_log_in).click()
    expect(page.get_by_role("link", name=say.settings)).to_be_visible()
