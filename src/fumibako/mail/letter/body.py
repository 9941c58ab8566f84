"""Which parts of a mail are its text and which are files: the algorithm of RFC 8621 §4.1.4, and what each part says."""

from dataclasses import dataclass, field

from fumibako.mail.letter import charsets
from fumibako.mail.letter.flowed import unwrap
from fumibako.mail.letter.plain import html_charset
from fumibako.mail.letter.structure import Part
from fumibako.mail.letter.transfer import decode_transfer

_TEXT_TYPES = ("text/plain", "text/html")
# Another form of the same text for a few programs, no file to anybody (AMP for Email).
_NO_FILES = frozenset(("text/x-amp-html", "text/watch-html"))


@dataclass(slots=True)
class Bodies:
    """The parts that make the plain text, those that make the HTML, and the rest."""

    text: list[Part] = field(default_factory=list)
    html: list[Part] = field(default_factory=list)
    files: list[Part] = field(default_factory=list)


def choose_bodies(root: Part) -> Bodies:
    """Sort a mail's parts. In an alternative that has only one form, that form serves as both."""
    bodies = Bodies()
    _sort([root], "mixed", False, bodies.files, bodies.text, bodies.html)
    return bodies


def _sort(
    parts: list[Part], kind: str, inside: bool, files: list[Part], text: list[Part] | None, html: list[Part] | None
) -> None:
    """`inside` an alternative (at any depth) a part belongs to one form; `text` or `html` is None where it is settled
    that this branch is the other form."""
    texts_before, htmls_before = len(text or ()), len(html or ())
    for number, part in enumerate(parts):
        if part.children:
            subtype = part.type.partition("/")[2]
            _sort(part.children, subtype, inside or subtype == "alternative", files, text, html)
            continue
        if not _is_text(part, number, kind):
            if part.type not in _NO_FILES:
                files.append(part)
            continue
        if kind == "alternative":
            form = text if part.type == "text/plain" else html
            (files if form is None else form).append(part)
            continue
        if inside and part.type == "text/plain":
            html = None
        elif inside:
            text = None
        if text is None and html is None:
            files.append(part)
        for form in (text, html):
            if form is not None:
                form.append(part)
    if kind == "alternative" and text is not None and html is not None:
        if len(text) == texts_before:
            text.extend(html[htmls_before:])
        elif len(html) == htmls_before:
            html.extend(text[texts_before:])


def _is_text(part: Part, number: int, kind: str) -> bool:
    if part.type not in _TEXT_TYPES or part.disposition == "attachment":
        return False
    return number == 0 or (kind != "related" and not part.file_name)


def content(source: bytes, part: Part) -> bytes:
    """A part's bytes, decoded."""
    return decode_transfer(memoryview(source)[part.start : part.end], part.transfer_encoding)


def beginning_of(source: bytes, part: Part, hint: str, size: int) -> tuple[str, bool]:
    """The beginning of a text part, from its first `size` bytes, and whether more of it follows.

    As `text_of` reads it, but for the last line, which may be cut, and for a charset that shows only further behind.
    """
    label = part.parameters.get("charset", "")
    if part.end - part.start > size and charsets.is_ascii_based(label):
        encoded = source[part.start : part.start + size]
        data = decode_transfer(memoryview(encoded[: encoded.rfind(b"\n") + 1]), part.transfer_encoding)
        at = data.rfind(b"\n")
        if part.type == "text/html" and b"\x1b" not in data:
            at = max(at, data.rfind(b">"))
        if at >= 0:
            return _as_text(data[: at + 1], part, hint), True
    return text_of(source, part, hint), False


def text_of(source: bytes, part: Part, hint: str) -> str:
    """A text part as text with "\\n" between lines; format=flowed (RFC 3676) is put back into paragraphs."""
    return _as_text(content(source, part), part, hint)


def _as_text(data: bytes, part: Part, hint: str) -> str:
    label = part.parameters.get("charset", "")
    if part.type == "text/html" and charsets.encoding(label) is None:
        label = html_charset(data) or label
    text = charsets.decode(data, label, hint).replace("\r\n", "\n").replace("\r", "\n")
    if part.type == "text/plain" and part.parameters.get("format", "").lower() == "flowed":
        return unwrap(text, delsp=part.parameters.get("delsp", "").lower() == "yes")
    return text
