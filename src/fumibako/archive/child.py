"""The child process that parses: jobs in by standard input, answers out by standard output, mail in shared memory.

``python -m fumibako.archive.child IN:SIZE:OUT:SIZE …`` gets, for each slot, the file descriptors and sizes of two
memories: mails are read from the first, rows are written into the second. Jobs and answers are JSON after four bytes of
length. It holds no socket and no secret; whatever a mail does to it, its owner sees it end and starts another.
"""

import json
import mmap
import resource
import sys
from typing import Any, BinaryIO

from fumibako.archive.rows import Builder, Entry, Scope, Where, blob

MEMORY_LIMIT = 1 << 30  # bytes of its own that a child may use


def serve(slots: list[tuple[mmap.mmap, mmap.mmap]], source: BinaryIO, sink: BinaryIO) -> None:
    """Answer jobs until the owner closes the input."""
    builder = Builder()
    while head := source.read(4):
        job = json.loads(source.read(int.from_bytes(head, "big")))
        answer = json.dumps(_answer(builder, slots[job["slot"]], job)).encode()
        sink.write(len(answer).to_bytes(4, "big") + answer)
        sink.flush()


def _answer(builder: Builder, slot: tuple[mmap.mmap, mmap.mmap], job: dict[str, Any]) -> dict[str, Any]:
    where = Where(**{**job["where"], "own": tuple(job["where"]["own"])})
    entries = [Entry(*fields)._replace(flags=tuple(fields[3])) for fields in job["entries"]]
    scope = Scope(job["scope"])
    with memoryview(slot[0]) as memory:
        mails = [memory[entry.offset : entry.offset + entry.length] for entry in entries]
        if scope is Scope.TEXT:
            tables, stored = builder.texts(where, entries, mails, job["ids"])
        else:
            tables, stored = builder.build(where, entries, mails, job["ids"], job["known"], scope)
        for mail in mails:
            mail.release()
    out, at, places = slot[1], 0, {}
    for name, rows in tables.rows.items():
        if rows:
            data = blob(rows)
            out[at : at + len(data)] = data
            places[name] = [at, len(data)]
            at += len(data)
    return {"tables": places, "stored": stored}


def _open(argument: str) -> tuple[mmap.mmap, mmap.mmap]:
    inside, inside_size, outside, outside_size = map(int, argument.split(":"))
    return mmap.mmap(inside, inside_size), mmap.mmap(outside, outside_size)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve([_open(argument) for argument in sys.argv[1:]], sys.stdin.buffer, sys.stdout.buffer)
