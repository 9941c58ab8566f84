"""Extensions of the client against a server that says what a test wants."""

import asyncio
import contextlib
import tracemalloc
import zlib

import pytest

from fumibako.mail.imap import (
    CommandRefused,
    ConnectionLost,
    Exists,
    Expunged,
    Fetched,
    ImapClient,
    ImapError,
    Listed,
    Namespace,
    Namespaces,
    ProtocolError,
    Status,
    Synced,
    UidSet,
    Vanished,
    client,
    folders,
)
from tests.mail.scripted import Talk, scripted


@contextlib.asynccontextmanager
async def talking(authority, capabilities, handler):
    """A client that has read the greeting, and the server that goes on with `handler`."""

    async def serve(talk: Talk) -> None:
        await talk.say(b"* OK [CAPABILITY IMAP4rev1 " + capabilities + b"] ready")
        await handler(talk)

    async with scripted(authority, serve) as lab, await ImapClient.connect(lab.server, lab.network) as connected:
        yield connected, lab


async def silent(talk: Talk) -> None:
    while await talk.reader.read(1000):
        pass


# ENABLE


async def test_only_what_is_announced_is_enabled_and_only_what_the_server_says_counts(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b"ENABLE QRESYNC CONDSTORE"
        await talk.say(b"* ENABLED condstore")
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"ENABLE QRESYNC CONDSTORE UTF8=ACCEPT", handler) as (connected, _):
        assert connected.enabled == frozenset()
        assert await connected.enable() == {"CONDSTORE"}
        assert connected.enabled == {"CONDSTORE"}


@pytest.mark.parametrize("capabilities", [b"QRESYNC", b"ENABLE UTF8=ACCEPT"])
async def test_nothing_is_enabled_where_nothing_of_use_is_offered(authority, capabilities):
    async with talking(authority, capabilities, silent) as (connected, lab):
        assert await connected.enable() == frozenset()
    assert lab.heard == b""


async def test_a_refused_enable_is_no_error(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(talk.tag + b" BAD what?")
        await silent(talk)

    async with talking(authority, b"ENABLE QRESYNC", handler) as (connected, _):
        assert await connected.enable() == frozenset()


# EXAMINE with QRESYNC

KNOWN = Synced(7, 90, UidSet.of_ranges([(1, 20)]))


async def opened(authority, said: tuple[bytes, ...], since=KNOWN, *, end=b"[READ-ONLY] done"):
    """What `examine` gives when the server answers so."""

    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"* ENABLED QRESYNC")
        await talk.ok()
        await talk.hear()
        await talk.say(*said)
        await talk.ok(end)
        await silent(talk)

    async with talking(authority, b"ENABLE QRESYNC CONDSTORE", handler) as (connected, lab):
        await connected.enable()
        found = await connected.examine(b"INBOX", since)
        assert connected._connection.changes == []
    return found, lab.heard.splitlines()[-1].partition(b" ")[2]


async def test_what_has_changed_comes_with_the_opening_in_one_round_trip(authority):
    found, asked = await opened(
        authority,
        (
            b"* 9 EXISTS",
            b"* OK [CLOSED] before this all was of another folder",
            b"* 18 EXISTS",
            b"* OK [UIDVALIDITY 7] x",
            b"* OK [UIDNEXT 22] x",
            b"* OK [HIGHESTMODSEQ 99] x",
            b"* OK [MAILBOXID (F2212ea8-67)] x",
            b"* VANISHED (EARLIER) 3,5:6",
            b"* VANISHED (EARLIER) 9",
            b"* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (95))",
            b"* 18 FETCH (UID 21 FLAGS () MODSEQ (99))",
        ),
    )
    assert asked == b'EXAMINE "INBOX" (QRESYNC (7 90 1:20))'
    assert found.resynced
    assert (found.exists, found.uidvalidity, found.uidnext, found.highestmodseq) == (18, 7, 22, 99)
    assert str(found.vanished) == "3,5:6,9"
    assert found.changed == (Fetched(2, 2, ("\\Seen",), modseq=95), Fetched(18, 21, (), modseq=99))
    assert found.mailboxid == "F2212ea8-67"


