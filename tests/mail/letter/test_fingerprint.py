import hashlib

from fumibako.mail.letter import fingerprint

from .mails import mail

HEADERS = (
    b"Message-ID: <1@example.jp>",
    b"Date: Tue, 25 Nov 2025 10:00:00 +0900",
    b"From: a@example.jp",
    b"Subject: =?utf-8?B?5Lu2?=",
)


def test_it_is_the_version_and_the_hash_of_four_raw_headers() -> None:
    values = b"\x00".join((b"<1@example.jp>", b"Tue,25Nov202510:00:00+0900", b"a@example.jp", b"=?utf-8?B?5Lu2?="))
    assert fingerprint(mail(*HEADERS, body=b"x")) == b"\x01" + hashlib.sha256(values).digest()


def test_folding_case_of_names_order_and_other_headers_change_nothing() -> None:
    same = mail(
        b"Received: by mx",
        b"SUBJECT:\r\n =?utf-8?B?5Lu2?=",
        b"from:  a@example.jp ",
        b"Date: Tue, 25 Nov 2025\r\n\t10:00:00 +0900",
        b"Message-Id: <1@example.jp>",
        body=b"other text",
    )
    assert fingerprint(same) == fingerprint(mail(*HEADERS))


def test_the_header_block_alone_and_line_ends_of_unix_give_the_same() -> None:
    assert fingerprint(b"\r\n".join(HEADERS) + b"\r\n\r\n") == fingerprint(mail(*HEADERS, body=b"x", line_end=b"\n"))


def test_each_of_the_four_changes_it() -> None:
    known = fingerprint(mail(*HEADERS))
    for number in range(4):
        changed = [*HEADERS]
        changed[number] += b"x"
        assert fingerprint(mail(*changed)) != known
        assert fingerprint(mail(*HEADERS[:number], *HEADERS[number + 1 :])) != known


def test_the_first_field_of_a_name_counts_and_nothing_is_decoded() -> None:
    assert fingerprint(mail(*HEADERS, b"Subject: second")) == fingerprint(mail(*HEADERS))
    assert fingerprint(mail(*HEADERS[:3], b"Subject: =?utf-8?Q?=E4=BB=B6?=")) != fingerprint(mail(*HEADERS))


def test_nothing_at_all_has_a_fingerprint() -> None:
    assert len(fingerprint(b"")) == 33
