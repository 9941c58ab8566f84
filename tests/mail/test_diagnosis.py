"""Causes: complete in both languages, and found from what servers and libraries really say."""

import asyncio
import json
import ssl
from importlib.resources import files
from typing import Any

import pytest

from fumibako.mail import connect, imap, submission
from fumibako.mail.diagnosis import CAUSES, Failure, Reply, diagnose

ROWS: list[dict[str, Any]] = json.loads(files("fumibako.mail.diagnosis").joinpath("replies.json").read_text("utf-8"))
SEEN = [row for row in ROWS if "example" in row]


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: cause.code)
def test_every_cause_has_a_sentence_and_steps_in_both_languages(cause: Any) -> None:
    assert cause.sentence_ja.endswith("。")
    assert cause.sentence_en.isascii() or "’" in cause.sentence_en
    assert cause.steps_ja and len(cause.steps_ja) == len(cause.steps_en)
    assert cause.remedy_ja.endswith("。") and cause.remedy_en.endswith(".")


def test_every_known_reply_leads_to_a_known_cause() -> None:
    assert {row["cause"] for row in ROWS} <= set(CAUSES)


@pytest.mark.parametrize("row", SEEN, ids=lambda row: f"{row['host']}: {row['example'][:50]}")
def test_a_reply_that_was_seen_at_a_host_leads_to_its_cause_there(row: dict[str, Any]) -> None:
    host = None if row["host"].startswith("any") else row["host"]
    stage = "fetch" if row["stage"] == "any" else row["stage"]
    failure = diagnose(Reply(row["example"]), stage=stage, host_id=host, mechanism=row.get("mechanism", "password"))
    assert failure.cause == row["cause"]


@pytest.mark.parametrize(
    ("text", "stage", "cause"),
    [
        ("NO [AUTHENTICATIONFAILED] Authentication failed.", "login", "wrong_credentials"),
        ("NO [AUTHENTICATIONFAILED] だめです", "login", "wrong_credentials"),
        ("NO 認証に失敗しました。", "login", "wrong_credentials"),
        ("NO [UNAVAILABLE] try later", "login", "auth_temporary"),
        ("NO Too many failed logins, try again in 30 minutes", "login", "locked_after_tries"),
        ("NO [EXPIRED] change it", "login", "password_expired"),
        ("535 5.7.8 Error: authentication failed:", "smtp-auth", "wrong_credentials"),
        ("553 5.7.1 <a@example.jp>: Sender address rejected: not owned by user b", "smtp-mail", "sender_refused"),
        ("421 4.3.2 All server ports are busy", "smtp-connect", "server_down"),
    ],
)
def test_replies_of_unknown_hosts_are_understood(text: str, stage: str, cause: str) -> None:
    failure = diagnose(Reply(text), stage=stage)
    assert (failure.cause, failure.stage, failure.server_words) == (cause, stage, text)


def test_words_that_nobody_knows_get_a_cause_that_says_no_more_than_is_known() -> None:
    failure = diagnose(Reply("NO xyzzy"), stage="login")
    assert (failure.cause, failure.server_words) == ("server_refused_unclear", "NO xyzzy")


def test_the_same_words_mean_another_thing_at_a_host_that_is_known() -> None:
    words = Reply("NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)")
    assert diagnose(words, stage="login").cause == "wrong_credentials"
    assert diagnose(words, stage="login", host_id="google").cause == "app_password_required"


@pytest.mark.parametrize("host", ["docomo", "lineworks"])
def test_a_fault_at_a_host_with_a_mail_password_is_not_taken_for_a_wrong_password(host: str) -> None:
    refused = diagnose(Reply("NO [AUTHENTICATIONFAILED] Authentication failed"), stage="login", host_id=host)
    fault = diagnose(Reply("NO [UNAVAILABLE] Authentication failed for now"), stage="login", host_id=host)
    assert (refused.cause, fault.cause) == ("mail_password_required", "auth_temporary")


def test_a_remedy_of_the_host_replaces_the_general_steps() -> None:
    failure = diagnose(Reply("NO [ALERT] Application-specific password required"), stage="login", host_id="google")
    assert "Google" in failure.remedy.ja and "16" in failure.remedy.en
    assert failure.remedy.ja != CAUSES[failure.cause].remedy_ja


