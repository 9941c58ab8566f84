import re
from datetime import datetime, timedelta
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from fumibako.accounts.models import Person
from fumibako.archive.models import Placement
from tests.web.rows import letter, store
from tests.world import World

MAIL = "/mail/"
TOKYO = ZoneInfo("Asia/Tokyo")

PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def text(response) -> str:
    return response.content.decode().replace("\u00a0", " ")


def subjects(page: str) -> list[str]:
    return re.findall(r'class="subj">([^<]*)', page)


@pytest.fixture
def inbox(world: World):
    return world.add_folder(world.add_mailbox(), uidvalidity=1)


def newsletter() -> object:
    mail = letter("秋の新製品", "文字だけの版")
    mail.add_alternative(
        '<p onclick="alert(1)">新製品 <a href="https://example.com/">詳しく</a></p><script>alert(2)</script>'
        '<img src="cid:pic1"><img src="https://tracker.example/p.gif">',
        subtype="html",
    )
    mail.get_payload()[1].add_related(PICTURE, "image", "png", cid="<pic1>")
    return mail


def test_mail_is_listed_newest_first_with_unread_and_attachment_marks(desk: Client, world: World, inbox) -> None:
    box, now = world.boxes[0], timezone.now()
    store(box, inbox, letter("古い"), at=now - timedelta(days=400), seen=True)
    with_file = letter("新しい")
    with_file.add_attachment(b"x", maintype="application", subtype="pdf", filename="見積.pdf")
    store(box, inbox, with_file, at=now)
    page = text(desk.get(MAIL))
    assert [subject.strip() for subject in subjects(page)] == ["新しい", "古い"]
    assert page.count('class="new"') == 1 and page.count("<small>添付</small>") == 1
    assert "鈴木 一郎" in page


def test_times_are_tokyos_and_short(desk: Client, world: World, inbox) -> None:
    today = timezone.localtime(timezone=TOKYO).replace(hour=0, minute=5, second=0)
    store(world.boxes[0], inbox, letter(), at=today)
    store(world.boxes[0], inbox, letter(), at=today - timedelta(days=1))
    store(world.boxes[0], inbox, letter(), at=datetime(2019, 3, 5, 12, tzinfo=TOKYO))
    page = text(desk.get(MAIL))
    assert ">0:05</time>" in page and ">昨日</time>" in page and ">2019/3/5</time>" in page


def test_sent_mail_says_whom_it_went_to(desk: Client, world: World) -> None:
    box = world.add_mailbox()
    store(box, world.add_folder(box, "送信済み", "sent"), letter(to="鈴木 一郎 <suzuki@example.jp>"))
    page = text(desk.get(f"{MAIL}?folder=sent"))
    assert "自分 → 鈴木 一郎" in page and 'class="new"' not in page


def test_fifty_mails_a_page_and_the_next_fifty_by_their_place(desk: Client, world: World, inbox) -> None:
    now = timezone.now()
    for n in range(60):
        store(world.boxes[0], inbox, letter(f"件名{n}"), at=now - timedelta(minutes=n))
    page = text(desk.get(MAIL))
    assert len(subjects(page)) == 50 and "次の 50 通" in page
    later = re.search(r'class="nextpage"><a class="btn" href="([^"]*)"', page)[1].replace("&amp;", "&")
    store(world.boxes[0], inbox, letter("いま届いた"))
    page = text(desk.get(later))
    assert subjects(page) == [f"件名{n}" for n in range(50, 60)] and "最新に戻る" in page


def test_one_mailbox_or_all(desk: Client, world: World) -> None:
    for address in ("a@example.jp", "b@example.jp"):
        box = world.add_mailbox(address)
        store(box, world.add_folder(box), letter(address))
    assert sorted(subjects(text(desk.get(MAIL)))) == ["a@example.jp", "b@example.jp"]
    page = text(desk.get(f"{MAIL}?box={world.boxes[0].public_id}"))
    assert subjects(page) == ["a@example.jp"]
    assert f'<option value="{world.boxes[0].public_id}" selected>a@example.jp</option>' in page


