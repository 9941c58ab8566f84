import re

from django.test import Client
from django.utils import timezone

from fumibako.linking import open_secret
from fumibako.linking.models import Folder, LinkDraft, Mailbox, MailboxSecret
from tests.company import PASSWORD
from tests.web.rows import letter, store
from tests.world import World

SMTP = {"smtp_host": "smtp.example.jp", "smtp_port": 465, "smtp_security": "tls", "smtp_username": "taro@example.jp"}


def text(response) -> str:
    return response.content.decode().replace("\u00a0", " ")


def path(box: Mailbox, name: str) -> str:
    return f"/settings/mailboxes/{box.public_id}/{name}/"


def sealed(draft: LinkDraft, service: str) -> str:
    return open_secret(getattr(draft, f"{service}_sealed"), owner=draft.public_id, service=service)


def test_a_new_password_is_proved_before_anything_is_changed(desk: Client, world: World) -> None:
    box = world.add_mailbox(secret="old", **SMTP)
    folder = world.add_folder(box)
    assert "フォルダの選択と取り込み済みのメールは、そのままです。" in text(desk.get(path(box, "password")))
    response = desk.post(path(box, "password"), {"password": "new"})
    draft = LinkDraft.objects.get()
    assert response["Location"] == f"/settings/mailboxes/link/{draft.public_id}/"
    assert (draft.purpose, sealed(draft, "imap")) == ("password", "new")
    stored = MailboxSecret.objects.get(mailbox=box, service="imap")
    assert open_secret(stored.sealed, owner=box.public_id, service="imap") == "old"
    folder.refresh_from_db()
    assert folder.chosen


def test_the_password_page_is_named_by_what_it_asks(desk: Client, world: World) -> None:
    assert "<title>パスワードを変更" in text(desk.get(path(world.add_mailbox("a@example.jp"), "password")))
    failing = world.add_mailbox("b@example.jp", state="needs_attention", cause="wrong_credentials")
    assert "<title>パスワードを再入力" in text(desk.get(path(failing, "password")))


def test_ones_own_fumibako_password_is_recognized_here_too(desk: Client, world: World) -> None:
    box = world.add_mailbox(secret="old", **SMTP)
    for name, field in (("password", "password"), ("connection", "imap_password")):
        page = text(desk.post(path(box, name), {field: PASSWORD, "imap_host": "imap.example.jp", "same": "1"}))
        assert "これは文箱のログインパスワードです。" in page
    assert not LinkDraft.objects.exists()


def test_another_port_is_proved_with_the_stored_password(desk: Client, world: World) -> None:
    box = world.add_mailbox(secret="stored", **SMTP)
    page = text(desk.get(path(box, "connection")))
    assert 'value="993"' in page and 'placeholder="保存済み"' in page and "stored" not in page
    typed = {"same": "1", "imap_username": "taro@example.jp", "imap_host": "imap.example.jp", "imap_port": "143"}
    desk.post(path(box, "connection"), {**typed, "imap_security": "starttls"})
    draft = LinkDraft.objects.get()
    assert (draft.purpose, sealed(draft, "imap"), draft.wishes["imap"]["port"]) == ("settings", "stored", 143)
    box.refresh_from_db()
    assert box.imap_port == 993


def test_a_password_typed_for_both_servers_is_used_for_both(desk: Client, world: World) -> None:
    box = world.add_mailbox(secret="stored", **SMTP)
    typed = {"same": "1", "imap_username": "taro@example.jp", "imap_host": "imap.example.jp", "imap_password": "new"}
    desk.post(path(box, "connection"), typed)
    draft = LinkDraft.objects.get()
    assert (sealed(draft, "imap"), sealed(draft, "smtp")) == ("new", "new")


