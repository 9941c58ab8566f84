import pytest

from fumibako.mail.letter.parameters import parse_parameters

from .mails import encoded_word


def name_in(line: bytes) -> str:
    return parse_parameters(line)[1]["filename"]


def test_value_and_parameters_are_read() -> None:
    line = b'Text/Plain; Charset="UTF-8" ; format=flowed;delsp = yes'
    assert parse_parameters(line) == ("text/plain", {"charset": "UTF-8", "format": "flowed", "delsp": "yes"})


@pytest.mark.parametrize("charset", ["utf-8", "iso-2022-jp", "shift_jis", "euc-jp"])
@pytest.mark.parametrize("size", [1, 5, 7, 20])
def test_pieces_are_joined_before_they_are_decoded(charset: str, size: int) -> None:
    data = "御見積書（第２版）.pdf".encode(charset)
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    line = b"attachment"
    for number, piece in enumerate(pieces):
        label = charset.encode() + b"'ja'" if number == 0 else b""
        line += b"; filename*%d*=%s" % (number, label) + "".join(f"%{byte:02X}" for byte in piece).encode()
    assert name_in(line) == "御見積書（第２版）.pdf"


def test_pieces_out_of_order_are_put_in_order() -> None:
    line = b"attachment; filename*1*=%E7%A9%8D.pdf; filename*0*=UTF-8''%E8%A6%8B"
    assert name_in(line) == "見積.pdf"


def test_plain_and_extended_pieces_are_mixed() -> None:
    line = b"attachment; filename*0*=UTF-8''%E8%A6%8B; filename*1=\"-2025\"; filename*2*=%E7%A9%8D.pdf"
    assert name_in(line) == "見-2025積.pdf"


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_an_encoded_word_in_pieces_is_read(cut: int) -> None:
    word = encoded_word("ISO-2022-JP", "御見積書.pdf".encode("iso-2022-jp"))
    line = b'attachment; filename*0="' + word[:cut] + b'"; filename*1="' + word[cut:] + b'"'
    assert name_in(line) == "御見積書.pdf"


def test_an_encoded_word_in_a_plain_name_is_read() -> None:
    words = encoded_word("utf-8", "御見".encode()) + b" " + encoded_word("utf-8", "積書.pdf".encode())
    assert name_in(b'attachment; filename="' + words + b'"') == "御見積書.pdf"
    assert name_in(b"attachment; filename=" + encoded_word("utf-8", "見.pdf".encode())) == "見.pdf"


@pytest.mark.parametrize("codec", ["utf-8", "cp932", "euc_jp", "iso-2022-jp"])
def test_raw_japanese_names_are_read_also_with_a_backslash_in_their_bytes(codec: str) -> None:
    name = "表示・ソート予定表.xlsx"
    assert name_in(b'attachment; filename="' + name.encode(codec) + b'"; size=1') == name


def test_raw_shift_jis_in_pieces_is_joined() -> None:
    data = "御見積書.pdf".encode("cp932")
    line = b'attachment; filename*0="' + data[:3] + b'"; filename*1="' + data[3:] + b'"'
    assert name_in(line) == "御見積書.pdf"


def test_the_extended_name_wins_over_the_plain_one() -> None:
    assert name_in(b"attachment; filename=\"mitsumori.pdf\"; filename*=UTF-8''%E8%A6%8B%E7%A9%8D.pdf") == "見積.pdf"


def test_careless_quoting_is_read() -> None:
    assert name_in(b"attachment; filename=my file (2).pdf") == "my file (2).pdf"
    assert name_in(b'attachment; filename="a;b.pdf"') == "a;b.pdf"
    assert name_in(b'attachment; filename="say \\"hi\\".txt"') == 'say "hi".txt'
    assert name_in(b'attachment; filename="C:\\dir\\a.txt"') == "C:\\dir\\a.txt"
    assert name_in(b'attachment; filename="no end.pdf') == "no end.pdf"
