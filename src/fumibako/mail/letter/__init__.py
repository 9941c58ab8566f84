"""Letters: the bytes of a mail to what a person reads.

Pure functions from bytes to values, without I/O; `parse` never raises, but run it in a child process with limits of
memory and time all the same: its input is whatever anybody sends.
"""

from fumibako.mail.letter.clean_html import clean_html
from fumibako.mail.letter.describe import describe
from fumibako.mail.letter.fingerprint import fingerprint
from fumibako.mail.letter.parse import PARSER_VERSION, glance, parse, part_bytes
from fumibako.mail.letter.values import Address, Attachment, CleanHtml, Letter

__all__ = [
    "PARSER_VERSION",
    "Address",
    "Attachment",
    "CleanHtml",
    "Letter",
    "clean_html",
    "describe",
    "fingerprint",
    "glance",
    "parse",
    "part_bytes",
]
