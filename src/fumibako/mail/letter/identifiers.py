"""Message-ID, In-Reply-To, References, List-Id: names without their brackets (RFC 5322 §3.6.4)."""

import re

from fumibako.mail.letter.words import decode_words, raw_text, tidy

_BRACKETED = re.compile(r"<([^<>]+)>")
_USUAL = re.compile(rb"(?:\s*<[!-;=?-~]+>)+\s*")
_WHITE_SPACE = re.compile(r"\s+")


def identifiers(line: bytes) -> tuple[str, ...]:
    """Every identifier of an unfolded header, each once. Words beside them ("Your message of Monday") are left out."""
    if _USUAL.fullmatch(line) and b"=?" not in line:
        return tuple(dict.fromkeys(_BRACKETED.findall(line.decode("ascii"))))
    text = decode_words(raw_text(line))
    found = _BRACKETED.findall(text) or [word for word in text.strip("<> ").split() if "@" in word]
    return tuple(dict.fromkeys(name for word in found if (name := tidy(_WHITE_SPACE.sub("", word)))))


def identifier(line: bytes) -> str:
    """The first identifier of an unfolded header, also one without brackets or @; "" where there is none."""
    found = identifiers(line)
    if found:
        return found[0]
    words = tidy(raw_text(line)).strip("<> ").split()
    return words[0] if words else ""


def list_identifier(text: str) -> str:
    """A List-Id without its description (RFC 2919 §3)."""
    match = _BRACKETED.search(text)
    return (match[1] if match else text).strip()
