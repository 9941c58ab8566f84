"""The mailbox in one SQLite file: folders, mails, flags.

SQLite because a mail, its UID and the folder's next UID then change together or not at all, also under kill -9.
`synchronous=NORMAL` with a write-ahead log: a killed process loses nothing, only a power cut could lose the last mails.
"""

import hashlib
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS folder (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    uidvalidity INTEGER NOT NULL UNIQUE,
    next_uid INTEGER NOT NULL DEFAULT 1,
    subscribed INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TABLE IF NOT EXISTS mail (
    folder_id INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
    uid INTEGER NOT NULL,
    internal_date TEXT NOT NULL,
    flags TEXT NOT NULL,
    email_id TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    raw BLOB NOT NULL,
    PRIMARY KEY (folder_id, uid)
) STRICT;
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
"""
MESSAGE_ID = re.compile(rb"<[^<>\s]+>")


@dataclass(frozen=True)
class StoredFolder:
    """A folder as the file has it; `next_uid` is what the next mail gets."""

    id: int
    name: str
    uidvalidity: int
    next_uid: int
    subscribed: bool


@dataclass(frozen=True)
class StoredMail:
    """What is known of a mail without its bytes; email_id and thread_id are the ids of RFC 8474."""

    uid: int
    internal_date: datetime
    flags: frozenset[str]
    email_id: str
    thread_id: str


def _identities(raw: bytes) -> tuple[str, str]:
    """Equal bytes are one email; the oldest Message-ID that a mail names tells its thread."""
    email = hashlib.sha256(raw).hexdigest()[:32]
    headers = re.sub(rb"\r?\n[ \t]+", b" ", raw.partition(b"\r\n\r\n")[0])
    for name in (b"References", b"In-Reply-To", b"Message-ID"):
        line = re.search(rb"(?im)^" + name + rb":(.*)$", headers)
        if line and (found := MESSAGE_ID.search(line.group(1))):
            return "M" + email, "T" + hashlib.sha256(found.group()).hexdigest()[:32]
    return "M" + email, "T" + email


class Store:
    """The open file. One process, one thread; every change is a transaction of its own unless inside `transaction`."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file; the write-ahead log is folded into it."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing of it."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def folders(self) -> list[StoredFolder]:
        """All folders, oldest first."""
        rows = self._db.execute("SELECT id, name, uidvalidity, next_uid, subscribed FROM folder ORDER BY id")
        return [StoredFolder(id, name, validity, uid, bool(subscribed)) for id, name, validity, uid, subscribed in rows]

    def add_folder(self, name: str) -> StoredFolder:
        """Make a folder with a UIDVALIDITY that was never used in this file (RFC 3501 §2.3.1.1).

        Raises sqlite3.IntegrityError when the name is taken.
        """
        with self.transaction():
            validity = max(int(time.time()), self.counter("uidvalidity") + 1)
            self.set_counter("uidvalidity", validity)
            row = self._db.execute("INSERT INTO folder (name, uidvalidity) VALUES (?, ?)", (name, validity))
        return StoredFolder(row.lastrowid or 0, name, validity, 1, True)

    def remove_folder(self, folder_id: int) -> None:
        """Remove a folder with its mails."""
        self._db.execute("DELETE FROM folder WHERE id = ?", (folder_id,))

    def rename_folder(self, folder_id: int, name: str) -> None:
        """Give a folder another name; mails, UIDs and UIDVALIDITY stay."""
        self._db.execute("UPDATE folder SET name = ? WHERE id = ?", (name, folder_id))

    def set_subscribed(self, folder_id: int, subscribed: bool) -> None:
        """Keep what SUBSCRIBE and UNSUBSCRIBE said."""
        self._db.execute("UPDATE folder SET subscribed = ? WHERE id = ?", (subscribed, folder_id))

    def mails(self, folder_id: int) -> list[StoredMail]:
        """All mails of a folder by UID, without their bytes."""
        rows = self._db.execute(
            "SELECT uid, internal_date, flags, email_id, thread_id FROM mail WHERE folder_id = ? ORDER BY uid",
            (folder_id,),
        )
        return [
            StoredMail(uid, datetime.fromisoformat(date), frozenset(flags.split()), email_id, thread_id)
            for uid, date, flags, email_id, thread_id in rows
        ]

    def raw(self, folder_id: int, uid: int) -> bytes | None:
        """The bytes of a mail; None when it has been removed."""
        query = "SELECT raw FROM mail WHERE folder_id = ? AND uid = ?"
        row = self._db.execute(query, (folder_id, uid)).fetchone()
        return row[0] if row else None

    def add(self, folder_id: int, raw: bytes, internal_date: datetime, flags: Iterable[str]) -> StoredMail:
        """Append a mail under the folder's next UID. `internal_date` must know its time zone."""
        email_id, thread_id = _identities(raw)
        when, kept = internal_date.replace(microsecond=0), frozenset(flags)
        with self.transaction():
            (uid,) = self._db.execute(
                "UPDATE folder SET next_uid = next_uid + 1 WHERE id = ? RETURNING next_uid - 1", (folder_id,)
            ).fetchone()
            self._db.execute(
                "INSERT INTO mail VALUES (?, ?, ?, ?, ?, ?, ?)",
                (folder_id, uid, when.isoformat(), " ".join(sorted(kept)), email_id, thread_id, raw),
            )
        return StoredMail(uid, when, kept, email_id, thread_id)

    def set_flags(self, folder_id: int, uid: int, flags: Iterable[str]) -> None:
        """Replace a mail's flags."""
        query = "UPDATE mail SET flags = ? WHERE folder_id = ? AND uid = ?"
        self._db.execute(query, (" ".join(sorted(flags)), folder_id, uid))

    def remove(self, folder_id: int, uids: Iterable[int]) -> None:
        """Remove mails; their UIDs are not given again."""
        with self.transaction():
            self._db.executemany("DELETE FROM mail WHERE folder_id = ? AND uid = ?", [(folder_id, uid) for uid in uids])

    def counter(self, name: str) -> int:
        """A number kept under a name, 0 at first."""
        row = self._db.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
        return row[0] if row else 0

    def set_counter(self, name: str, value: int) -> None:
        """Keep a number under a name."""
        self._db.execute("INSERT OR REPLACE INTO counter VALUES (?, ?)", (name, value))
