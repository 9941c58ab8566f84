import pytest

from fumibako.mail.sasl import login, plain


def test_plain_carries_name_and_password_in_utf8():
    assert plain("taro@example.jp", "あö") == b"\0taro@example.jp\0" + "あö".encode()


def test_login_answers_name_then_password():
    assert login("taro", "pw") == (b"taro", b"pw")


@pytest.mark.parametrize("build", [plain, login])
def test_a_nul_is_refused_without_being_told(build):
    with pytest.raises(ValueError, match="NUL") as caught:
        build("taro", "geheim\0x")
    assert "geheim" not in str(caught.value)
