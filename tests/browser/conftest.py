"""One installation for the whole run, as `fumibako up` starts it, Debian's Chromium, and people of a test's own.

Every browser is watched: an error in its console, a script that fails, an answer of 404 or 500, or a request to any
other host than the installation's fails the test at its end.
"""

from collections.abc import Callable, Iterator
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.browser import letters
from tests.browser.installation import Installation, running_installation
from tests.browser.people import PASSWORD, Newcomer, set_password
from tests.browser.watch import Complaints
from tests.browser.wizard import QUIET, begin_sample, choose_receiving, finish_link
from tests.browser.words import LANGUAGES

PATIENCE = 20_000  # milliseconds for what comes live; it is there in a second on a machine that is not busy

expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs Chromium."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def installation(short_folder: Path) -> Iterator[Installation]:
    """A new installation with its sample mailbox."""
    with running_installation(short_folder / "browser") as running:
        yield running


@pytest.fixture(scope="session")
def base_url(installation: Installation) -> str:
    """Where the pages are."""
    return installation.url


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's Chromium."""
    return {**browser_type_launch_args, "executable_path": "/usr/bin/chromium"}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any], base_url: str) -> dict[str, Any]:
    """A Japanese browser on a desk."""
    size = {"width": 1200, "height": 900}
    return {**browser_context_args, "base_url": base_url, "locale": "ja-JP", "viewport": size}


@pytest.fixture
def complaints(base_url: str) -> Iterator[Complaints]:
    """What went wrong in any browser of the test; there must be nothing at its end."""
    found = Complaints(base_url)
    yield found
    assert found.lines == []


@pytest.fixture
def new_context(new_context: Callable[..., BrowserContext], complaints: Complaints) -> Callable[..., BrowserContext]:
    """Opens a browser of its own, watched."""

    def open_context(**options: Any) -> BrowserContext:
        context = new_context(**options)
        context.set_default_timeout(PATIENCE)
        complaints.watch(context)
        return context

    return open_context


@pytest.fixture(scope="session")
def newcomer(
    installation: Installation, browser: Browser, browser_context_args: dict[str, Any]
) -> Callable[..., Newcomer]:
    """Makes an organization of its own with one person in it, who has set a password and is logged in."""
    numbers = count(1)

    def make(language: str = "ja") -> Newcomer:
        login = f"newcomer{next(numbers)}"
        path = installation.make_organization(f"株式会社 {login}", login)
        context = browser.new_context(**browser_context_args)
        page = context.new_page()
        page.goto(path)
        set_password(page, LANGUAGES[language], PASSWORD)
        state = context.storage_state()
        context.close()
        return Newcomer(login, PASSWORD, state)

    return make


@pytest.fixture(scope="session")
def reader_letters(installation: Installation) -> dict[str, EmailMessage]:
    """Mails that are in the sample mailbox beside its own."""
    sent = {
        "file": letters.letter_with_file(),
        "html": letters.letter_of_html(),
        "forged": letters.forged_letter(),
    }
    for message in sent.values():
        installation.sample.send(message)
    return sent


@pytest.fixture(scope="session")
def reader(
    installation: Installation, newcomer: Callable[..., Newcomer], reader_letters: dict[str, EmailMessage]
) -> Newcomer:
    """An admin who has linked the sample mailbox, all of it; tests leave it as it is."""
    person = newcomer()
    installation.link_sample(person.login, "--range", "all")
    return person


@pytest.fixture(scope="session")
def changer(installation: Installation, newcomer: Callable[..., Newcomer], browser: Browser) -> Newcomer:
    """An admin who has linked two folders of the sample mailbox, at which no new mail arrives.

    Tests change its settings, and leave it linked.
    """
    person = newcomer()
    page = browser.new_page(storage_state=person.state, base_url=installation.url)
    page.goto("/")
    begin_sample(page, installation.sample)
    choose_receiving(page, QUIET)
    finish_link(page)
    page.context.close()
    return person
