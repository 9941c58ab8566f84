"""Translations: `.po` files are the source, `.mo` files are built from them and never committed.

A source tree builds what is missing or older than its source when Django starts; a package carries them built. No tool
of GNU gettext is needed for that: the binary form is a header, two tables and the texts (GNU gettext manual, "The
Format of GNU MO Files").
"""

import ast
import os
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LOCALE = Path(__file__).parent / "locale"
MAGIC = 0x950412DE


@dataclass(frozen=True)
class Entry:
    """One text of a catalog: `plural` is empty for a text without a number, `translations` has one item a form."""

    context: str
    text: str
    plural: str
    translations: tuple[str, ...]
    fuzzy: bool

    @property
    def key(self) -> str:
        """What gettext looks it up by."""
        context = f"{self.context}\x04" if self.context else ""
        return context + (f"{self.text}\0{self.plural}" if self.plural else self.text)


def read_catalog(source: Path) -> Iterator[Entry]:
    """The entries of a `.po` file in its order, the header (empty text) first."""
    for block in source.read_text("utf-8").split("\n\n"):
        fields: dict[str, str] = {}
        name = ""
        fuzzy = False
        for line in block.splitlines():
            if line.startswith("#"):
                fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
                continue
            if not line.startswith('"'):
                name, _, line = line.partition(" ")
            if name:
                fields[name] = fields.get(name, "") + ast.literal_eval(line)
        if "msgid" in fields:
            forms = tuple(text for field, text in fields.items() if field.startswith("msgstr"))
            yield Entry(fields.get("msgctxt", ""), fields["msgid"], fields.get("msgid_plural", ""), forms, fuzzy)


def binary(entries: list[Entry]) -> bytes:
    """The `.mo` form of a catalog; fuzzy and empty entries are left out, as msgfmt does."""
    texts = sorted(
        (entry.key.encode(), "\0".join(entry.translations).encode())
        for entry in entries
        if all(entry.translations) and not entry.fuzzy
    )
    keys_at = 7 * 4
    values_at = keys_at + 8 * len(texts)
    offset = values_at + 8 * len(texts)
    tables: tuple[list[int], list[int]] = ([], [])
    body = bytearray()
    for column in (0, 1):
        for pair in texts:
            tables[column].extend((len(pair[column]), offset + len(body)))
            body += pair[column] + b"\0"
    numbers = (MAGIC, 0, len(texts), keys_at, values_at, 0, offset, *tables[0], *tables[1])
    return struct.pack(f"<{len(numbers)}I", *numbers) + bytes(body)


def compile_catalogs(locale: Path = LOCALE) -> None:
    """Builds each `.mo` below `locale` that is missing or older than its `.po`; several processes may do so at once."""
    for source in locale.glob("*/LC_MESSAGES/*.po"):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with tempfile.NamedTemporaryFile(dir=source.parent, suffix=".part", delete=False) as part:
            part.write(binary(list(read_catalog(source))))
        os.chmod(part.name, 0o644)  # noqa: PTH101 - a temporary file is the owner's alone
        Path(part.name).replace(target)
