"""A mail opened: its head, text or framed HTML, files, and its raw source."""

import re
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.views.decorators.clickjacking import xframe_options_sameorigin

from fumibako import archive
from fumibako.archive import File, MessageView
from fumibako.mail.letter import Address

from ..faces import folder_name
from ..pages import PersonRequest, page
from .mail import mail_context

RAW_SHOWN = 200_000  # bytes of the raw source on the page; the download has all of it

FRAME_POLICY = "; ".join(
    (
        "default-src 'none'",
        "img-src 'self'",
        "style-src 'unsafe-inline'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
        "sandbox allow-popups allow-popups-to-escape-sandbox",
    )
)
"""Of the HTML of a mail (design rule 22): no script, nothing loaded but its own pictures, an origin of its own."""

FILE_POLICY = "default-src 'none'; sandbox"
"""Of everything else that came with a mail."""

FRAME = """<!doctype html>
<html lang=""><meta charset="utf-8"><meta name="referrer" content="no-referrer"><base target="_blank">
<style>html {{ color-scheme: light; background: #fff; color: #22242a; }}
body {{ margin: 12px; overflow-wrap: anywhere;
font: 15px/1.7 "Hiragino Sans", "Noto Sans CJK JP", "Yu Gothic UI", Meiryo, sans-serif; }}
img, table {{ max-width: 100%; }} img {{ height: auto; }}</style>
<body>{html}</body></html>
"""

PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/avif"})

ACTIVE_TYPES = re.compile(r"html|xml|svg|script", re.IGNORECASE)
TOKEN_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
LINK = re.compile(r"https?://[^\s<>\"'「」『』（）()、。，．]+")
UNSAFE_NAME = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]')


@dataclass(frozen=True)
class Line:
    """A line of the head: what it is, and whom it names."""

    word: str
    people: tuple[Address, ...]


@page
def letter(request: PersonRequest, message: str) -> HttpResponse:
    """The letter beside its list. Opening it is what makes it read here."""
    view = archive.read_message(request.user, message)
    as_text = request.GET.get("as") == "text"
    reading = view.reading
    context = mail_context(request)
    context |= {
        "letter": view,
        "lines": head(view),
        "left_to": folder_name(view.left_to) if view.left_to else "",
        "files": [file for file in view.files if not file.inline or reading is None or not reading.html],
        "framed": bool(reading and reading.html and not as_text),
        "as_text": as_text,
        "text": linked(reading.text) if reading else "",
        "query": urlencode({name: value for name, value in request.GET.items() if name != "as"}),
    }
    return render(request, "web/mail.html", context)


def head(view: MessageView) -> list[Line]:
    """The lines beneath the sender."""
    lines = [
        Line(gettext("To"), view.to),
        Line(gettext("Cc"), view.cc),
        Line(gettext("Bcc"), view.bcc),
        Line(gettext("Reply to"), view.reply_to if view.reply_to != view.sender else ()),
    ]
    return [line for line in lines if line.people]


@xframe_options_sameorigin
@page
def letter_frame(request: PersonRequest, message: str) -> HttpResponse:
    """The cleaned HTML, for the sandboxed frame alone."""
    view = archive.read_message(request.user, message, mark=False)
    if view.reading is None or view.reading.html is None:
        raise Http404
    return guarded(HttpResponse(FRAME.format(html=view.reading.html)), FRAME_POLICY)


def letter_picture(request: HttpRequest, message: str, token: str) -> HttpResponse:
    """A picture of that frame. It has no cookie there: the token is its right, for ten minutes."""
    try:
        picture = archive.read_picture(token)
    except archive.ArchiveError as error:
        raise Http404 from error
    if picture.content_type not in PICTURE_TYPES:
        raise Http404
    response = HttpResponse(picture.content, content_type=picture.content_type)
    response["Cache-Control"] = "private, max-age=600"
    return guarded(response, FILE_POLICY)


@page
def letter_file(request: PersonRequest, message: str, n: int) -> HttpResponse:
    """A file of the mail, always as a download."""
    try:
        file = archive.read_attachment(request.user, message, n)
    except archive.Unreadable as error:
        raise Http404 from error
    return download(file, fallback=f"file-{n}")


@page
def letter_raw(request: PersonRequest, message: str) -> HttpResponse:
    """The mail as the server gave it: on a page, or as a file."""
    raw = archive.read_raw(request.user, message)
    view = archive.read_message(request.user, message, mark=False)
    if "download" in request.GET:
        name = f"{view.subject[:80] or message}.eml"
        return download(File(name, "message/rfc822", raw), fallback=f"{message}.eml")
    text = raw[:RAW_SHOWN].decode("utf-8", "replace")
    context = {"here": "mail", "letter": view, "raw": text, "cut": len(raw) > RAW_SHOWN, "size": len(raw)}
    return render(request, "web/letter_raw.html", context)


def download(file: File, *, fallback: str) -> HttpResponse:
    """A response that a browser saves and never shows."""
    active = ACTIVE_TYPES.search(file.content_type) or not TOKEN_TYPE.fullmatch(file.content_type)
    response = HttpResponse(file.content, content_type="application/octet-stream" if active else file.content_type)
    response["Content-Disposition"] = disposition(file.name, fallback)
    response["Cache-Control"] = "private, no-store"
    return guarded(response, FILE_POLICY)


def disposition(name: str, fallback: str) -> str:
    """Content-Disposition with the name in UTF-8 and, for old programs, in ASCII (RFC 6266 section 4.3, appendix D)."""
    name = UNSAFE_NAME.sub("_", name).strip(" .")[:200] or fallback
    if name.isascii():
        return f'attachment; filename="{name}"'
    plain = re.sub(r"[^\x20-\x7e]|%", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def guarded(response: HttpResponse, policy: str) -> HttpResponse:
    """`response` under a policy of its own, with its type taken as said."""
    response["Content-Security-Policy"] = policy
    response["X-Content-Type-Options"] = "nosniff"
    response["Referrer-Policy"] = "no-referrer"
    return response


def linked(text: str) -> SafeString:
    """Text as HTML whose web addresses can be pressed; each opens apart and is told nothing of this page."""
    parts: list[str] = []
    end = 0
    for match in LINK.finditer(text):
        url = match[0].rstrip(".,:;!?")
        parts.append(escape(text[end : match.start()]))
        shown = escape(url)
        parts.append(f'<a href="{shown}" target="_blank" rel="noopener noreferrer nofollow">{shown}</a>')
        end = match.start() + len(url)
    parts.append(escape(text[end:]))
    return mark_safe("".join(parts))  # noqa: S308 - every part is escaped
