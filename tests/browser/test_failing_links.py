"""Links that fail, in a browser: each says what is wrong and what helps, in both languages, and keeps no password."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.installation import NO_SUCH_DOMAIN, Installation
from tests.browser.people import Newcomer
from tests.browser.wizard import begin_link, sheet
from tests.browser.words import LANGUAGES, Words
from tests.lab.ports import free_port

SECRET = "wrong-7f3a-secret"

WRONG_LOGIN = {
    "ja": "メールアドレス（ユーザーネーム）かパスワードが違います",
    "en": "The user name or the password is wrong",
}
NO_DOMAIN = {
    "ja": "アドレスの @ より後ろのドメインが見つかりません",
    "en": "The domain after the @ cannot be found",
}
WRONG_SERVER = {"ja": "メールサーバー名が正しくありません", "en": "The mail server name is not right"}
REFUSED = {
    "ja": "サーバーはありますが、そのポートでは受け付けていません",
    "en": "The server exists but does not accept connections on this port",
}
NO_ADDRESS = {"ja": "メールアドレスを入力してください。", "en": "Enter the mail address."}
HALF_ADDRESS = {
    "ja": "@ より後ろがドメイン名の形になっていません（例: example.co.jp）。",
    "en": "What stands after the @ is not a domain name (such as example.co.jp).",
}
NO_PASSWORD = {
    "ja": "メールソフトのパスワードを入力してください。",
    "en": "Enter the password of your mail program.",
}


@dataclass(frozen=True)
class Try:
    """Somebody at the list of linked mailboxes, who is going to link one."""

    person: Newcomer
    page: Page
    say: Words


@pytest.fixture(scope="module")
def people(newcomer: Callable[..., Newcomer]) -> dict[str, Newcomer]:
    """Somebody for each language."""
    return {language: newcomer(language) for language in LANGUAGES}


@pytest.fixture(params=list(LANGUAGES))
def attempt(
    request: pytest.FixtureRequest, people: dict[str, Newcomer], new_context: Callable[..., BrowserContext]
) -> Try:
    """One try in one of the languages."""
    person = people[request.param]
    page = new_context(storage_state=person.state).new_page()
    page.goto("/")
    return Try(person, page, LANGUAGES[request.param])


def expect_no_password(page: Page, label: str, secret: str = SECRET) -> None:
    """The page has the field for a password, and the password nowhere."""
    expect(page.get_by_label(label, exact=True).first).to_have_value("")
    assert secret not in page.content()


def open_manual(page: Page, say: Words, address: str) -> None:
    """The form with both servers, filled but for the server's name and port."""
    page.get_by_role("link", name=say.link_mailbox).click()
    page.get_by_label(say.address).fill(address)
    page.get_by_role("button", name=say.by_hand).click()
    expect(page.get_by_label(say.address)).to_have_value(address)
    receiving = page.get_by_role("group", name=say.servers)
    receiving.get_by_label(say.user_name).fill(address)
    receiving.get_by_label(say.password, exact=True).fill(SECRET)


def test_a_wrong_password_is_told_as_such(attempt: Try, installation: Installation) -> None:
    page, say = attempt.page, attempt.say
    begin_link(page, installation.sample.address, SECRET, say)
    expect(page.get_by_role("heading", name=WRONG_LOGIN[say.language])).to_be_visible()
    expect(page.get_by_role("list").nth(1).get_by_role("listitem")).not_to_have_count(0)
    expect(page.get_by_text(installation.sample.address).first).to_be_visible()
    expect_no_password(page, say.password)


def test_an_unknown_domain_is_told_as_such_and_no_server_is_made_up(attempt: Try) -> None:
    page, say = attempt.page, attempt.say
    begin_link(page, f"taro@{NO_SUCH_DOMAIN}", SECRET, say)
    expect(page.get_by_role("heading", name=NO_DOMAIN[say.language])).to_be_visible()
    assert f".{NO_SUCH_DOMAIN}" not in page.content()
    expect_no_password(page, say.password)
    page.get_by_role("link", name=say.by_hand).first.click()
    for server in (say.servers, say.smtp_servers):
        expect(page.get_by_role("group", name=server).get_by_label(say.server_name)).to_have_value("")


