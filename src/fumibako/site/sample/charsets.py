"""Text to bytes as Japanese mail programs write it, with the letters that the standards do not have (①, ㈱, 髙)."""

import base64
import binascii
import re
from collections.abc import Iterator
from functools import cache
from itertools import product

ENCODED_WORD = 75  # characters at most, RFC 2047 §2
SPECIALS = re.compile(r'[()<>@,;:\\".\[\]]')


@cache
def _nec_selected() -> dict[str, bytes]:
    """Letters of IBM's extension at their other place, NEC's, which is the one that fits into ISO-2022-JP."""
    codes = (bytes(pair) for pair in product(range(0xED, 0xEF), range(0x40, 0xFD)) if pair[1] != 0x7F)
    return {text: code for code in codes if len(text := code.decode("cp932", "ignore")) == 1}


def _jis(letter: str) -> bytes:
    """The two bytes of a letter in JIS X 0208 with the vendors' rows, reckoned from Shift_JIS."""
    high, low = _nec_selected().get(letter) or letter.encode("cp932")
    row = 2 * (high - (0x70 if high < 0xA0 else 0xB0))
    if low >= 0x9F:
        return bytes((row, low - 0x7E))
    return bytes((row - 1, low - (0x20 if low >= 0x80 else 0x1F)))


def _iso2022jp(text: str) -> bytes:
    """What is called ISO-2022-JP on the wire and is CP50221: vendors' letters, half-width kana after ESC ( I."""
    out, now = bytearray(), b"(B"
    for letter in text:
        if letter <= "\x7f":
            mode, code = b"(B", letter.encode("ascii")
        elif "\uff61" <= letter <= "\uff9f":
            mode, code = b"(I", bytes((ord(letter) - 0xFF61 + 0x21,))
        else:
            mode, code = b"$B", _jis(letter)
        if mode != now:
            out += b"\x1b" + mode
            now = mode
        out += code
    return bytes(out + (b"" if now == b"(B" else b"\x1b(B"))


def encode(text: str, charset: str) -> bytes:
    """The bytes that a mail program writes under this charset's name; UnicodeEncodeError when it has no such letter."""
    if charset == "iso-2022-jp":
        return _iso2022jp(text)
    return text.encode({"shift_jis": "cp932"}.get(charset, charset))


def _words(text: str, charset: str) -> Iterator[str]:
    """Encoded words (RFC 2047) that hold whole letters."""
    label, piece = charset.upper(), ""
    for letter in text:
        size = len(label) + 7 + 4 * -(-len(encode(piece + letter, charset)) // 3)
        if size > ENCODED_WORD:
            yield _word(encode(piece, charset), label)
            piece = ""
        piece += letter
    yield _word(encode(piece, charset), label)


def _word(content: bytes, label: str) -> str:
    return f"=?{label}?B?{base64.b64encode(content).decode()}?="


def encoded(text: str, charset: str, *, careless: bool = False) -> str:
    """Text for a header, folded; ASCII stays as it is. Careless programs cut letters in two between the words."""
    if text.isascii():
        return text
    if careless:
        content = encode(text, charset)
        return "\r\n ".join(_word(content[at : at + 40], charset.upper()) for at in range(0, len(content), 40))
    return "\r\n ".join(_words(text, charset))


def phrase(name: str, charset: str) -> str:
    """A display name for an address header."""
    return f'"{name}"' if name.isascii() and SPECIALS.search(name) else encoded(name, charset)


def transfer(content: bytes, encoding: str) -> bytes:
    """A body under its Content-Transfer-Encoding, lines ended by CRLF."""
    if encoding == "base64":
        return base64.encodebytes(content).replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        return binascii.b2a_qp(content.replace(b"\r\n", b"\n"), istext=True).replace(b"\n", b"\r\n")
    return content
