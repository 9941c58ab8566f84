import email
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import Message
from io import BytesIO

import pytest

from fumibako.site.sample.mailbox import Placed, sample_mails

NOW = datetime(2026, 11, 25, 0, 30, tzinfo=UTC)
MAILS = sample_mails(NOW)
PARSED = [email.message_from_bytes(mail.raw) for mail in MAILS]


def leaves() -> list[Message]:
    return [part for mail in PARSED for part in mail.walk() if not part.is_multipart()]


def references(mail: Message) -> list[str]:
    return (mail["References"] or "").split()


def test_the_same_moment_writes_the_same_bytes() -> None:
    assert sample_mails(NOW) == MAILS


@pytest.mark.parametrize("month", range(1, 13))
def test_it_can_be_written_in_any_month(month: int) -> None:
    now = datetime(2027, month, 28, 15, tzinfo=UTC)
    mails = sample_mails(now)
    assert 200 <= len(mails) <= 260
    assert all(now - timedelta(days=440) < mail.internal_date < now + timedelta(minutes=1) for mail in mails)


def test_the_folders_are_filled_as_a_salesperson_would() -> None:
    count = Counter(mail.folder for mail in MAILS)
    assert set(count) == {"INBOX", "送信済み", "案件/東京商事", "案件/みなと工業"}
    assert count["INBOX"] > count["送信済み"] > 50
    assert min(count.values()) >= 10


def test_all_charsets_and_encodings_of_japanese_mail_occur() -> None:
    texts = {
        (part.get_content_charset(), part["Content-Transfer-Encoding"])
        for part in leaves()
        if part.get_content_maintype() == "text" and not part.get_filename()
    }
    assert texts >= {
        ("iso-2022-jp", "7bit"),
        ("shift_jis", "base64"),
        ("shift_jis", "8bit"),
        ("euc-jp", "8bit"),
        ("utf-8", "8bit"),
        ("utf-8", "base64"),
        ("utf-8", "quoted-printable"),
    }


@pytest.mark.parametrize(("letter", "code"), [("①", b"-!"), ("㈱", b"-j"), ("髙", b"|b")])
def test_letters_outside_the_standard_occur_in_iso_2022_jp(letter: str, code: bytes) -> None:
    found = [raw for raw in (mail.raw for mail in MAILS) if b"ISO-2022-JP" in raw and code in raw]
    assert found, letter


def test_only_plain_threads_share_a_subject() -> None:
    subjects = Counter(mail["Subject"] for mail in PARSED if not references(mail))
    assert [subject for subject, times in subjects.items() if times > 1] == []


def test_threads_run_through_inbox_and_sent_and_point_at_mails_that_are_there() -> None:
    ids = {mail["Message-ID"] for mail in PARSED}
    answers = [mail for mail in PARSED if references(mail)]
    assert len(answers) > 100
    for mail in answers:
        assert set(references(mail)) <= ids
        assert mail["In-Reply-To"] == references(mail)[-1]
    roots: dict[str, set[str]] = {}
    for placed, mail in zip(MAILS, PARSED, strict=True):
        if references(mail):
            roots.setdefault(references(mail)[0], set()).add(placed.folder)
    assert sum("送信済み" in folders and len(folders) > 1 for folders in roots.values()) > 15


def test_one_mail_has_no_message_id_and_one_a_broken_date() -> None:
    assert sum(mail["Message-ID"] is None for mail in PARSED) == 1
    assert sum("31 Feb" in mail["Date"] for mail in PARSED) == 1
    ids = [mail["Message-ID"] for mail in PARSED]
    assert len(set(ids)) == len(ids)


def test_attachments_are_what_they_say() -> None:
    kinds = Counter()
    for part in leaves():
        if not part.get_filename():
            continue
        content, kind = part.get_payload(decode=True), part.get_content_type()
        kinds[kind] += 1
        if kind == "application/pdf":
            assert content.startswith(b"%PDF-")
            table = int(content.rsplit(b"startxref\n", 1)[1].split()[0])
            assert content[table:].startswith(b"xref")
        elif kind == "image/png":
            assert content.startswith(b"\x89PNG")
        elif kind == "text/csv":
            assert content.decode("cp932").startswith("品番,")
        else:
            assert zipfile.ZipFile(BytesIO(content)).testzip() is None
    assert len(kinds) == 5


def test_file_names_are_written_in_both_ways() -> None:
    raws = b"".join(mail.raw for mail in MAILS)
    assert b"filename*=" in raws
    assert b"filename*0*=" in raws
    assert b'filename="=?ISO-2022-JP?' in raws


def test_newsletters_have_remote_pictures_and_some_one_inside() -> None:
    news = [mail for mail in PARSED if mail["List-Id"]]
    assert len(news) == 10
    within = 0
    for mail in news:
        parts = {part.get_content_type(): part for part in mail.walk()}
        page = parts["text/html"].get_payload(decode=True).decode()
        assert '<img src="https://' in page
        if "image/png" in parts:
            within += 1
            assert f'src="cid:{parts["image/png"]["Content-ID"].strip("<>")}"' in page
    assert within == 3


def test_every_address_is_reserved_for_examples() -> None:
    for mail in PARSED:
        for name in ("From", "To", "Cc", "Return-Path"):
            for address in (mail[name] or "").replace("\r\n", "").split(","):
                assert not address or address.rstrip(">").endswith(".example"), address


def test_what_we_wrote_is_read_and_some_of_the_newest_is_not() -> None:
    assert all("\\Seen" in mail.flags for mail in MAILS if mail.folder == "送信済み")
    unread = [mail for mail in MAILS if "\\Seen" not in mail.flags]
    assert 5 <= len(unread) <= 25
    assert all(age(mail) < timedelta(days=12) for mail in unread)


def age(mail: Placed) -> timedelta:
    return NOW - mail.internal_date


def test_lines_fit_what_smtp_allows() -> None:
    for mail in MAILS:
        assert max(map(len, mail.raw.split(b"\r\n"))) <= 998
        assert b"\n" not in mail.raw.replace(b"\r\n", b"")
