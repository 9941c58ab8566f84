"""The sample account: address, password and ports, made once and kept in the sample's folder."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ADDRESS = "taro.yamada@sample-shoji.example"
PASSWORD_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # noqa: S105  (no letters that look alike)
PASSWORD_LENGTH = 20  # 100 bits


@dataclass(frozen=True)
class Account:
    """How to log in, and where. A port is 0 until one has been chosen."""

    address: str
    password: str
    imap_port: int = 0
    smtp_port: int = 0

    @classmethod
    def kept_in(cls, path: Path) -> "Account":
        """The account of this file, or a new one, which `keep` must write."""
        if path.exists():
            return cls(**json.loads(path.read_text("utf-8")))
        return cls(ADDRESS, "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(PASSWORD_LENGTH)))

    def at(self, *, imap_port: int, smtp_port: int) -> "Account":
        """The same account on these ports."""
        return replace(self, imap_port=imap_port, smtp_port=smtp_port)

    def keep(self, path: Path) -> None:
        """Write the file, readable by its owner alone, whole or not at all."""
        write_private(path, json.dumps(asdict(self), indent=2).encode() + b"\n")


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one of mode 0600 that is complete at the moment when it gets its name."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
