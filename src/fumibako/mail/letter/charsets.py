"""Bytes to text: what a label means in practice, and what bytes are when the label is missing or wrong.

Rules, in this order:
1. Escapes of ISO-2022-JP in 7-bit data win over any label: nothing else contains them.
2. Text that is valid UTF-8 with characters from U+0800 on is UTF-8, whatever a legacy label says: no other charset
   looks like that by chance.
3. Then the label holds, read as widely as senders use it: Shift_JIS is Windows' cp932, EUC-JP is eucJP-ms,
   ISO-2022-JP is cp50220 (NEC row 13, IBM extensions, half-width kana), GB2312 is GB 18030. Where JIS characters have
   two Unicode readings (～ － ∥ ￠ ￡ ￢) all three give Windows' one, as the WHATWG Encoding Standard does.
4. Where the label fails or is missing, the bytes are weighed: kana and everyday kanji speak for Japanese.
"""

import codecs
import re
from functools import lru_cache

UTF_8 = "utf-8"
ISO_2022_JP = "iso-2022-jp"
SHIFT_JIS = "cp932"
EUC_JP = "euc-jp"
WESTERN = "cp1252"
UTF_7 = "utf-7"

_LABELS = {
    UTF_8: "utf8 utf-8mb4 unicode-1-1-utf-8 cp65001 x-utf-8 utf-8-sig",
    ISO_2022_JP: "iso2022jp iso-2022-jp-1 iso-2022-jp-2 iso-2022-jp-3 iso-2022-jp-2004 iso-2022-jp-ms csiso2022jp"
    " cp50220 cp50221 cp50222 x-iso-2022-jp jis jis7 iso-2022-jp-ext junet",
    SHIFT_JIS: "shift_jis shift-jis shiftjis sjis x-sjis ms_kanji csshiftjis windows-31j cswindows31j ms932 ms-kanji"
    " sjis-win x-ms-cp932 windows-932 cp943 cp943c ibm943 x-mac-japanese",
    EUC_JP: "eucjp euc_jp x-euc-jp x-euc x-eucjp ujis eucjp-ms euc-jp-ms eucjpms cp51932 eucjp-win euc-jis"
    " cseucpkdfmtjapanese extended_unix_code_packed_format_for_japanese",
    "gb18030": "gb2312 gbk x-gbk cp936 ms936 euc-cn gb_2312-80 x-gb2312",
    "cp949": "euc-kr euc_kr ks_c_5601-1987 ks_c_5601 ksc5601 windows-949 x-windows-949 uhc",
    "big5hkscs": "big5 x-big5 big5-hkscs cn-big5",
    WESTERN: "iso-8859-1 iso8859-1 latin1 ansi windows-1252 x-ansi",
    UTF_7: "unicode-1-1-utf-7 utf7 csunicode11utf7 x-unicode-1-1-utf-7",
    "cp874": "windows-874",
    "mac_roman": "macintosh",
}
_NAMES = {label: codec for codec, labels in _LABELS.items() for label in (codec, *labels.split())}
# Says nothing about 8-bit data: senders write these without looking.
_SAYS_NOTHING = frozenset(
    (
        "",
        "us-ascii",
        "ascii",
        "ansi_x3.4-1968",
        "unknown",
        "unknown-8bit",
        "x-unknown",
        "default",
        "7bit",
        "8bit",
        "none",
    )
)
# Of Python's codecs only charsets: a mail must not choose `zlib` or `unicode_escape`.
_CHARSET_CODEC = re.compile(r"utf|iso|cp\d|koi8|mac|gb|big5|euc|shift|johab|hz|tis|ptcp|kz")
_NOT_ASCII_BASED = re.compile(r"utf-?_?(?:7|16|32)|hz|iso2022_(?:kr|cn)|cp(?:037|1026|1140|273|424|500|875)$")
_SINGLE_BYTE = re.compile(r"iso8859|cp12\d\d|cp\d{3}$|koi8|mac")

_ESCAPE = re.compile(rb"\x1b(\$\(?[@-Q]|\([A-J]|\.[A-F])|\x0e|\x0f")
_KANJI_OVER_LINE_END = re.compile(rb"\x1b\$\(?[@-Q][^\x1b\n]*\n")

# The two Unicode readings of one JIS character: Python's `euc_jp` and `iso2022_jp` give the first, Windows the second.
_WINDOWS_READING = (("〜", "～"), ("‖", "∥"), ("−", "－"), ("¢", "￠"), ("£", "￡"), ("¬", "￢"))

