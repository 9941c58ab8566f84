"""A compressed connection (COMPRESS=DEFLATE, RFC 4978): raw deflate both ways, flushed after every command.

What comes in lies compressed in one buffer and is opened room by room, never more than the receiver asks for: a
message that grows a thousandfold costs time, not memory.
"""

import zlib

from .errors import ProtocolError

BUFFER = 32 * 1024  # bytes of compressed input; TLS gives 16 KB at a time
_WINDOW_OUT = -12  # raw deflate with 4 KB of history: commands are short, and 24 KB of memory is enough for them
_MEMORY_OUT = 4


class Deflate:
    """Both directions; `early` are compressed bytes that came together with the OK to COMPRESS."""

    def __init__(self, early: bytes) -> None:
        self._in = zlib.decompressobj(-zlib.MAX_WBITS)
        self._out = zlib.compressobj(wbits=_WINDOW_OUT, memLevel=_MEMORY_OUT)
        self._buffer = bytearray(BUFFER)
        self._waiting: bytes | memoryview = early
        self._more = False  # the last room was filled: there may be more of what has been taken in

    def buffer(self) -> memoryview:
        """Where the next compressed bytes belong."""
        if isinstance(self._waiting, memoryview):
            self._waiting = bytes(self._waiting)
        return memoryview(self._buffer)

    def received(self, count: int) -> None:
        """So many compressed bytes were written into `buffer()`."""
        fresh = memoryview(self._buffer)[:count]
        self._waiting = b"".join((self._waiting, fresh)) if self._waiting else fresh

    @property
    def waiting(self) -> bool:
        """Whether there is something to open."""
        return bool(self._waiting) or self._more

    def into(self, room: memoryview) -> int:
        """Open as much as the room holds; returns how many bytes, 0 when more must come first.

        Raises ProtocolError where the bytes are not deflate, and at the end of the compressed stream.
        """
        while self.waiting:
            if self._in.eof:
                raise ProtocolError("the compressed stream has ended")
            try:
                opened = self._in.decompress(self._waiting, len(room))
            except zlib.error as error:
                raise ProtocolError("the compressed stream is broken") from error
            self._waiting = self._in.unconsumed_tail or self._in.unused_data
            self._more = len(opened) == len(room) and not self._in.eof
            if opened:
                room[: len(opened)] = opened
                return len(opened)
        return 0

    def compressed(self, data: bytes) -> bytes:
        """What to send for these bytes."""
        return self._out.compress(data) + self._out.flush(zlib.Z_SYNC_FLUSH)
