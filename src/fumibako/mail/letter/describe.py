"""What the product makes of a mail, as plain data: the JSON of `fumibako read`."""

from typing import Any

from fumibako.mail.letter.parse import parse
from fumibako.mail.letter.values import Address


def describe(raw: bytes | memoryview, file: str) -> dict[str, Any]:
    """The mail as a dict that `json.dumps` takes; `file` is repeated in it as the caller named it.

    Keys: file, message_id, subject, from, to, cc (lists of name and address), date (ISO 8601 or None), text, html (or
    None), attachments (name, content_type, size in bytes, sha256 in hexadecimal).
    """
    letter = parse(raw)
    return {
        "file": file,
        "message_id": letter.message_id,
        "subject": letter.subject,
        "from": _addresses(letter.from_),
        "to": _addresses(letter.to),
        "cc": _addresses(letter.cc),
        "date": letter.date.isoformat() if letter.date else None,
        "text": letter.text,
        "html": letter.html,
        "attachments": [
            {
                "name": attachment.name,
                "content_type": attachment.content_type,
                "size": attachment.size,
                "sha256": attachment.sha256.hex(),
            }
            for attachment in letter.attachments
        ],
    }


def _addresses(addresses: tuple[Address, ...]) -> list[dict[str, str]]:
    return [{"name": address.name, "address": address.address} for address in addresses]