# eucJP-ms (The Open Group Japan, 1996): 8FF3F3 to 8FF4FE hold the IBM extensions that JIS X 0212 lacks.
_EUC_IBM_EXTENSIONS = (
    "ⅰⅱⅲⅳⅴⅵⅶⅷⅸⅹⅠⅡⅢⅣⅤⅥⅦⅧⅨⅩ＇＂㈱№℡炻仼僴凬匇匤﨎咊坙﨏塚增寬峵嵓﨑德悅愠敎昻晥晴朗栁﨓﨔橫櫢淸淲瀨凞猪甁皂皞益礰礼神祥福竧靖精綠緖羽荢﨟薰蘒﨡"
    "蠇諸譿賴赶﨣﨤逸郞都鄕﨧﨨閒隆﨩霻靍靑飯飼館馞髙魲鶴黑"
)
_FIRST_IBM_EXTENSION = 82  # of 8FF3A1: cell F3 counted from A1

_KANA = re.compile("[ぁ-んァ-ヶー]")
_EVERYDAY = re.compile("[ぁ-んァ-ヶー、。・「」『』【】（）！？：　０-９Ａ-Ｚａ-ｚ〜～－〒①-⑳㈱]")
_HALF_WIDTH_KANA = re.compile("[\uff61-\uff9f]")
_BEYOND_WESTERN = re.compile("[\u0800-\U0010ffff]")
_NOT_ASCII = re.compile("[^\x00-\x7f]")
_ALONE = re.compile("(?<![^\x00-\x7f])[^\x00-\x7f](?![^\x00-\x7f])")
_DAMAGE = re.compile("[\ufffd\ue000-\uf8ff\x80-\x9f]")  # also what no font shows: private use, C1 controls
_WEIGHED = 4000  # characters that are looked at: enough to tell, and bounded


def _shift_jis(row: int, cell: int) -> bytes:
    lead = ((row - 1) >> 1) + (0x81 if row <= 62 else 0xC1)
    trail = cell + 0x9E if row % 2 == 0 else cell + 0x3F + (cell >= 64)
    return bytes((lead, trail))


def _jis_table() -> tuple[str, ...]:
    """The 94 x 94 cells as Windows reads them, what it leaves free from JIS X 0213, else U+FFFD."""
    cells = []
    for row in range(1, 95):
        for cell in range(1, 95):
            text = _shift_jis(row, cell).decode(SHIFT_JIS, "replace")
            if len(text) != 1 or text == "\ufffd":
                text = bytes((row + 0xA0, cell + 0xA0)).decode("euc_jis_2004", "replace")
            cells.append(text if len(text) == 1 else "\ufffd")
    return tuple(cells)


_JIS = _jis_table()
_EVERYDAY_KANJI = frozenset(_JIS[15 * 94 : 47 * 94])  # level 1: rows 16 to 47


@lru_cache(maxsize=512)
def encoding(label: str) -> str | None:
    """The codec that a label means, one of the constants above where it is one of them; None if it says nothing."""
    name = label.strip(" \t\"'").lower()
    if name in _SAYS_NOTHING:
        return None
    if name in _NAMES:
        return _NAMES[name]
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    if not _CHARSET_CODEC.match(codec):
        return None
    return _NAMES.get(codec.replace("_", "-"), codec)


def is_ascii_based(label: str) -> bool:
    """Whether text of this label can be cut at a line end, which is one byte of its own."""
    codec = encoding(label)
    return codec is None or not _NOT_ASCII_BASED.match(codec)


def decode(data: bytes, label: str = "", hint: str = "") -> str:
    """`data` as text, never raising: `label` as the sender gave it, `hint` (the charset of the mail's text, say) where
    there is none. NUL and lone surrogates are not in the result."""
    text = _decode(data, label, hint)
    return text.replace("\x00", "") if "\x00" in text else text