@pytest.mark.parametrize(
    "said",
    [
        (b"* OK [UIDVALIDITY 8] x", b"* OK [HIGHESTMODSEQ 99] x"),
        (b"* OK [UIDVALIDITY 7] x", b"* OK [NOMODSEQ] x"),
        (b"* OK [UIDVALIDITY 7] x",),
    ],
)
async def test_what_is_known_counts_for_nothing_where_the_server_cannot_go_on_from_it(authority, said):
    found, _ = await opened(authority, (*said, b"* 1 FETCH (UID 1 FLAGS ())", b"* VANISHED (EARLIER) 2"))
    assert (found.resynced, found.changed, found.vanished) == (False, (), UidSet())


async def test_more_changes_than_memory_is_for_are_compared_anew_instead(authority, monkeypatch):
    monkeypatch.setattr("fumibako.mail.imap.pending.MOST_CHANGED", 3)
    many = (b"* %d FETCH (UID %d FLAGS ())" % (uid, uid) for uid in range(1, 9))
    found, _ = await opened(authority, (b"* OK [UIDVALIDITY 7] x", b"* OK [HIGHESTMODSEQ 99] x", *many))
    assert (found.resynced, found.changed) == (False, ())


async def test_a_set_of_known_mails_too_long_for_a_line_is_left_out(authority):
    scattered = Synced(7, 90, UidSet.of(range(1, 20_000, 2)))
    _, asked = await opened(authority, (b"* OK [UIDVALIDITY 7] x",), scattered)
    assert asked == b'EXAMINE "INBOX" (QRESYNC (7 90))'


async def test_a_server_that_does_not_know_its_own_extension_opens_the_folder_plainly(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"* ENABLED QRESYNC")
        await talk.ok()
        for asked in (b'EXAMINE "a" (QRESYNC (7 90 1:20))', b'EXAMINE "a" (CONDSTORE)'):
            assert await talk.hear() == asked
            await talk.say(talk.tag + b" BAD parameters?")
        assert await talk.hear() == b'EXAMINE "a"'
        await talk.say(b"* 3 EXISTS", b"* OK [UIDVALIDITY 7] x", b"* OK [HIGHESTMODSEQ 9] x")
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"ENABLE QRESYNC CONDSTORE", handler) as (connected, _):
        await connected.enable()
        found = await connected.examine(b"a", KNOWN)
    assert (found.exists, found.resynced) == (3, False)


async def test_without_enable_nothing_is_said_of_what_is_known(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b'EXAMINE "a"'
        await talk.say(b"* OK [UIDVALIDITY 7] x")
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, _):
        assert not (await connected.examine(b"a", KNOWN)).resynced


# FETCH


async def test_only_what_has_changed_since_is_fetched(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b"UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE 90)"
        await talk.say(b"* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (95))")
        await talk.ok()
        await silent(talk)

    got = []
    async with talking(authority, b"CONDSTORE", handler) as (connected, _):
        await connected.fetch("1:*", "(UID FLAGS)", uid=True, on_message=got.append, changed_since=90)
    assert got == [Fetched(2, 2, ("\\Seen",), modseq=95)]


@pytest.mark.parametrize(
    ("capabilities", "item", "said", "emailid"),
    [
        (b"OBJECTID", "EMAILID", b"EMAILID (M6d99ac3275bb4e)", "M6d99ac3275bb4e"),
        (b"X-GM-EXT-1", "X-GM-MSGID", b"X-GM-MSGID 1278455344230334865", "1278455344230334865"),
        (b"", None, b"FLAGS ()", None),
    ],
)
async def test_the_identity_of_a_mail_is_asked_for_as_the_server_has_it(authority, capabilities, item, said, emailid):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"* 1 FETCH (UID 1 " + said + b")", b"* 2 FETCH (" + said + b" X-ODD (a) UID 2)")
        await talk.ok()
        await silent(talk)

    got = []
    async with talking(authority, capabilities, handler) as (connected, _):
        assert connected.identity == item
        await connected.fetch("1:2", f"(UID {item or 'FLAGS'})", uid=True, on_message=got.append)
    assert [message.emailid for message in got] == [emailid, emailid]


# Many commands under way