def test_a_changed_folder_choice_tells_its_consequences_before_it_is_saved(desk: Client, world: World) -> None:
    box = world.add_mailbox(**SMTP)
    inbox = world.add_folder(box, messages=100)
    project = world.add_folder(box, "案件/東京商事", "other", messages=412, uidvalidity=1)
    world.add_folder(box, "案件/みなと工業", "other", messages=7, chosen=False)
    store(box, project, letter())
    page = text(desk.get(path(box, "folders")))
    keys = dict(re.findall(r'name="folder" value="([^"]*)"[^>]*>([^<]*)<', page))
    keys = {name: key for key, name in keys.items()}
    typed = {"inbox": re.search(r'value="([^"]*)" selected>受信トレイ', page)[1], "sent": "", "range": "3m"}
    typed["folder"] = [keys["案件/みなと工業"]]
    page = text(desk.post(path(box, "folders"), {**typed, "show": "1"}))
    assert "「案件/東京商事」の取り込みを止めます。取り込み済みの 1 通は残ります。" in page
    assert "「案件/みなと工業」を取り込みます。" in page
    assert "期間を直近 3 か月にします。取り込み済みのメールは減りません。" in page
    assert Folder.objects.get(pk=project.pk).chosen
    desk.post(path(box, "folders"), typed)
    chosen = set(Folder.objects.filter(mailbox=box, chosen=True).values_list("name", flat=True))
    assert chosen == {inbox.name, "案件/みなと工業"}


def test_unlinking_says_what_stays_and_how_much_it_is(desk: Client, world: World) -> None:
    box = world.add_mailbox(secret="stored", **SMTP)
    inbox, sent = world.add_folder(box), world.add_folder(box, "Sent", "sent")
    mail = letter()
    mail.add_attachment(b"x", maintype="application", subtype="pdf", filename="見積.pdf")
    store(box, inbox, mail)
    store(box, sent, letter())
    page = text(desk.get(path(box, "unlink")))
    assert "2 通（受信 1 ・ 送信 1）" in page and "1 件" in page
    assert "取り込み済みのメールは削除されず、文箱に残ります。" in page and ">解除する</button>" in page
    assert MailboxSecret.objects.exists()
    page = text(desk.post(path(box, "unlink"), follow=True))
    assert "<b>taro@example.jp の連携を解除しました。</b>取り込み済みの 2 通は残っています。" in page
    assert "連携を解除したメールボックス" in page
    assert not MailboxSecret.objects.exists()
    assert text(desk.get("/mail/")).count('class="subj"') == 1


def test_one_mailbox_after_another_is_unlinked(desk: Client, world: World) -> None:
    for address in ("a@example.jp", "b@example.jp"):
        desk.post(path(world.add_mailbox(address), "unlink"))
    assert set(Mailbox.objects.values_list("state", flat=True)) == {"unlinked"}


def test_linking_again_asks_the_password_and_takes_up_the_known_servers(desk: Client, world: World) -> None:
    box = world.add_mailbox(state="unlinked", unlinked_at=timezone.now(), host="imap.example.jp", **SMTP)
    page = text(desk.get(path(box, "again")))
    assert "同じメールが二重になることはありません。" in page and "taro@example.jp" in page
    desk.post(path(box, "again"), {"password": "secret"})
    draft = LinkDraft.objects.get()
    assert draft.purpose == "link" and draft.wishes["imap"]["host"] == "imap.example.jp"


def test_pages_of_an_unlinked_mailbox_lead_to_linking_it_again(desk: Client, world: World) -> None:
    box = world.add_mailbox(state="unlinked", unlinked_at=timezone.now())
    for name in ("password", "connection", "folders"):
        assert desk.get(path(box, name))["Location"] == path(box, "again")
    assert desk.get(path(box, "unlink"))["Location"] == "/settings/mailboxes/"


def test_an_inbox_that_was_not_chosen_is_not_brought_in_by_saving_the_page_as_it_stands(
    desk: Client, world: World
) -> None:
    box = world.add_mailbox()
    world.add_folder(box, chosen=False)
    project = world.add_folder(box, "Project", "other")
    page = text(desk.get(path(box, "folders")))
    assert '<option value="" selected>受信フォルダなし</option>' in page
    selected = dict(re.findall(r'<select name="(inbox|sent|range)".*?<option value="([^"]*)" selected>', page))
    desk.post(path(box, "folders"), {**selected, "folder": re.findall(r'value="([^"]*)" checked', page)})
    chosen = Folder.objects.filter(mailbox=box, chosen=True)
    assert [folder.pk for folder in chosen] == [project.pk]
