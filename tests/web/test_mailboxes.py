import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fumibako.accounts.models import Person
from fumibako.linking.models import LinkDraft, Mailbox, Pulse
from tests.web.rows import draft_row, failed_draft, letter, store
from tests.world import World

LIST = "/settings/mailboxes/"
SMTP = {"smtp_host": "smtp.example.jp", "smtp_port": 465, "smtp_security": "tls", "smtp_username": "taro@example.jp"}


def text(response) -> str:
    return response.content.decode().replace("\u00a0", " ")


def filled(page: str) -> int:
    return len(re.findall(r'class="btn main', page))


def test_without_a_mailbox_the_page_says_what_linking_does_and_what_to_have_ready(desk: Client) -> None:
    page = text(desk.get(LIST))
    assert "連携しているメールボックスは、まだありません" in page
    assert "取り込んだメールは、いまはあなただけが読めます。" in page
    assert page.count("用意するもの") == 2 and filled(page) == 1


def test_a_linked_mailbox_shows_its_state_its_last_proof_and_its_counts(desk: Client, world: World) -> None:
    box = world.add_mailbox(**SMTP)
    Pulse.objects.create(organization=world.organization, mailbox=box, proved_at=timezone.now() - timedelta(seconds=12))
    inbox, sent = world.add_folder(box), world.add_folder(box, "Sent", "sent")
    for _ in range(2):
        store(box, inbox, letter())
    store(box, sent, letter())
    page = text(desk.get(LIST))
    assert '<span class="chip ok">連携中</span>' in page
    assert re.search(r"1[23] 秒前に確認", page)
    assert "受信 2 通 ・ 送信 1 通" in page and "3 通" in page


def test_a_page_has_one_filled_button_and_it_mends_what_needs_a_person(desk: Client, world: World) -> None:
    world.add_mailbox("live@example.jp", **SMTP)
    assert re.search(r'btn main" href="/settings/mailboxes/link/"', text(desk.get(LIST)))
    first = world.add_mailbox("a@example.jp", state="needs_attention", cause="wrong_credentials")
    world.add_mailbox("b@example.jp", state="needs_attention", cause="imap_disabled")
    page = text(desk.get(LIST))
    assert filled(page) == 1
    assert (
        f'class="btn main" id="{first.public_id}-mend" href="/settings/mailboxes/{first.public_id}/password/"' in page
    )
    assert page.index("a@example.jp") < page.index("b@example.jp") < page.index("live@example.jp")


def test_a_failing_mailbox_stays_listed_with_its_cause_and_the_servers_words(desk: Client, world: World) -> None:
    box = world.add_mailbox(
        state="needs_attention", cause="wrong_credentials", server_words="NO [AUTHENTICATIONFAILED] <no>"
    )
    page = text(desk.get(LIST))
    assert '<span class="chip act">要対応</span>' in page
    assert "NO [AUTHENTICATIONFAILED] &lt;no&gt;" in page
    assert f"/settings/mailboxes/{box.public_id}/password/" in page
    assert f"/settings/mailboxes/{box.public_id}/unlink/" in page


@pytest.mark.parametrize(
    ("values", "word", "more"),
    [
        ({"state": "linking"}, "接続中", "数秒で"),
        ({"state": "importing"}, "取り込み中", "届いたメールから順にお読みいただけます"),
        ({"state": "live"}, "受信のみ連携中", "送信の設定を確認"),
        ({"state": "retrying", "cause": "server_unreachable"}, "再接続待ち", "今すぐ試す"),
    ],
)
def test_every_state_has_its_word_and_its_way_on(
    desk: Client, world: World, values: dict[str, str], word: str, more: str
) -> None:
    world.add_mailbox(**values)
    page = text(desk.get(LIST))
    assert f"{word}</span>" in page and more in page and "メールボックスを連携解除" in page


def test_a_waiting_mailbox_says_when_it_tries_next_and_offers_the_password_where_that_was_refused(
    desk: Client, world: World
) -> None:
    at = timezone.localtime() + timedelta(minutes=15)
    box = world.add_mailbox(state="retrying", cause="wrong_credentials", next_try_at=at)
    page = text(desk.get(LIST))
    assert f"次は {at.hour}:{at.minute:02}" in page
    assert f"/settings/mailboxes/{box.public_id}/password/" in page


