"""An address and server names as people type them, made into what goes on the wire.

Japanese keyboards leave full-width letters, ideographic spaces and full-width at signs: all are converted (NFKC).
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata

import idna

from fumibako.mail.diagnosis import Failure, Words

ADDRESS_LIMIT = 254  # characters; RFC 5321 section 4.5.3.1.3 minus the angle brackets
LOCAL_LIMIT = 64  # octets; RFC 5321 section 4.5.3.1.1
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", re.ASCII)
_SPACE = re.compile(r"\s")


def normalize_address(text: str) -> str:
    """The address in the form it is linked by: NFKC, trimmed, the domain in lower case and IDNA.

    The part before the @ keeps its case and every oddity that Japanese carriers once allowed ("a..b.@docomo.ne.jp").
    Raises Failure(wrong_address) with a sentence of its own for: nothing typed, no @, two of them, nothing before it,
    a space within, a domain that cannot be one.
    """
    address = unicodedata.normalize("NFKC", text).strip().removeprefix("<").removesuffix(">").strip()
    if not address:
        raise _wrong("empty", "メールアドレスを入力してください。", "Enter a mail address.")
    if "@" not in address:
        raise _wrong("no @", "メールアドレスに @ がありません。", "The mail address has no @ in it.")
    if address.count("@") > 1:
        raise _wrong(
            "more than one @", "メールアドレスに @ が 2 つ以上あります。", "The mail address has more than one @ in it."
        )
    local, domain = address.split("@")
    if not local:
        raise _wrong("nothing before the @", "@ の前が空です。", "There is nothing before the @.")
    if _SPACE.search(address):
        raise _wrong(
            "space inside", "メールアドレスの途中に空白があります。", "There is a space inside the mail address."
        )
    if not local.isprintable() or set("<>,;:\\") & set(local) or len(local.encode()) > LOCAL_LIMIT:
        raise _wrong(
            "bad part before the @",
            "@ の前に使えない文字があるか、長すぎます。",
            "What stands before the @ is too long or has a character that cannot be there.",
        )
    ascii_domain = _ascii_name(domain)
    if ascii_domain is None or "." not in ascii_domain or len(local) + len(ascii_domain) + 1 > ADDRESS_LIMIT:
        raise _wrong(
            "bad domain",
            "@ より後ろがドメイン名の形になっていません（例: example.co.jp）。",
            "What stands after the @ is not a domain name (such as example.co.jp).",
        )
    return f"{local}@{ascii_domain}"


def normalize_server_name(text: str) -> str:
    """A server's name as typed, in lower case and IDNA; an IP address stays one. Raises Failure(wrong_server_name)."""
    name = unicodedata.normalize("NFKC", text).strip().removesuffix(".")
    try:
        return str(ipaddress.ip_address(name.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    ascii_name = _ascii_name(name)
    if ascii_name is None:
        raise Failure("wrong_server_name", detail="not a server name")
    return ascii_name


def split_address(address: str) -> tuple[str, str]:
    """(before the @, domain) of a normalized address."""
    local, _, domain = address.rpartition("@")
    return local, domain


def _ascii_name(name: str) -> str | None:
    try:
        encoded = idna.encode(name.lower(), uts46=True).decode() if not name.isascii() else name.lower()
    except idna.IDNAError:
        return None
    labels = encoded.split(".")
    if len(encoded) > 253 or not all(len(label) < 64 and _LABEL.fullmatch(label) for label in labels):
        return None
    return encoded


def _wrong(detail: str, ja: str, en: str) -> Failure:
    return Failure("wrong_address", detail=detail, sentence=Words(ja, en))
