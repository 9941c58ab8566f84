"""A letter to bytes: headers, charsets, parts, as the mail programs of its sender would write it.

Written by hand and not with the standard library's `email`, which refuses what real programs do: ① under the name
ISO-2022-JP, a file's name as an encoded word, letters cut in two.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

from fumibako.site.sample.charsets import encode, encoded, phrase, transfer

PARAMETER = 60  # characters of a file's name on one line, RFC 2231 §3 splits it


@dataclass(frozen=True)
class Style:
    """How a person's mail program writes. `names`: a file's name by "rfc2231" or by "encoded-word"."""

    charset: str
    encoding: str
    mailer: str
    names: str = "rfc2231"
    quote: str = "wrote"
    html: bool = False
    careless: bool = False


@dataclass(frozen=True)
class Address:
    """Somebody in From, To or Cc."""

    name: str
    address: str


@dataclass(frozen=True)
class File:
    """An attachment, or with `cid` a picture within the HTML."""

    name: str
    content_type: str
    content: bytes
    cid: str = ""


@dataclass(frozen=True)
class Letter:
    """What is written. `date` as text is written as it stands; an empty `message_id` leaves the header out."""

    sender: Address
    to: tuple[Address, ...]
    subject: str
    text: str
    date: datetime | str
    message_id: str
    cc: tuple[Address, ...] = ()
    references: tuple[str, ...] = ()
    html: str = ""
    files: tuple[File, ...] = ()
    before: tuple[tuple[str, str], ...] = ()  # the trace that servers have left
    extra: tuple[tuple[str, str], ...] = ()


def _addresses(people: Iterable[Address], charset: str) -> str:
    return ",\r\n ".join(
        f"{phrase(person.name, charset)} <{person.address}>" if person.name else person.address for person in people
    )


def _headers(letter: Letter, style: Style) -> list[tuple[str, str]]:
    date = letter.date if isinstance(letter.date, str) else format_datetime(letter.date)
    headers = [
        *letter.before,
        ("Message-ID", letter.message_id),
        ("Date", date),
        ("From", _addresses([letter.sender], style.charset)),
        ("To", _addresses(letter.to, style.charset)),
        ("Cc", _addresses(letter.cc, style.charset)),
        ("Subject", encoded(letter.subject, style.charset, careless=style.careless)),
        ("In-Reply-To", letter.references[-1] if letter.references else ""),
        ("References", "\r\n ".join(letter.references)),
        *letter.extra,
        ("X-Mailer", style.mailer),
        ("MIME-Version", "1.0"),
    ]
    return [(name, value) for name, value in headers if value]


@dataclass(frozen=True)
class _Part:
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __bytes__(self) -> bytes:
        return b"".join(f"{name}: {value}\r\n".encode() for name, value in self.headers) + b"\r\n" + self.body


def _text(content: str, kind: str, style: Style) -> _Part:
    lines = content.rstrip("\n").replace("\n", "\r\n") + "\r\n"
    return _Part(
        (
            ("Content-Type", f"text/{kind}; charset={style.charset.upper()}"),
            ("Content-Transfer-Encoding", style.encoding),
        ),
        transfer(encode(lines, style.charset), style.encoding),
    )


def _parameter(parameter: str, name: str, style: Style) -> str:
    if name.isascii():
        return f';\r\n {parameter}="{name}"'
    if style.names == "encoded-word":
        return f';\r\n {parameter}="{encoded(name, style.charset)}"'
    value = quote(encode(name, style.charset), safe="")
    if len(value) <= PARAMETER:
        return f";\r\n {parameter}*={style.charset.upper()}''{value}"
    escapes = re.findall(r"%..|.", value)
    lines, line = [], ""
    for escape in escapes:
        if len(line + escape) > PARAMETER:
            lines.append(line)
            line = ""
        line += escape
    first = f"{style.charset.upper()}''"
    pieces = enumerate([*lines, line])
    return "".join(f";\r\n {parameter}*{n}*={first if n == 0 else ''}{piece}" for n, piece in pieces)


def _file(file: File, style: Style) -> _Part:
    disposition = "inline" if file.cid else "attachment"
    headers = [
        ("Content-Type", file.content_type + _parameter("name", file.name, style)),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", disposition + _parameter("filename", file.name, style)),
    ]
    if file.cid:
        headers.insert(2, ("Content-ID", f"<{file.cid}>"))
    return _Part(tuple(headers), transfer(file.content, "base64"))


def _multipart(kind: str, parts: Iterable[_Part], seed: str) -> _Part:
    mark = f"----={kind[:3].title()}_{seed}"
    body = b"".join(b"--" + mark.encode() + b"\r\n" + bytes(part) + b"\r\n" for part in parts)
    return _Part(
        (("Content-Type", f'multipart/{kind};\r\n boundary="{mark}"'),), body + b"--" + mark.encode() + b"--\r\n"
    )


def compose(letter: Letter, style: Style, seed: str) -> bytes:
    """The mail as it lies on the server. `seed` is alphanumeric and makes the boundaries its own."""
    part = _text(letter.text, "plain", style)
    if letter.html:
        html = _text(letter.html, "html", style)
        inline = [_file(file, style) for file in letter.files if file.cid]
        if inline:
            html = _multipart("related", [html, *inline], seed)
        part = _multipart("alternative", [part, html], seed)
    attached = [_file(file, style) for file in letter.files if not file.cid]
    if attached:
        part = _multipart("mixed", [part, *attached], seed)
    return bytes(_Part((*_headers(letter, style), *part.headers), part.body))
