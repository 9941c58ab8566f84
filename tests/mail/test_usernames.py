"""Which user names are tried, and how often."""

import pytest

from fumibako.mail.connect import Security, Server
from fumibako.mail.diagnosis import Failure
from fumibako.mail.discovery.book import host_of_domain, host_of_server
from fumibako.mail.discovery.login import first_that_works
from fumibako.mail.discovery.usernames import usernames
from fumibako.mail.discovery.values import DomainSettings, Wish
from fumibako.mail.imap import LoginRefused

ADDRESS = "taro@example.jp"
BLANK = Wish(secret="x")
SERVER = Server("mail.example.jp", 993, Security.TLS)


def test_a_typed_name_is_the_only_one() -> None:
    assert usernames("imap", ADDRESS, Wish(username="kir12345.taro", secret="x")) == ("kir12345.taro",)


def test_at_an_unknown_host_the_address_comes_first_and_then_the_part_before_the_at() -> None:
    assert usernames("imap", ADDRESS, BLANK) == (ADDRESS, "taro")


@pytest.mark.parametrize(
    ("shape", "names"),
    [("address", (ADDRESS,)), ("local", ("taro",)), ("percent", ("taro%example.jp",))],
)
def test_the_organization_s_settings_say_the_shape(shape: str, names: tuple[str, ...]) -> None:
    settings = DomainSettings("example.jp", SERVER, imap_login=shape)  # type: ignore[arg-type]
    assert usernames("imap", ADDRESS, BLANK, settings=settings) == names


def test_reading_and_sending_can_want_different_names() -> None:
    icloud = host_of_domain("icloud.com")
    assert usernames("imap", "taro@icloud.com", BLANK, host=icloud) == ("taro",)
    assert usernames("smtp", "taro@icloud.com", BLANK, host=icloud) == ("taro@icloud.com",)


def test_a_name_that_no_address_tells_is_asked_for_before_anything_is_sent() -> None:
    kagoya = host_of_server("mss-g2-140.kagoya.net", "imap")
    assert kagoya is not None
    with pytest.raises(Failure) as caught:
        usernames("imap", ADDRESS, BLANK, host=kagoya[0])
    assert caught.value.cause == "wrong_username_shape"


def test_sending_begins_with_the_name_that_reading_took_and_never_tries_more_than_two() -> None:
    assert usernames("smtp", ADDRESS, BLANK, worked_for_imap="taro") == ("taro", ADDRESS)


def refused(words: str) -> LoginRefused:
    return LoginRefused("NO", None, words, "AUTHENTICATE")


async def attempts(*answers: Exception | str) -> tuple[list[str], tuple[str, str, int] | Failure]:
    """The names that were tried, and how it ended."""
    tried: list[str] = []

    async def log_in(name: str) -> str:
        tried.append(name)
        answer = answers[len(tried) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    try:
        ended: tuple[str, str, int] | Failure = await first_that_works(
            (ADDRESS, "taro"), log_in, stage="login", host_id=None
        )
    except Failure as failure:
        ended = failure
    return tried, ended


async def test_the_second_name_is_tried_when_the_first_was_refused() -> None:
    assert await attempts(refused("Authentication failed."), "PLAIN") == ([ADDRESS, "taro"], ("taro", "PLAIN", 1))


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("Too many failed logins", "locked_after_tries"),
        ("[UNAVAILABLE] Temporary authentication failure", "auth_temporary"),
        ("IMAP is disabled", "imap_disabled"),
        ("xyzzy", "server_refused_unclear"),
    ],
)
async def test_no_second_name_is_tried_after_a_lock_a_fault_or_words_that_nobody_knows(words: str, cause: str) -> None:
    tried, ended = await attempts(refused(words), "PLAIN")
    assert isinstance(ended, Failure)
    assert (tried, ended.cause) == ([ADDRESS], cause)


async def test_of_two_refusals_the_first_is_told_unless_the_second_is_a_lock() -> None:
    _, twice = await attempts(refused("Authentication failed: first"), refused("Authentication failed: second"))
    _, locked = await attempts(refused("Authentication failed."), refused("Too many failed logins"))
    assert isinstance(twice, Failure) and isinstance(locked, Failure)
    assert twice.server_words == "NO Authentication failed: first"
    assert locked.cause == "locked_after_tries"
