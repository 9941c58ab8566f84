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


@given(st.text(st.characters(exclude_categories=["Cs"])))
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
