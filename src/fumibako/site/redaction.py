"""Takes out of a text for the log what must not stand there: passwords, and what mail and rows say.

Our own code never logs such things. This is the second net, for exceptions' words and for libraries: it knows IMAP's
LOGIN and AUTHENTICATE, SMTP's AUTH, SASL responses on lines of their own and after a server's prompt, literals
(RFC 3501 §4.3), secrets named as such, passwords in URLs, sealed secrets, and the lines of PostgreSQL's errors that
quote rows.
"""

import base64
import binascii
import re

MASK = "[redacted]"
MECHANISM = r"(?:PLAIN(?:-CLIENTTOKEN)?|LOGIN|XOAUTH2|OAUTHBEARER|CRAM-MD5|DIGEST-MD5|NTLM|SCRAM-[A-Z0-9-]+)"

# A server's prompt (RFC 3501 §7.5, RFC 4954 §4), at the begin of a line or of a text in quotes, and what is answered to
# it: AUTH LOGIN has its secret there, in a form that nothing gives away.
_PROMPT = re.compile(
    r"((?:^|(?<=[\n'\"])|(?<=\\n)|(?<=[:<>]\s))(?:334|\+)(?:\s[^\r\n\\]*)?(?:\r?\n|\\r\\n)"
    r"(?:[CS]:|b(?=['\"])|[^\w+/=])*)[\w+/=]+"
)
_RULES = (
    # A literal: all that follows it, since a text in the log may have lost its line ends.
    (re.compile(r"(\{\d+\+?\}(?:\r|\n|\\r|\\n)).*", re.DOTALL), rf"\1{MASK}"),
    (_PROMPT, rf"\1{MASK}"),
    (re.compile(rf"(?i)\b(AUTH(?:ENTICATE)?\s+{MECHANISM})[ \t]+\S.*"), rf"\1 {MASK}"),
    (re.compile(r"\b(LOGIN|(?i:[a-z]{1,4}\d+ login))\s+\S.*"), rf"\1 {MASK}"),
    (
        re.compile(
            r"(?i)((?:password|passwd|passphrase|pwd|secret|token|authorization|cookie|api[_-]?key)[\"']?\s*[:=]\s*)"
            r"(?:(?:bearer|basic)\s+)?(?:b?\"(?:[^\"\\]|\\.)*\"|b?'(?:[^'\\]|\\.)*'|[^\s,;&)}\]]+)"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(://)[^/\s@]+@"), rf"\1{MASK}@"),
    (re.compile(r"\bgAAAA[A-Za-z0-9_=-]{20,}"), MASK),  # Fernet's version and a time of this century
    (re.compile(r"(?m)^(\s*(?:DETAIL|CONTEXT|HINT|QUERY|STATEMENT|LINE \d+)):.*"), rf"\1: {MASK}"),
)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{8,}={0,2}(?![A-Za-z0-9+/=])")
_SASL = re.compile(rb"^[^\0]*\0[^\0]+\0[^\0]+$|auth=(?:Bearer|Basic) ", re.DOTALL)
_SECRET_NAME = re.compile(r"(?i)password|passwd|secret|token|authorization|cookie|credential")


def redact(text: str) -> str:
    """The text without its secrets."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return _BASE64.sub(_mask_sasl, text)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is not logged at all."""
    return bool(_SECRET_NAME.search(name))


def _mask_sasl(found: re.Match[str]) -> str:
    """PLAIN (RFC 4616), XOAUTH2 and OAUTHBEARER (RFC 7628) are known by their form when decoded."""
    text = found.group()
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return text
    return MASK if _SASL.search(decoded) else text
