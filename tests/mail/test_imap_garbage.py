"""Whatever bytes come: values or a typed error, the same however they are cut."""

import asyncio
import itertools
import tracemalloc
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st

from fumibako.mail.connect import Security, Server
from fumibako.mail.imap import ImapClient, ImapError, Synced
from fumibako.mail.imap.connection import Connection
from fumibako.mail.imap.deflate import Deflate
from fumibako.mail.imap.errors import ProtocolError
from fumibako.mail.imap.protocol import Receiver
from tests.mail.odd_replies import FETCHES, REPLIES

PIECES = [
    *(b"(", b")", b'"', b"\\", b"[", b"]", b"{3}\r\nabc", b"{0}\r\n", b"{", b"}", b"~", b"<0>", b"*", b"+ ", b" "),
    *(b"\0", b"\r\n", b"\n", b"\r", b"NIL", b"UID 5", b"UID", b"FLAGS (", b"BODY[]", b"BODY[HEADER] ", b"ENVELOPE ("),
    *(b"MODSEQ (", b'INTERNALDATE "', b"RFC822.SIZE ", b"* 1 FETCH (", b"* LIST (", b"* STATUS ", b"* SEARCH "),
    *(b"* VANISHED ", b"-1", b"F1 OK ", b"F2 NO [", b"* OK [UIDVALIDITY ", b"* OK [CLOSED] x", b"* CAPABILITY "),
    *(b"99999999999", b"\xff\x81"),
]
LINES = [row[1] + b"\r\n" for row in (*FETCHES, *REPLIES)]
GARBAGE = st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(LINES)), max_size=15).map(b"".join)


def read(data: bytes, cuts: list[int]) -> list[object]:
    """What comes out when the bytes arrive cut at these places; a protocol error ends it."""
    receiver = Receiver()
    receiver.feed(b"* OK ready\r\n")
    found: list[object] = [receiver.next()]
    try:
        for start, end in itertools.pairwise([0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]):
            receiver.feed(data[start:end])
            while (response := receiver.next()) is not None:
                found.append(response)
    except ProtocolError as error:
        found.append(str(error))
    return found


@settings(max_examples=200)
@given(GARBAGE, st.lists(st.integers(0, 400), max_size=12))
def test_garbage_is_the_same_however_it_is_cut(data, cuts):
    assert read(data, cuts) == read(data, [])


class Pipe(asyncio.Transport):
    """A transport that leads nowhere."""

    def write(self, data: bytes) -> None:
        """Nobody hears it."""

    def abort(self) -> None:
        """There is nothing to end."""


def say(connection: Connection, data: bytes) -> None:
    """Let the server say this."""
    while data and not connection.error:
        room = connection.get_buffer(-1)
        count = min(len(room), len(data))
        room[:count] = data[:count]
        connection.buffer_updated(count)
        data = data[count:]


async def outcomes(data: bytes) -> list[object]:
    """How calls of every kind end when the server says this and hangs up."""
    connection = Connection(5.0)
    connection.connection_made(Pipe())
    say(
        connection,
        b"* OK [CAPABILITY IMAP4rev1 ENABLE QRESYNC ESEARCH NOTIFY LIST-STATUS] ready\r\n* ENABLED QRESYNC\r\n",
    )
    client = ImapClient(Server("mail.example.jp", 993, Security.TLS), connection, await connection.greeting, "")
    calls = [
        asyncio.ensure_future(call)
        for call in (
            client.fetch("1:9", "(UID RFC822.SIZE BODY.PEEK[])", uid=True, on_message=lambda message: None),
            client.list_folders(["MESSAGES"]),
            client.statuses([b"a", b"b"], ["MESSAGES"]),
            client.uid_search(),
            client.enable(),
            client.notify([b"INBOX"]),
            client.wait(5),
            client.examine(b"INBOX", Synced(1, 1)),
        )
    ]
    await asyncio.sleep(0)
    half = len(data) // 2
    for part in (data[:half], data[half:]):
        say(connection, part)
        await asyncio.sleep(0)
    connection.connection_lost(None)
    return await asyncio.gather(*calls, return_exceptions=True)


@settings(max_examples=100)
@given(GARBAGE)
def test_every_call_ends_in_a_value_or_an_error_of_the_family(data):
    for outcome in asyncio.run(outcomes(data)):
        assert not isinstance(outcome, BaseException) or isinstance(outcome, ImapError), outcome


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_compressed_garbage_is_a_protocol_error_or_bytes(plain, garbage):
    squeeze = zlib.compressobj(wbits=-15)
    opened = Deflate(squeeze.compress(plain) + squeeze.flush(zlib.Z_SYNC_FLUSH) + garbage)
    room, found = memoryview(bytearray(64)), b""
    try:
        while count := opened.into(room):
            found += room[:count]
            if len(found) > 1_000_000:
                break
    except ProtocolError:
        return
    assert found.startswith(plain)


@settings(max_examples=20)
@given(
    st.sampled_from([b"* 1 FETCH (", b'* 1 FETCH (BODY[] "', b'* LIST () "/" "', b"* X ", b"* OK ["]),
    st.sampled_from(PIECES),
)
def test_memory_is_bounded_whatever_goes_on_and_on(head, piece):
    receiver = Receiver()
    part = piece * (2**15 // len(piece))
    tracemalloc.start()
    try:
        receiver.feed(b"* OK ready\r\n" + head)
        for _ in range(10):
            receiver.feed(part)
            while receiver.next() is not None:
                pass
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    except ProtocolError:
        pass
    finally:
        tracemalloc.stop()