def test_every_word_of_a_search_must_be_there(desk: Client, world: World, inbox) -> None:
    store(world.boxes[0], inbox, letter("お見積りの件", "納期は来週です。"))
    store(world.boxes[0], inbox, letter("請求書", "納期は過ぎました。"))
    assert len(subjects(text(desk.get(f"{MAIL}?q=納期")))) == 2
    page = text(desk.get(f"{MAIL}?q=納期　見積"))
    assert subjects(page) == ["お見積りの件"] and "検索: 納期" in page
    assert "見つかりませんでした。" in text(desk.get(f"{MAIL}?q=納期+大阪"))
    assert "探す言葉を入力してください。" not in text(desk.get(f"{MAIL}?q=100%25"))


def test_mail_that_could_not_be_read_is_listed_apart_and_its_source_can_be_had(
    desk: Client, world: World, inbox
) -> None:
    mail = store(world.boxes[0], inbox, letter("壊れた"), unreadable="parser_died")
    assert "読めなかったメール" in text(desk.get(MAIL))
    assert [subject.strip() for subject in subjects(text(desk.get(f"{MAIL}?folder=unreadable")))] == ["壊れた"]
    page = text(desk.get(f"{MAIL}{mail.public_id}/"))
    assert "このメールは読み取れませんでした。" in page
    assert desk.get(f"{MAIL}{mail.public_id}/raw/?download=1").content.startswith(b"From: ")


def test_opening_a_mail_makes_it_read_here_and_nowhere_else(desk: Client, world: World, inbox) -> None:
    mail = store(world.boxes[0], inbox, letter())
    page = text(desk.get(f"{MAIL}{mail.public_id}/"))
    assert "本文です。" in page and "&lt;suzuki@tokyo-shoji.example&gt;" in page
    assert 'class="new"' not in text(desk.get(MAIL))
    assert mail.placements.get().flags == []


def test_the_address_stands_beside_the_name_and_a_forged_name_is_flagged(desk: Client, world: World, inbox) -> None:
    mail = store(world.boxes[0], inbox, letter(sender='"bank@safe.example" <x@evil.example>'))
    page = text(desk.get(f"{MAIL}{mail.public_id}/"))
    assert "<b>bank@safe.example</b> <small>&lt;x@evil.example&gt;</small>" in page
    assert "名前とアドレスが違います" in page and "差出人アドレスは <b>x@evil.example</b> です。" in page
    assert "<b>x@evil.example</b>" in re.sub(r'<span class="vh">[^<]*</span>', "", text(desk.get(MAIL)))


def test_text_is_escaped_and_web_addresses_open_apart(desk: Client, world: World, inbox) -> None:
    body = "<script>alert(1)</script> https://example.com/a?b=1&c=2。\njavascript:alert(1)"
    mail = store(world.boxes[0], inbox, letter("<b>太字</b>", body))
    page = text(desk.get(f"{MAIL}{mail.public_id}/"))
    assert "<script>alert" not in page and "&lt;b&gt;太字" in page
    assert 'href="https://example.com/a?b=1&amp;c=2" target="_blank" rel="noopener noreferrer nofollow"' in page
    assert 'href="javascript' not in page


