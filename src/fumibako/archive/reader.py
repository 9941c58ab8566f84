"""One mail read for a page, in a child process: its text and cleaned HTML, or the bytes of one of its files.

``read_letter`` and ``read_part`` keep one child per process between calls; a mail that kills it or makes it hang is
told as ``Unreadable``, and the next call starts another.
"""

import json
import os
import resource
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, BinaryIO

from fumibako.archive.children import child_environment
from fumibako.archive.errors import ArchiveError
from fumibako.mail.letter import clean_html, parse, part_bytes

TIMEOUT = 10.0  # seconds for one mail
MEMORY_LIMIT = 1 << 30  # bytes


class Unreadable(ArchiveError):
    """The mail could not be read: its child died or gave no answer in time."""


@dataclass(frozen=True)
class Reading:
    """A mail's text, its HTML made safe for a sandboxed frame (None: it has none), pictures left out of it."""

    text: str
    html: str | None
    blocked_pictures: int


class _Child:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, question: dict[str, Any], raw: bytes) -> bytes:
        with self._lock:
            try:
                return self._ask(json.dumps(question).encode(), raw)
            except (OSError, EOFError, TimeoutError) as error:
                self._end()
                raise Unreadable from error

    def _ask(self, question: bytes, raw: bytes) -> bytes:
        if self._process is None or self._process.poll() is not None:
            self._process = self._start()
        process, deadline = self._process, time.monotonic() + TIMEOUT
        if process.stdin is None or process.stdout is None:
            raise EOFError
        for data in (question, raw):
            process.stdin.write(len(data).to_bytes(4, "big") + data)
        process.stdin.flush()
        length = int.from_bytes(_read(process.stdout, 4, deadline), "big")
        return _read(process.stdout, length, deadline)

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "fumibako.archive.reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
        )

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _read(source: Any, count: int, deadline: float) -> bytes:
    data = bytearray()
    while len(data) < count:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([source], [], [], left)[0]:
            raise TimeoutError
        piece = os.read(source.fileno(), count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)


_child = _Child()


def read_letter(raw: bytes, pictures: dict[str, str]) -> Reading:
    """Read a mail for a page; ``pictures`` gives the URL of each picture of the mail by its Content-ID.

    Raises Unreadable.
    """
    return Reading(**json.loads(_child.ask({"do": "letter", "pictures": pictures}, raw)))


def read_part(raw: bytes, part: str) -> bytes:
    """The decoded bytes of one part. Raises Unreadable."""
    return _child.ask({"do": "part", "part": part}, raw)


def _serve(source: BinaryIO, sink: BinaryIO) -> None:
    while head := source.read(4):
        question = json.loads(source.read(int.from_bytes(head, "big")))
        raw = source.read(int.from_bytes(source.read(4), "big"))
        answer = part_bytes(raw, question["part"]) if question["do"] == "part" else _letter(raw, question["pictures"])
        sink.write(len(answer).to_bytes(4, "big") + answer)
        sink.flush()


def _letter(raw: bytes, pictures: dict[str, str]) -> bytes:
    letter = parse(raw)
    clean = clean_html(letter.html, pictures.get) if letter.html else None
    reading = {
        "text": letter.text,
        "html": clean.html if clean else None,
        "blocked_pictures": clean.blocked_pictures if clean else 0,
    }
    return json.dumps(reading).encode()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _serve(sys.stdin.buffer, sys.stdout.buffer)
