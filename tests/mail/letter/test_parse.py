import base64
import hashlib
import quopri

import pytest

from fumibako.mail.letter import Letter, parse, part_bytes

from .mails import encoded_word, mail, multipart, part, text_part

PDF = b"%PDF-1.7\x00\xff" + bytes(range(256)) * 40


def file_part(name: bytes, data: bytes = PDF, content_type: bytes = b"application/pdf") -> bytes:
    return part(
        b"Content-Type: " + content_type,
        b"Content-Disposition: attachment; filename=" + name,
        b"Content-Transfer-Encoding: base64",
        body=base64.encodebytes(data),
    )


def names(letter: Letter) -> list[str]:
    return [attachment.name for attachment in letter.attachments]


def test_a_plain_mail_is_read() -> None:
    letter = parse(
        mail(
            b"From: " + encoded_word("iso-2022-jp", "山田".encode("iso-2022-jp")) + b" <taro@example.jp>",
            b"Sender: office@example.jp",
            b"To: a@example.jp",
            b"To: b@example.jp",
            b"Cc: c@example.jp",
            b"Bcc: d@example.jp",
            b"Reply-To: r@example.jp",
            b"Subject: " + encoded_word("utf-8", "見積の件".encode()),
            b"Date: Tue, 25 Nov 2025 10:00:00 +0900",
            b"Message-ID: <1@example.jp>",
            b"In-Reply-To: Your message of Monday <0@example.jp>",
            b"References: <a@example.jp>\r\n <0@example.jp> <a@example.jp>",
            b"List-Id: News <news.example.jp>",
            b"Content-Type: text/plain; charset=iso-2022-jp",
            body="お世話になっております。\r\n山田です。\r\n".encode("iso-2022-jp"),
        )
    )
    assert (letter.from_[0].name, letter.from_[0].address) == ("山田", "taro@example.jp")
    assert [a.address for a in (*letter.sender, *letter.to, *letter.cc, *letter.bcc, *letter.reply_to)] == [
        "office@example.jp",
        "a@example.jp",
        "b@example.jp",
        "c@example.jp",
        "d@example.jp",
        "r@example.jp",
    ]
    assert letter.subject == "見積の件"
    assert letter.date is not None
    assert letter.date.isoformat() == "2025-11-25T10:00:00+09:00"
    assert letter.message_id == "1@example.jp"
    assert letter.in_reply_to == ("0@example.jp",)
    assert letter.references == ("a@example.jp", "0@example.jp")
    assert letter.list_id == "news.example.jp"
    assert letter.text == "お世話になっております。\n山田です。"
    assert letter.html is None
    assert letter.snippet == "お世話になっております。 山田です。"
    assert letter.attachments == ()


def test_any_bytes_make_a_letter() -> None:
    for raw in (b"", b"\r\n", b"\x00", b"no header at all", b":", b"Subject", b"\xff\xfe\r\n\r\n\xff", b"\r\n\r\nbody"):
        assert isinstance(parse(raw), Letter)
    assert parse(b"no header at all\r\n").text == "no header at all"
    assert parse(memoryview(b"Subject: a\r\n\r\nb")).text == "b"


def test_a_mail_without_message_id_has_none() -> None:
    assert parse(mail(b"Subject: a")).message_id == ""
    assert parse(mail(b"Message-ID: <>")).message_id == ""
    assert parse(mail(b"Message-ID: odd id without brackets")).message_id == "odd"
    assert parse(mail(b"Message-ID:\r\n <folded@\r\n example.jp>")).message_id == "folded@example.jp"


def test_line_ends_of_unix_a_mailbox_line_and_bad_header_lines_change_nothing() -> None:
    raw = mail(
        b"From me Tue Nov 25 10:00:00 2025",
        b"Subject: a",
        b"what is this",
        b" and this",
        b"To: b@example.jp",
        body=b"text",
        line_end=b"\n",
    )
    letter = parse(raw)
    assert (letter.subject, letter.to[0].address, letter.text) == ("a", "b@example.jp", "text")


def test_the_first_of_two_subjects_counts() -> None:
    assert parse(mail(b"Subject: first", b"subject: second")).subject == "first"


@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-2022-jp", "shift_jis", "euc-jp"])
def test_bodies_are_read_in_every_encoding_and_charset(encoding: str, charset: str) -> None:
    text = "いつもお世話になっております。" * 40
    data = text.encode(charset)
    body = {"7bit": data, "base64": base64.encodebytes(data), "quoted-printable": quopri.encodestring(data)}[encoding]
    headers = [
        f"Content-Type: text/plain; charset={charset}".encode(),
        f"Content-Transfer-Encoding: {encoding}".encode(),
    ]
    assert parse(mail(*headers, body=body)).text == text


def test_a_body_without_charset_is_read_by_its_escapes() -> None:
    assert parse(mail(b"Subject: a", body="見積書".encode("iso-2022-jp"))).text == "見積書"