def test_what_was_mended_on_the_server_is_tried_again_by_a_press(desk: Client, world: World) -> None:
    box = world.add_mailbox(state="needs_attention", cause="imap_disabled")
    page = text(desk.get(LIST))
    assert f'id="{box.public_id}-mend">もう一度試す</button>' in page
    assert "接続中</span>" in text(desk.post(f"{LIST}{box.public_id}/try/", follow=True))


def test_progress_is_told_in_mails_and_asked_for_again(desk: Client, world: World) -> None:
    box = world.add_mailbox(state="importing")
    folder = world.add_folder(box, uidvalidity=1, to_import=12526)
    store(box, folder, letter())
    page = text(desk.get(LIST))
    assert '<progress value="1" max="12526"' in page and "1 / 12,526 通" in page
    assert 'hx-trigger="changed from:body, every 2s"' in page


def test_the_sent_copy_is_saved_at_once_and_by_a_button_without_javascript(desk: Client, world: World) -> None:
    box = world.add_mailbox(**SMTP)
    page = text(desk.get(LIST))
    assert "文箱から送信されたメールのコピーをメールサーバーに保存します。" in page
    assert "文箱からの送信を始めると働きます。" in page
    assert '<noscript><button class="btn">保存</button></noscript>' in page
    page = text(desk.post(f"{LIST}{box.public_id}/sent-copy/", {"sent_copy": "on"}, follow=True))
    assert re.search(r'value="on" checked', page)
    box.refresh_from_db()
    assert box.sent_copy == "on"
    desk.post(f"{LIST}{box.public_id}/sent-copy/", {"sent_copy": "sometimes"})
    box.refresh_from_db()
    assert box.sent_copy == "on"


def test_what_the_last_comparison_found_is_a_sum_that_comes_to_nothing_missing(desk: Client, world: World) -> None:
    box = world.add_mailbox(**SMTP)
    at = timezone.localtime().replace(hour=0, minute=0)
    proof = {"on_server": 9, "stored": 5, "skipped": {"before_range": 3, "not_given": 1}, "waiting": 0, "missing": 0}
    world.add_folder(box, proved_at=at, proof=proof)
    world.add_folder(box, "Sent", "sent", proved_at=timezone.now(), proof={"on_server": 2, "stored": 2, "skipped": {}})
    world.add_folder(box, "Old", "other", chosen=False, proved_at=at, proof={"on_server": 50, "missing": 50})
    page = text(desk.get(LIST))
    assert "取りこぼし 0 ・ 今日 0:00 に照合" in page
    assert "サーバー上 11 通 = 取り込み済み 7 通 ＋ 対象外 4 通" in page
    world.add_folder(box, "Closed", "other", proof={"refused": "NO"})
    assert "サーバーで開けないフォルダがあります ・ 今日 0:00 に照合" in text(desk.get(LIST))


MISSING = {"on_server": 9, "stored": 4, "skipped": {}, "waiting": 3, "missing": 2}
SUM = "サーバー上 9 通 = 取り込み済み 4 通 ＋ 対象外 0 通 ＋ 取り込み待ち 3 通 ＋ 取りこぼし 2 通"


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ({}, ["まだ照合していません"]),
        ({"proof": {"refused": "NO"}}, ["まだ照合していません"]),
        ({"proof": MISSING}, ["取りこぼし 2 通（自動で取り込みます）", SUM]),
    ],
)
def test_a_comparison_says_what_is_missing_on_its_way_and_not_compared_yet(
    desk: Client, world: World, folder: dict[str, object], words: list[str]
) -> None:
    world.add_folder(world.add_mailbox(**SMTP), **({**folder, "proved_at": timezone.now()} if folder else {}))
    page = text(desk.get(LIST))
    assert all(word in page for word in words), page


def test_a_press_asks_the_worker_to_compare_a_mailbox_that_is_connected(desk: Client, world: World) -> None:
    live, waiting = world.add_mailbox(**SMTP), world.add_mailbox("b@example.jp", state="retrying")
    page = text(desk.get(LIST))
    assert f'id="{live.public_id}-compare">サーバーと照合する</button>' in page
    assert f"{waiting.public_id}/compare/" not in page
    with CaptureQueriesContext(connection) as asked:
        page = text(desk.post(f"{LIST}{live.public_id}/compare/", follow=True))
    assert "照合を始めました。" in page
    assert any("fumibako_work" in query["sql"] and f"prove:{live.pk}" in query["sql"] for query in asked)
    page = text(desk.post(f"{LIST}{waiting.public_id}/compare/", follow=True))
    assert "いまメールサーバーに接続していません" in page


