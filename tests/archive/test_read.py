"""What a person may not read is not found; what a person may read is listed newest first and found by its words."""

import pytest

from fumibako.accounts.models import Person
from fumibako.archive import (
    NotFound,
    folders_of,
    list_messages,
    mailbox_numbers,
    read_attachment,
    read_message,
    read_picture,
    read_raw,
    sign_picture,
)
from fumibako.linking import in_thread
from tests.archive.conftest import Store, mail
from tests.world import World, make_world

pytestmark = pytest.mark.lab

WITH_FILES = (
    b"From: Suzuki <suzuki@tokyo-shoji.example>\r\nTo: taro@example.jp\r\nSubject: files\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b'--b\r\nContent-Type: multipart/related; boundary="r"\r\n\r\n'
    b'--r\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p onclick="x()">Hello</p><script>x()</script>'
    b'<img src="cid:pic1"><img src="http://tracker.example/a.png">\r\n'
    b"--r\r\nContent-Type: image/png\r\nContent-ID: <pic1>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n"
    b"--r--\r\n"
    b'--b\r\nContent-Type: text/plain; name="a.txt"\r\nContent-Disposition: attachment; filename="quote.txt"\r\n\r\n'
    b"the file\r\n--b--\r\n"
)


async def _subjects(person: Person, **query: object) -> list[str]:
    listing = await in_thread(lambda: list_messages(person, **query))
    return [row.subject for row in listing.rows]


async def test_mail_is_listed_newest_first_page_by_page(store: Store, world: World) -> None:
    await store.commit({n: mail(f"m{n}", message_id=str(n)) for n in range(1, 8)})
    first = await in_thread(lambda: list_messages(world.person, limit=3))
    second = await in_thread(lambda: list_messages(world.person, limit=3, after=first.next))
    third = await in_thread(lambda: list_messages(world.person, limit=3, after=second.next))
    pages = [[row.subject for row in page.rows] for page in (first, second, third)]
    assert pages == [["m7", "m6", "m5"], ["m4", "m3", "m2"], ["m1"]]
    assert third.next is None


async def test_another_person_and_another_organization_find_nothing_of_it(store: Store, world: World) -> None:
    await store.commit({1: WITH_FILES})
    message = (await in_thread(lambda: list_messages(world.person))).rows[0].public_id
    colleague = await in_thread(lambda: world.add_person("hana"))
    admin = await in_thread(lambda: world.add_person("boss", role="admin"))
    stranger = (await in_thread(lambda: make_world("other", "jiro"))).person
    for other in (colleague, admin, stranger):
        assert await _subjects(other) == []
        assert await in_thread(lambda other=other: folders_of(other)) == ()
        for read in (read_message, read_raw):
            with pytest.raises(NotFound):
                await in_thread(lambda read=read, other=other: read(other, message))
        with pytest.raises(NotFound):
            await in_thread(lambda other=other: read_attachment(other, message, 0))
        with pytest.raises(NotFound):
            await in_thread(lambda other=other: list_messages(other, mailbox=store.box.public_id))


async def test_every_word_is_looked_for_in_subject_people_text_and_file_names(store: Store, world: World) -> None:
    await store.commit({1: mail("見積の件", body="東京に行きます 100%", message_id="1"), 2: WITH_FILES})
    assert await _subjects(world.person, words="見積") == ["見積の件"]
    assert await _subjects(world.person, words="東京") == ["見積の件"]
    assert await _subjects(world.person, words="100%") == ["見積の件"]
    assert await _subjects(world.person, words="quote.txt") == ["files"]
    assert sorted(await _subjects(world.person, words="SUZUKI")) == ["files", "見積の件"]
    assert await _subjects(world.person, words="suzuki\u3000東京") == ["見積の件"]
    assert await _subjects(world.person, words="東京 大阪") == []
    assert await _subjects(world.person, words="_") == []


async def test_unread_is_what_was_neither_seen_on_the_server_nor_opened_here(store: Store, world: World) -> None:
    await store.commit({1: mail("seen")})
    await store.commit({2: mail("new", message_id="2")})
    await store.rows("UPDATE placement SET flags = '{}' WHERE uid = 2 RETURNING 1")
    listing = await in_thread(lambda: list_messages(world.person))
    assert {row.subject: row.unread for row in listing.rows} == {"seen": False, "new": True}
    assert [entry.unread for entry in await in_thread(lambda: folders_of(world.person))] == [1]
    await in_thread(lambda: read_message(world.person, listing.rows[0].public_id))
    listing = await in_thread(lambda: list_messages(world.person))
    assert [row.unread for row in listing.rows] == [False, False]
    assert await store.rows("SELECT flags FROM placement WHERE uid = 2") == [([],)]


