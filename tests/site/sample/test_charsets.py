from email.header import decode_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fumibako.site.sample.charsets import encode, encoded


@given(st.text(st.characters(codec="shift_jis", exclude_characters="\\~¥‾\r\n", exclude_categories=("Cc",))))
def test_what_the_standard_has_is_written_as_the_standard_library_reads_it(text: str) -> None:
    wire = encode(text, "iso-2022-jp")
    assert wire.isascii()
    assert wire.decode("iso2022_jp_ext") == text


@pytest.mark.parametrize(
    ("letter", "wire"),
    [("①", b"-!"), ("㈱", b"-j"), ("髙", b"|b"), ("﨑", b"yu")],  # NEC's row 13 and NEC's selection of IBM's letters
)
def test_vendors_letters_get_the_places_that_mail_programs_use(letter: str, wire: bytes) -> None:
    assert encode(letter, "iso-2022-jp") == b"\x1b$B" + wire + b"\x1b(B"


def test_half_width_kana_are_announced() -> None:
    assert encode("ｱａ", "iso-2022-jp") == b"\x1b(I1\x1b$B#a\x1b(B"


def test_what_a_charset_lacks_is_an_error() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode("😀", "iso-2022-jp")


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1))
def test_encoded_words_are_short_and_whole(text: str) -> None:
    folded = encoded(text, "utf-8")
    if text.isascii():
        assert folded == text
        return
    for word in folded.split("\r\n "):
        assert len(word) <= 75
        ((content, charset),) = decode_header(word)
        assert content.decode(charset)
    assert b"".join(content for content, _ in decode_header(folded)).decode() == text


def test_careless_programs_cut_letters_in_two() -> None:
    words = encoded("週刊ものづくり通信の長い件名", "utf-8", careless=True).split("\r\n ")
    with pytest.raises(UnicodeDecodeError):
        decode_header(words[0])[0][0].decode("utf-8")