async def test_other_commands_go_out_behind_a_fetch_and_each_gets_its_own_answer(authority):
    async def handler(talk: Talk) -> None:
        tags = {}
        for _ in range(6):
            line = await talk.hear()
            tags[line] = talk.tag
        assert list(tags) == [
            b"UID FETCH 1:9 (UID BODY.PEEK[])",
            b'STATUS "a" (MESSAGES)',
            b'STATUS "b" (MESSAGES)',
            b"UID SEARCH RETURN (ALL) ALL",
            b"UID SEARCH RETURN (ALL) UNSEEN",
            b"NOOP",
        ]
        fetch, one, other, everything, unseen, noop = tags.values()
        await talk.say(
            noop + b" OK x",
            b"* STATUS b (MESSAGES 2)",
            b'* ESEARCH (TAG "' + unseen + b'") UID ALL 4',
            other + b" OK x",
            b"* 1 FETCH (UID 1 BODY[] {1}\r\na)",
            b"* STATUS a (MESSAGES 1)",
            b'* ESEARCH (TAG "' + everything + b'") UID ALL 1:9',
            unseen + b" OK x",
            everything + b" OK x",
            one + b" OK x",
            b"* 2 FETCH (UID 2 BODY[] {1}\r\nb)",
            fetch + b" OK x",
        )
        await silent(talk)

    got = []
    async with talking(authority, b"ESEARCH", handler) as (connected, _):
        *_, one, other, everything, unseen, _ = await asyncio.gather(
            connected.fetch("1:9", "(UID BODY.PEEK[])", uid=True, on_message=got.append),
            connected.status(b"a", ["MESSAGES"]),
            connected.status(b"b", ["MESSAGES"]),
            connected.uid_search(),
            connected.uid_search(b"UNSEEN"),
            connected.noop(),
        )
    assert [message.body for message in got] == [b"a", b"b"]
    assert (one.messages, other.messages) == (1, 2)
    assert (str(everything), str(unseen)) == ("1:9", "4")


async def test_a_folder_is_opened_when_what_was_asked_of_the_other_has_come(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        fetch = talk.tag
        early = asyncio.ensure_future(talk.hear())
        await asyncio.wait([early], timeout=0.1)
        assert not early.done()
        await talk.say(b"* 1 FETCH (UID 1 FLAGS ())", fetch + b" OK x")
        assert await early == b'EXAMINE "b"'
        await talk.say(b"* OK [UIDVALIDITY 3] x", b"* 7 EXISTS")
        await talk.ok()
        await talk.hear()
        await talk.say(b"* 1 FETCH (UID 1 FLAGS ())")
        await talk.ok()
        await silent(talk)

    got = []
    async with talking(authority, b"", handler) as (connected, _):
        fetching = connected.fetch("1", "(UID FLAGS)", uid=True, on_message=got.append)
        opening = asyncio.ensure_future(connected.examine(b"b"))
        await asyncio.sleep(0)
        later = connected.fetch("1", "(UID FLAGS)", uid=True, on_message=got.append)
        assert (await opening).exists == 7
        await asyncio.gather(fetching, later)
    assert len(got) == 2


async def test_a_fetch_by_numbers_waits_for_commands_that_may_move_them(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b"NOOP"
        noop = talk.tag
        early = asyncio.ensure_future(talk.hear())
        await asyncio.wait([early], timeout=0.1)
        assert not early.done()
        await talk.say(b"* 1 EXPUNGE", noop + b" OK x")
        assert await early == b"FETCH 1:2 FLAGS"
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, _):
        asking = asyncio.ensure_future(connected.noop())
        await asyncio.sleep(0)
        await connected.fetch("1:2", "FLAGS", uid=False, on_message=lambda message: None)
        assert await asking == [Expunged(1)]


async def test_a_command_behind_a_long_fetch_has_time_as_long_as_mail_comes(authority, monkeypatch):
    monkeypatch.setattr(client, "COMMAND_TIMEOUT", 0.4)

    async def handler(talk: Talk) -> None:
        await talk.hear()
        fetch = talk.tag
        await talk.hear()
        for uid in range(1, 9):
            await talk.say(b"* %d FETCH (UID %d BODY[] {1}\r\na)" % (uid, uid))
            await asyncio.sleep(0.1)
        await talk.say(fetch + b" OK x")
        await talk.ok()
        await silent(talk)

    got = []
    async with talking(authority, b"", handler) as (connected, _):
        await asyncio.gather(
            connected.fetch("1:8", "(UID BODY.PEEK[])", uid=True, on_message=got.append), connected.noop()
        )
    assert len(got) == 8


async def test_a_mail_that_trickles_byte_by_byte_ends_in_a_time_out(authority, monkeypatch):
    monkeypatch.setattr(client, "COMMAND_TIMEOUT", 0.3)

    async def handler(talk: Talk) -> None:
        await talk.hear()
        talk.writer.write(b"* 1 FETCH (UID 1 BODY[] {100000}\r\n")
        with contextlib.suppress(ConnectionError):
            while not talk.writer.is_closing():
                talk.writer.write(b"x")
                await talk.writer.drain()
                await asyncio.sleep(0.02)

    async with talking(authority, b"", handler) as (connected, _):
        with pytest.raises(ImapError, match="no answer in time"):
            await connected.fetch("1", "(UID BODY.PEEK[])", uid=True, on_message=lambda message: None)


async def test_many_folders_are_looked_at_at_once_and_a_refused_one_keeps_none(authority, monkeypatch):
    monkeypatch.setattr(folders, "STATUS_AHEAD", 3)
    names = [b"f%d" % number for number in range(8)]

    async def handler(talk: Talk) -> None:
        waiting = []
        for number in range(8):
            line = await talk.hear()
            waiting.append((talk.tag, line.split()[1].strip(b'"')))
            if len(waiting) < 3 and number < 7:
                continue
            tag, name = waiting.pop()  # the last comes first
            if name != b"f5":
                await talk.say(b"* STATUS " + name + b" (MESSAGES " + name[1:] + b")")
            await talk.say(tag + (b" NO x" if name == b"f5" else b" OK x"))
        for tag, name in waiting:
            await talk.say(b"* STATUS " + name + b" (MESSAGES " + name[1:] + b")", tag + b" OK x")
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, _):
        found = await connected.statuses(names, ["MESSAGES"])
    assert isinstance(found.pop(5), CommandRefused)
    assert found == [Status(b"f%d" % number, number) for number in (0, 1, 2, 3, 4, 6, 7)]


