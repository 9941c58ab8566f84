import contextlib
import dataclasses
import itertools
import time
import tracemalloc
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fumibako.mail.imap.errors import ProtocolError
from fumibako.mail.imap.protocol import LONGEST_LINE, NotImap, Receiver
from fumibako.mail.imap.responses import (
    Capabilities,
    Condition,
    Continuation,
    Exists,
    Expunged,
    Fetched,
    Flags,
    Found,
    Listed,
    Named,
    Other,
    Status,
    UidSet,
    Vanished,
)

GREETING = b"* OK ready\r\n"
MAIL = "Subject: 見積\r\n\r\n* 1 FETCH (BODY[] {3}\r\n".encode() * 40


class Slot:
    """Memory that a caller gives for a body."""

    def __init__(self, size: int) -> None:
        self.filled = bytearray(size)
        self.view = memoryview(self.filled)


def read_all(receiver: Receiver, pieces: list[bytes]) -> list[object]:
    found = []
    for piece in pieces:
        receiver.feed(piece)
        while (response := receiver.next()) is not None:
            found.append(response)
    return found


def read(data: bytes, receiver: Receiver | None = None) -> list[object]:
    """The responses to these bytes after a greeting."""
    return read_all(receiver or Receiver(), [GREETING + data])[1:]


def one(data: bytes):
    (response,) = read(data)
    return response


def literal(data: bytes) -> bytes:
    return b"{%d}\r\n%s" % (len(data), data)


SESSION = b"".join(
    (
        GREETING,
        b"* CAPABILITY IMAP4rev1 IDLE\r\n",
        b'* LIST (\\HasNoChildren \\Sent) "/" &kAFP4W4IMH8wojCkMMYw4A-\r\n',
        b'* LIST () "/" ' + literal("送信".encode()) + b"\r\n",
        b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] UIDs valid\r\n",
        b'* 1 FETCH (UID 4 RFC822.SIZE %d INTERNALDATE " 1-Jul-2026 10:11:12 +0900" FLAGS (\\Seen) BODY[] ' % len(MAIL)
        + literal(MAIL)
        + b")\r\n",
        b"* 2 FETCH (BODY[] " + literal(b"") + b" UID 5 FLAGS ())\r\n",
        b"garbage without sense\r\n\r\n",
        b"* 3 FETCH (UID 6 BODY[HEADER] " + literal(b"Subject: x\r\n\r\n") + b" X-ODD (1 (2 3) NIL))\r\n",
        b"* SEARCH 1 2 3 9\r\n",
        b"+ idling\r\n",
        b"A1 OK [READ-ONLY] done {5}\r\n",
        b"* 2 EXPUNGE\r\n* BYE see you\r\n",
    )
)


def with_plain_bodies(responses: list[object]) -> list[object]:
    return [
        dataclasses.replace(found, body=bytes(found.body.filled))
        if isinstance(found, Fetched) and isinstance(found.body, Slot)
        else found
        for found in responses
    ]


@given(st.lists(st.integers(0, len(SESSION)), max_size=30), st.booleans(), st.booleans())
def test_however_the_input_is_cut_the_responses_are_the_same(cuts, bulk, hooked):
    places = [0, *sorted(cuts), len(SESSION)]
    pieces = [SESSION[start:end] for start, end in itertools.pairwise(places)]
    receiver = Receiver(Slot if hooked else None)
    receiver.bulk = bulk
    assert with_plain_bodies(read_all(receiver, pieces)) == read_all(Receiver(), [SESSION])


def test_byte_by_byte_gives_the_same_as_all_at_once():
    pieces = [SESSION[at : at + 1] for at in range(len(SESSION))]
    whole = read_all(Receiver(), [SESSION])
    assert read_all(Receiver(), pieces) == whole
    assert len(whole) == 15
    assert [found for found in whole if isinstance(found, Other)] == [Other("", damaged=True)]


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_garbage_after_the_greeting_gives_values_or_a_protocol_error(pieces):
    receiver = Receiver()
    with contextlib.suppress(ProtocolError):
        read_all(receiver, [GREETING, *pieces])


LINES = st.text('* 1FETCH(){}[]"\\ BODYUIDLISTSTATUSEARCH+~:,<>NIL3é\x00\r', max_size=80).map(str.encode)


@settings(max_examples=500)
@given(LINES)
def test_a_line_that_cannot_be_read_costs_that_line_alone(line):
    if b"{" in line:
        line = line.replace(b"{", b"")
    *_, last = read(b"* " + line + b"\r\nA1 OK done\r\n")
    assert last == Condition("OK", None, "", "done", "A1")


