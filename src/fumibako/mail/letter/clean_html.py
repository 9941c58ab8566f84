"""A mail's HTML made safe to show: what is not on the lists here does not come through.

The page shows the result in a sandboxed frame with a policy of its own; neither relies on the other. Nothing of it
reaches the network by itself: pictures come from the mail's own parts, remote ones are left out and counted.
"""

import re
from collections.abc import Callable
from html import escape
from urllib.parse import unquote

import nh3

from fumibako.mail.letter.plain import html_to_text
from fumibako.mail.letter.values import CleanHtml

MAX_LENGTH = 4_000_000  # characters; what is longer is shown as text
# html5ever looks through all open elements at every block: 100,000 nested ones cost 42 s, 2,000 cost 0.02 s.
MAX_NESTING = 2_000


def _set_of(words: str) -> set[str]:
    return set(words.split())


_TAGS = _set_of(
    "a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del"
    " dfn dir div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav"
    " ol p pre q rp rt ruby s samp section small span strike strong sub sup table tbody td tfoot th thead tr tt u ul"
    " var wbr"
)
_WITHOUT_CONTENT = _set_of(
    "script style title template noscript iframe object applet embed svg math noembed noframes select option"
    " textarea audio video canvas frameset xmp plaintext"
)
_EVERYWHERE = {"style", "align", "valign", "dir", "lang", "title", "bgcolor", "width", "height", "background"}
_ATTRIBUTES = {
    "*": _EVERYWHERE,
    "a": {"href"},
    "img": {"src", "srcset", "alt", "border", "hspace", "vspace"},
    "font": {"color", "face", "size"},
    "table": {"border", "cellpadding", "cellspacing", "summary", "bordercolor"},
    "td": {"colspan", "rowspan", "nowrap", "bordercolor"},
    "th": {"colspan", "rowspan", "nowrap", "scope", "bordercolor"},
    "col": {"span"},
    "colgroup": {"span"},
    "ol": {"start", "type", "reversed"},
    "ul": {"type"},
    "li": {"value", "type"},
    "hr": {"color", "noshade", "size"},
    "br": {"clear"},
    "blockquote": {"type"},
}
# Colours, boxes, letters. No position, z-index, transform or animation: nothing leaves its place to cover another.
_PROPERTIES = _set_of(
    "background background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width"
    " border-collapse border-color border-left border-left-color border-left-style border-left-width border-radius"
    " border-right border-right-color border-right-style border-right-width border-spacing border-style border-top"
    " border-top-color border-top-style border-top-width border-width box-sizing clear color direction display"
    " empty-cells float font font-family font-size font-style font-variant font-weight height letter-spacing line-"
    " height list-style list-style-position list-style-type margin margin-bottom margin-left margin-right margin-top"
    " max-height max-width min-height min-width overflow overflow-wrap padding padding-bottom padding-left padding-"
    " right padding-top table-layout text-align text-decoration text-indent text-transform unicode-bidi vertical-"
    " align visibility white-space width word-break word-spacing word-wrap"
)
_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_REMOTE = re.compile(r"\s*(?:https?:)?//", re.IGNORECASE)
_REMOTE_IN_CSS = re.compile(r"url\(\s*[\"']?\s*(?:https?:)?//", re.IGNORECASE)
# A property and a plain value: no escapes, comments, blocks or rules, and of functions the colours' alone, so nothing
# that fetches (`url`, `image-set`) or computes (`expression`, `attr`, `var`).
_DECLARATION = re.compile(
    r"\s*[a-z-]+\s*:(?:[^\\@{}<>();/*]|/(?!\*)|\b(?:rgb|rgba|hsl|hsla)\([\d\s.,%/a-z+-]*\))*", re.IGNORECASE
)

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"""<(/?)([a-zA-Z][a-zA-Z0-9]*)(?:"[^"]*"|'[^']*'|[^>"'])*+>?""")
_NEVER_OPEN = _set_of("area base br col embed hr img input link meta param source track wbr p li td th tr dd dt option")


def clean_html(html: str, picture: Callable[[str], str | None]) -> CleanHtml:
    """Make a mail's HTML safe to show in a sandboxed frame.

    `picture` is asked with the Content-ID of each `cid:` picture and gives the URL to show it from, or None to drop it.
    Remote pictures (also of backgrounds and styles) are left out and counted in `blocked_pictures`, `data:` pictures
    are left out. Links go to http, https, mailto and tel only, open apart and tell nothing of where they stood.
    A page that is too long or nested too deep to be read in bounded time is shown as its text.
    """
    if len(html) > MAX_LENGTH or _nesting(html) > MAX_NESTING:
        return CleanHtml(f"<pre>{escape(html_to_text(html[:MAX_LENGTH]))}</pre>", 0)
    cleaning = _Cleaning(picture)
    cleaner = nh3.Cleaner(
        tags=_TAGS,
        clean_content_tags=_WITHOUT_CONTENT,
        attributes=_ATTRIBUTES,
        attribute_filter=cleaning.attribute,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        link_rel="noopener noreferrer",
        # The schemes are checked in `attribute`; here they are those that have to reach it to be counted or replaced.
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        filter_style_properties=_PROPERTIES,
    )
    return CleanHtml(cleaner.clean(html), cleaning.blocked)


class _Cleaning:
    """What becomes of each attribute, and the pictures that were left out on the way."""

    def __init__(self, picture: Callable[[str], str | None]) -> None:
        self._picture = picture
        self.blocked = 0

    def attribute(self, tag: str, name: str, value: str) -> str | None:
        if name == "href":
            return value.strip() if _LINK.match(value.strip()) else None
        if name == "src":
            return self._source(value)
        if name in ("background", "srcset"):
            self.blocked += name == "background" and _REMOTE.match(value) is not None
            return None
        if name == "style":
            return self._style(value)
        return value

    def _source(self, value: str) -> str | None:
        value = value.strip()
        if value[:4].lower() == "cid:":
            return self._picture(_content_id(value))
        self.blocked += _REMOTE.match(value) is not None
        return None

    def _style(self, value: str) -> str | None:
        self.blocked += len(_REMOTE_IN_CSS.findall(value))
        return ";".join(one for one in value.split(";") if _DECLARATION.fullmatch(one)) or None


def _content_id(url: str) -> str:
    return unquote(url[4:]).strip("<> ")


def _nesting(html: str) -> int:
    """How deep elements are open at most; an end counts only where its kind is open."""
    is_open: dict[str, int] = {}
    depth = deepest = 0
    for match in _TAG.finditer(_COMMENT.sub("", html)):
        kind = match[2].lower()
        if kind in _NEVER_OPEN:
            continue
        if not match[1]:
            is_open[kind] = is_open.get(kind, 0) + 1
            depth += 1
            deepest = max(deepest, depth)
        elif is_open.get(kind):
            is_open[kind] -= 1
            depth -= 1
    return deepest