async def test_an_answer_whose_folder_is_spelled_in_another_way_is_taken(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say("* STATUS 下書き (MESSAGES 4)".encode())
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, _):
        assert await connected.status(b"&Tgtm+DBN-", ["MESSAGES"]) == Status(b"&Tgtm+DBN-", 4)


# LIST


async def test_folders_come_with_their_status_and_whose_they_are(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b"NAMESPACE"
        await talk.say(b'* NAMESPACE (("INBOX." ".")) (("user." ".")) (("" "."))')
        await talk.ok()
        assert await talk.hear() == b'LIST "" "*" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT))'
        await talk.say(
            b'* LIST () "." INBOX',
            b"* STATUS INBOX (MESSAGES 3 UIDNEXT 4)",
            b'* LIST (\\Sent) "." INBOX.Sent',
            b'* LIST () "." user.hanako',
            b'* LIST (\\Noselect) "." user',
            b'* LIST () "." public',
            b"* STATUS INBOX.Sent (MESSAGES 9)",
        )
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"NAMESPACE LIST-STATUS SPECIAL-USE", handler) as (connected, _):
        found = await connected.list_folders(["MESSAGES", "UIDNEXT", "HIGHESTMODSEQ"])
        assert await connected.namespaces() == Namespaces(
            (Namespace(b"INBOX.", "."),), (Namespace(b"user.", "."),), (Namespace(b"", "."),)
        )
    told = {folder.name: folder for folder in found}
    assert told["INBOX"].status == Status(b"INBOX", 3, 4)
    assert told["INBOX.Sent"].status == Status(b"INBOX.Sent", 9)
    assert [name for name, folder in told.items() if folder.foreign] == ["user.hanako", "user", "public"]


async def test_without_list_status_folders_come_without_it(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b'LIST "" "*"'
        await talk.say(b'* LIST () "/" INBOX')
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, _):
        (folder,) = await connected.list_folders(["MESSAGES"])
    assert (folder.status, folder.foreign) == (None, False)