def test_another_address_of_a_mailbox_is_added_and_removed(desk: Client, world: World) -> None:
    box = world.add_mailbox(**SMTP)
    page = text(desk.post(f"{LIST}{box.public_id}/aliases/add/", {"address": "info＠example.jp"}, follow=True))
    assert "アドレスを加えました。" in page and "info@example.jp" in page
    page = text(desk.post(f"{LIST}{box.public_id}/aliases/add/", {"address": "info"}, follow=True))
    assert "@ がありません" in page
    page = text(desk.post(f"{LIST}{box.public_id}/aliases/remove/", {"address": "info@example.jp"}, follow=True))
    assert "info@example.jp" not in page


def test_unlinked_mailboxes_stand_at_the_foot_with_what_stays(desk: Client, world: World) -> None:
    box = world.add_mailbox(state="unlinked", unlinked_at=timezone.now())
    store(box, world.add_folder(box), letter())
    page = text(desk.get(LIST))
    assert "連携を解除したメールボックス" in page and "取り込み済みの 1 通は残っています" in page
    assert f'href="/settings/mailboxes/{box.public_id}/again/"' in page


def test_unfinished_and_failed_links_are_listed_until_taken_up(desk: Client, member: Person) -> None:
    open_one = draft_row(member, "a@example.jp", state="proving")
    failed = failed_draft(member, "imap_disabled", address="b@example.jp")
    page = text(desk.get(LIST))
    assert "続きあり" in page and f'href="/settings/mailboxes/link/{open_one.public_id}/"' in page
    assert "連携できませんでした" in page and "パスワードは保存していません。" in page
    assert f'href="/settings/mailboxes/link/{failed.public_id}/unlink/"' in page
    desk.post(f"{LIST}link/{open_one.public_id}/stop/")
    assert not LinkDraft.objects.filter(pk=open_one.pk).exists()


def test_a_colleague_neither_sees_nor_changes_a_mailbox(elsewhere: Client, world: World, member: Person) -> None:
    box = world.add_mailbox("taro@example.jp", state="retrying", **SMTP)
    draft = failed_draft(member, "imap_disabled", address="b@example.jp")
    page = text(elsewhere.get(LIST))
    assert "taro@example.jp" not in page and "b@example.jp" not in page
    for name in ("password", "again", "connection", "folders", "unlink", "linked"):
        assert elsewhere.get(f"{LIST}{box.public_id}/{name}/").status_code == 404
    for name in ("sent-copy", "aliases/add", "aliases/remove", "try", "compare", "unlink", "password"):
        values = {"sent_copy": "off", "address": "x@example.jp", "password": "something"}
        assert elsewhere.post(f"{LIST}{box.public_id}/{name}/", values).status_code == 404
    for name in ("", "login/", "servers/", "unlink/", "folders/"):
        assert elsewhere.get(f"{LIST}link/{draft.public_id}/{name}").status_code == 404
    for name in ("consent", "again", "stop", "unlink"):
        assert elsewhere.post(f"{LIST}link/{draft.public_id}/{name}/", {"password": "x"}).status_code == 404
    assert Mailbox.objects.get().state == "retrying" and LinkDraft.objects.filter(pk=draft.pk).exists()


def test_a_part_asked_for_again_takes_no_message_from_the_page(desk: Client, world: World) -> None:
    box = world.add_mailbox(state="retrying", cause="server_unreachable")
    desk.post(f"{LIST}{box.public_id}/try/")
    assert "接続を試しています。" not in text(desk.get(LIST, headers={"hx-request": "true"}))
    assert "接続を試しています。" in text(desk.get(LIST))


def test_the_page_speaks_english_to_who_wants_it(desk: Client, world: World, member: Person) -> None:
    member.language = "en"
    member.save()
    world.add_mailbox(state="needs_attention", cause="imap_disabled")
    page = text(desk.get(LIST))
    assert "Needs attention" in page and "IMAP is switched off for this mailbox at the provider." in page
    assert not re.search(r"[ぁ-ん]", page)
