"""Mail that a program sent."""

from fumibako.mail.letter.headers import Headers

_PRECEDENCE = frozenset(("bulk", "junk", "list", "auto_reply"))
_TELL_TALES = ("x-autoreply", "x-autorespond", "x-auto-reply", "list-id", "list-unsubscribe", "feedback-id")


def is_automatic(headers: Headers, content_type: str) -> bool:
    """Whether a program or a list sent this mail: an answer would reach nobody, its sender is no contact.

    Auto-Submitted (RFC 3834 §5), Precedence (RFC 3834 §3.1.8 names the values in use), an empty return path and
    delivery reports (RFC 3834 §2), lists (RFC 2369, RFC 2919), and headers of common vacation programs.
    """
    if headers.token("auto-submitted") not in ("", "no") or headers.token("precedence") in _PRECEDENCE:
        return True
    if content_type == "multipart/report" or headers.line("return-path") == b"<>":
        return True
    return any(name in headers for name in _TELL_TALES)
