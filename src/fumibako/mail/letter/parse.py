"""Raw bytes of a mail to a Letter."""

import hashlib
import re
from html import escape
from urllib.parse import unquote

from fumibako.mail.letter.addresses import parse_addresses
from fumibako.mail.letter.automatic import is_automatic
from fumibako.mail.letter.body import Bodies, beginning_of, choose_bodies, content, text_of
from fumibako.mail.letter.dates import parse_date
from fumibako.mail.letter.filenames import file_name
from fumibako.mail.letter.fingerprint import fingerprint_of
from fumibako.mail.letter.headers import Headers
from fumibako.mail.letter.identifiers import identifier, identifiers, list_identifier
from fumibako.mail.letter.plain import html_to_text, snippet, snippet_of_beginning
from fumibako.mail.letter.structure import Part, read_structure
from fumibako.mail.letter.values import Address, Attachment, Letter

PARSER_VERSION = 1
"""Raised with every change that reads an old mail otherwise; `reparse` finds by it what to read again."""

_BEGINNINGS = (2 << 10, 16 << 10, 128 << 10)  # bytes of each text part that a glance looks at, before it looks at all
_CONTENT_ID_IN_HTML = re.compile(r"cid:([^\"'<>\s)]{1,300})", re.IGNORECASE)


def parse(raw: bytes | memoryview) -> Letter:
    """Read a mail. Never raises on a bad mail: what cannot be read is empty or replaced by U+FFFD.

    Time and memory grow with the mail's size only, however its parts are nested; an attachment is decoded once.
    """
    mail = _Mail(bytes(raw))
    texts = {number: text_of(mail.source, part, mail.hint) for number, part in mail.shown.items()}
    html = _html(mail.bodies, texts)
    text = _text(mail.bodies, texts, html)
    return mail.letter(text, html, snippet(text), html)


def glance(raw: bytes | memoryview) -> Letter:
    """Read of a mail what a list shows: as `parse`, but `text` is "", and `html` is "" where the mail has HTML.

    The snippet comes from the beginning of the text alone where that tells enough, which is five times as fast.
    """
    mail = _Mail(bytes(raw))
    has_html = any(part.type == "text/html" for part in mail.bodies.html)
    names_pictures = has_html and any("content-id" in part.headers for part in mail.bodies.files)
    beginning = _snippet(mail)
    texts: dict[str, str] = {}
    if beginning is None or names_pictures:
        texts = {number: text_of(mail.source, part, mail.hint) for number, part in mail.shown.items()}
    html = _html(mail.bodies, texts) if texts else None
    if beginning is None:
        beginning = snippet(_text(mail.bodies, texts, html))
    return mail.letter("", "" if has_html else None, beginning, html)


class _Mail:
    """A mail taken apart: its headers, and its parts by what they are for."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self._root = read_structure(source)
        self.bodies = choose_bodies(self._root)
        self.hint = self._root.parameters.get("charset", "") or next(
            (part.parameters["charset"] for part in self.bodies.text if "charset" in part.parameters), ""
        )
        self.shown = {part.number: part for part in (*self.bodies.text, *self.bodies.html)}

    def letter(self, text: str, html: str | None, beginning: str, pictures_in: str | None) -> Letter:
        """The letter with these texts; `pictures_in` is the HTML that refers to pictures among the files."""
        headers, hint = self._root.headers, self.hint
        return Letter(
            message_id=identifier(headers.line("message-id")),
            subject=headers.text("subject", hint),
            from_=_addresses(headers, "from", hint),
            sender=_addresses(headers, "sender", hint),
            to=_addresses(headers, "to", hint),
            cc=_addresses(headers, "cc", hint),
            bcc=_addresses(headers, "bcc", hint),
            reply_to=_addresses(headers, "reply-to", hint),
            date=parse_date(headers.text("date")),
            in_reply_to=identifiers(headers.line("in-reply-to")),
            references=identifiers(headers.line("references")),
            list_id=list_identifier(headers.text("list-id", hint)),
            auto=is_automatic(headers, self._root.type),
            text=text,
            html=html,
            snippet=beginning,
            fingerprint=fingerprint_of(headers),
            attachments=_attachments(self.source, self.bodies.files, pictures_in, hint),
        )


def _snippet(mail: _Mail) -> str | None:
    """The snippet from the beginnings of the mail's texts; None where they do not tell it."""
    for size in _BEGINNINGS:
        pieces, follows = [], False
        for part in mail.bodies.text:
            text, follows = beginning_of(mail.source, part, mail.hint, size)
            pieces.append(html_to_text(text) if part.type == "text/html" else text.rstrip())
            if follows:
                break
        text = "\n".join(piece for piece in pieces if piece)
        if not follows:
            return snippet(text) if text.strip() else None
        if (found := snippet_of_beginning(text)) is not None:
            return found
    return None


def part_bytes(raw: bytes | memoryview, part: str) -> bytes:
    """The decoded bytes of the attachment that `parse` numbered `part`. Raises KeyError where there is none."""
    source = bytes(raw)
    for leaf in read_structure(source).leaves():
        if leaf.number == part:
            return content(source, leaf)
    raise KeyError(part)


def _addresses(headers: Headers, name: str, hint: str) -> tuple[Address, ...]:
    """Of all fields of the name: RFC 5322 §3.6 allows one, some senders write one a recipient."""
    return tuple(address for line in headers.lines(name) for address in parse_addresses(line, hint))


def _html(bodies: Bodies, texts: dict[str, str]) -> str | None:
    """The mail's HTML parts in a row, plain ones between them as paragraphs; None where there is no HTML."""
    if not any(part.type == "text/html" for part in bodies.html):
        return None
    pieces = []
    for part in bodies.html:
        text = texts[part.number]
        pieces.append(text if part.type == "text/html" else f'<div style="white-space: pre-wrap">{escape(text)}</div>')
    return "\n".join(pieces)


def _text(bodies: Bodies, texts: dict[str, str], html: str | None) -> str:
    """The mail's plain parts in a row; made from the HTML where they are missing or empty."""
    pieces = []
    for part in bodies.text:
        text = texts[part.number]
        pieces.append(html_to_text(text) if part.type == "text/html" else text.rstrip())
    text = "\n".join(piece for piece in pieces if piece)
    return text if text.strip() or html is None else html_to_text(html)


def _attachments(source: bytes, files: list[Part], html: str | None, hint: str) -> tuple[Attachment, ...]:
    shown = {unquote(name) for name in _CONTENT_ID_IN_HTML.findall(html)} if files and html else set()
    return tuple(_attachment(source, part, shown, hint) for part in files)


def _attachment(source: bytes, part: Part, shown: set[str], hint: str) -> Attachment:
    data = content(source, part)
    content_id = identifier(part.headers.line("content-id")) or None
    return Attachment(
        part=part.number,
        name=file_name(part, data, hint),
        content_type=part.type,
        size=len(data),
        sha256=hashlib.sha256(data).digest(),
        content_id=content_id,
        inline=content_id in shown,
    )
