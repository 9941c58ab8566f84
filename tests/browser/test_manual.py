"""手動設定 in a browser: both servers typed by hand."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, expect

from tests.browser.installation import Installation
from tests.browser.people import Newcomer
from tests.browser.wizard import finish_link, sheet
from tests.browser.words import JAPANESE


def test_a_mailbox_is_linked_by_its_servers(
    installation: Installation, newcomer: Callable[..., Newcomer], new_context: Callable[..., BrowserContext]
) -> None:
    page, sample = new_context(storage_state=newcomer().state).new_page(), installation.sample
    page.goto("/")
    page.get_by_role("link", name=JAPANESE.link_mailbox).click()
    page.get_by_label(JAPANESE.address).fill(sample.address)
    page.get_by_role("button", name=JAPANESE.by_hand).click()
    expect(page.get_by_label(JAPANESE.address)).to_have_value(sample.address)
    receiving = page.get_by_role("group", name=JAPANESE.servers)
    sending = page.get_by_role("group", name=JAPANESE.smtp_servers)
    expect(receiving.get_by_label(JAPANESE.port)).to_have_value("自動判別")
    receiving.get_by_label(JAPANESE.user_name).fill(sample.address)
    receiving.get_by_label(JAPANESE.password, exact=True).fill(sample.password)
    expect(sending.get_by_label(JAPANESE.user_name)).to_be_hidden()
    page.get_by_label("送信サーバーも同じユーザーネームとパスワードを使う").uncheck()
    sending.get_by_label(JAPANESE.user_name).fill(sample.address)
    sending.get_by_label(JAPANESE.password, exact=True).fill(sample.password)
    for server, port in ((receiving, sample.imap_port), (sending, sample.smtp_port)):
        server.get_by_label(JAPANESE.server_name).fill("127.0.0.1")
        server.get_by_role("combobox", name=JAPANESE.security).select_option(label="SSL/TLS")
        server.get_by_label(JAPANESE.port).fill(str(port))
    page.get_by_role("button", name=JAPANESE.save).click()

    expect(page.get_by_role("heading", name=JAPANESE.connecting)).to_be_visible()
    expect(page.get_by_role("heading", name=JAPANESE.folders_title)).to_be_visible()
    finish_link(page)
    expect(sheet(page, sample.address).get_by_text(JAPANESE.linked, exact=True)).to_be_visible()