async def test_a_mail_is_read_with_safe_html_and_its_files(store: Store, world: World) -> None:
    await store.commit({1: WITH_FILES})
    message = (await in_thread(lambda: list_messages(world.person))).rows[0].public_id
    view = await in_thread(lambda: read_message(world.person, message))
    assert view.reading is not None
    html = view.reading.html or ""
    assert "Hello" in html
    assert "script" not in html
    assert "onclick" not in html
    assert "tracker.example" not in html
    assert view.reading.blocked_pictures == 1
    files = {file.name: file for file in view.files if not file.inline}
    file = await in_thread(lambda: read_attachment(world.person, message, files["quote.txt"].n))
    assert file.content.strip() == b"the file"
    assert await in_thread(lambda: read_raw(world.person, message)) == WITH_FILES


async def test_a_picture_token_ends_with_the_right_to_read(store: Store, world: World) -> None:
    await store.commit({1: WITH_FILES})
    message = (await in_thread(lambda: list_messages(world.person))).rows[0].public_id
    view = await in_thread(lambda: read_message(world.person, message))
    picture = next(file for file in view.files if file.inline)
    token = await in_thread(lambda: sign_picture(world.person, message, picture.n))
    assert (await in_thread(lambda: read_picture(token))).content.startswith(b"\x89PNG")
    with pytest.raises(NotFound):
        await in_thread(lambda: read_picture(token + "x"))
    await store.rows("UPDATE mailbox_person SET until = now() RETURNING 1")
    with pytest.raises(NotFound):
        await in_thread(lambda: read_picture(token))


async def test_a_message_that_left_the_server_stays_where_it_was(store: Store, world: World) -> None:
    await store.commit({1: mail("gone")})
    await store.rows("UPDATE placement SET gone_at = now() RETURNING 1")
    assert await _subjects(world.person, folder="inbox") == ["gone"]


async def test_mail_that_the_server_has_no_more_is_listed_counted_found_and_read_and_says_so(
    store: Store, world: World
) -> None:
    await store.commit({1: mail("here"), 2: mail("deleted", message_id="2"), 3: mail("left", message_id="3")})
    trash = await in_thread(lambda: world.add_folder(store.box, "ごみ箱", "trash", chosen=False))
    await store.rows("UPDATE placement SET gone_at = now() WHERE uid > 1 RETURNING 1")
    await store.rows("UPDATE message SET deleted_at = now() WHERE subject = 'deleted' RETURNING 1")
    await store.rows("UPDATE message SET left_to_id = %s WHERE subject = 'left' RETURNING 1", trash.pk)
    assert await _subjects(world.person, folder="inbox") == ["left", "deleted", "here"]
    assert await _subjects(world.person, words="deleted") == ["deleted"]
    numbers = await in_thread(lambda: mailbox_numbers([store.box.pk]))
    assert numbers[store.box.pk].stored == 3
    rows = (await in_thread(lambda: list_messages(world.person))).rows
    marks = {row.subject: (row.deleted_at is not None, row.left_to) for row in rows}
    assert marks == {"here": (False, None), "deleted": (True, None), "left": (False, "ごみ箱")}
    for row in rows:
        view = await in_thread(lambda row=row: read_message(world.person, row.public_id))
        assert (view.deleted_at is not None, view.left_to) == marks[row.subject]
        assert view.reading is not None
    await store.rows("UPDATE placement SET gone_at = NULL RETURNING 1")
    for row in (await in_thread(lambda: list_messages(world.person))).rows:
        view = await in_thread(lambda row=row: read_message(world.person, row.public_id))
        assert (row.deleted_at, row.left_to, view.deleted_at, view.left_to) == (None, None, None, None)


async def test_mail_of_a_folder_that_is_no_longer_chosen_stays_in_its_list(store: Store, world: World) -> None:
    await store.rows("UPDATE folder SET role = 'other', name = 'Project' RETURNING 1")
    await store.commit({1: mail("old")})
    await store.rows("UPDATE folder SET chosen = false RETURNING 1")
    (entry,) = await in_thread(lambda: folders_of(world.person))
    assert entry.name == "Project"
    assert await _subjects(world.person, folder=entry.key) == ["old"]


async def test_an_unreadable_mail_has_a_list_of_its_own(store: Store, world: World) -> None:
    await store.commit({1: mail("fine"), 2: mail("bad", message_id="2")})
    await store.rows("UPDATE message SET unreadable = 'parser_died' WHERE subject = 'bad' RETURNING 1")
    assert await _subjects(world.person, folder="unreadable") == ["bad"]
    entry = (await in_thread(lambda: folders_of(world.person)))[-1]
    assert (entry.key, entry.unread) == ("unreadable", 1)
    view = await in_thread(
        lambda: read_message(world.person, (list_messages(world.person, folder="unreadable").rows)[0].public_id)
    )
    assert view.reading is None