def test_html_names_its_own_charset_where_the_header_does_not() -> None:
    meta = '<meta http-equiv="Content-Type" content="text/html; charset=gb2312">'
    html = f"<html><head>{meta}</head><body>简体中文</body></html>"
    letter = parse(mail(b"Content-Type: text/html", body=html.encode("gb18030")))
    assert letter.text == "简体中文"


def test_raw_headers_are_read_in_the_charset_of_the_text() -> None:
    raw = mail(
        "Subject: 简体中文".encode("gb18030"),
        b"Content-Type: text/plain; charset=gb2312",
        body="中文".encode("gb18030"),
    )
    assert parse(raw).subject == "简体中文"


def test_an_alternative_gives_text_and_html() -> None:
    letter = parse(multipart(b"alternative", text_part("こんにちは"), text_part("<p>こんにちは</p>", b"html")))
    assert (letter.text, letter.html, letter.attachments) == ("こんにちは", "<p>こんにちは</p>", ())


def test_text_is_made_from_the_html_where_the_plain_part_is_missing_or_empty() -> None:
    html = text_part("<p>一行目<br>二行目</p><p>次の段落 <a href='https://example.jp'>リンク</a></p>", b"html")
    expected = "一行目\n二行目\n\n次の段落 リンク"
    assert parse(multipart(b"alternative", html)).text == expected
    assert parse(multipart(b"alternative", text_part(" \r\n"), html)).text == expected


def test_related_pictures_are_inline_and_other_files_are_not() -> None:
    picture = part(
        b"Content-Type: image/png",
        b"Content-ID: <logo@example>",
        b"Content-Transfer-Encoding: base64",
        body=b"iVBORw==",
    )
    related = multipart(b"related", text_part('<img src="cid:logo@example">', b"html"), picture, boundary=b"related")
    letter = parse(
        multipart(b"mixed", multipart(b"alternative", text_part("文"), related, boundary=b"alt"), file_part(b"a.pdf"))
    )
    assert letter.text == "文"
    assert [(a.part, a.name, a.content_id, a.inline) for a in letter.attachments] == [
        ("1.2.2", "part-1.2.2.png", "logo@example", True),
        ("2", "a.pdf", None, False),
    ]


def test_texts_around_a_file_are_both_shown() -> None:
    letter = parse(multipart(b"mixed", text_part("前"), file_part(b"a.pdf"), text_part("後")))
    assert (letter.text, names(letter)) == ("前\n後", ["a.pdf"])


def test_a_named_or_attached_text_is_a_file() -> None:
    attached = part(
        b"Content-Type: text/plain; charset=shift_jis", b"Content-Disposition: attachment; filename=a.csv", body=b"1,2"
    )
    named = part(b'Content-Type: text/plain; name="notes.txt"', body=b"x")
    letter = parse(multipart(b"mixed", text_part("本文"), attached, named))
    assert (letter.text, names(letter)) == ("本文", ["a.csv", "notes.txt"])


def test_the_parts_of_rfc_8621_are_sorted_as_its_example_says() -> None:
    def plain(body: bytes) -> bytes:
        return part(b"Content-Type: text/plain", b"Content-Disposition: inline", body=body)

    def picture(body: bytes, disposition: bytes = b"inline") -> bytes:
        return part(b"Content-Type: image/jpeg", b"Content-Disposition: " + disposition, body=body)

    inner_mixed = multipart(b"mixed", plain(b"B"), picture(b"C"), plain(b"D"), boundary=b"4")
    related = multipart(
        b"related", part(b"Content-Type: text/html", body=b"<html>E</html>"), picture(b"F"), boundary=b"5"
    )
    alternative = multipart(b"alternative", inner_mixed, related, boundary=b"3")
    excel = part(b"Content-Type: application/x-excel", body=b"H")
    message = part(b"Content-Type: message/rfc822", body=b"Subject: J\r\n\r\nJ")
    outer = multipart(b"mixed", alternative, picture(b"G", b"attachment"), excel, message, boundary=b"2")
    letter = parse(multipart(b"mixed", plain(b"A"), outer, plain(b"K"), boundary=b"1"))
    assert letter.text == "A\nB\nD\nK"
    assert letter.html is not None
    assert "E" in letter.html
    assert "B" not in letter.html
    assert [a.part for a in letter.attachments] == ["2.1.1.2", "2.1.2.2", "2.2", "2.3", "2.4"]


def test_attachments_have_the_size_hash_and_bytes_of_what_was_sent() -> None:
    raw = multipart(b"mixed", text_part("本文"), file_part(b"a.pdf"))
    (attachment,) = parse(raw).attachments
    assert (attachment.content_type, attachment.size) == ("application/pdf", len(PDF))
    assert attachment.sha256 == hashlib.sha256(PDF).digest()
    assert part_bytes(raw, attachment.part) == PDF
    assert part_bytes(memoryview(raw), attachment.part) == PDF
    with pytest.raises(KeyError):
        part_bytes(raw, "9")


