"""Changing a linked mailbox in a browser: folders, password, servers, copies of sent mail, further addresses."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.installation import Installation
from tests.browser.people import Newcomer
from tests.browser.wizard import number, sheet, stored_count
from tests.browser.words import JAPANESE

TOKYO = "案件/東京商事"


@pytest.fixture
def page(changer: Newcomer, new_context: Callable[..., BrowserContext]) -> Page:
    """The linked mailboxes of somebody who has one."""
    page = new_context(storage_state=changer.state).new_page()
    page.goto("/")
    page.get_by_role("link", name=JAPANESE.settings).click()
    return page


@pytest.fixture
def box(page: Page, installation: Installation) -> Locator:
    """What the list says of the mailbox."""
    found = sheet(page, installation.sample.address)
    expect(found.get_by_text(JAPANESE.linked, exact=True)).to_be_visible()
    return found


def chosen_folders(page: Page, box: Locator) -> list[str]:
    """Which further folders are ticked; afterwards the list is open again."""
    box.get_by_role("link", name=JAPANESE.change_folders).click()
    expect(page.get_by_role("heading", name=JAPANESE.change_folders)).to_be_visible()
    ticked = [row.inner_text().split()[0] for row in page.get_by_role("row").all() if is_ticked(row)]
    page.get_by_role("link", name=JAPANESE.back).click()
    return ticked


def is_ticked(row: Locator) -> bool:
    """Whether the row has a tick."""
    tick = row.get_by_role("checkbox")
    return tick.count() > 0 and tick.is_checked()


def test_another_folder_is_imported_when_it_is_chosen(page: Page, box: Locator) -> None:
    before = stored_count(box)
    box.get_by_role("link", name=JAPANESE.change_folders).click()
    row = page.get_by_role("row", name=TOKYO)
    at_most = number(row.get_by_role("cell").inner_text())
    row.get_by_role("checkbox").check()
    expect(page.get_by_role("status")).to_contain_text(f"「{TOKYO}」を取り込みます。")
    page.get_by_role("button", name=JAPANESE.save).click()
    expect(page.get_by_text("のフォルダを保存しました。")).to_be_visible()
    expect(box.get_by_text(JAPANESE.linked, exact=True)).to_be_visible()
    added = stored_count(box) - before
    assert 0 < added <= at_most
    page.get_by_role("link", name=JAPANESE.mail, exact=True).click()
    page.get_by_role("navigation", name="フォルダ").get_by_role("link", name=TOKYO).click()
    expect(page.locator("#rows").get_by_role("listitem")).to_have_count(added)


def test_a_wrong_new_password_leaves_everything_as_it_was(page: Page, box: Locator) -> None:
    folders = chosen_folders(page, box)
    box.get_by_role("link", name=JAPANESE.change_password).click()
    page.get_by_label(JAPANESE.new_password, exact=True).fill("this-is-not-it")
    page.get_by_role("button", name=JAPANESE.save).click()
    expect(page.get_by_role("button", name=JAPANESE.try_again)).to_be_visible()
    assert "this-is-not-it" not in page.content()
    page.get_by_role("link", name=JAPANESE.later).click()
    expect(box.get_by_text(JAPANESE.linked, exact=True)).to_be_visible()
    expect(page.get_by_text(JAPANESE.could_not_link)).to_have_count(0)
    assert chosen_folders(page, box) == folders


def test_the_right_new_password_is_saved_and_leaves_the_folders_alone(
    page: Page, box: Locator, installation: Installation
) -> None:
    folders = chosen_folders(page, box)
    box.get_by_role("link", name=JAPANESE.change_password).click()
    page.get_by_label(JAPANESE.new_password, exact=True).fill(installation.sample.password)
    page.get_by_role("button", name=JAPANESE.save).click()
    expect(page.get_by_role("status")).to_contain_text("の新しい設定を確認し、保存しました。")
    expect(box.get_by_text(JAPANESE.linked, exact=True)).to_be_visible()
    assert chosen_folders(page, box) == folders


def test_connection_settings_are_proved_with_the_stored_password(
    page: Page, box: Locator, installation: Installation
) -> None:
    box.get_by_role("link", name=JAPANESE.connection).click()
    receiving = page.get_by_role("group", name=JAPANESE.servers)
    expect(receiving.get_by_label(JAPANESE.server_name)).to_have_value("127.0.0.1")
    expect(receiving.get_by_label(JAPANESE.port)).to_have_value(str(installation.sample.imap_port))
    expect(receiving.get_by_label(JAPANESE.password, exact=True)).to_have_value("")
    page.get_by_role("button", name=JAPANESE.save).click()
    expect(page.get_by_role("status")).to_contain_text("の新しい設定を確認し、保存しました。")
    expect(box.get_by_text(JAPANESE.linked, exact=True)).to_be_visible()


def test_connection_settings_that_do_not_work_are_not_saved(
    page: Page, box: Locator, installation: Installation
) -> None:
    box.get_by_role("link", name=JAPANESE.connection).click()
    receiving = page.get_by_role("group", name=JAPANESE.servers)
    receiving.get_by_label(JAPANESE.server_name).fill("imap.nonexistent.example")
    page.get_by_role("button", name=JAPANESE.save).click()
    expect(page.get_by_role("button", name=JAPANESE.try_again)).to_be_visible()
    page.get_by_role("link", name=JAPANESE.later).click()
    expect(box.get_by_text(JAPANESE.linked, exact=True)).to_be_visible()
    box.get_by_role("link", name=JAPANESE.connection).click()
    expect(receiving.get_by_label(JAPANESE.server_name)).to_have_value("127.0.0.1")


def test_the_choice_of_copies_of_sent_mail_is_kept(page: Page, box: Locator) -> None:
    choice = box.get_by_role("radiogroup", name="文箱から送信されたメールのコピーをメールサーバーに保存します。")
    for word in ("オン", "オフ", "自動"):
        with page.expect_response("**/sent-copy/"):
            choice.get_by_text(word, exact=True).click()
        page.reload()
        expect(choice.get_by_label(word, exact=True)).to_be_checked()


def test_a_further_address_is_added_and_removed(page: Page, box: Locator) -> None:
    box.get_by_text("そのほかの設定").click()
    address = box.get_by_label("このメールボックスで受け取る別のアドレス")
    address.fill("ｙａｍａｄａ＠sample-shoji.example")
    box.get_by_role("button", name="加える").click()
    expect(page.get_by_role("status")).to_contain_text("アドレスを加えました。")
    box.get_by_text("そのほかの設定").click()
    expect(box.get_by_role("listitem")).to_have_text("yamada@sample-shoji.example外す")
    address.fill("これはアドレスではない")
    box.get_by_role("button", name="加える").click()
    expect(page.get_by_role("alert")).to_contain_text("メールアドレスに @ がありません。")
    box.get_by_text("そのほかの設定").click()
    box.get_by_role("button", name="yamada@sample-shoji.example を外す").click()
    expect(page.get_by_role("status")).to_contain_text("アドレスを外しました。")
    expect(box.get_by_role("listitem")).to_have_count(0)
