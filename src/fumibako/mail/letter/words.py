"""Header values to text: raw bytes of any charset, and encoded words (RFC 2047)."""

import binascii
import re

from fumibako.mail.letter import charsets
from fumibako.mail.letter.transfer import lenient_base64

_FOLD = re.compile(rb"\r?\n(?=[ \t])|[\r\n]+")
# charset, optional language (RFC 2231 §5), encoding, text. A question mark inside the text and a missing end are
# tolerated; so a beginning always matches, and a header of nothing but beginnings costs its length once.
_ENCODED_WORD = re.compile(r"=\?([\w.:+-]{1,64})(?:\*[\w-]*)?\?([bBqQ])\?((?:[^?]|\?(?!=))*+)(?:\?=|\Z)")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_WHITE_SPACE = re.compile("[ \t\r\n]+")


def unfold(value: bytes) -> bytes:
    """A header's value on one line (RFC 5322 §2.2.3), without the space around it."""
    value = value.strip()
    return _FOLD.sub(b"", value) if b"\n" in value or b"\r" in value else value


def header_text(value: bytes, hint: str = "") -> str:
    """An unstructured header as a person reads it; `hint` is the charset that raw 8-bit values are probably in."""
    return tidy(decode_words(raw_text(unfold(value), hint)))


def raw_text(value: bytes, hint: str = "") -> str:
    """An unfolded value as text, its encoded words (which are ASCII) still encoded."""
    if value.isascii() and b"\x1b" not in value and b"\x00" not in value:
        return value.decode("ascii")
    return charsets.decode(value, hint=hint)


def tidy(text: str) -> str:
    """One line: white space folded; without control characters and without those that turn the direction of text,
    which dress up one name as another."""
    if text.isprintable() and "  " not in text:
        return text.strip()
    return _CONTROLS.sub("", _WHITE_SPACE.sub(" ", text)).strip()


def decode_words(text: str) -> str:
    """Encoded words decoded. The bytes of neighbours with one charset are joined first: senders cut characters in two,
    although RFC 2047 §5 forbids it."""
    if "=?" not in text:
        return text
    result: list[str] = []
    run: list[tuple[str, str]] = []  # encoding and text of neighbours with the charset `charset`
    charset, position = "", 0
    for match in _ENCODED_WORD.finditer(text):
        between = text[position : match.start()]
        if not run or match[1].lower() != charset or not (between == "" or between.isspace()):
            if run:
                result.append(charsets.decode(_joined(run, charset), charset))
            if not run or not between.isspace():
                result.append(between)
            charset, run = match[1].lower(), []
        run.append((match[2].upper(), match[3]))
        position = match.end()
    if run:
        result.append(charsets.decode(_joined(run, charset), charset))
    result.append(text[position:])
    return "".join(result)


def _joined(words: list[tuple[str, str]], charset: str) -> bytes:
    """The bytes of neighbouring words. Base64 that was cut off between its groups of four is joined as text."""
    data: list[bytes] = []
    carried = ""
    for encoding, text in words:
        if encoding == "Q":
            data.append(lenient_base64(carried.encode("ascii", "ignore")) + _q(text, charset))
            carried = ""
            continue
        carried += text
        if "=" in text[-2:] or len(carried) % 4 == 0:
            data.append(lenient_base64(carried.encode("ascii", "ignore")))
            carried = ""
    data.append(lenient_base64(carried.encode("ascii", "ignore")))
    return b"".join(data)


def _q(text: str, charset: str) -> bytes:
    # 8-bit characters inside a word were read with the rest of the header: they go back to what the word says it is.
    codec = "ascii" if text.isascii() else charsets.encoding(charset) or charsets.UTF_8
    return binascii.a2b_qp(text.encode(codec, "replace"), header=True)
