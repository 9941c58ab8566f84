"""The steps of linking a mailbox, as people take them."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.sample import SampleMailbox
from tests.browser.words import JAPANESE, Words

QUIET = "案件/みなと工業"
"""A folder of the sample mailbox at which no new mail arrives."""


def begin_link(page: Page, address: str, password: str, say: Words = JAPANESE) -> None:
    """From the list of linked mailboxes: an address and a password, and on."""
    page.get_by_role("link", name=say.link_mailbox).click()
    page.get_by_label(say.address).fill(address)
    page.get_by_label(say.password, exact=True).fill(password)
    page.get_by_role("button", name=say.next).click()


def begin_sample(page: Page, sample: SampleMailbox, say: Words = JAPANESE) -> None:
    """The sample mailbox up to the choice of folders."""
    begin_link(page, sample.address, sample.password, say)
    expect(page.get_by_role("heading", name=say.folders_title)).to_be_visible()


def finish_link(page: Page, say: Words = JAPANESE) -> None:
    """From the choice of folders back to the list of linked mailboxes."""
    page.get_by_role("button", name=say.next).click()
    expect(page.get_by_role("heading", name=say.done_title)).to_be_visible()
    page.get_by_role("link", name=say.finish).click()
    expect(page.get_by_role("heading", name=say.mailboxes)).to_be_visible()


def sheet(page: Page, address: str) -> Locator:
    """The part of the list that is about one mailbox or one unfinished link."""
    return page.get_by_role("region", name=address)


def number(text: str | None) -> int:
    """The first number of a text, without its commas."""
    found = re.search(r"\d[\d,]*", text or "")
    assert found, f"no number in {text!r}"
    return int(found[0].replace(",", ""))


def chosen_count(page: Page, say: Words = JAPANESE) -> int:
    """How many mails the choice of folders comes to, as the page says it."""
    return number(page.get_by_text(say.chosen).text_content())


def chosen_option(page: Page, label: str) -> str:
    """The text of what is chosen in a list."""
    return str(page.get_by_role("combobox", name=label).evaluate("list => list.selectedOptions[0].text"))


def stored_count(box: Locator) -> int:
    """How many mails of a mailbox are imported, received and sent together, as its part of the list says."""
    received, sent = re.findall(r"\d[\d,]*", box.get_by_role("definition").first.inner_text())[:2]
    return number(received) + number(sent)


def choose_receiving(page: Page, folder: str) -> int:
    """Choose another receiving folder; how many mails are in it."""
    count = number(page.get_by_role("row", name=folder).get_by_role("cell").inner_text())
    page.get_by_role("combobox", name=JAPANESE.receiving_folder).select_option(label=f"{folder}（{count} 通）")
    expect(page.get_by_role("row", name=folder)).to_have_count(0)
    return count
