import re

from django.test import Client

from fumibako.accounts.models import Person
from fumibako.linking.models import Folder, LinkDraft, Mailbox
from tests.web.rows import failed_draft, found, key, proved_draft
from tests.world import World

INBOX = found("INBOX", "inbox", (100, 400, 8412))
SENT = found("送信済みアイテム", "sent", (30, 90, 3190))
OLD_SENT = found("Sent Messages", "sent", (2, 5, 512), newest="2024-03-05")
PARENT = found("案件", selectable=False, messages=None, counts={})
PROJECT = found("案件/東京商事", mails=(1, 12, 412), size=88_000_000)
JUNK = found("迷惑メール", "junk", (4, 9, 92))
ALL = (INBOX, SENT, OLD_SENT, PARENT, PROJECT, JUNK)


def text(response) -> str:
    return response.content.decode().replace("\u00a0", " ")


def path(draft: LinkDraft) -> str:
    return f"/settings/mailboxes/link/{draft.public_id}/folders/"


def test_the_usual_folders_are_chosen_with_their_counts_for_the_companys_range(desk: Client, member: Person) -> None:
    page = text(desk.get(path(proved_draft(member, *ALL))))
    assert f'<option value="{key("送信済みアイテム")}" selected>送信済みアイテム（90 通）</option>' in page
    assert f'<option value="{key("INBOX")}" selected>受信トレイ（400 通）</option>' in page
    assert re.search(rf'value="{key("Sent Messages")}" checked.*「Sent Messages」も送信フォルダとして取り込む', page)
    assert "5 通、最新は2024年3月5日" in page
    assert '<option value="1y" selected>直近 1 年（会社の既定）</option>' in page
    assert "選択中 495 通（直近 1 年）" in page


def test_another_range_or_folder_changes_the_counts_and_saves_nothing(desk: Client, member: Person) -> None:
    draft = proved_draft(member, *ALL)
    typed = {"sent": key("送信済みアイテム"), "inbox": key("INBOX"), "folder": [key("案件/東京商事")], "range": "all"}
    page = text(desk.post(path(draft), {**typed, "show": "1"}))
    assert "選択中 12,014 通（すべて）" in page and "受信トレイ（8,412 通）" in page
    assert not Mailbox.objects.exists()


def test_a_folder_that_only_holds_folders_is_a_parent_and_no_choice(desk: Client, member: Person) -> None:
    page = text(desk.get(path(proved_draft(member, *ALL))))
    assert "中はフォルダのみ" in page
    assert f'value="{key("案件")}"' not in page


def test_junk_is_left_out_unless_chosen_by_hand(desk: Client, member: Person) -> None:
    page = text(desk.get(path(proved_draft(member, *ALL))))
    assert f'name="folder" value="{key("迷惑メール")}">' in page


def test_next_links_the_mailbox_with_exactly_what_was_chosen(desk: Client, member: Person) -> None:
    draft = proved_draft(member, *ALL)
    typed = {"sent": key("Sent Messages"), "inbox": key("INBOX"), "folder": [key("案件/東京商事")], "range": "3m"}
    response = desk.post(path(draft), typed)
    box = Mailbox.objects.get()
    assert response["Location"] == f"/settings/mailboxes/{box.public_id}/linked/"
    chosen = set(Folder.objects.filter(mailbox=box, chosen=True).values_list("name", flat=True))
    assert chosen == {"Sent Messages", "INBOX", "案件/東京商事"} and box.range == "3m"


def test_a_mailbox_without_sent_folder_can_be_linked(desk: Client, member: Person) -> None:
    draft = proved_draft(member, INBOX)
    page = text(desk.get(path(draft)))
    assert '<option value="" selected>送信フォルダなし</option>' in page
    assert "文箱がフォルダを作ることもありません。" in page
    desk.post(path(draft), {"sent": "", "inbox": key("INBOX"), "range": "1y"})
    assert Folder.objects.get(chosen=True).name == "INBOX"


def test_no_folder_at_all_is_told(desk: Client, member: Person) -> None:
    draft = proved_draft(member, INBOX)
    response = desk.post(path(draft), {"sent": "", "inbox": "", "range": "1y"})
    assert response.status_code == 422 and "フォルダを 1 つ以上選んでください。" in text(response)
    assert not Mailbox.objects.exists()


def test_a_sending_server_that_does_not_work_is_told_and_stops_nothing(desk: Client, member: Person) -> None:
    failure = failed_draft(member, "smtp_auth_disabled", address="other@example.jp").failure
    draft = proved_draft(member, INBOX, proven={"smtp": None, "smtp_failure": failure})
    assert "受信の準備はできました。" in text(desk.get(path(draft)))
    desk.post(path(draft), {"sent": "", "inbox": key("INBOX"), "range": "1y"})
    assert Mailbox.objects.get().smtp_cause == "smtp_auth_disabled"


def test_a_count_that_is_not_known_for_the_range_is_told_as_the_most_it_can_be(desk: Client, member: Person) -> None:
    draft = proved_draft(member, found("INBOX", "inbox", counts={"all": 50}))
    assert "選択中 最大 50 通（直近 1 年）" in text(desk.get(path(draft)))


def test_a_draft_that_is_not_proved_has_no_folders_yet(desk: Client, member: Person) -> None:
    draft = failed_draft(member, "wrong_credentials")
    assert desk.get(path(draft))["Location"] == f"/settings/mailboxes/link/{draft.public_id}/"


def test_when_linked_the_page_shows_progress_and_the_first_mails(desk: Client, member: Person, world: World) -> None:
    from tests.web.rows import letter, store

    box = world.add_mailbox(state="importing")
    folder = world.add_folder(box, uidvalidity=1, to_import=12526)
    for n in range(5):
        store(box, folder, letter(f"件名{n}"))
    page = text(desk.get(f"/settings/mailboxes/{box.public_id}/linked/"))
    assert "<h1>連携完了</h1>" in page and "5 / 12,526 通" in page
    assert page.count('class="subj"') == 3
    assert 'hx-trigger="changed from:body, every 1s"' in page