def certificate_error(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {message}")
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("error", "cause", "stage"),
    [
        (connect.NameNotFound("no such name", host="mial.jp"), "wrong_server_name", "dns"),
        (connect.DnsFailure("no answer"), "dns_failure", "dns"),
        (connect.Refused("Connection refused"), "connection_refused", "connect"),
        (connect.Unreachable("No route to host"), "server_unreachable", "connect"),
        (connect.TimedOut("no connection in time"), "server_unreachable", "connect"),
        (connect.CertificateUntrusted("self-signed certificate"), "cert_untrusted", "tls"),
        (connect.CertificateForeignName("Hostname mismatch"), "cert_foreign_name", "tls"),
        (connect.CertificateExpired("certificate has expired"), "cert_expired", "tls"),
        (connect.TlsTooOld("tlsv1 alert protocol version"), "tls_too_old", "tls"),
        (connect.NotTls("wrong version number"), "wrong_port", "tls"),
        (connect.TlsError("tlsv13 alert certificate required"), "tls_failed", "tls"),
        (connect.NotAMailServer(speaks="http"), "wrong_port", "greeting"),
        (connect.Dropped("closed"), "connection_dropped", "login"),
        (imap.LoginUnavailable(frozenset({"CRAM-MD5"})), "auth_mechanism_unsupported", "login"),
        (imap.StartTlsRefused("BAD no"), "plaintext_refused", "login"),
        (imap.ConnectionLost(), "connection_dropped", "login"),
        (imap.TimedOut("LOGIN"), "server_unreachable", "login"),
        (submission.LoginUnavailable(frozenset()), "smtp_auth_required", "smtp-auth"),
        (submission.StartTlsMissing("not offered"), "plaintext_refused", "smtp-ehlo"),
        (certificate_error(18, "self-signed certificate"), "cert_untrusted", "tls"),
        (certificate_error(23, "certificate revoked"), "cert_untrusted", "tls"),
        (certificate_error(62, "Hostname mismatch"), "cert_foreign_name", "tls"),
        (certificate_error(10, "certificate has expired"), "cert_expired", "tls"),
        (ssl.SSLError(1, "[SSL: DH_KEY_TOO_SMALL] dh key too small"), "tls_too_old", "tls"),
        (ssl.SSLError(1, "[SSL: SOMETHING_NEW] something new"), "tls_failed", "tls"),
        (ConnectionResetError(104, "Connection reset by peer"), "connection_dropped", "connect"),
        (OSError(113, "No route to host"), "server_unreachable", "connect"),
        (TimeoutError(), "server_unreachable", "connect"),
        (asyncio.IncompleteReadError(b"", 3), "connection_dropped", "greeting"),
        (ZeroDivisionError(), "server_refused_unclear", "login"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_an_exception_leads_to_its_cause(error: BaseException, cause: str, stage: str) -> None:
    failure = diagnose(error, stage="login")
    assert (failure.cause, failure.stage, failure.server_words) == (cause, stage, None)


def test_a_bye_in_place_of_a_greeting_is_a_server_that_is_out_of_service() -> None:
    failure = diagnose(imap.Bye("see you", None), stage="greeting")
    assert (failure.cause, failure.server_words) == ("server_down", "* BYE see you")


def test_the_explanation_beside_a_refusal_counts_when_the_refusal_says_nothing() -> None:
    refused = imap.LoginRefused("NO", None, "no", "LOGIN", ("NO [ALERT] IMAP is disabled for this account",))
    assert diagnose(refused, stage="login").cause == "imap_disabled"


def test_all_refused_addresses_get_one_and_the_same_answer() -> None:
    answers = {
        (failure.cause, failure.stage, failure.detail, failure.server_words)
        for host in ("db.internal", "10.0.0.1", "169.254.169.254")
        for failure in [diagnose(connect.AddressRefused("no", host=host, port=5432), stage="connect")]
    }
    assert len(answers) == 1


def test_what_caused_an_exception_counts_when_the_exception_itself_says_nothing() -> None:
    outer = ValueError("wrapped")
    outer.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert diagnose(outer, stage="connect").cause == "connection_refused"


def test_a_server_s_words_are_shown_on_one_line_without_control_characters() -> None:
    failure = diagnose(Reply("NO first\r\nsecond\x1b[31m" + "x" * 1000), stage="login")
    assert failure.server_words is not None
    assert failure.server_words.startswith("NO first second [31mxxx") and len(failure.server_words) == 500


def test_a_failure_is_shown_without_the_server_s_words() -> None:
    failure = Failure("wrong_credentials", server_words="NO taro@example.jp: wrong", detail="sv1:993")
    assert str(failure) == "wrong_credentials at login (sv1:993)"
    assert "taro" not in repr(failure) + str(failure)
