import base64

import pytest

from fumibako.mail.letter.words import decode_words, header_text

from .mails import encoded_word


def test_a_subject_of_four_words_in_iso_2022_jp_is_read() -> None:
    text = "【ご確認】第３四半期の御見積書と納期のご相談について（株式会社文箱）"
    words = [encoded_word("ISO-2022-JP", text[i : i + 9].encode("iso-2022-jp")) for i in range(0, len(text), 9)]
    assert len(words) == 4
    assert header_text(b"\r\n ".join(words)) == text


@pytest.mark.parametrize("codec", ["utf-8", "cp932", "euc_jp", "iso-2022-jp"])
@pytest.mark.parametrize("cut", range(5, 12))
def test_a_character_cut_between_two_words_is_whole(codec: str, cut: int) -> None:
    data = "御見積書の件".encode(codec)
    words = encoded_word(codec, data[:cut]) + b"\r\n " + encoded_word(codec.upper(), data[cut:])
    assert header_text(words) == "御見積書の件"


def test_base64_cut_between_its_groups_is_joined() -> None:
    text = base64.b64encode("御見積書の件".encode()).decode()
    assert decode_words(f"=?UTF-8?B?{text[:10]}?= =?UTF-8?B?{text[10:]}?=") == "御見積書の件"


def test_words_of_different_charsets_stand_side_by_side() -> None:
    words = encoded_word("utf-8", "御見積".encode()) + b" " + encoded_word("shift_jis", "書".encode("cp932"))
    assert header_text(words) == "御見積書"


def test_text_between_words_keeps_its_spaces() -> None:
    assert decode_words("Re: =?utf-8?Q?=E4=BB=B6?= and =?utf-8?Q?=E4=BB=B6?= (2)") == "Re: 件 and 件 (2)"


def test_quoted_printable_words_are_read_with_underscores_spaces_and_question_marks() -> None:
    assert decode_words("=?utf-8?q?Hello_World?=") == "Hello World"
    assert decode_words("=?utf-8?Q?Hello World?=") == "Hello World"
    assert decode_words("=?utf-8?Q?Really??=") == "Really?"


def test_a_language_a_missing_padding_and_a_missing_end_are_tolerated() -> None:
    assert decode_words("=?utf-8*ja?B?5Lu2?=") == "件"
    assert decode_words("=?utf-8?B?44GCYQ?=") == "あa"
    assert decode_words("=?utf-8?B?5Lu2") == "件"


def test_nec_characters_in_a_word_are_read() -> None:
    assert header_text(encoded_word("ISO-2022-JP", b"\x1b$B-j|b66\x1b(B")) == "㈱髙橋"


@pytest.mark.parametrize("codec", ["utf-8", "cp932", "euc_jp", "iso-2022-jp"])
def test_raw_japanese_in_a_header_is_read(codec: str) -> None:
    assert header_text("Re: 御見積書の件について".encode(codec)) == "Re: 御見積書の件について"


def test_raw_characters_inside_a_word_are_read_as_the_word_says() -> None:
    assert header_text("=?iso-8859-1?Q?Die_Fr\xf6sche?=".encode("latin-1")) == "Die Frösche"


def test_a_header_is_one_line_without_controls_and_direction_marks() -> None:
    assert header_text(b"one\r\n\ttwo\x00 \x07three") == "one two three"
    assert header_text("invoice\u202efdp.exe".encode()) == "invoicefdp.exe"


def test_what_only_looks_like_a_word_stays() -> None:
    assert decode_words("a =? b ?= c") == "a =? b ?= c"