def test_html_is_shown_in_a_sandboxed_frame_with_a_policy_of_its_own(desk: Client, world: World, inbox) -> None:
    mail = store(world.boxes[0], inbox, newsletter())
    page = text(desk.get(f"{MAIL}{mail.public_id}/"))
    assert f'src="/mail/{mail.public_id}/frame/" sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert "allow-scripts" not in page and "allow-same-origin" not in page
    assert "外部の画像 1 件は読み込んでいません。" in page
    frame = desk.get(f"{MAIL}{mail.public_id}/frame/")
    policy = frame["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox allow-popups" in policy and "script-src" not in policy
    html = frame.content.decode()
    assert "<script" not in html and "onclick" not in html and "tracker.example" not in html
    assert "文字だけの版" in text(desk.get(f"{MAIL}{mail.public_id}/?as=text"))


def test_a_frames_picture_needs_no_cookie_but_its_token(desk: Client, world: World, inbox, client: Client) -> None:
    mail = store(world.boxes[0], inbox, newsletter())
    frame = f"{MAIL}{mail.public_id}/frame/"
    token = re.search(r'src="\./([^"]*)"', desk.get(frame).content.decode())[1]
    nobody = Client(headers={"host": "localhost"})
    picture = nobody.get(frame + token)
    assert picture.content == PICTURE and picture["Content-Type"] == "image/png"
    assert picture["X-Content-Type-Options"] == "nosniff" and "sandbox" in picture["Content-Security-Policy"]
    assert nobody.get(frame + token[:-1]).status_code == 404
    world.person.state, world.person.stopped_at = "stopped", timezone.now()
    world.person.save()
    assert nobody.get(frame + token).status_code == 404


def test_a_file_is_always_a_download_with_its_japanese_name(desk: Client, world: World, inbox) -> None:
    mail = letter()
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="御見積書①.pdf")
    mail.add_attachment(b"<script>", maintype="text", subtype="html", filename='../a"b.html')
    row = store(world.boxes[0], inbox, mail)
    page = text(desk.get(f"{MAIL}{row.public_id}/"))
    links = re.findall(r'class="file" href="([^"]*)"', page)
    pdf, html = (desk.get(link) for link in links)
    assert pdf.content == b"%PDF" and pdf["Content-Type"] == "application/pdf"
    plain, _, extended = pdf["Content-Disposition"].partition("; filename*=UTF-8''")
    assert plain == 'attachment; filename="_____.pdf"' and unquote(extended) == "御見積書①.pdf"
    assert html["Content-Type"] == "application/octet-stream" and html["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch(r'attachment; filename="[\w.]+\.html"', html["Content-Disposition"])


def test_the_raw_source_is_the_mail_byte_for_byte(desk: Client, world: World, inbox) -> None:
    mail = letter("お見積りの件")
    row = store(world.boxes[0], inbox, mail)
    assert "From: " in text(desk.get(f"{MAIL}{row.public_id}/raw/"))
    response = desk.get(f"{MAIL}{row.public_id}/raw/?download=1")
    assert response.content == mail.as_bytes() and response["Content-Type"] == "message/rfc822"
    assert unquote(response["Content-Disposition"]).endswith("お見積りの件.eml")


def test_nobody_else_reads_a_mail_admins_and_other_organizations_included(
    desk: Client, world: World, inbox, admin: Person, stranger: Person, colleague: Person
) -> None:
    mail = newsletter()
    row = store(world.boxes[0], inbox, mail)
    token = re.search(r'src="\./([^"]*)"', desk.get(f"{MAIL}{row.public_id}/frame/").content.decode())[1]
    for person in (admin, stranger, colleague):
        browser = Client(headers={"host": "localhost"})
        browser.force_login(person)
        for path in ("", "frame/", "files/0/", "raw/", "raw/?download=1"):
            assert browser.get(f"{MAIL}{row.public_id}/{path}").status_code == 404
        assert subjects(text(browser.get(f"{MAIL}?q=新製品"))) == []
        for query in (f"box={world.boxes[0].public_id}", f"folder={inbox.public_id}"):
            assert browser.get(f"{MAIL}?{query}").status_code == 404
    assert desk.get(f"{MAIL}{row.public_id}/frame/{token}").status_code == 200


def test_a_mail_too_large_to_fetch_says_so(desk: Client, world: World, inbox) -> None:
    row = store(world.boxes[0], inbox, letter(), skipped="too_large", size=80_000_000)
    assert "64 MB を超えるメールです（80 MB）。" in text(desk.get(f"{MAIL}{row.public_id}/"))


def test_the_first_page_of_a_list_is_asked_for_again_when_something_changes(desk: Client, world: World, inbox) -> None:
    store(world.boxes[0], inbox, letter())
    page = text(desk.get(MAIL))
    assert re.search(r'<div id="rows" hx-get="/mail/\?folder=inbox" [^>]*hx-trigger="changed from:body"', page)
    assert 'data-live="/live"' in page


def test_a_mail_that_the_server_has_no_more_can_be_read_and_says_so(desk: Client, world: World, inbox) -> None:
    box = world.boxes[0]
    trash = world.add_folder(box, "ごみ箱", "trash", chosen=False)
    deleted = store(box, inbox, letter("消した"), deleted_at=timezone.now())
    left = store(box, inbox, letter("移した"), left_to=trash)
    Placement.objects.update(gone_at=timezone.now())
    assert sorted(subject.strip() for subject in subjects(text(desk.get(MAIL)))) == ["消した", "移した"]
    page = text(desk.get(f"{MAIL}{deleted.public_id}/"))
    assert "本文です。" in page and "サーバーで削除済み" in page
    page = text(desk.get(f"{MAIL}{left.public_id}/"))
    assert "本文です。" in page and "対象外のフォルダ（ごみ箱）へ移動" in page and "サーバーで削除済み" not in page
