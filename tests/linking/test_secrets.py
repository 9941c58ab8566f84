"""Passwords at rest: sealed for one login of one mailbox, opened with a key of ours alone."""

from typing import Any

import pytest
from cryptography.fernet import Fernet

from fumibako.linking import Draft, SecretLost, SecretsTyped, open_secret, seal_secret

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = "päss-鍵 \0\n word"


def test_a_secret_opens_for_what_it_was_sealed_for() -> None:
    sealed = seal_secret(SECRET, owner="mb_1", service="imap")
    assert SECRET.encode() not in sealed and b"mb_1" not in sealed
    assert open_secret(sealed, owner="mb_1", service="imap") == SECRET
    assert open_secret(memoryview(sealed), owner="mb_1", service="imap") == SECRET


@pytest.mark.parametrize(("owner", "service"), [("mb_2", "imap"), ("mb_1", "smtp"), ("", "imap")])
def test_a_row_copied_to_another_mailbox_or_login_does_not_open(owner: str, service: str) -> None:
    sealed = seal_secret(SECRET, owner="mb_1", service="imap")
    with pytest.raises(SecretLost) as lost:
        open_secret(sealed, owner=owner, service=service)
    assert SECRET not in repr(lost.value)


def test_the_same_password_sealed_twice_looks_different() -> None:
    assert seal_secret(SECRET, owner="mb_1", service="imap") != seal_secret(SECRET, owner="mb_1", service="imap")


@pytest.mark.parametrize("sealed", [None, b"", b"nonsense"])
def test_what_is_not_sealed_by_us_is_lost(sealed: bytes | None) -> None:
    with pytest.raises(SecretLost):
        open_secret(sealed, owner="mb_1", service="imap")


def test_a_secret_whose_key_is_gone_is_lost(settings: Any) -> None:
    settings.FUMIBAKO_KEYS = [OLD]
    sealed = seal_secret(SECRET, owner="mb_1", service="imap")
    settings.FUMIBAKO_KEYS = [NEW]
    with pytest.raises(SecretLost):
        open_secret(sealed, owner="mb_1", service="imap")


def test_a_new_key_in_front_seals_while_the_old_one_still_opens(settings: Any) -> None:
    settings.FUMIBAKO_KEYS = [OLD]
    old = seal_secret(SECRET, owner="mb_1", service="imap")
    settings.FUMIBAKO_KEYS = [NEW, OLD]
    new = seal_secret(SECRET, owner="mb_1", service="imap")
    assert open_secret(old, owner="mb_1", service="imap") == SECRET
    settings.FUMIBAKO_KEYS = [NEW]
    assert open_secret(new, owner="mb_1", service="imap") == SECRET


def test_typed_passwords_are_in_no_repr() -> None:
    assert SECRET not in repr(SecretsTyped(SECRET, SECRET))
    assert "sealed" not in Draft.__dataclass_fields__ and "secret" not in Draft.__dataclass_fields__