def test_what_is_missing_is_told_at_its_field_and_the_address_stays(attempt: Try) -> None:
    page, say = attempt.page, attempt.say
    page.get_by_role("link", name=say.link_mailbox).click()
    for address, secret, wrong, words in (
        ("", SECRET, say.address, NO_ADDRESS),
        ("taro＠", SECRET, say.address, HALF_ADDRESS),
        ("taro@sample-shoji.example", "", say.password, NO_PASSWORD),
    ):
        page.get_by_label(say.address).fill(address)
        page.get_by_label(say.password, exact=True).fill(secret)
        page.get_by_role("button", name=say.next).click()
        expect(page.get_by_role("alert")).to_have_text(words[say.language])
        expect(page.get_by_role("textbox", name=wrong)).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label(say.address)).to_have_value(address)
        expect_no_password(page, say.password)


def test_the_password_of_the_pages_is_never_sent_to_a_mail_server(attempt: Try, installation: Installation) -> None:
    page, say = attempt.page, attempt.say
    begin_link(page, installation.sample.address, attempt.person.password, say)
    expect(page.get_by_role("alert")).to_contain_text(say.own_password)
    expect(page.get_by_label(say.address)).to_have_value(installation.sample.address)
    expect_no_password(page, say.password, attempt.person.password)


def test_an_address_in_full_width_letters_is_converted(attempt: Try, installation: Installation) -> None:
    page, say = attempt.page, attempt.say
    begin_link(
        page, "ｔａｒｏ．ｙａｍａｄａ＠ｓａｍｐｌｅ－ｓｈｏｊｉ．ｅｘａｍｐｌｅ", installation.sample.password, say
    )
    expect(page.get_by_role("heading", name=say.folders_title)).to_be_visible()
    page.get_by_role("button", name=say.cancel).click()
    expect(page.get_by_role("heading", name=say.mailboxes)).to_be_visible()


def test_a_server_that_does_not_exist_and_one_that_does_not_answer_are_told_apart(attempt: Try) -> None:
    page, say = attempt.page, attempt.say
    open_manual(page, say, "hanako@sample-shoji.example")
    receiving = page.get_by_role("group", name=say.servers)
    receiving.get_by_label(say.server_name).fill(f"imap.{NO_SUCH_DOMAIN}")
    page.get_by_role("button", name=say.save).click()
    expect(page.get_by_role("heading", name=WRONG_SERVER[say.language])).to_be_visible()
    expect_no_password(page, say.password)

    page.get_by_role("link", name=say.by_hand).first.click()
    expect(receiving.get_by_label(say.server_name)).to_have_value(f"imap.{NO_SUCH_DOMAIN}")
    expect_no_password(page, say.password)
    receiving.get_by_label(say.password, exact=True).fill(SECRET)
    receiving.get_by_label(say.server_name).fill("127.0.0.1")
    receiving.get_by_label(say.port).fill(str(free_port()))
    page.get_by_role("button", name=say.save).click()
    expect(page.get_by_role("heading", name=REFUSED[say.language])).to_be_visible()
    expect_no_password(page, say.password)


def test_a_failed_link_stays_listed_until_it_is_unlinked(attempt: Try) -> None:
    page, say, address = attempt.page, attempt.say, f"saburo@{NO_SUCH_DOMAIN}"
    begin_link(page, address, SECRET, say)
    page.get_by_role("link", name=say.later).click()
    failed = sheet(page, address)
    expect(failed).to_contain_text(say.could_not_link)
    expect(failed).to_contain_text(NO_DOMAIN[say.language])
    page.reload()
    failed.get_by_role("link", name=say.go_on).click()
    expect(page.get_by_role("button", name=say.try_again)).to_be_visible()
    expect_no_password(page, say.password)
    page.get_by_role("link", name=say.later).click()

    failed.get_by_role("link", name=say.unlink_mailbox).click()
    expect(page.get_by_role("dialog")).to_contain_text(address)
    page.get_by_role("dialog").get_by_role("button", name=say.confirm).click()
    expect(page.get_by_role("status")).to_contain_text(address)
    expect(failed).to_have_count(0)
