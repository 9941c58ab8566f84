import pytest

from fumibako.mail.letter.addresses import parse_addresses
from fumibako.mail.letter.values import Address

from .mails import encoded_word


def read(line: bytes | str) -> list[tuple[str, str]]:
    data = line.encode() if isinstance(line, str) else line
    return [(address.name, address.address) for address in parse_addresses(data)]


def test_the_usual_forms_are_read() -> None:
    line = '山田 太郎 <taro@example.jp>, "Sato, Jiro" <jiro@example.jp>, hanako@example.jp, <saburo@example.jp>'
    assert read(line) == [
        ("山田 太郎", "taro@example.jp"),
        ("Sato, Jiro", "jiro@example.jp"),
        ("", "hanako@example.jp"),
        ("", "saburo@example.jp"),
    ]


@pytest.mark.parametrize(
    "address", ["a..b.@docomo.ne.jp", ".abc@ezweb.ne.jp", "-_-..@docomo.ne.jp", '"a..b."@docomo.ne.jp']
)
def test_addresses_of_japanese_carriers_are_taken_as_they_are(address: str) -> None:
    assert read(address) == [("", address)]
    assert read(f"太郎 <{address}>") == [("太郎", address)]
    assert read(f"太郎 <{address}>, other@example.jp")[0] == ("太郎", address)


def test_a_group_gives_its_members_and_no_name() -> None:
    assert read("営業部: taro@example.jp, 花子 <hanako@example.jp>; jiro@example.jp") == [
        ("", "taro@example.jp"),
        ("花子", "hanako@example.jp"),
        ("", "jiro@example.jp"),
    ]
    assert read("undisclosed-recipients:;") == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("山田太郎 taro@example.jp", ("山田太郎", "taro@example.jp")),
        ("Taro <taro@example.jp", ("Taro", "taro@example.jp")),
        ("taro@example.jp (山田 太郎)", ("山田 太郎", "taro@example.jp")),
        ("taro@example.jp <taro@example.jp>", ("taro@example.jp", "taro@example.jp")),
        ("Yamada, Taro <taro@example.jp>", ("Yamada, Taro", "taro@example.jp")),
        ('"Yamada <taro@example.jp>', ('"Yamada', "taro@example.jp")),
        ('"say \\"hi\\"" <taro@example.jp>', ('say "hi"', "taro@example.jp")),
        ("<@relay.example,@b.example:taro@example.jp>", ("", "taro@example.jp")),
        ("taro <mailto:taro@example.jp>", ("taro", "taro@example.jp")),
        ("< taro@example.jp >", ("", "taro@example.jp")),
        ("Taro <Sales> <taro@example.jp>", ("Taro <Sales>", "taro@example.jp")),
        ("MAILER-DAEMON", ("MAILER-DAEMON", "")),
        ('""<taro@example.jp>', ("", "taro@example.jp")),
    ],
)
def test_careless_forms_are_read(line: str, expected: tuple[str, str]) -> None:
    assert read(line) == [expected]


def test_encoded_names_are_read_with_what_they_hold_separating_nothing() -> None:
    name = encoded_word("ISO-2022-JP", "山田, 太郎 <営業>".encode("iso-2022-jp"))
    assert read(name + b" <taro@example.jp>") == [("山田, 太郎 <営業>", "taro@example.jp")]
    assert read(b'"' + name + b'" <taro@example.jp>') == [("山田, 太郎 <営業>", "taro@example.jp")]
    assert read(b"=?utf-8?Q?Yamada,_Taro?= <taro@example.jp>") == [("Yamada, Taro", "taro@example.jp")]


def test_a_name_encoded_in_two_words_is_joined() -> None:
    data = "山田太郎".encode("cp932")
    words = encoded_word("shift_jis", data[:3]) + b" " + encoded_word("shift_jis", data[3:])
    assert read(words + b" <taro@example.jp>") == [("山田太郎", "taro@example.jp")]


@pytest.mark.parametrize("codec", ["utf-8", "cp932", "euc_jp", "iso-2022-jp"])
def test_raw_japanese_names_are_read(codec: str) -> None:
    line = "株式会社文箱 表参道支店 <taro@example.jp>, 山田 <y@example.jp>".encode(codec)
    assert read(line) == [("株式会社文箱 表参道支店", "taro@example.jp"), ("山田", "y@example.jp")]


def test_an_address_encoded_whole_is_taken_out_of_its_word() -> None:
    assert read(encoded_word("utf-8", "太郎 <taro@example.jp>".encode())) == [("太郎", "taro@example.jp")]


@pytest.mark.parametrize("line", ["", " ", ",", ";;", "<>", ":", "()", '""'])
def test_nothing_gives_nobody(line: str) -> None:
    assert read(line) == []


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("ceo@bank.example", True),
        ("銀行 <ceo@bank.example>", True),
        ("ceo＠bank．example", True),
        ("taro@example.jp", False),
        ("TARO@Example.jp", False),
        ("山田 太郎", False),
        ("@home", False),
        ("", False),
    ],
)
def test_a_name_that_holds_another_address_is_told(name: str, holds: bool) -> None:
    assert Address(name, "taro@example.jp").name_holds_another_address is holds
