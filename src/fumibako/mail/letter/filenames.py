"""What an attachment is called."""

import re

from fumibako.mail.letter.structure import Part, head

_MAX_SUBJECT = 100  # characters of a subject that become a file's name
_NO_FILE_NAME = re.compile(r'[/\\:*?"<>|]+')
_EXTENSIONS = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "text/rfc822-headers": ".txt",
    "message/delivery-status": ".txt",
    "message/rfc822": ".eml",
    "message/global": ".eml",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/ms-tnef": ".dat",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "application/x-pkcs7-mime": ".p7m",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
}


def file_name(part: Part, data: bytes, hint: str) -> str:
    """The name that the part gives itself; a forwarded mail's subject; else one made of its number and type.

    It is a name to show and to offer for a download, never a path to write to: it is as the sender chose it.
    """
    if part.file_name:
        return part.file_name
    if part.type in ("message/rfc822", "message/global"):
        subject = _NO_FILE_NAME.sub("_", head(data).text("subject", hint))[:_MAX_SUBJECT].strip()
        if subject:
            return f"{subject}.eml"
    return f"part-{part.number}{_EXTENSIONS.get(part.type, '.bin')}"
