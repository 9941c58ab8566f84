"""The main job in a browser: linking the sample mailbox by address and password."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.installation import Installation
from tests.browser.people import Newcomer, log_in
from tests.browser.wizard import (
    QUIET,
    begin_link,
    begin_sample,
    choose_receiving,
    chosen_count,
    chosen_option,
    finish_link,
    number,
    sheet,
    stored_count,
)
from tests.browser.words import ENGLISH, JAPANESE, Words

SOON = 5_000  # milliseconds from the choice of folders to the first mail, on a machine that does much else


@pytest.mark.parametrize("say", [JAPANESE, ENGLISH], ids=["ja", "en"])
def test_a_mailbox_is_linked_by_address_and_password(
    installation: Installation, newcomer: Callable[..., Newcomer], page: Page, say: Words
) -> None:
    sample = installation.sample
    person = installation.member if say is JAPANESE else newcomer("en")
    log_in(page, person.login, person.password, say)
    expect(page.get_by_role("heading", name=say.nothing_linked)).to_be_visible()

    begin_link(page, sample.address, sample.password, say)
    expect(page.get_by_role("heading", name=say.connecting)).to_be_visible(timeout=2_000)
    expect(page.get_by_role("main").get_by_role("list").last.get_by_role("listitem")).to_contain_text(say.stages)

    expect(page.get_by_role("heading", name=say.folders_title)).to_be_visible()
    sent, inbox = chosen_option(page, say.sent_folder), chosen_option(page, say.receiving_folder)
    assert sent.startswith("送信済み")
    assert inbox.startswith(say.inbox)
    expect(page.get_by_role("checkbox", name="案件/東京商事")).not_to_be_checked()
    counted = chosen_count(page, say)
    assert counted == number(sent) + number(inbox) > 100
    page.get_by_role("button", name=say.next).click()

    expect(page.get_by_role("heading", name=say.done_title)).to_be_visible()
    expect(page.get_by_role("heading", name=say.ready_to_read)).to_be_visible(timeout=SOON)
    page.get_by_role("link", name=say.finish).click()
    box = sheet(page, sample.address)
    expect(box.get_by_text(re.compile(f"^({say.importing}|{say.linked})$"))).to_be_visible()
    page.reload()
    expect(box.get_by_text(say.linked, exact=True)).to_be_visible()
    assert counted <= stored_count(box) <= counted + 2  # two mails may have arrived since


@pytest.fixture(scope="module")
def chooser(newcomer: Callable[..., Newcomer], browser: Browser, installation: Installation) -> Newcomer:
    """Somebody whose link of the sample mailbox waits for the choice of folders."""
    person = newcomer()
    page = browser.new_page(storage_state=person.state, base_url=installation.url)
    page.goto("/")
    begin_sample(page, installation.sample)
    page.context.close()
    return person


@pytest.fixture
def choosing(chooser: Newcomer, new_context: Callable[..., BrowserContext]) -> Page:
    """The choice of folders, found again from the list of linked mailboxes."""
    page = new_context(storage_state=chooser.state).new_page()
    page.goto("/")
    page.get_by_role("link", name=JAPANESE.go_on).click()
    expect(page.get_by_role("heading", name=JAPANESE.folders_title)).to_be_visible()
    return page


def test_counts_follow_the_choice_of_folders_and_period(choosing: Page, installation: Installation) -> None:
    page, before = choosing, chosen_count(choosing)
    folder = page.get_by_role("row", name="案件/東京商事")
    chosen = page.get_by_text(JAPANESE.chosen)
    folder.get_by_role("checkbox").check()
    expect(chosen).to_contain_text(f"{before + number(folder.get_by_role('cell').inner_text())} 通")

    page.get_by_role("combobox", name=JAPANESE.period).select_option(label="すべて")
    expect(chosen).to_contain_text("（すべて）")
    everything, sent = chosen_count(page), number(chosen_option(page, JAPANESE.sent_folder))
    assert everything > before
    assert sent == installation.sample.count("送信済み")
    page.get_by_role("combobox", name=JAPANESE.sent_folder).select_option(label=JAPANESE.no_sent_folder)
    expect(chosen).to_contain_text(f"{everything - sent} 通")


def test_a_folder_that_only_holds_folders_is_shown_and_cannot_be_chosen(choosing: Page) -> None:
    row = choosing.get_by_role("row", name=JAPANESE.only_folders)
    expect(row.get_by_role("rowheader")).to_have_text("案件")
    expect(row.get_by_role("checkbox")).to_have_count(0)


def test_nothing_comes_from_folders_that_were_not_chosen(choosing: Page, installation: Installation) -> None:
    page = choosing
    count = choose_receiving(page, QUIET)
    page.get_by_role("combobox", name=JAPANESE.sent_folder).select_option(label=JAPANESE.no_sent_folder)
    expect(page.get_by_text(JAPANESE.chosen)).to_contain_text(f"{JAPANESE.chosen} {count} 通")
    finish_link(page)
    box = sheet(page, installation.sample.address)
    expect(box.get_by_text(JAPANESE.linked, exact=True)).to_be_visible()
    assert stored_count(box) == count
    page.get_by_role("link", name=JAPANESE.mail, exact=True).click()
    expect(page.locator("#rows").get_by_role("listitem")).to_have_count(count)
    expect(page.get_by_role("navigation", name="フォルダ").get_by_role("link")).to_have_count(1)
