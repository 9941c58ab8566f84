"""Matching: from an exception of this package, or of a library, or a server's reply, to a Failure."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fumibako.mail import connect, imap, submission
from fumibako.mail.diagnosis.failure import Failure
from fumibako.mail.diagnosis.replies import ReplyRow, raised_by_libraries, replies_of

WORDS_LIMIT = 500  # characters of a server's words that are kept; replies are a line or two
UNCLEAR = "server_refused_unclear"
PASSWORD = "password"  # noqa: S105 - the kind of login that rows of replies may be limited to


@dataclass(frozen=True)
class Reply:
    """A server's answer without tag: "NO [CODE] words", "* BYE words", "535 5.7.8 words"."""

    text: str


def diagnose(
    error: BaseException | Reply,
    *,
    stage: str,
    host_id: str | None = None,
    mechanism: str = PASSWORD,
) -> Failure:
    """What went wrong, as a Failure to be raised or kept.

    `stage` is what was being done, in the words of the causes (connect, login, select, smtp-auth …); where the error
    itself knows better, its own stage wins. `host_id` is the host's id in the host book, None when not known.
    `mechanism` is "password", "xoauth2" or "oauth-refresh".
    """
    if isinstance(error, Failure):
        return error
    if isinstance(error, Reply):
        return _of_reply(error.text, stage, host_id, mechanism)
    for link in _chain(error):
        for kind, answer in _OWN:
            if isinstance(link, kind):
                return answer(link, stage, host_id, mechanism)
        for row in raised_by_libraries(host_id):
            if _is_raised(row, link):
                return _by_row(row, row.stage)
        for kind, (cause, where) in _BUILT_IN:
            if isinstance(link, kind):
                return Failure(cause, stage=where)
    return Failure(UNCLEAR, stage=stage, detail=type(error).__name__)


def _of_reply(text: str, stage: str, host_id: str | None, mechanism: str, else_cause: str = UNCLEAR) -> Failure:
    found = _match(text, stage, host_id, mechanism)
    return found or Failure(else_cause, stage=stage, server_words=presentable(text))


def _match(text: str, stage: str, host_id: str | None, mechanism: str) -> Failure | None:
    """The first row that fits decides; None when nobody knows these words."""
    for row in replies_of(host_id):
        if row.fits(text, stage=stage, mechanism=mechanism):
            return _by_row(row, stage, presentable(text))
    return None


def presentable(text: str) -> str:
    """A server's words on one line, without control characters, of bounded length."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= WORDS_LIMIT else line[: WORDS_LIMIT - 1] + "…"


def _by_row(row: ReplyRow, stage: str, words: str | None = None) -> Failure:
    return Failure(row.cause, stage=stage, server_words=words, remedy=row.remedy, retry=row.retry)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, outermost first."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _is_raised(row: ReplyRow, error: BaseException) -> bool:
    if row.exception not in _class_names(error):
        return False
    code = getattr(error, "verify_code", None)
    if code is not None and row.verify_code is not None:
        return bool(code == row.verify_code)
    return row.pattern.search(f"{_full_name(type(error))}: {error}") is not None


def _class_names(error: BaseException) -> set[str]:
    return {_full_name(kind).replace(".exceptions.", ".").replace(".errors.", ".") for kind in type(error).__mro__}


def _full_name(kind: type) -> str:
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


Answer = Callable[[Any, str, str | None, str], Failure]


def _always(cause: str, where: str | None = None) -> Answer:
    """The same cause whatever was said; the error's own text (which holds no server's words) is kept as detail."""
    return lambda error, stage, *_: Failure(cause, stage=where or stage, detail=str(error))


def _refused_with_notices(error: imap.CommandRefused, stage: str, host: str | None, mechanism: str) -> Failure:
    """An answer may be explained only by what the server said beside it (an ALERT, an untagged NO)."""
    for text in (error.reply, *error.notices):
        if found := _match(text, stage, host, mechanism):
            return found
    return _of_reply(error.reply, stage, host, mechanism)


def _bye(error: imap.Bye, stage: str, host: str | None, mechanism: str) -> Failure:
    last_resort = "server_down" if stage in ("connect", "greeting") else "connection_dropped"
    where = "greeting" if stage == "connect" else stage
    return _of_reply(error.reply, where, host, mechanism, last_resort)


def _smtp_refused(error: submission.Refused, stage: str, host: str | None, mechanism: str) -> Failure:
    return _of_reply(error.reply, error.step, host, mechanism)


_OWN: tuple[tuple[type[BaseException], Answer], ...] = (
    (connect.AddressRefused, lambda *_: Failure("private_address_refused")),  # R2: nothing that tells addresses apart
    (connect.NameNotFound, _always("wrong_server_name", "dns")),
    (connect.DnsFailure, _always("dns_failure", "dns")),
    (connect.Refused, _always("connection_refused", "connect")),
    (connect.Unreachable, _always("server_unreachable", "connect")),
    (connect.TimedOut, _always("server_unreachable", "connect")),
    (connect.Dropped, _always("connection_dropped")),
    (connect.NotAMailServer, _always("wrong_port", "greeting")),
    (connect.CertificateForeignName, _always("cert_foreign_name", "tls")),
    (connect.CertificateExpired, _always("cert_expired", "tls")),
    (connect.CertificateUntrusted, _always("cert_untrusted", "tls")),
    (connect.TlsTooOld, _always("tls_too_old", "tls")),
    (connect.NotTls, _always("wrong_port", "tls")),
    (connect.TlsError, _always("tls_failed", "tls")),
    (imap.CommandRefused, _refused_with_notices),
    (imap.Bye, _bye),
    (imap.StartTlsRefused, _always("plaintext_refused")),
    (imap.LoginUnavailable, _always("auth_mechanism_unsupported")),
    (imap.TimedOut, _always("server_unreachable")),
    (imap.ConnectionLost, _always("connection_dropped")),
    (imap.ProtocolError, _always("server_fault")),
    (submission.Refused, _smtp_refused),
    (submission.StartTlsMissing, _always("plaintext_refused", "smtp-ehlo")),
    (submission.LoginUnavailable, _always("smtp_auth_required", "smtp-auth")),
    (submission.TimedOut, _always("server_unreachable")),
    (submission.ConnectionLost, _always("connection_dropped")),
)
"""Errors of this package; the first kind that fits decides, so narrow ones stand before wide ones."""

_BUILT_IN: tuple[tuple[type[BaseException], tuple[str, str]], ...] = (
    (ssl.SSLCertVerificationError, ("cert_untrusted", "tls")),
    (ssl.SSLError, ("tls_failed", "tls")),
    (TimeoutError, ("server_unreachable", "connect")),
    (ConnectionRefusedError, ("connection_refused", "connect")),
    (ConnectionError, ("connection_dropped", "connect")),
    (EOFError, ("connection_dropped", "connect")),
    (OSError, ("server_unreachable", "connect")),
)
"""What Python raises and no row of the replies knows better."""
