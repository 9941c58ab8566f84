"""Mail that is made to hurt: bounded time, no exception, nothing that a database refuses."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fumibako.mail.letter import Letter, clean_html, describe, fingerprint, parse, part_bytes

from .mails import CORPORA, mail

SECONDS = 5.0  # of CPU: hundreds of times what is needed, a fraction of what anything quadratic takes


def read_in_time(raw: bytes) -> Letter:
    started = time.process_time()
    letter = parse(raw)
    fingerprint(raw)
    assert time.process_time() - started < SECONDS
    return letter


def nested(depth: int) -> bytes:
    levels = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth))
    return b"Subject: deep\r\n" + levels + b"\r\ntext\r\n"


@pytest.mark.parametrize("depth", [10, 99, 1_000, 10_000, 50_000])
def test_nested_parts_are_read_in_bounded_time(depth: int) -> None:
    letter = read_in_time(nested(depth))
    assert letter.subject == "deep"
    if depth < 100:
        assert letter.text == "text"
    else:
        (rest,) = letter.attachments
        assert b"text" in part_bytes(nested(depth), rest.part)


def test_messages_in_messages_are_read_in_bounded_time() -> None:
    raw = b"Content-Type: message/rfc822\r\n\r\n" * 50_000 + b"Subject: deep\r\n\r\ntext"
    (attachment,) = read_in_time(raw).attachments
    assert attachment.content_type == "message/rfc822"


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 200_000,
        b"Content-Type: multipart/mixed; boundary=-\r\n\r\n" + b"-" * 5_000_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--bx\r\n" * 500_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n" * 50_000,
        b"Subject: a\r\n" * 300_000,
        b"Subject:" + b"\r\n a" * 500_000,
        b"Subject: " + b"=?utf-8?B?" * 200_000,
        b"Subject: " + b"=?utf-8?B?44GC?= " * 200_000,
        b"Subject: " + b"=?" * 500_000,
        b"Subject: " + b" " * 3_000_000 + b"a",
        b"To: " + b'"\\' * 500_000,
        b"To: " + b"(\\" * 500_000,
        b"To: " + b"(" * 1_000_000,
        b"To: " + b"<" * 1_000_000,
        b"To: " + b"a@b" + b":" * 1_000_000,
        b"To: " + b"a" * 1_000_000 + b" @",
        b"To: " + b"a@" * 500_000,
        b"To: " + b"a@example.jp," * 200_000,
        b"To: " + b"a b," * 200_000 + b"x@example.jp",
        b"References: " + b"<a@b>" * 300_000,
        b"References: " + b"<" * 1_000_000,
        b"Content-Type: text/plain" + b'; a="\\' * 300_000,
        b"Content-Type: text/plain" + b"; a" * 300_000 + b" " * 100_000,
        b"Content-Type: text/plain; name*" + b"".join(b"; name*%d*=%%E3" % n for n in range(50_000)),
        b"Date: " + b"1 " * 500_000,
        b"\x1b$B" * 500_000,
        b"\r\n" + b"\x1b$B!!\n" * 500_000,
        b"Content-Type: text/plain; charset=euc-jp\r\n\r\n" + b"\xad\xa1" * 300_000,
        b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B" + b"-!" * 300_000,
        b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"a \r\n" * 500_000,
        b"Content-Type: text/plain; format=flowed\r\n\r\n" + b">" * 3_000_000,
        b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 2_000_000,
        b"Content-Transfer-Encoding: base64\r\n\r\n" + b"A=" * 1_000_000,
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * 2_000_000,
        b"Content-Transfer-Encoding: x-uuencode\r\n\r\n" + b"begin 644 a\r\n" * 200_000,
        *(
            b"Content-Type: text/html\r\n\r\n" + piece * 500_000
            for piece in (b"<!--", b"<p", b"<style>", b"&nbsp;", b"\xc2\xa0", b"&", b"< ")
        ),
    ],
    ids=range(42),
)
def test_what_is_made_to_take_long_does_not(raw: bytes) -> None:
    read_in_time(raw + b"\r\n\r\n")


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    check_readable(raw)


HEADER_NAMES = st.sampled_from(
    [
        b"Subject",
        b"From",
        b"To",
        b"Date",
        b"Content-Type",
        b"Content-Disposition",
        b"Content-Transfer-Encoding",
        b"References",
        b"Content-ID",
    ]
)
FRAGMENTS = st.sampled_from(
    [
        *(b"multipart/mixed; boundary=b", b"text/html", b"text/plain; charset=", b"message/rfc822", b"attachment"),
        *(b"iso-2022-jp", b"utf-7", b"utf-16", b"base64", b"quoted-printable"),
        *(b"=?utf-8?B?", b"=?iso-2022-jp?Q?", b"?=", b'"', b"\\", b"<", b">", b"(", b",", b";", b":", b"@"),
        *(b"\x1b$B", b"\x1b(B", b"\x1b$(D", b"\x82\xa0", b"\xa4\xa2", b"\xe3\x81\x82", b"\x8f\xf4", b"\x00", b"+2AA-"),
        *(b"filename*0*=", b"filename*1=", b"%E3", b"''", b"1 Jan 2025"),
        *(b"\r\n", b"\r\n\r\n", b"\r\n ", b"--b\r\n", b"--b--\r\n", b"<p>", b"&#xD800;", b"cid:"),
    ]
)
LINES = st.builds(
    lambda name, value: name + b": " + b"".join(value),
    HEADER_NAMES,
    st.lists(FRAGMENTS | st.binary(max_size=8), max_size=12),
)


@settings(deadline=None, max_examples=500)
@given(st.lists(LINES, max_size=8), st.lists(FRAGMENTS | LINES | st.binary(max_size=30), max_size=20))
def test_anything_that_looks_like_mail_is_read(headers: list[bytes], body: list[bytes]) -> None:
    check_readable(mail(*headers, body=b"".join(body)))


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(sorted(CORPORA.glob("**/*.eml"))), st.randoms(use_true_random=False))
def test_real_mails_with_damage_are_read(path: object, chance: random.Random) -> None:
    raw = bytearray(path.read_bytes())  # type: ignore[attr-defined]
    for _ in range(chance.randint(1, 20)):
        at = chance.randrange(len(raw) + 1)
        raw[at : at + chance.randint(0, 40)] = chance.randbytes(chance.randint(0, 10))
    check_readable(bytes(raw))


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=500))
def test_any_text_is_cleaned(html: str) -> None:
    once = clean_html(html, lambda content_id: None).html
    assert sorted(clean_html(once, lambda content_id: None).html) == sorted(once)


def check_readable(raw: bytes) -> None:
    letter = parse(raw)
    fingerprint(raw)
    texts = [letter.subject, letter.text, letter.html or "", letter.message_id, letter.list_id, letter.snippet]
    texts += [text for a in (*letter.from_, *letter.to, *letter.cc) for text in (a.name, a.address)]
    texts += [*letter.references, *letter.in_reply_to, *(a.name for a in letter.attachments)]
    for text in texts:
        assert "\x00" not in text
        text.encode("utf-8")
    for attachment in letter.attachments:
        assert len(part_bytes(raw, attachment.part)) == attachment.size
    describe(raw, "a.eml")
