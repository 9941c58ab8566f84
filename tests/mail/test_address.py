"""Addresses and server names as people type them."""

import pytest

from fumibako.mail.diagnosis import Failure
from fumibako.mail.discovery import normalize_address, normalize_server_name


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ｙａｍａｄａ＠ｅｘａｍｐｌｅ．ｃｏ．ｊｐ", "yamada@example.co.jp"),
        ("\u3000yamada@example.co.jp \n", "yamada@example.co.jp"),
        ("Yamada@Example.CO.JP", "Yamada@example.co.jp"),
        ("<yamada@example.co.jp>", "yamada@example.co.jp"),
        ("taro@例え.jp", "taro@xn--r8jz45g.jp"),
        ("a..b.@docomo.ne.jp", "a..b.@docomo.ne.jp"),
        ("taro+crm/test@example.jp", "taro+crm/test@example.jp"),
    ],
)
def test_an_address_is_understood_however_it_was_typed(typed: str, meant: str) -> None:
    assert normalize_address(typed) == meant


BAD = {
    "": "empty",
    " \u3000 ": "empty",
    "yamada": "no @",
    "yamada@@example.jp": "more than one @",
    "a@b@example.jp": "more than one @",
    "@example.jp": "nothing before the @",
    "yama da@example.jp": "space inside",
    "yamada@": "bad domain",
    "yamada@localhost": "bad domain",
    "yamada@example..jp": "bad domain",
    "yamada@-example.jp": "bad domain",
    "yamada@exam_ple!.jp": "bad domain",
    "yamada@" + "a" * 64 + ".jp": "bad domain",
    "yama\x00da@example.jp": "bad part before the @",
    "<yamada>,taro@example.jp": "bad part before the @",
}


@pytest.mark.parametrize(("typed", "detail"), BAD.items())
def test_each_kind_of_wrong_address_has_its_own_sentence(typed: str, detail: str) -> None:
    with pytest.raises(Failure) as caught:
        normalize_address(typed)
    assert (caught.value.cause, caught.value.detail) == ("wrong_address", detail)


def test_the_sentences_of_wrong_addresses_differ_in_both_languages() -> None:
    said = {}
    for typed, detail in BAD.items():
        with pytest.raises(Failure) as caught:
            normalize_address(typed)
        said[detail] = (caught.value.sentence.ja, caught.value.sentence.en)
    assert len({ja for ja, _ in said.values()}) == len({en for _, en in said.values()}) == len(set(BAD.values()))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (" IMAP.Example.JP. ", "imap.example.jp"),
        ("ｍａｉｌ．ｅｘａｍｐｌｅ．ｊｐ", "mail.example.jp"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("mailserver", "mailserver"),
    ],
)
def test_a_server_name_is_understood_however_it_was_typed(typed: str, meant: str) -> None:
    assert normalize_server_name(typed) == meant


@pytest.mark.parametrize("typed", ["", "https://mail.example.jp", "mail example jp", "mail..jp", "mail.example.jp:993"])
def test_what_cannot_be_a_server_name_is_told_as_such(typed: str) -> None:
    with pytest.raises(Failure) as caught:
        normalize_server_name(typed)
    assert caught.value.cause == "wrong_server_name"