def test_broken_base64_gives_what_can_be_read() -> None:
    lines = base64.encodebytes(PDF)
    for broken in (
        lines.rstrip(b"=\n"),
        lines.replace(b"\n", b" !\r\n"),
        lines + b"-- \r\nA mailing list's footer.\r\n",
    ):
        raw = mail(b"Content-Type: application/pdf; name=a.pdf", b"Content-Transfer-Encoding: base64", body=broken)
        assert part_bytes(raw, "1") == PDF
    two = base64.encodebytes(b"1234567") + base64.encodebytes(b"89")
    raw = mail(b"Content-Type: application/pdf", b"Content-Transfer-Encoding: base64", body=two)
    assert part_bytes(raw, "1") == b"123456789"


def test_uuencoded_files_are_read() -> None:
    body = b"begin 644 a.txt\r\n%:&5L;&\\\r\n`\r\nend\r\n"
    raw = mail(b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: x-uuencode", body=body)
    assert part_bytes(raw, "1") == b"hello"


def test_a_forwarded_mail_is_a_file_named_by_its_subject() -> None:
    inner = mail(b"Subject: " + encoded_word("utf-8", "Re: 見積/請求".encode()), body=b"inside")
    raw = multipart(b"mixed", text_part("転送します"), part(b"Content-Type: message/rfc822", body=inner))
    letter = parse(raw)
    assert (letter.text, names(letter)) == ("転送します", ["Re_ 見積_請求.eml"])
    assert part_bytes(raw, "2") == inner


def test_invitations_signatures_and_winmail_dat_are_files() -> None:
    calendar = part(b"Content-Type: text/calendar; method=REQUEST; charset=utf-8", body=b"BEGIN:VCALENDAR")
    letter = parse(multipart(b"alternative", text_part("会議"), text_part("<p>会議</p>", b"html"), calendar))
    assert (letter.text, names(letter)) == ("会議", ["part-3.ics"])
    signature = part(b"Content-Type: application/pkcs7-signature; name=smime.p7s", body=b"x")
    assert names(parse(multipart(b"signed", text_part("本文"), signature))) == ["smime.p7s"]
    tnef = file_part(b"winmail.dat", b"\x78\x9f\x3e\x22", b"application/ms-tnef")
    assert names(parse(multipart(b"mixed", text_part("本文"), tnef))) == ["winmail.dat"]


def test_a_mail_that_is_one_file_has_it_as_attachment() -> None:
    letter = parse(mail(b"Subject: scan", b"Content-Type: application/pdf; name=scan.pdf", body=b"%PDF"))
    assert (letter.text, [(a.part, a.name) for a in letter.attachments]) == ("", [("1", "scan.pdf")])


def test_flowed_text_is_put_back_into_paragraphs() -> None:
    body = "長い段落の \r\n続きです。\r\n> 引用の \r\n> 続き\r\n-- \r\n山田\r\n".encode()
    raw = mail(b"Content-Type: text/plain; charset=utf-8; format=flowed; delsp=yes", body=body)
    assert parse(raw).text == "長い段落の続きです。\n> 引用の続き\n-- \n山田"


@pytest.mark.parametrize(
    "body",
    [
        b"--outer\r\n\r\ntext",
        b"--outer\r\n\r\ntext\r\n--outer",
        b"preamble\r\n--outer  \r\n\r\ntext\r\n--outer--  \r\nepilogue",
        b"--outer-longer\r\n--outer\r\n\r\ntext\r\n--outer--",
    ],
)
def test_careless_boundaries_are_found(body: bytes) -> None:
    text = parse(mail(b"Content-Type: multipart/mixed; boundary=outer", body=body)).text
    assert text == "text"


def test_one_boundary_on_two_levels_loses_nothing() -> None:
    inner = multipart(b"alternative", text_part("本文"), text_part("<p>本文</p>", b"html"), boundary=b"same")
    letter = parse(multipart(b"mixed", inner, file_part(b"a.pdf"), boundary=b"same"))
    assert "本文" in letter.text
    assert names(letter) == ["a.pdf"]


def test_a_multipart_whose_boundary_never_comes_is_shown_as_text() -> None:
    for header in (b"Content-Type: multipart/mixed; boundary=never", b"Content-Type: multipart/mixed"):
        assert parse(mail(header, body=b"what there is")).text == "what there is"


def test_a_boundary_is_found_behind_a_missing_semicolon() -> None:
    raw = mail(b'Content-Type: multipart/mixed\r\n boundary="b"', body=b"--b\r\n\r\ntext\r\n--b--")
    assert parse(raw).text == "text"


@pytest.mark.parametrize(
    "header",
    [
        b"Auto-Submitted: auto-replied (vacation)",
        b"Precedence: bulk",
        b"List-Id: <news.example.jp>",
        b"Return-Path: <>",
        b"X-Autoreply: yes",
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n\r\nfailed\r\n--b--',
    ],
)
def test_mail_of_programs_is_told(header: bytes) -> None:
    assert parse(mail(header, body=b"text")).auto


def test_mail_of_people_is_not_taken_for_a_programs() -> None:
    assert not parse(mail(b"Auto-Submitted: no", b"Precedence: first-class", b"Return-Path: <a@example.jp>")).auto
