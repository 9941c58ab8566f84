"""Reading mail in a browser: lists, letters and what came with them, and mail that arrives meanwhile."""

import re
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser import letters
from tests.browser.installation import Installation
from tests.browser.people import Newcomer
from tests.browser.watch import Complaints
from tests.browser.wizard import sheet, stored_count
from tests.browser.words import JAPANESE
from tests.site.processes import wait_for

AT_ONCE = 10_000  # milliseconds: pages that hear nothing ask again every 20 s, which would be too late


@pytest.fixture
def page(reader: Newcomer, new_context: Callable[..., BrowserContext]) -> Page:
    """The mail of somebody whose mailbox is linked."""
    page = new_context(storage_state=reader.state).new_page()
    page.goto("/")
    page.get_by_role("link", name=JAPANESE.mail, exact=True).click()
    expect(page.get_by_role("heading", name=JAPANESE.received)).to_be_visible()
    return page


def rows(page: Page) -> Locator:
    """The lines of the list."""
    return page.locator("#rows").get_by_role("listitem").get_by_role("link")


def open_letter(page: Page, subject: str) -> Locator:
    """Press the letter's line in the list; the letter that opens beside it."""
    rows(page).filter(has_text=subject).click()
    opened = page.get_by_role("article", name=subject)
    expect(opened).to_be_visible()
    return opened


def test_mail_that_arrives_appears_without_reload_and_opening_it_marks_it_read_here_alone(
    page: Page, installation: Installation
) -> None:
    sample, subject = installation.sample, "新しい倉庫のご相談"
    message = letters.letter(subject, "移転を考えています。")
    sample.send(message)
    row = rows(page).filter(has_text=subject)
    expect(row).to_be_visible(timeout=AT_ONCE)
    expect(row).to_contain_text(JAPANESE.unread)

    open_letter(page, subject)
    expect(row).not_to_contain_text(JAPANESE.unread, timeout=AT_ONCE)
    page.get_by_role("link", name=JAPANESE.mail, exact=True).click()
    expect(row).not_to_contain_text(JAPANESE.unread)
    assert "\\Seen" not in sample.flags(message["Message-ID"])


def test_read_and_unread_mail_is_imported_alike(page: Page, installation: Installation) -> None:
    sample = installation.sample
    assert sample.count(which="SEEN")
    assert sample.count(which="UNSEEN")
    page.get_by_role("link", name=JAPANESE.settings).click()
    box = sheet(page, sample.address)
    wait_for(lambda: stored_count(box) == sample.count() + sample.count("送信済み"), "as many mails as on the server")


def test_folders_and_mailboxes_choose_what_is_listed(page: Page, installation: Installation) -> None:
    folders = page.get_by_role("navigation", name="フォルダ")
    folders.get_by_role("link", name="送信").click()
    expect(page.get_by_role("heading", name="送信")).to_be_visible()
    expect(rows(page).first).to_contain_text("自分 →")
    page.get_by_label("メールボックス").select_option(label=installation.sample.address)
    expect(page.get_by_label("メールボックス")).to_have_value(re.compile("^mb_"))
    expect(page.get_by_role("heading", name="受信")).to_be_visible()
    expect(rows(page)).to_have_count(50)
    page.get_by_role("link", name="次の 50 通").click()
    expect(page.get_by_role("link", name="最新に戻る")).to_be_visible()
    expect(page.get_by_label("メールボックス")).to_have_value(re.compile("^mb_"))


def test_a_search_finds_japanese_words_in_text_subject_people_and_names_of_files(page: Page) -> None:
    search = page.get_by_role("banner").get_by_role("searchbox", name=JAPANESE.search)
    for words in ("特急第七号", "御見積書を お送り", "山崎 花子 特急", "髙橋様分"):
        search.fill(words)
        search.press("Enter")
        expect(page.get_by_role("heading", name=f"検索: {words}")).to_be_visible()
        expect(rows(page)).to_have_count(1)
        expect(rows(page)).to_contain_text("御見積書をお送りします")
    search.fill("この言葉はどこにもありません")
    search.press("Enter")
    expect(page.get_by_text("見つかりませんでした。")).to_be_visible()


def test_a_letter_shows_people_by_address_its_text_and_its_files(page: Page, tmp_path: Path) -> None:
    opened = open_letter(page, "御見積書をお送りします")
    expect(opened).to_contain_text("山崎 花子 <h.yamazaki@kita-shokai.example>")
    expect(opened).to_contain_text("㈱北商会の山﨑です。見積番号は特急第七号、ｶﾅ品番です。")
    with page.expect_download() as waiting:
        opened.get_by_role("link", name=letters.FILE_NAME).click()
    assert waiting.value.suggested_filename == letters.FILE_NAME
    waiting.value.save_as(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == letters.FILE


def test_the_raw_source_is_the_mail_on_the_server_byte_for_byte(
    page: Page, installation: Installation, reader_letters: dict[str, EmailMessage], tmp_path: Path
) -> None:
    sent = reader_letters["file"]
    open_letter(page, sent["Subject"]).get_by_role("link", name="原文").click()
    expect(page.get_by_role("heading", name="原文")).to_be_visible()
    expect(page.get_by_text(sent["Message-ID"])).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="ダウンロード").click()
    waiting.value.save_as(tmp_path / "raw")
    assert (tmp_path / "raw").read_bytes() == installation.sample.raw(sent["Message-ID"])


def test_html_is_framed_without_rights_and_asks_for_nothing_from_elsewhere(page: Page, complaints: Complaints) -> None:
    opened = open_letter(page, "秋の新商品のご案内")
    frame = opened.locator("iframe")
    rights = set((frame.get_attribute("sandbox") or "allow-everything").split())
    assert not rights & {
        "allow-scripts",
        "allow-same-origin",
        "allow-forms",
        "allow-top-navigation",
        "allow-everything",
    }
    inside = frame.content_frame
    expect(inside.get_by_text("秋の新商品のご案内です。")).to_be_visible()
    logo = inside.get_by_role("img", name="ロゴ")
    expect(logo).to_be_visible()
    expect(logo).to_have_js_property("naturalWidth", 1)
    expect(inside.locator("script, [onclick]")).to_have_count(0)
    expect(opened).to_contain_text("外部の画像")
    assert not [url for url in complaints.requests if "kita-shokai" in url]
    assert [url for url in complaints.requests if "/frame/" in url]

    opened.get_by_role("link", name="文字だけで表示").click()
    expect(page.get_by_role("article")).to_contain_text("秋の新商品のご案内です。")
    expect(page.locator("iframe")).to_have_count(0)


def test_a_name_that_holds_another_address_is_flagged(page: Page) -> None:
    expect(rows(page).filter(has_text="至急お振り込みください")).to_contain_text("nobody@forger.example")
    opened = open_letter(page, "至急お振り込みください")
    expect(opened).to_contain_text("nobody@forger.example")
    expect(opened).to_contain_text("名前とアドレスが違います")