def _decode(data: bytes, label: str, hint: str) -> str:
    codec = encoding(label)
    if codec is not None and _NOT_ASCII_BASED.match(codec):
        return _without_surrogates(data.decode(codec, "replace"))
    if data.isascii():
        escaped = b"\x1b" in data or (codec == ISO_2022_JP and b"\x0e" in data)
        return _iso_2022_jp(data) if escaped else data.decode("ascii")
    if codec == ISO_2022_JP and b"\x1b" in data:
        return _iso_2022_jp(data)
    utf_8 = _strict(data, UTF_8)
    if utf_8 is not None and (codec in (None, UTF_8, ISO_2022_JP) or _BEYOND_WESTERN.search(utf_8)):
        return utf_8.removeprefix("\ufeff")
    if codec in (None, UTF_8, ISO_2022_JP):
        return _weigh(data, encoding(hint) if codec is None else codec)
    assert codec is not None
    text = _strict(data, codec)
    if text is None:
        return _repair(data, codec)
    if _SINGLE_BYTE.match(codec):
        return _mostly_kana(data) or text
    return text


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return _euc_jp(data, _EXTENDED) if codec == EUC_JP else data.decode(codec)
    except UnicodeDecodeError:
        # Five cells of cp1252 are free; senders mean the C1 controls of ISO 8859-1, which are nothing to read.
        return data.decode(codec, "replace") if codec == WESTERN else None


def _replacing(data: bytes, codec: str) -> str:
    if codec == EUC_JP:
        return _euc_jp(data, _EXTENDED_REPLACE)
    if codec == ISO_2022_JP:
        return _iso_2022_jp(data)
    return data.decode(codec, "replace")


