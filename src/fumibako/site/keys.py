"""The key file: Django's secret key and the Fernet keys that seal mail passwords. It is in no backup of the database.

One key a line, its use first: `django KEY` or `fernet KEY`. The first Fernet key seals, the others open what was sealed
before a rotation.
"""

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path

from fumibako.site.data_folder import write_private

HEADER = """\
# Keys of this installation. Without them no linked mail password can be read.
# Keep a copy away from the backup of the database.
"""


@dataclass(frozen=True)
class Keys:
    """What the key file holds; empty where there is none yet."""

    django: str = ""
    fernet: tuple[str, ...] = ()


def read_keys(path: Path) -> Keys:
    """The keys of a file; no keys when it does not exist. Raises ValueError for a line that is no key."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return Keys()
    django = ""
    fernet: list[str] = []
    for number, line in enumerate(lines, start=1):
        use, _, key = line.strip().partition(" ")
        if not use or use.startswith("#"):
            continue
        if use == "django" and key:
            django = key
        elif use == "fernet" and key:
            fernet.append(key)
        else:
            raise ValueError(f"line {number} of {path} is not a key")
    return Keys(django, tuple(fernet))


def make_keys(path: Path) -> Keys:
    """Make new keys in a file of one's own (0600)."""
    keys = Keys(secrets.token_urlsafe(50), (base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),))
    write_private(path, HEADER + f"django {keys.django}\n" + "".join(f"fernet {key}\n" for key in keys.fernet))
    return keys
