"""What servers say against the grammar costs at most the item that is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fumibako.mail.imap import Fetched
from fumibako.mail.imap.protocol import Receiver
from fumibako.mail.imap.responses import Condition
from tests.mail.odd_replies import FETCHES, REPLIES

END = Condition("OK", None, "", "done", "F9")


def read(data: bytes, size: int = 1 << 20) -> list[object]:
    """The responses after a greeting to these bytes, `size` at a time, and to a command's end behind them."""
    receiver = Receiver()
    found = []
    said = b"* OK ready\r\n" + data + b"\r\nF9 OK done\r\n"
    for at in range(0, len(said), size):
        receiver.feed(said[at : at + size])
        while (response := receiver.next()) is not None:
            found.append(response)
    return found[1:]


@pytest.mark.parametrize(("line", "fields"), [row[1:] for row in FETCHES], ids=[row[0] for row in FETCHES])
def test_a_message_comes_through(line, fields):
    assert read(line) == [Fetched(**{"seq": 1, **fields}), END]


@pytest.mark.parametrize(("line", "response"), [row[1:] for row in REPLIES], ids=[row[0] for row in REPLIES])
def test_a_reply_is_understood(line, response):
    assert read(line) == [response, END]


@pytest.mark.parametrize("line", [row[1] for row in (*FETCHES, *REPLIES)], ids=[row[0] for row in (*FETCHES, *REPLIES)])
def test_it_is_the_same_byte_by_byte(line):
    assert read(line, 1) == read(line)


GOOD = b"* 2 FETCH (UID 6 FLAGS (\\Seen) BODY[] {3}\r\nabc)"


@given(st.sampled_from([row[1] for row in FETCHES]), st.data())
def test_a_damaged_line_does_not_touch_the_next(line, data):
    """One byte is lost or added anywhere; lengths of literals are left alone, since nothing can mend those."""
    safe = [
        at
        for at in range(len(line))
        if line[at : at + 1] not in (b"{", b"}", b"\r", b"\n") and not line[at : at + 1].isdigit()
    ]
    at = data.draw(st.sampled_from([at for at in safe if at < (line.find(b"{") if b"{" in line else len(line))]))
    damaged = line[:at] + data.draw(st.sampled_from([b"", b"(", b")", b'"', b" ", b"\\", b"["])) + line[at + 1 :]
    *_, found, end = read(damaged + b"\r\n" + GOOD)
    assert end == END
    if b"{" not in line:
        assert found == Fetched(2, 6, ("\\Seen",), body=b"abc")
