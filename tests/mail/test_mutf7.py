import pytest
from hypothesis import given
from hypothesis import strategies as st

from fumibako.mail.imap.mutf7 import decode, encode


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("送信済みアイテム", b"&kAFP4W4IMH8wojCkMMYw4A-"),
        ("下書き", b"&Tgtm+DBN-"),
        ("R&D", b"R&-D"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 §5.1.3
        ("INBOX", b"INBOX"),
        ("😀", b"&2D3eAA-"),
    ],
)
def test_names_are_written_and_read_as_servers_do(name, raw):
    assert encode(name) == raw
    assert decode(raw) == name


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_every_name_survives_both_ways(name):
    assert decode(encode(name)) == name


@given(st.binary())
def test_no_name_of_a_server_fails(raw):
    assert isinstance(decode(raw), str)


@pytest.mark.parametrize("raw", [b"A&B", b"&kAF", b"&!!!-", b"&A-", b"a&b&c-"])
def test_what_is_no_modified_utf7_is_shown_as_it_is(raw):
    assert decode(raw) == raw.decode()


def test_names_sent_as_utf8_against_the_rule_are_read():
    assert decode("送信済み".encode()) == "送信済み"


@pytest.mark.parametrize("name", ["送信済みアイテム", "下書き①㈱", "ｹﾝｼｭｳ", "表示能力"])
def test_names_sent_as_shift_jis_against_the_rule_are_read(name):
    assert decode(name.encode("cp932")) == name


def test_names_in_no_known_charset_are_shown_as_far_as_they_can_be():
    assert decode(b"Box \xff\x80\xfe") == "Box \ufffd\ufffd\ufffd"


@pytest.mark.parametrize("raw", [b"a&AAA-b", b"a\0b"])
def test_no_name_holds_what_a_database_does_not_take(raw):
    assert decode(raw) == "a\ufffdb"