def _without_surrogates(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# What bytes are when nobody says it


def _weigh(data: bytes, preferred: str | None) -> str:
    """8-bit data that is not UTF-8 and whose label says nothing or is wrong."""
    if preferred not in (None, UTF_8, ISO_2022_JP, WESTERN, SHIFT_JIS, EUC_JP):
        assert preferred is not None
        text = _strict(data, preferred)
        if text is not None:
            return text
    best = _most_japanese([text for codec in (SHIFT_JIS, EUC_JP) if (text := _strict(data, codec)) is not None])
    if best is not None:
        return best
    return _repair(data, preferred or UTF_8)


def _most_japanese(readings: list[str]) -> str | None:
    best = max(readings, key=_japanese, default="")
    return best if _japanese(best) > 0 else None


def _japanese(text: str) -> float:
    """How much a text looks Japanese: above 0 more than not."""
    sample = text[:_WEIGHED]
    everyday = len(_EVERYDAY.findall(sample))
    kanji = sum(character in _EVERYDAY_KANJI for character in sample)
    half_width = len(_HALF_WIDTH_KANA.findall(sample))
    others = len(_NOT_ASCII.findall(sample)) - everyday - kanji - half_width
    # cp1252's curly quotes and accents swallow the letter behind them: a kanji alone between Latin letters.
    alone = sum(character in _EVERYDAY_KANJI for character in _ALONE.findall(sample))
    return everyday + kanji + half_width * 0.1 - others * 1.5 - alone * 2


def _mostly_kana(data: bytes) -> str | None:
    """Japanese sent under a Western label, known by its kana; None for Western text."""
    for codec in (SHIFT_JIS, EUC_JP):
        text = _strict(data, codec)
        if text is None:
            continue
        foreign = len(_NOT_ASCII.findall(text))
        if len(_KANA.findall(text)) >= max(2, foreign // 8) and _japanese(text) > 0:
            return text
    return None


def _repair(data: bytes, label: str) -> str:
    """Data that its label does not explain whole: as labelled or as UTF-8 where that reads at least half of it, else as
    Japanese, else as Western."""
    readings = [_replacing(data, codec) for codec in dict.fromkeys((label, UTF_8))]
    best = min(readings, key=_damage)
    if _damage(best) * 2 <= len(_NOT_ASCII.findall(best)):
        return best
    return _most_japanese([_replacing(data, SHIFT_JIS), _replacing(data, EUC_JP)]) or data.decode(WESTERN, "replace")


def _damage(text: str) -> int:
    return len(_DAMAGE.findall(text))


# JIS by hand, where Python's codecs are too strict


def _windows_reading(text: str) -> str:
    for jis, windows in _WINDOWS_READING:
        text = text.replace(jis, windows)
    return text


def _cells(data: bytes, unknown: str = "\ufffd") -> str:
    """Pairs of 7-bit bytes as JIS X 0208 with Windows' extensions; what is no pair stays as ASCII."""
    text = []
    i, end = 0, len(data)
    while i < end:
        if 0x21 <= data[i] <= 0x7E and i + 1 < end and 0x21 <= data[i + 1] <= 0x7E:
            cell = _JIS[(data[i] - 0x21) * 94 + data[i + 1] - 0x21]
            text.append(unknown if cell == "\ufffd" else cell)
            i += 2
        else:
            text.append(chr(data[i]) if data[i] < 0x80 else unknown)
            i += 1
    return "".join(text)


def _iso_2022_jp(data: bytes) -> str:
    """RFC 1468 with what senders do beyond it: CP50220, JIS X 0212, half-width kana by ESC ( I, SO and 8 bits."""
    if data.isascii() and b"\x0e" not in data and not _KANJI_OVER_LINE_END.search(data):
        try:
            return _windows_reading(data.decode("iso2022_jp_ext"))
        except UnicodeDecodeError:
            pass
    text = []
    mode, position = b"(B", 0
    for match in _ESCAPE.finditer(data):
        text.append(_segment(data[position : match.start()], mode))
        mode = match[1] or (b"(I" if match[0] == b"\x0e" else b"(B")
        position = match.end()
    text.append(_segment(data[position:], mode))
    return "".join(text)


def _segment(data: bytes, mode: bytes) -> str:
    if not data:
        return ""
    if mode in (b"$B", b"$@"):
        first, line_end, rest = data.partition(b"\n")
        text = _jis_x_0208(first)
        return text + "\n" + _after_line_end(rest) if line_end else text
    if mode == b"$(D":
        return _high(data, b"\x8f")
    if mode in (b"$(O", b"$(Q", b"$(P"):
        return data.translate(_TO_HIGH).decode("euc_jis_2004", "replace")
    if mode in (b"$A", b"$(A"):
        return data.translate(_TO_HIGH).decode("gb2312", "replace")
    if mode == b"$(C":
        return data.translate(_TO_HIGH).decode("euc_kr", "replace")
    if mode == b"(I":
        return data.translate(_TO_HIGH).decode(SHIFT_JIS, "replace")
    return data.decode("ascii" if data.isascii() else SHIFT_JIS, "replace")


_TO_HIGH = bytes(b | 0x80 if 0x21 <= b <= 0x7E else b for b in range(256))


def _jis_x_0208(data: bytes) -> str:
    try:
        return _windows_reading(data.translate(_TO_HIGH).decode("euc_jp")) if data.isascii() else _cells(data)
    except UnicodeDecodeError:
        return _cells(data)


def _after_line_end(data: bytes) -> str:
    """A line ends in ASCII (RFC 1468), but relays fold long lines in mid-kanji: told apart by what can be read."""
    lines = []
    for line in data.split(b"\n"):
        pairs = line.rstrip(b"\r")
        text = _jis_x_0208(pairs) if len(pairs) % 2 == 0 and b" " not in pairs else ""
        lines.append(
            text
            if text and "\ufffd" not in text and _japanese(text) >= len(text) / 2
            else line.decode("ascii", "replace")
        )
    return "\n".join(lines)


def _high(data: bytes, prefix: bytes) -> str:
    pairs = (data[i : i + 2].translate(_TO_HIGH) for i in range(0, len(data) - 1, 2))
    return b"".join(prefix + pair for pair in pairs).decode("euc_jp", "replace")


def _euc_jp(data: bytes, errors: str) -> str:
    """eucJP-ms: Python's codec reads JIS X 0208 and 0212, and asks here for Windows' extensions."""
    return _windows_reading(data.decode("euc_jp", errors))


def _euc_extension(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: the one character at the fault, or the fault again."""
    assert isinstance(error, UnicodeDecodeError)
    at = error.start
    lead, row, cell = (*error.object[at : at + 3], 0, 0, 0)[:3]
    if lead >= 0xA1 and row >= 0xA1:
        character, end = _JIS[min((lead - 0xA1) * 94 + row - 0xA1, len(_JIS) - 1)], at + 2
    elif lead == 0x8F and row >= 0xF3 and cell >= 0xA1:
        number = (row - 0xF3) * 94 + cell - 0xA1 - _FIRST_IBM_EXTENSION
        character, end = (_EUC_IBM_EXTENSIONS + "\ufffd")[number if 0 <= number < 106 else 106], at + 3
    else:
        raise error
    if character == "\ufffd":
        raise error
    return character, end


def _euc_extension_or_replacement(error: UnicodeError) -> tuple[str, int]:
    try:
        return _euc_extension(error)
    except UnicodeDecodeError as fault:
        return "\ufffd", fault.end


_EXTENDED = "fumibako.euc-extended"
_EXTENDED_REPLACE = "fumibako.euc-extended-replace"
codecs.register_error(_EXTENDED, _euc_extension)
codecs.register_error(_EXTENDED_REPLACE, _euc_extension_or_replacement)
