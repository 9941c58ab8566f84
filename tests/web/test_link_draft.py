import re

from django.test import Client

from fumibako.accounts.models import Person
from fumibako.linking import seal_secret
from fumibako.linking.models import LinkDraft
from tests.company import PASSWORD
from tests.web.rows import draft_row, failed_draft, proved_draft, stage
from tests.world import World

LINK = "/settings/mailboxes/link/"


def text(response) -> str:
    return response.content.decode().replace("\u00a0", " ")


def test_stages_are_shown_as_they_come_in_words_too(desk: Client, member: Person) -> None:
    draft = draft_row(member, state="waiting")
    page = text(desk.get(f"{LINK}{draft.public_id}/"))
    assert re.search(r'class="now"><span class="vh">確認中</span>メールサーバーを探す', page)
    LinkDraft.objects.filter(pk=draft.pk).update(
        state="proving", stages=[stage("discover", found="sakura"), stage("connect", "now")]
    )
    page = text(desk.get(f"{LINK}{draft.public_id}/"))
    assert "さくら" in page
    assert re.search(r'class="done"><span class="vh">完了</span>メールサーバーを探す', page)
    assert re.search(r'class="now"><span class="vh">確認中</span>安全に接続する', page)
    assert page.index("ログインする") < page.index("フォルダを確認する") < page.index("送信サーバーを確認する")


def test_without_javascript_the_stages_are_loaded_again(desk: Client, member: Person) -> None:
    page = text(desk.get(f"{LINK}{draft_row(member).public_id}/"))
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page


def test_a_failure_shows_cause_steps_record_and_the_servers_words(desk: Client, member: Person) -> None:
    words = "NO [AUTHORIZATIONFAILED] IMAP access is disabled for this account"
    stages = [stage("discover", found="imap.example.jp"), stage("connect"), stage("login", "failed")]
    draft = failed_draft(member, "imap_disabled", words=words, stages=stages)
    page = text(desk.get(f"{LINK}{draft.public_id}/"))
    assert "<h1>このメールサービスで IMAP が有効になっていません</h1>" in page
    assert '<ol class="count"><li>' in page and words in page and "imap_disabled" in page
    assert f"{LINK}errors/#imap_disabled" in page
    assert f"{LINK}{draft.public_id}/servers/" in page
    assert len(re.findall(r'class="btn main', page)) == 1


def test_another_password_is_tried_at_once(desk: Client, member: Person) -> None:
    draft = failed_draft(member, "wrong_credentials")
    path = f"{LINK}{draft.public_id}/"
    assert "メールソフトのパスワードを入力してください。" in text(desk.post(f"{path}again/", {"password": ""}))
    page = text(desk.post(f"{path}again/", {"password": PASSWORD}))
    assert "これは文箱のログインパスワードです。" in page and PASSWORD not in page
    assert LinkDraft.objects.get().state == "failed"
    assert desk.post(f"{path}again/", {"password": "right"})["Location"] == path
    assert LinkDraft.objects.get().state == "waiting"


def test_a_misspelt_address_is_mended_in_place_and_leaves_no_failed_link_behind(desk: Client, member: Person) -> None:
    draft = failed_draft(member, "domain_unknown")
    path = f"{LINK}{draft.public_id}/login/"
    assert f'href="{path}"' in text(desk.get(f"{LINK}{draft.public_id}/"))
    assert draft.address in text(desk.get(path))
    mended = {"address": "taro@right.example", "password": "a mail password"}
    assert desk.post(path, mended)["Location"].startswith(LINK)
    assert list(LinkDraft.objects.values_list("address", "state")) == [("taro@right.example", "waiting")]


def test_a_foreign_server_is_shown_and_trusted_only_after_the_click(desk: Client, member: Person) -> None:
    draft = failed_draft(member, "server_needs_consent", state="consent", proposed=["sv1.example.net"])
    draft.imap_sealed = seal_secret("secret", owner=draft.public_id, service="imap")
    draft.save()
    path = f"{LINK}{draft.public_id}/"
    assert "sv1.example.net にパスワードを送ります" in text(desk.get(path))
    draft.refresh_from_db()
    assert draft.trusted == []
    desk.post(f"{path}consent/", {"name": ["sv1.example.net", "evil.example"]})
    draft.refresh_from_db()
    assert draft.trusted == ["sv1.example.net"] and draft.state == "waiting"


def test_a_colleague_is_told_of_only_where_the_login_was_proved(desk: Client, member: Person) -> None:
    draft = draft_row(member, state="colleague")
    page = text(desk.get(f"{LINK}{draft.public_id}/"))
    assert "すでに社内のほかの方が連携しています" in page and "共有" not in page
    desk.post(f"{LINK}{draft.public_id}/stop/")
    assert not LinkDraft.objects.exists()


def test_a_failed_link_is_unlinked_after_a_question(desk: Client, member: Person) -> None:
    draft = failed_draft(member, "imap_disabled")
    path = f"{LINK}{draft.public_id}/unlink/"
    page = text(desk.get(path))
    assert "取り込んだメールは 0 通で" in page and ">確認する</button>" in page
    assert LinkDraft.objects.exists()
    assert "taro@example.jp の連携を解除しました。" in text(desk.post(path, follow=True))
    assert not LinkDraft.objects.exists()


def test_a_proved_draft_goes_on_to_its_folders_and_a_done_one_to_its_mailbox(
    desk: Client, member: Person, world: World
) -> None:
    draft = proved_draft(member)
    assert desk.get(f"{LINK}{draft.public_id}/")["Location"] == f"{LINK}{draft.public_id}/folders/"
    box = world.add_mailbox()
    LinkDraft.objects.update(state="done", mailbox=box)
    assert desk.get(f"{LINK}{draft.public_id}/")["Location"] == f"/settings/mailboxes/{box.public_id}/linked/"


def test_changed_settings_that_work_are_told_on_the_list(desk: Client, member: Person, world: World) -> None:
    draft = draft_row(member, state="done", purpose="password", mailbox=world.add_mailbox())
    page = text(desk.get(f"{LINK}{draft.public_id}/", follow=True))
    assert "taro@example.jp の新しい設定を確認し、保存しました。" in page


def test_a_new_password_that_fails_leaves_everything_and_says_so(desk: Client, member: Person, world: World) -> None:
    box = world.add_mailbox(secret="old")
    draft = failed_draft(member, "wrong_credentials", purpose="password", mailbox=box)
    page = text(desk.get(f"{LINK}{draft.public_id}/"))
    assert "何も変更していません。" in page and f"/settings/mailboxes/{box.public_id}/connection/" in page
    assert f"{LINK}{draft.public_id}/unlink/" not in page
    assert "続きあり" not in text(desk.get("/settings/mailboxes/"))
