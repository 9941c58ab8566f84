"""What hosts say of their limits when they refuse, from words as they were seen or as their servers write them."""

import pytest

from fumibako.mail.diagnosis import Failure, LimitTold, Reply, diagnose, limit_told


@pytest.mark.parametrize(
    ("words", "host", "wait"),
    [
        ("NO throttled, wait 300 seconds", None, 300),
        ("NO [LIMIT] please try again in 5 minutes", None, 300),
        ("NO rate limit exceeded; retry after 1.5h", None, 5400),
        ("BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", "microsoft365", 92.415),
        ("BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds", None, 92.415),
        ("* BYE Too many requests, slow down: wait 30s", None, 30),
        ("NO 一時的に制限しています。10分後にお試しください", None, 600),
        ("NO [LIMIT] UID FETCH Rate limit hit.", "yahoo.com", None),
        ("NO [OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", "google", None),
    ],
)
def test_words_that_ask_to_slow_down_say_for_how_long(words: str, host: str | None, wait: float | None) -> None:
    told = limit_told(diagnose(Reply(words), stage="fetch", host_id=host))
    assert told is not None
    assert (told.connections, told.wait) == (False, pytest.approx(wait))


@pytest.mark.parametrize(
    ("words", "of_user", "allowed"),
    [
        (
            "NO [LIMIT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=2)",
            True,
            2,
        ),
        (
            "NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=16)",
            True,
            16,
        ),
        ("NO Too many open connections (10 of 10 for taro)", True, 10),
        ("NO Too many connections from this user", True, None),
        ("NO Too many connections from this host", False, None),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", False, None),
        ("NO Too many connections from your address (limit 20)", False, 20),
        ("NO 接続数の上限を超えました", False, None),
        ("NO [LIMIT] Too many connections", False, None),
        ("NO [LIMIT] no", False, None),
    ],
)
def test_a_refused_connection_says_whom_it_counts_and_how_many_are_allowed(
    words: str, of_user: bool, allowed: int | None
) -> None:
    assert limit_told(diagnose(Reply(words), stage="login")) == LimitTold(True, of_user=of_user, allowed=allowed)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("NO [AUTHENTICATIONFAILED] Authentication failed.", "wrong_credentials"),
        ("NO Too many failed logins, try again in 30 minutes", "locked_after_tries"),
        ("NO [UNAVAILABLE] Temporary authentication failure.", "auth_temporary"),
    ],
)
def test_a_refused_secret_a_lock_out_and_a_directory_that_is_away_are_no_limits(words: str, cause: str) -> None:
    failure = diagnose(Reply(words), stage="login")
    assert failure.cause == cause
    assert limit_told(failure) is None


def test_numbers_that_are_no_times_are_no_times() -> None:
    for words in ("NO slow down (code 15)", "NO throttled on 10.1.2.3", "NO throttled, 3 mails refused", ""):
        told = limit_told(Failure("rate_limited", server_words=words))
        assert told is not None and told.wait is None
