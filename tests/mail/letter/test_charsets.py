import pytest

from fumibako.mail.letter.charsets import decode

# ①Ⅱ㈱髙﨑 by hand: NEC row 13 and NEC's selection of the IBM extensions, as cp50220 sends them.
NEC_IN_JIS = b"\x1b$B-!-6-j|byu\x1b(B"


@pytest.mark.parametrize("label", ["ISO-2022-JP", "iso-2022-jp-ms", "cp50220", "CP50221", "us-ascii", "utf-8", ""])
def test_nec_and_ibm_characters_in_iso_2022_jp_are_read_under_any_label(label: str) -> None:
    assert decode(NEC_IN_JIS, label) == "①Ⅱ㈱髙﨑"


@pytest.mark.parametrize("label", ["shift_jis", "Shift-JIS", "x-sjis", "windows-31j", "cp932", "MS_Kanji"])
def test_every_name_of_shift_jis_is_windows_own(label: str) -> None:
    assert decode("①㈱髙﨑ﾃｽﾄ～".encode("cp932"), label) == "①㈱髙﨑ﾃｽﾄ～"


@pytest.mark.parametrize("label", ["EUC-JP", "eucJP-ms", "cp51932", "x-euc-jp", "ujis"])
def test_windows_characters_in_euc_are_read(label: str) -> None:
    nec_row_13 = b"\xad\xa1\xad\xea"
    nec_selection = b"\xfc\xe2\xf9\xf5"
    ibm_by_three_bytes = b"\x8f\xf4\xfb"
    jis_x_0212 = b"\x8f\xb0\xa1"
    assert decode(nec_row_13 + nec_selection + b"\x8e\xc3" + jis_x_0212, label) == "①㈱髙﨑ﾃ丂"
    assert decode("漢字".encode("euc_jp") + ibm_by_three_bytes, label) == "漢字髙"


def test_half_width_kana_is_read_in_each_way_that_iso_2022_jp_sends_it() -> None:
    assert decode(b"\x1b(I6E\x1b(B", "iso-2022-jp") == "ｶﾅ"
    assert decode(b"\x0e6E\x0f", "iso-2022-jp") == "ｶﾅ"
    assert decode(b"\x1b$B4A\x1b(B\xb6\xc5", "iso-2022-jp") == "漢ｶﾅ"


def test_one_strange_character_does_not_garble_the_rest() -> None:
    text = "お世話になっております。".encode("iso-2022-jp") + NEC_IN_JIS + "山田です。".encode("iso-2022-jp")
    assert decode(text, "iso-2022-jp") == "お世話になっております。①Ⅱ㈱髙﨑山田です。"


def test_wave_dash_and_minus_are_the_same_in_all_three_japanese_charsets() -> None:
    assert decode("〜−".encode("iso-2022-jp"), "iso-2022-jp") == "～－"
    assert decode("〜−".encode("euc_jp"), "euc-jp") == "～－"
    assert decode("～－".encode("cp932"), "shift_jis") == "～－"


def test_unlabelled_iso_2022_jp_is_known_by_its_escapes() -> None:
    assert decode("見積書の件".encode("iso-2022-jp")) == "見積書の件"


def test_kanji_that_a_relay_folded_over_a_line_end_are_read() -> None:
    assert decode(b'\x1b$B$"$$$&\r\n$($*\x1b(B', "iso-2022-jp").replace("\r", "") == "あいう\nえお"


def test_a_line_end_returns_to_ascii_where_the_escape_is_missing() -> None:
    assert decode(b'\x1b$B$"$$\r\nHello, this is text\r\n', "iso-2022-jp") == "あい\r\nHello, this is text\r\n"


def test_terminal_colours_are_no_iso_2022_jp() -> None:
    assert decode(b"\x1b[31mred\x1b[0m", "") == "\x1b[31mred\x1b[0m"


@pytest.mark.parametrize("codec", ["utf-8", "cp932", "euc_jp", "iso-2022-jp"])
@pytest.mark.parametrize(
    "label", ["", "us-ascii", "utf-8", "iso-2022-jp", "iso-8859-1", "unknown-8bit", "no-such-charset"]
)
def test_japanese_is_read_whatever_the_label_says(codec: str, label: str) -> None:
    text = "いつもお世話になっております。株式会社文箱の山田です。"
    assert decode(text.encode(codec), label) == text


@pytest.mark.parametrize("label", ["shift_jis", "euc-jp", "gb2312", "iso-8859-1", "big5"])
def test_utf_8_under_a_legacy_label_is_read(label: str) -> None:
    assert decode("御見積書をお送りします".encode(), label) == "御見積書をお送りします"


@pytest.mark.parametrize("text", ["Müller, Straße, café", "don’t say “Hello”", "résumé señor", "Größe"])
@pytest.mark.parametrize("label", ["", "iso-8859-1", "windows-1252", "utf-8"])
def test_western_text_is_not_taken_for_japanese(text: str, label: str) -> None:
    assert decode(text.encode("cp1252"), label) == text


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("utf-7", "utf-7", "日本語 & more"),
        ("UNICODE-1-1-UTF-7", "utf-7", "見積"),
        ("gb2312", "gb18030", "镕简体中文"),
        ("ks_c_5601-1987", "cp949", "안녕하세요 뷁"),
        ("euc-kr", "cp949", "안녕하세요"),
        ("big5", "cp950", "繁體中文"),
        ("utf-16le", "utf-16-le", "見積書"),
        ("koi8-r", "koi8-r", "Привет"),
        ("windows-1251", "cp1251", "Привет"),
    ],
)
def test_other_charsets_are_read_by_their_labels(label: str, codec: str, text: str) -> None:
    assert decode(text.encode(codec), label) == text


def test_the_hint_decides_where_nothing_else_does() -> None:
    assert decode("简体中文".encode("gb18030"), hint="gb2312") == "简体中文"


def test_a_character_cut_off_at_the_end_costs_only_itself() -> None:
    assert decode("いつもお世話になっております".encode()[:-1], "utf-8") == "いつもお世話になっておりま\ufffd"
    assert decode("いつもお世話になっております".encode("cp932")[:-1], "shift_jis")[:-1] == "いつもお世話になっておりま"


@pytest.mark.parametrize(
    "label", ["zlib", "base64", "unicode_escape", "rot13", "idna", "undefined", "punycode", "\x00", "a" * 500]
)
def test_a_label_cannot_choose_a_codec_that_is_no_charset(label: str) -> None:
    assert decode(b"plain \\u0041", label) == "plain \\u0041"


def test_nothing_that_a_database_refuses_comes_out() -> None:
    assert decode(b"a\x00b") == "ab"
    assert decode(b"+2AA-", "utf-7") == "\ufffd"