async def test_names_are_utf8_where_there_is_no_older_protocol(authority):
    async def handler(talk: Talk) -> None:
        await talk.say(b"* OK [CAPABILITY IMAP4rev2] ready")
        await talk.hear()
        await talk.say(b"* NAMESPACE NIL NIL NIL")
        await talk.ok()
        await talk.hear()
        await talk.say('* LIST () "/" "下書き"'.encode(), b'* LIST () "/" "R&D-"')
        await talk.ok()
        assert await talk.hear() == b"EXAMINE {9+}"
        assert await talk.reader.readline() == "下書き\r\n".encode()
        await talk.say(b"* OK [UIDVALIDITY 1] x", '* LIST () "/" "下書き"'.encode())
        await talk.ok()
        await silent(talk)

    async with scripted(authority, handler) as lab, await ImapClient.connect(lab.server, lab.network) as connected:
        found = await connected.list_folders()
        assert [folder.name for folder in found] == ["下書き", "R&D-"]
        await connected.examine(found[0].name_raw)


# NOTIFY

GROUPS = (
    b"(selected (MessageNew MessageExpunge FlagChange)) (mailboxes (%s) (MessageNew MessageExpunge FlagChange))"
    b" (personal (MailboxName))"
)


async def test_under_notify_other_folders_tell_without_being_asked(authority):
    gone = asyncio.Event()

    async def serve(talk: Talk) -> None:
        head = await talk.hear()
        tail = await talk.reader.readline()
        assert head + b"\r\n" + tail.strip() == b"NOTIFY SET " + GROUPS % (
            b'"INBOX" "&Tgtm+DBN-" {9+}\r\n' + "下書き".encode()
        )
        await talk.ok()
        await talk.say(
            b"* STATUS Sent (MESSAGES 5 UIDNEXT 9)",
            b"* STATUS {9}\r\n" + "下書き".encode() + b" (MESSAGES 1)",
            b"* 3 EXISTS",
            b'* LIST () "/" new ("OLDNAME" ("old"))',
            b"* VANISHED 7",
        )
        assert await talk.hear() == b'STATUS "Sent" (MESSAGES)'
        await talk.say(b"* STATUS Trash (MESSAGES 8)", b"* STATUS Sent (MESSAGES 6)")
        await talk.ok()
        await gone.wait()
        await talk.say(b"* OK [NOTIFICATIONOVERFLOW] too much")
        await silent(talk)

    async with talking(authority, b"NOTIFY IDLE LITERAL+", serve) as (connected, _):
        assert await connected.notify([b"INBOX", b"&Tgtm+DBN-"])
        got = []
        while len(got) < 5:
            got += await connected.wait(5)
        assert got[:3] == [Status(b"Sent", 5, 9), Status(b"&Tgtm+DBN-", 1), Exists(3)]
        assert got[4] == Vanished(UidSet(((7, 7),)), earlier=False)
        assert isinstance(got[3], Listed)
        assert (got[3].name_raw, got[3].old_name_raw) == (b"new", b"old")
        assert (await connected.status(b"Sent", ["MESSAGES"])).messages == 6
        assert await connected.idle(0) == [Status(b"Trash", 8)]
        assert connected.notifying
        gone.set()
        assert await connected.wait(5) == []
        assert not connected.notifying


async def test_notify_falls_back_to_what_the_server_takes(authority):
    async def handler(talk: Talk) -> None:
        while b"personal" in (line := await talk.hear()):
            await talk.say(talk.tag + b" NO [BADEVENT (MessageNew)] x")
        assert line.startswith(b"NOTIFY SET (selected")
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"NOTIFY", handler) as (connected, _):
        assert await connected.notify([b"INBOX"])


@pytest.mark.parametrize("capabilities", [b"NOTIFY", b""])
async def test_where_notify_is_not_to_be_had_that_is_said(authority, capabilities):
    async def handler(talk: Talk) -> None:
        while await talk.hear():
            await talk.say(talk.tag + b" NO x")

    async with talking(authority, capabilities, handler) as (connected, _):
        assert not await connected.notify([b"INBOX"])
        assert not connected.notifying


async def test_waiting_ends_in_the_error_when_the_connection_does(authority):
    async def handler(talk: Talk) -> None:
        talk.writer.close()

    async with talking(authority, b"", handler) as (connected, _):
        with pytest.raises(ConnectionLost):
            await connected.wait(5)


# COMPRESS


