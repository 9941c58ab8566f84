"""Which of several failures to tell, when no candidate could be proven."""

from __future__ import annotations

from collections.abc import Sequence

from fumibako.mail.connect import TimedOut
from fumibako.mail.diagnosis import Failure, diagnose
from fumibako.mail.discovery.book import Service
from fumibako.mail.discovery.candidates import Candidate, Source

_TELLING = (
    {"cert_foreign_name", "cert_expired", "cert_untrusted", "tls_too_old", "tls_failed", "plaintext_refused"},
    {"too_many_connections", "server_down", "client_ip_blocked", "server_refused_unclear", "server_fault"},
    {"private_address_refused"},
    {"wrong_port"},
    {"server_unreachable", "connection_dropped"},
    {"connection_refused"},
    {"dns_failure"},
)
"""The more somebody was there, the more the failure tells: a bad certificate is never told as "not reachable" (A4)."""

_GIVEN = (Source.TYPED, Source.SETTINGS)


def failure_to_tell(service: Service, failures: Sequence[tuple[Candidate, BaseException]]) -> Failure:
    """The one cause for the person. Failures of names that were only guessed count when a mail server showed itself.

    Foreign names that could not be proven are not spoken of: nothing is known of them but a line in DNS.
    """
    told: list[tuple[int, Failure]] = []
    for candidate, error in failures:
        failure = _diagnosed(service, candidate, error)
        rank = _rank(failure, candidate)
        if candidate.authority and rank is not None:
            told.append((rank, failure))
    return min(told, key=lambda pair: pair[0])[1] if told else Failure("host_not_identified")


def _diagnosed(service: Service, candidate: Candidate, error: BaseException) -> Failure:
    server = candidate.server
    if type(error) is TimeoutError:
        error = TimedOut("no greeting in time", host=server.host, port=server.port)
    failure = diagnose(
        error,
        stage="greeting" if service == "imap" else "smtp-connect",
        host_id=candidate.host.id if candidate.host else None,
    )
    if not failure.detail and failure.cause != "private_address_refused":
        failure.detail = f"{server.host}:{server.port}"
    return failure


def _rank(failure: Failure, candidate: Candidate) -> int | None:
    """0 tells most; None is not worth telling."""
    if failure.cause == "wrong_server_name":
        return len(_TELLING) if candidate.source in _GIVEN else None
    rank = next((rank for rank, causes in enumerate(_TELLING) if failure.cause in causes), 1)
    return rank if candidate.source is not Source.COMMON or rank <= 1 else None
