import pytest
from django.test import Client

from fumibako.accounts.models import Person
from fumibako.linking.models import LinkDraft
from tests.company import PASSWORD
from tests.web.rows import failed_draft, proved_draft
from tests.world import World

LINK = "/settings/mailboxes/link/"
MANUAL = f"{LINK}manual/"


def text(response) -> str:
    return response.content.decode().replace("\u00a0", " ")


def test_the_page_says_which_password_is_meant_and_who_will_read_the_mail(desk: Client) -> None:
    page = text(desk.get(LINK))
    assert "文箱のログインパスワードではありません。" in page
    assert "取り込んだメールは、いまはあなただけが読めます。" in page
    assert 'autocomplete="new-password"' in page and 'inputmode="email"' in page


def test_an_address_in_full_width_letters_begins_a_draft_in_plain_ones(desk: Client) -> None:
    response = desk.post(LINK, {"address": "　ｔａｒｏ＠ｅｘａｍｐｌｅ．ｊｐ ", "password": "secret"})
    draft = LinkDraft.objects.get()
    assert draft.address == "taro@example.jp" and draft.state == "waiting"
    assert response["Location"] == f"{LINK}{draft.public_id}/"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"address": "", "password": "x"}, "メールアドレスを入力してください。"),
        ({"address": "taro", "password": "x"}, "@ がありません"),
        ({"address": "taro@example.jp", "password": ""}, "メールソフトのパスワードを入力してください。"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(
    desk: Client, typed: dict[str, str], said: str
) -> None:
    response = desk.post(LINK, typed)
    page = text(response)
    assert response.status_code == 422 and said in page and 'aria-invalid="true"' in page
    assert f'value="{typed["address"]}"' in page
    assert not LinkDraft.objects.exists()


@pytest.mark.parametrize("path", [LINK, MANUAL])
def test_ones_own_fumibako_password_is_recognized_and_goes_nowhere(desk: Client, path: str) -> None:
    response = desk.post(path, {"address": "taro@example.jp", "password": PASSWORD, "imap_password": PASSWORD})
    assert "これは文箱のログインパスワードです。" in text(response)
    assert PASSWORD not in text(response)
    assert not LinkDraft.objects.exists()


def test_an_address_that_one_has_linked_leads_to_it(desk: Client, world: World) -> None:
    box = world.add_mailbox("taro@example.jp")
    page = text(desk.post(LINK, {"address": "Taro@Example.jp", "password": "secret"}))
    assert "すでに連携しています" in page and f"/settings/mailboxes/#{box.public_id}" in page
    assert not LinkDraft.objects.exists()


def test_a_colleagues_mailbox_is_not_betrayed_before_the_login_is_proved(elsewhere: Client, world: World) -> None:
    world.add_mailbox("taro@example.jp")
    response = elsewhere.post(LINK, {"address": "taro@example.jp", "password": "secret"})
    page = text(elsewhere.get(response["Location"]))
    assert "接続しています" in page and "ほかの方" not in page


def test_the_typed_address_goes_along_to_the_manual_form(desk: Client) -> None:
    page = text(desk.post(MANUAL, {"address": "taro@example.jp", "password": "secret", "from": "link"}))
    assert 'value="taro@example.jp"' in page and "secret" not in page
    assert page.count('value="自動判別"') == 4


def test_the_manual_form_begins_a_draft_with_both_servers(desk: Client) -> None:
    typed = {
        "address": "taro@example.jp",
        "same": "1",
        "imap_username": "kir12345.taro",
        "imap_password": "secret",
        "imap_host": "MSS123.Mail-Host.example",
        "imap_security": "",
        "imap_port": "自動判別",
        "smtp_host": "smtp.mail-host.example",
        "smtp_security": "starttls",
        "smtp_port": "587",
    }
    desk.post(MANUAL, typed)
    draft = LinkDraft.objects.get()
    assert draft.wishes == {
        "imap": {"username": "kir12345.taro", "host": "mss123.mail-host.example"},
        "smtp": {
            "username": "kir12345.taro",
            "host": "smtp.mail-host.example",
            "port": 587,
            "security": "starttls",
        },
    }
    assert draft.manual and draft.smtp_sealed is None


def test_a_password_of_its_own_for_sending_is_kept_apart(desk: Client) -> None:
    typed = {
        "address": "taro@example.jp",
        "imap_password": "one",
        "imap_host": "imap.example.jp",
        "smtp_username": "sender",
        "smtp_password": "two",
        "smtp_host": "smtp.example.jp",
    }
    desk.post(MANUAL, typed)
    draft = LinkDraft.objects.get()
    assert draft.smtp_sealed is not None and draft.wishes["smtp"]["username"] == "sender"


def test_a_port_or_server_that_cannot_be_is_told_at_its_field(desk: Client) -> None:
    typed = {"address": "taro@example.jp", "same": "1", "imap_password": "secret", "imap_host": "imap.example.jp"}
    page = text(desk.post(MANUAL, {**typed, "imap_port": "99999"}))
    assert "ポートは 1 から 65535 までの数字です。" in page and 'value="99999"' in page
    page = text(desk.post(MANUAL, {**typed, "imap_host": "imap example"}))
    assert 'id="imap-host-error" role="alert"' in page and "secret" not in page
    page = text(desk.post(MANUAL, {**typed, "imap_password": ""}))
    assert 'id="imap-password-error" role="alert"' in page
    assert not LinkDraft.objects.exists()


def test_back_from_the_folders_keeps_the_login(desk: Client, member: Person) -> None:
    draft = proved_draft(member)
    path = f"{LINK}{draft.public_id}/login/"
    page = text(desk.get(path))
    assert 'value="taro@example.jp"' in page and 'placeholder="保存済み"' in page
    desk.post(path, {"address": "taro@example.jp", "password": ""})
    draft.refresh_from_db()
    assert draft.state == "proved"
    desk.post(path, {"address": "taro@example.jp", "password": "another"})
    draft.refresh_from_db()
    assert draft.state == "waiting"


def test_the_servers_of_a_failed_draft_are_there_to_be_corrected(desk: Client, member: Person) -> None:
    wishes = {"imap": {"host": "mss12e.example", "port": 993, "username": "taro"}, "smtp": {}}
    draft = failed_draft(member, "wrong_server_name", wishes=wishes)
    path = f"{LINK}{draft.public_id}/servers/"
    page = text(desk.get(path))
    assert 'value="mss12e.example"' in page and 'value="993"' in page and "メールサーバー名が正しくありません。" in page
    desk.post(path, {"address": "taro@example.jp", "same": "1", "imap_password": "x", "imap_host": "mss123.example"})
    draft.refresh_from_db()
    assert draft.wishes["imap"] == {"host": "mss123.example"} and draft.state == "waiting"