class Squeezed:
    """The server's side of a compressed connection."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._in = zlib.decompressobj(-15)
        self._out = zlib.compressobj(9, zlib.DEFLATED, -15)
        self._heard = b""

    async def hear(self) -> bytes:
        while b"\n" not in self._heard:
            self._heard += self._in.decompress(await self._talk.reader.read(1000))
        line, _, self._heard = self._heard.partition(b"\n")
        self.tag, _, rest = line.strip().partition(b" ")
        return rest

    def squeeze(self, data: bytes) -> bytes:
        return self._out.compress(data) + self._out.flush(zlib.Z_SYNC_FLUSH)

    async def say(self, *lines: bytes) -> None:
        self._talk.writer.write(self.squeeze(b"".join(line + b"\r\n" for line in lines)))
        await self._talk.writer.drain()


async def compressing(talk: Talk, early: bytes = b"") -> Squeezed:
    assert await talk.hear() == b"COMPRESS DEFLATE"
    squeezed = Squeezed(talk)
    talk.writer.write(talk.tag + b" OK go\r\n" + (squeezed.squeeze(early) if early else b""))
    return squeezed


async def test_both_directions_are_compressed_from_the_answer_on(authority):
    mail = b"Subject: x\r\n\r\n" + b"0123456789" * 100_000

    async def handler(talk: Talk) -> None:
        squeezed = await compressing(talk, b"* 4 EXISTS\r\n")
        assert await squeezed.hear() == b"UID FETCH 1:3 (UID BODY.PEEK[])"
        for uid in (1, 2, 3):
            await squeezed.say(b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)" % (uid, uid, len(mail), mail))
        await squeezed.say(squeezed.tag + b" OK done")
        await silent(talk)

    got = []

    def on_message(message: Fetched) -> None:
        got.append(message.body)
        connected.pause_reading()
        asyncio.get_running_loop().call_later(0.01, connected.resume_reading)

    async with talking(authority, b"COMPRESS=DEFLATE", handler) as (connected, _):
        assert not connected.compressed
        assert await connected.compress()
        assert connected.compressed
        await connected.fetch("1:3", "(UID BODY.PEEK[])", uid=True, on_message=on_message)
        assert await connected.wait(0) == [Exists(4)]
    assert got == [mail] * 3


@pytest.mark.parametrize("capabilities", [b"COMPRESS=DEFLATE", b""])
async def test_a_connection_goes_on_in_the_clear_where_compression_is_not_to_be_had(authority, capabilities):
    async def handler(talk: Talk) -> None:
        while (line := await talk.hear()) != b"NOOP":
            assert line == b"COMPRESS DEFLATE"
            await talk.say(talk.tag + b" NO [COMPRESSIONACTIVE] x")
        await talk.ok()

    async with talking(authority, capabilities, handler) as (connected, _):
        assert not await connected.compress()
        assert await connected.noop() == []


async def test_a_thousandfold_message_costs_no_memory(authority):
    size = 200 * 2**20

    async def handler(talk: Talk) -> None:
        squeezed = await compressing(talk)
        await squeezed.hear()
        bomb = squeezed.squeeze(b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % size)
        for _ in range(size // 2**20):
            bomb += squeezed.squeeze(bytes(2**20))
        tracemalloc.start()
        talk.writer.write(bomb + squeezed.squeeze(b")\r\n" + squeezed.tag + b" OK x\r\n"))
        await silent(talk)

    got = []
    try:
        async with talking(authority, b"COMPRESS=DEFLATE", handler) as (connected, _):
            connected.allocate = lambda size: None
            await connected.compress()
            await connected.fetch("1", "(UID BODY.PEEK[])", uid=True, on_message=got.append)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()
    assert got[0].skipped == size


@pytest.mark.parametrize("ending", ["garbage", "end"])
async def test_a_compressed_stream_that_breaks_is_a_protocol_error(authority, ending):
    async def handler(talk: Talk) -> None:
        squeezed = await compressing(talk)
        await squeezed.hear()
        if ending == "garbage":
            talk.writer.write(b"\xff" * 100)
        else:
            talk.writer.write(squeezed._out.flush(zlib.Z_FINISH) + b"more")
        await silent(talk)

    async with talking(authority, b"COMPRESS=DEFLATE", handler) as (connected, _):
        await connected.compress()
        with pytest.raises(ProtocolError):
            await connected.noop()
