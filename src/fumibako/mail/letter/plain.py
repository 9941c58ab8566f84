"""HTML to text that can be read, and any text to a line that tells what it is about.

Done by a few regular expressions that never go back: 50 KB take a fraction of the millisecond that a parser needs ten
of, and nothing here has to be safe, only readable. What is shown as HTML goes through `clean_html`.
"""

import re
from html import unescape

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_LOOKED_AT = 4096  # bytes: where a page says its charset

_UNSEEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|title|template|svg|noframes)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE
)
_WHITE_SPACE = re.compile(r"[ \t\n\f]+")
_BREAK = re.compile(r" ?<br\b[^>]*> ?", re.IGNORECASE)
_CELL = re.compile(r" ?</t[dh]\s*> ?", re.IGNORECASE)
_ITEM = re.compile(r" ?<li\b[^>]*> ?", re.IGNORECASE)
_PARAGRAPH = re.compile(r" ?</?(?:p|h[1-6]|ul|ol|dl|table|blockquote|pre|hr)\b[^>]*> ?", re.IGNORECASE)
_BLOCK = re.compile(
    r" ?</?(?:div|tr|li|dt|dd|center|section|article|header|footer|main|address|form|fieldset|caption)\b[^>]*> ?",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[a-zA-Z/!?][^>]*(?:>|\Z)")
_PREFORMATTED = re.compile(r"(<pre\b.*?(?:</pre\s*>|\Z))", re.DOTALL | re.IGNORECASE)
_SPACE_AT_LINE_END = re.compile(r"(?<![ \t])[ \t]+\n")
_SPACE_AT_LINE_START = re.compile(r"\n[ \t]+")
_EMPTY_LINES = re.compile(r"\n{3,}")
# Padding of preview texts: invisible characters by the hundred.
_INVISIBLE = re.compile("[\u00ad\u034f\u200b-\u200f\u2060\ufeff]+")

SNIPPET_LENGTH = 200  # characters
_SNIPPET_SOURCE = 6000  # characters that are looked at
_QUOTED_LINE = re.compile(r"^[ \t]*[>＞|｜].*$", re.MULTILINE)
_QUOTE_BEGINS = re.compile(
    r"""^(?:
        On\ .{5,200}wrote:
      | [ \t]*-{3,}\ ?(?:Original\ Message|Forwarded\ message|元のメッセージ|転送).*
      | .{0,120}?\d{4}[年/-].{0,120}(?:のメール|wrote|書きました|のメッセージ)[：:]?.{0,20}
      | _{20,}
      | (?:From|差出人)[:：].{1,200}
    )[ \t]*$""",
    re.MULTILINE | re.VERBOSE,
)
_RULER = re.compile(r"[-=_*~─━＝＿─‐―－☆★◆◇■□▼▲]{4,}")
_FOLDED = re.compile(r"\s+")


def html_charset(data: bytes) -> str:
    """The charset that a page names itself, "" where it does not."""
    match = _CHARSET.search(data[:_LOOKED_AT])
    return match[1].decode("ascii") if match else ""


def html_to_text(html: str) -> str:
    """The text of a page: blocks and rows on lines of their own, cells apart, links as their words."""
    html = _UNSEEN.sub("", html)
    if "<pre" in html or "<PRE" in html:
        pieces = _PREFORMATTED.split(html)
        html = "".join(
            _kept_lines(piece) if number % 2 else _WHITE_SPACE.sub(" ", piece) for number, piece in enumerate(pieces)
        )
    else:
        html = _WHITE_SPACE.sub(" ", html)
    html = _BREAK.sub("\n", html)
    html = _PARAGRAPH.sub("\n\n", html)
    html = _ITEM.sub("\n・", html)
    html = _CELL.sub(" ", html)
    html = _BLOCK.sub("\n", html)
    text = unescape(_TAG.sub("", html)).replace("\x00", "")
    text = _INVISIBLE.sub("", text).replace("\u00a0", " ")
    text = _SPACE_AT_LINE_START.sub("\n", _SPACE_AT_LINE_END.sub("\n", text))
    return _EMPTY_LINES.sub("\n\n", text).strip(" \t\n")


def _kept_lines(preformatted: str) -> str:
    return preformatted.replace("\n", "<br>")


def snippet(text: str) -> str:
    """At most 200 characters of what the writer wrote: no quotes, no rulers, white space folded."""
    beginning = text[:_SNIPPET_SOURCE]
    own = _QUOTE_BEGINS.split(beginning, maxsplit=1)[0]
    own = _folded(_QUOTED_LINE.sub("", own))
    return (own or _folded(beginning))[:SNIPPET_LENGTH]


def _folded(text: str) -> str:
    return _FOLDED.sub(" ", _RULER.sub(" ", text)).strip()