@given(st.binary(max_size=2000).filter(lambda data: data[:2] != b"* "))
def test_what_does_not_greet_as_imap_is_refused_and_its_words_are_not_kept(data):
    with pytest.raises(NotImap) as caught:
        read_all(Receiver(), [data + b"\r\n"])
    assert caught.value.args == (caught.value.speaks,)


@pytest.mark.parametrize(
    ("said", "speaks"),
    [
        (b"220 mail.example.jp ESMTP", "smtp"),
        (b"554 go away", "smtp"),
        (b"+OK POP3 ready", "pop3"),
        (b"HTTP/1.1 400 Bad Request", "http"),
        (b"SSH-2.0-OpenSSH_9", "ssh"),
        (b"-FOO", None),
        (b"* FOO bar", None),
        (b"", None),
    ],
)
def test_another_protocol_is_recognized(said, speaks):
    with pytest.raises(NotImap) as caught:
        read_all(Receiver(), [said + b"\r\n"])
    assert caught.value.speaks == speaks


def test_a_greeting_that_does_not_end_is_given_up():
    with pytest.raises(NotImap):
        read_all(Receiver(), [b"* OK " + b"x" * 10_000])


# Fetching

FAST = (
    b'* 12 FETCH (UID 345 RFC822.SIZE 4 INTERNALDATE "24-Nov-2026 20:10:18 +0900"'
    b" FLAGS (\\Seen $Forwarded) MODSEQ (99) EMAILID (M1) BODY[] {4}\r\nmail)\r\n"
)


def test_the_usual_fetch_is_read():
    japan = timezone(timedelta(hours=9))
    assert one(FAST) == Fetched(
        seq=12,
        uid=345,
        flags=("\\Seen", "$Forwarded"),
        internaldate=datetime(2026, 11, 24, 20, 10, 18, tzinfo=japan),
        size=4,
        modseq=99,
        emailid="M1",
        body=b"mail",
    )


@pytest.mark.parametrize(
    "odd",
    [
        FAST.replace(b"BODY[]", b"X-UNKNOWN (a (b NIL)) BODY[]"),
        FAST.replace(b"(UID 345", b"(").replace(b"mail)", b"mail UID 345)"),
        FAST.replace(b"FETCH (UID", b"fetch (uid").replace(b"BODY[]", b"body[]"),
        FAST.replace(b"{4}\r\nmail", b'"mail"'),
        FAST.replace(b"\r\n", b"\n"),
        FAST.replace(b" RFC822", b"  RFC822"),
        FAST.replace(b"RFC822.SIZE 4", b"RFC822.SIZE 4 ENVELOPE (NIL {3}\r\na)b NIL)"),
    ],
)
def test_a_fetch_in_an_unusual_form_means_the_same(odd):
    assert one(odd) == one(FAST)


def test_a_body_lands_in_the_memory_that_was_given_for_it():
    slots = []

    def allocate(size: int) -> Slot:
        slots.append(Slot(size))
        return slots[-1]

    (found,) = read(FAST, Receiver(allocate))
    assert found.body is slots[0]
    assert slots[0].filled == b"mail"


def test_a_long_body_is_received_into_its_memory_without_a_copy():
    slot = Slot(1_000_000)
    receiver = Receiver(lambda size: slot)
    read_all(receiver, [GREETING + b"* 1 FETCH (BODY[] {1000000}\r\nbegin"])
    room = receiver.buffer()
    assert len(room) == 1_000_000 - 5
    room[:3] = b"abc"
    receiver.received(3)
    assert bytes(slot.filled[:8]) == b"beginabc"


def test_a_body_that_nobody_gives_memory_for_is_passed_over():
    found, last = read(FAST + b"A1 OK done\r\n", Receiver(lambda size: None))
    assert (found.uid, found.body, found.skipped) == (345, None, 4)
    assert last.tag == "A1"


def test_a_second_body_in_one_answer_gets_no_memory():
    sizes = []

    def allocate(size: int) -> Slot:
        sizes.append(size)
        return Slot(size)

    read(b"* 1 FETCH (BODY[] {3}\r\nabc BODY[] {5}\r\nabcde)\r\n", Receiver(allocate))
    assert sizes == [3]


def test_a_missing_body_is_empty_and_an_impossible_date_is_none():
    found = one(b'* 1 FETCH (UID 2 BODY[] NIL INTERNALDATE "99-Foo-2026 10:11:12 +0900")\r\n')
    assert (found.uid, found.body, found.internaldate) == (2, b"", None)


def test_sections_are_given_by_name():
    found = one(b"* 1 FETCH (UID 2 BODY[HEADER.FIELDS (TO CC)] {5}\r\nTo: x)\r\n")
    assert found.sections == {"BODY[HEADER.FIELDS (TO CC)]": b"To: x"}
    assert found.body is None


def test_flags_alone_are_a_fetch_without_a_body():
    assert one(b"* 2 FETCH (FLAGS (\\Seen))\r\n") == Fetched(2, flags=("\\Seen",))


# The rest of the grammar


def test_braces_at_the_end_of_free_text_are_no_literal():
    found = read(b"* OK Still here {5}\r\n* NO {10}\r\nA1 BAD {3}\r\n+ {4}\r\n")
    assert found == [
        Condition("OK", None, "", "Still here {5}"),
        Condition("NO", None, "", "{10}"),
        Condition("BAD", None, "", "{3}", "A1"),
        Continuation("{4}"),
    ]


def test_conditions_carry_code_argument_and_words():
    assert one(b"A1 NO [AUTHENTICATIONFAILED] \xe8\xaa\x8d\xe8\xa8\xbc\r\n") == Condition(
        "NO", "AUTHENTICATIONFAILED", "", "認証", "A1"
    )
    assert one(b"* OK [PERMANENTFLAGS (\\Seen \\*)] Limited\r\n").argument == "(\\Seen \\*)"
    assert one(b"* bye\r\n") == Condition("BYE", None, "", "")
    assert one(b"* NO [ALERT] x\r\n").reply == "NO [ALERT] x"


def test_words_without_end_are_cut():
    assert len(one(b"* OK " + b"x" * 100_000 + b"\r\n").words) == 1000


@pytest.mark.parametrize(
    ("line", "raw", "name"),
    [
        (rb'* LIST () "/" INBOX', b"INBOX", "INBOX"),
        (rb'* LIST () "/" inbox', b"inbox", "INBOX"),
        (rb'* LIST () "/" "a \"b\" \\c"', rb'a "b" \c', r'a "b" \c'),
        (rb'* LIST () "/" [Gmail]/Sent', b"[Gmail]/Sent", "[Gmail]/Sent"),
        (rb'* LIST () "/" a[b', b"a[b", "a[b"),
        (rb'* LIST () "/" My Folder (old', b"My Folder (old", "My Folder (old"),
        (rb'* LIST () "/" NIL', b"NIL", "NIL"),
        (rb'* LIST () "/" Foo ("CHILDINFO" ("SUBSCRIBED"))', b"Foo", "Foo"),
        (b'* LIST () "/" {4}\r\na\r\nb', b"a\r\nb", "a\r\nb"),
        (b'* LIST () "/" ""', b"", ""),
    ],
)
def test_every_name_of_a_folder_is_kept_as_the_server_wrote_it(line, raw, name):
    found = one(line + b"\r\n")
    assert isinstance(found, Listed)
    assert (found.name_raw, found.name) == (raw, name)


def test_delimiters_and_attributes_are_read():
    found = one(b'* LIST (\\noselect \\SENT \\X-Own) "\\\\" Foo\r\n')
    assert found.delimiter == "\\"
    assert found.attributes == {"\\Noselect", "\\Sent", "\\X-Own"}
    assert not found.selectable
    assert one(b"* LIST () NIL Foo\r\n").delimiter is None


def test_status_is_read_with_what_the_server_told():
    assert one(b"* STATUS &Tgtm+DBN- (MESSAGES 231 UIDNEXT 44292 X-FOO 3)\r\n") == Status(b"&Tgtm+DBN-", 231, 44292)
    assert one(b"* STATUS My Folder (MESSAGES 1)\r\n") == Status(b"My Folder", 1)


def test_search_answers_are_sets():
    assert one(b"* SEARCH 5 2 3 1\r\n") == Found(UidSet(((1, 3), (5, 5))))
    assert one(b"* SEARCH\r\n") == Found(UidSet())
    assert one(b"* SEARCH 1 2 (MODSEQ 9)\r\n") == Found(UidSet(((1, 2),)))
    assert one(b'* ESEARCH (TAG "A1") UID ALL 1:3,7\r\n') == Found(UidSet(((1, 3), (7, 7))), "A1")
    assert one(b'* ESEARCH (TAG "A1") UID\r\n') == Found(UidSet(), "A1")
    assert one(b"* SEARCH 1 x\r\n") == Found(UidSet(((1, 1),)), damaged=True)


def test_other_responses_are_read():
    assert read(b"* 3 EXISTS\r\n* 2 EXPUNGE\r\n* 1 RECENT\r\n* VANISHED (EARLIER) 1:2,9\r\n") == [
        Exists(3),
        Expunged(2),
        Other("RECENT"),
        Vanished(UidSet(((1, 2), (9, 9))), earlier=True),
    ]
    assert one(b"* CAPABILITY imap4rev1 Idle\r\n") == Capabilities(frozenset({"IMAP4REV1", "IDLE"}))
    assert one(b"* FLAGS (\\Seen foo)\r\n") == Flags(("\\Seen", "foo"))
    assert one(b'* ID ("Name" "Dovecot" "x" NIL)\r\n') == Named((("name", "Dovecot"), ("x", "")))
    assert one(b"* ID NIL\r\n") == Named(())
    assert one(b"* XLIST whatever\r\n") == Other("XLIST")


# Bounds


def test_a_line_without_end_is_a_protocol_error_and_memory_stays_bounded():
    receiver = Receiver()
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            read_all(receiver, [GREETING, b"* 1 FETCH ("] + [b"x" * 2**20] * (LONGEST_LINE // 2**20 + 2))
        assert tracemalloc.get_traced_memory()[1] < 6 * LONGEST_LINE
    finally:
        tracemalloc.stop()


def test_a_literal_longer_than_the_protocol_allows_is_a_protocol_error():
    with pytest.raises(ProtocolError):
        read(b"* 1 FETCH (BODY[] {99999999999}\r\n")


def test_literals_without_end_in_one_line_are_a_protocol_error():
    with pytest.raises(ProtocolError):
        read(b"* X " + b"{0}\r\n" * 20_000)


def test_a_huge_literal_that_is_no_mail_is_passed_over_and_costs_its_line():
    receiver = Receiver()
    size = 50 * 2**20
    tracemalloc.start()
    try:
        found = read_all(receiver, [GREETING, b'* LIST () "/" {%d}\r\n' % size])
        for _ in range(50):
            found += read_all(receiver, [b"x" * 2**20])
        found += read_all(receiver, [b"\r\nA1 OK done\r\n"])
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert found[1:] == [Other("LIST", damaged=True), Condition("OK", None, "", "done", "A1")]


@pytest.mark.parametrize("part", [b"(", b"[", b'"', b"\\", b" ", b"(a", b" (", b"1:", b"]["])
@pytest.mark.parametrize(
    "head", [b"* 1 FETCH (", b'* LIST () "/" ', b"* STATUS ", b"* ", b"A1 ", b"* OK [", b"* SEARCH "]
)
def test_hostile_lines_are_read_in_linear_time(head, part):
    started = time.process_time()
    read(head + part * (500_000 // len(part)) + b"\r\n")
    assert time.process_time() - started < 2


def test_lists_within_lists_do_not_exhaust_the_stack():
    found = one(b"* 1 FETCH (X " + b"(" * 10_000 + b")" * 10_000 + b" UID 7)\r\n")
    assert found.uid == 7
    assert one(b"* NAMESPACE " + b"(" * 10_000 + b")" * 10_000 + b"\r\n") == Other("NAMESPACE", damaged=True)


def test_an_idle_connection_holds_no_buffer():
    receiver = Receiver()
    read(b"* 1 EXISTS\r\n" * 1000, receiver)
    tracemalloc.start()
    try:
        assert receiver.next() is None
        before = tracemalloc.get_traced_memory()[0]
        assert len(receiver.buffer()) == 4096
        assert tracemalloc.get_traced_memory()[0] - before > 4000
    finally:
        tracemalloc.stop()


def test_what_was_heard_before_tls_is_forgotten():
    receiver = Receiver()
    read_all(receiver, [GREETING, b"* CAPABILITY EVIL\r\n* half a li"])
    receiver.forget()
    assert read_all(receiver, [b"* 1 EXISTS\r\n"]) == [Exists(1)]


# Sets


@given(st.sets(st.integers(1, 200)))
def test_a_set_keeps_exactly_its_numbers(numbers):
    found = UidSet.of(numbers)
    assert list(found) == sorted(numbers)
    assert len(found) == len(numbers)
    assert all((number in found) == (number in numbers) for number in range(210))
    assert all(low <= high for low, high in found.ranges)


def test_a_set_is_written_as_a_sequence():
    assert str(UidSet.of([1, 2, 3, 7])) == "1:3,7"
    assert UidSet.of_ranges([(9, 5), (1, 4)]).ranges == ((1, 9),)
