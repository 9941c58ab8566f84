"""The client against a server that says what a test wants; both of asyncio's loops."""

import asyncio
import base64
import contextlib
import traceback

import pytest

from fumibako.mail.connect import Dropped, NotAMailServer, Security, TimedOut
from fumibako.mail.imap import (
    Bye,
    CommandRefused,
    ConnectionLost,
    Exists,
    Expunged,
    ImapClient,
    ImapError,
    LoginRefused,
    LoginUnavailable,
    ProtocolError,
    StartTlsRefused,
    UidSet,
    client,
    login,
)
from fumibako.mail.imap import TimedOut as CommandTimedOut
from tests.mail.scripted import Talk, scripted

SECRET = 'geheim"ö\\あ'
PLAIN = base64.b64encode(b"\0taro\0" + SECRET.encode())


def greeting(capabilities: bytes) -> bytes:
    return b"* OK [CAPABILITY IMAP4rev1 " + capabilities + b"] ready"


@contextlib.asynccontextmanager
async def talking(authority, capabilities, handler, **options):
    """A client that has read the greeting, and the server that goes on with `handler`."""

    async def serve(talk: Talk) -> None:
        await talk.say(greeting(capabilities))
        await handler(talk)

    async with (
        scripted(authority, serve, **options) as lab,
        await ImapClient.connect(lab.server, lab.network) as connected,
    ):
        yield connected, lab


async def silent(talk: Talk) -> None:
    while await talk.reader.read(1000):
        pass


# Greeting


@pytest.mark.parametrize(
    ("said", "speaks"),
    [
        (b"220 mail.example.jp ESMTP GEHEIM\r\n", "smtp"),
        (b"+OK POP3 GEHEIM\r\n", "pop3"),
        (b"GEHEIM\r\n", None),
        (b"GEHEIM without an end", None),
    ],
)
async def test_who_does_not_greet_as_imap_is_no_mail_server_and_is_not_quoted(authority, said, speaks):
    async def handler(talk: Talk) -> None:
        talk.writer.write(said)
        await talk.writer.drain()
        talk.writer.close()
        await talk.writer.wait_closed()

    async with scripted(authority, handler) as lab:
        with pytest.raises(NotAMailServer) as caught:
            await ImapClient.connect(lab.server, lab.network)
    assert caught.value.speaks == speaks
    assert (caught.value.host, caught.value.port) == (lab.server.host, lab.server.port)
    assert "GEHEIM" not in "".join(traceback.format_exception(caught.value))


async def test_a_server_that_hangs_up_without_a_word_has_dropped(authority):
    async def handler(talk: Talk) -> None:
        talk.writer.close()

    async with scripted(authority, handler) as lab:
        with pytest.raises(Dropped):
            await ImapClient.connect(lab.server, lab.network)


async def test_a_server_that_never_greets_times_out(authority):
    async with scripted(authority, silent) as lab:
        with pytest.raises(TimedOut) as caught:
            await ImapClient.connect(lab.server, lab.network, timeout=0.5)
    assert "greeting" in caught.value.detail


async def test_bye_in_place_of_a_greeting_keeps_its_words(authority):
    async def handler(talk: Talk) -> None:
        await talk.say(b"* BYE [UNAVAILABLE] Too many connections")
        await talk.hear()

    async with scripted(authority, handler) as lab:
        with pytest.raises(Bye) as caught:
            await ImapClient.connect(lab.server, lab.network)
    assert caught.value.reply == "* BYE [UNAVAILABLE] Too many connections"


async def test_capabilities_are_asked_for_when_the_greeting_holds_none(authority):
    async def handler(talk: Talk) -> None:
        await talk.say(b"* OK ready")
        assert await talk.hear() == b"CAPABILITY"
        await talk.say(b"* CAPABILITY IMAP4rev1 IDLE")
        await talk.ok()
        await silent(talk)

    async with scripted(authority, handler) as lab, await ImapClient.connect(lab.server, lab.network) as connected:
        assert connected.capabilities == {"IMAP4REV1", "IDLE"}


# STARTTLS


async def starttls(talk: Talk, authority, injected: bytes) -> None:
    await talk.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=EVIL] ready")
    assert await talk.hear() == b"STARTTLS"
    await talk.say(talk.tag + b" OK go" + injected)
    await talk.writer.start_tls(authority.issue("127.0.0.1").context())
    assert await talk.hear() == b"CAPABILITY"
    await talk.say(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN")
    await talk.ok()
    await silent(talk)


@pytest.mark.parametrize(
    "injected", [b"", b"\r\n* CAPABILITY IMAP4rev1 AUTH=EVIL\r\nF2 OK [CAPABILITY EVIL] x\r\n* 1 EXISTS\r\n* OK half"]
)
async def test_what_was_said_before_tls_counts_for_nothing_after_it(authority, injected):
    async with (
        scripted(authority, lambda talk: starttls(talk, authority, injected), security=Security.STARTTLS) as lab,
        await ImapClient.connect(lab.server, lab.network) as connected,
    ):
        assert connected.capabilities == {"IMAP4REV1", "AUTH=PLAIN"}
        assert connected.tls == "TLSv1.3"


async def test_a_server_without_starttls_hears_nothing_else(authority):
    async def handler(talk: Talk) -> None:
        await talk.say(greeting(b"AUTH=PLAIN"))
        await talk.hear()
        await talk.say(talk.tag + b" BAD unknown command")
        await talk.hear()

    async with scripted(authority, handler, security=Security.STARTTLS) as lab:
        with pytest.raises(StartTlsRefused) as caught:
            await ImapClient.connect(lab.server, lab.network)
        assert caught.value.words == "BAD unknown command"
    assert lab.heard.split() == [b"F1", b"STARTTLS"]


async def test_a_server_that_is_logged_in_before_tls_is_not_believed(authority):
    async def handler(talk: Talk) -> None:
        await talk.say(b"* PREAUTH hello")
        await talk.hear()

    async with scripted(authority, handler, security=Security.STARTTLS) as lab:
        with pytest.raises(ProtocolError):
            await ImapClient.connect(lab.server, lab.network)


# Login


async def accept(talk: Talk) -> None:
    await talk.ok(b"[CAPABILITY IMAP4rev1 IDLE] in")
    await silent(talk)


async def test_plain_goes_with_its_first_words_where_the_server_allows_it(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b"AUTHENTICATE PLAIN " + PLAIN
        await accept(talk)

    async with talking(authority, b"AUTH=PLAIN SASL-IR", handler) as (connected, _):
        assert await connected.login("taro", SECRET) == "PLAIN"
        assert connected.capabilities == {"IMAP4REV1", "IDLE"}


async def test_plain_waits_to_be_asked_elsewhere(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b"AUTHENTICATE PLAIN"
        await talk.say(b"+ ")
        assert (await talk.reader.readline()).strip() == PLAIN
        await talk.ok()
        assert await talk.hear() == b"CAPABILITY"
        await talk.say(b"* CAPABILITY IMAP4rev1")
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"AUTH=PLAIN", handler) as (connected, _):
        assert await connected.login("taro", SECRET) == "PLAIN"


@pytest.mark.parametrize("extension", [b"LITERAL+", b"LITERAL-", b""])
async def test_login_sends_the_password_as_a_literal(authority, extension):
    waits = not extension
    size = len(SECRET.encode())

    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b'LOGIN "taro" {%d%s}' % (size, b"" if waits else b"+")
        if waits:
            await talk.say(b"+ go on")
        assert await talk.reader.readexactly(size + 2) == SECRET.encode() + b"\r\n"
        await accept(talk)

    async with talking(authority, extension, handler) as (connected, _):
        assert await connected.login("taro", SECRET) == "LOGIN"


async def test_authenticate_login_is_used_where_login_is_disabled(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b"AUTHENTICATE LOGIN"
        for prompt, answer in ((b"VXNlcm5hbWU6", b"taro"), (b"UGFzc3dvcmQ6", SECRET.encode())):
            await talk.say(b"+ " + prompt)
            assert (await talk.reader.readline()).strip() == base64.b64encode(answer)
        await accept(talk)

    async with talking(authority, b"LOGINDISABLED AUTH=LOGIN", handler) as (connected, _):
        assert await connected.login("taro", SECRET) == "LOGIN"


@pytest.mark.parametrize("capabilities", [b"LOGINDISABLED", b"LOGINDISABLED AUTH=XOAUTH2"])
async def test_nothing_is_sent_where_no_password_login_is_offered(authority, capabilities):
    async with talking(authority, capabilities, silent) as (connected, lab):
        with pytest.raises(LoginUnavailable):
            await connected.login("taro", SECRET)
    assert lab.heard == b""


async def test_a_mechanism_that_the_server_does_not_know_is_no_refusal(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(talk.tag + b" BAD Unsupported authentication mechanism")
        await talk.hear()
        await talk.reader.readexactly(len(SECRET.encode()) + 2)
        await accept(talk)

    async with talking(authority, b"AUTH=PLAIN SASL-IR LITERAL+", handler) as (connected, _):
        assert await connected.login("taro", SECRET) == "LOGIN"


async def test_one_refusal_is_one_try(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"* NO [WEBALERT https://x.example] Web login required.")
        await talk.say(talk.tag + b" NO [AUTHENTICATIONFAILED] Invalid credentials")
        await silent(talk)

    async with talking(authority, b"AUTH=PLAIN SASL-IR", handler) as (connected, lab):
        with pytest.raises(LoginRefused) as caught:
            await connected.login("taro", "wrong")
    refused = caught.value
    assert (refused.kind, refused.code, refused.words) == ("NO", "AUTHENTICATIONFAILED", "Invalid credentials")
    assert (refused.mechanism, refused.command) == ("PLAIN", "AUTHENTICATE")
    assert refused.notices == ("NO [WEBALERT https://x.example] Web login required.",)
    assert len(lab.heard.splitlines()) == 1


async def test_an_ok_before_the_secret_was_said_proves_nothing(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"AUTH=PLAIN", handler) as (connected, _):
        with pytest.raises(ProtocolError):
            await connected.login("taro", SECRET)


async def test_a_mechanism_that_wants_more_than_it_should_is_given_up(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"+ more?")
        assert (await talk.reader.readline()).strip() == b"*"
        await talk.say(talk.tag + b" BAD cancelled")
        await silent(talk)

    async with talking(authority, b"AUTH=PLAIN SASL-IR", handler) as (connected, _):
        with pytest.raises(LoginRefused):
            await connected.login("taro", SECRET)


async def test_bye_in_answer_to_a_login_keeps_its_words(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"* BYE Too many failures")

    async with talking(authority, b"AUTH=PLAIN SASL-IR", handler) as (connected, _):
        with pytest.raises(Bye, match="Too many failures"):
            await connected.login("taro", SECRET)


ECHOES = [
    lambda: PLAIN,
    lambda: SECRET.encode(),
    lambda: SECRET.upper().encode(),
    lambda: SECRET.replace("\\", "\\\\").replace('"', '\\"').encode(),
    lambda: base64.b64encode(SECRET.encode()),
]


@pytest.mark.parametrize(
    "capabilities", [b"AUTH=PLAIN SASL-IR", b"AUTH=PLAIN", b"LITERAL+", b"", b"LOGINDISABLED AUTH=LOGIN"]
)
@pytest.mark.parametrize("ending", ["NO", "BYE", "silence", "garbage"])
async def test_no_error_of_a_login_holds_the_secret(authority, monkeypatch, caplog, capabilities, ending):
    monkeypatch.setattr(login, "LOGIN_TIMEOUT", 0.5)
    caplog.set_level("DEBUG")
    echo = b" ".join(make() for make in ECHOES)

    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"+ ")
        if ending == "NO":
            await talk.say(b"* NO [ALERT] heard " + echo, talk.tag + b" NO heard " + echo)
        elif ending == "BYE":
            await talk.say(b"* BYE heard " + echo)
        elif ending == "garbage":
            await talk.say(b"* X " + echo + b"{999999999999}")
        if ending != "BYE":
            await silent(talk)

    async with talking(authority, capabilities, handler) as (connected, _):
        with pytest.raises(ImapError) as caught:
            await connected.login("taro", SECRET)
    shown = (
        "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value)) + repr(caught.value) + caplog.text
    )
    for make in ECHOES:
        assert make().decode() not in shown


# Commands


async def test_a_refused_command_names_the_command_and_never_its_arguments(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(talk.tag + b" NO [NONEXISTENT] no such folder")
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, _):
        with pytest.raises(CommandRefused) as caught:
            await connected.examine(b"Private/Diary")
    assert str(caught.value) == "EXAMINE: NO [NONEXISTENT] no such folder"
    assert "Diary" not in repr(caught.value)


async def test_a_command_without_an_answer_times_out_and_ends_the_connection(authority, monkeypatch):
    monkeypatch.setattr(client, "COMMAND_TIMEOUT", 0.3)
    async with talking(authority, b"", silent) as (connected, _):
        with pytest.raises(CommandTimedOut) as caught:
            await connected.status(b"INBOX")
        assert caught.value.command == "STATUS"
        assert connected.closed
        with pytest.raises(CommandTimedOut):
            await connected.noop()


async def test_a_server_that_goes_on_talking_without_answering_times_out(authority, monkeypatch):
    monkeypatch.setattr(client, "COMMAND_TIMEOUT", 0.3)

    async def handler(talk: Talk) -> None:
        await talk.hear()
        with contextlib.suppress(ConnectionError):
            while not talk.writer.is_closing():
                await talk.say(b"* OK still here" * 10)
                await asyncio.sleep(0.02)

    async with talking(authority, b"", handler) as (connected, _):
        fetching = connected.fetch("1:*", "FLAGS", uid=True, on_message=lambda message: None)
        with pytest.raises(CommandTimedOut):
            await fetching


async def test_a_lost_connection_reaches_everybody_who_waits(authority):
    async def handler(talk: Talk) -> None:
        for _ in range(3):
            await talk.hear()

    async with talking(authority, b"", handler) as (connected, _):
        waiting = [connected.fetch("1", "FLAGS", uid=True, on_message=lambda message: None) for _ in range(3)]
        for fetching in waiting:
            with pytest.raises(ConnectionLost):
                await fetching
        with pytest.raises(ConnectionLost):
            await connected.list_folders()


async def test_a_cancelled_command_ends_the_connection(authority):
    async with talking(authority, b"", silent) as (connected, lab):
        task = asyncio.create_task(connected.list_folders())
        while not lab.talks:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert connected.closed


async def test_list_is_asked_again_where_special_uses_are_announced_but_not_known(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b'LIST "" "*" RETURN (SPECIAL-USE)'
        await talk.say(talk.tag + b" BAD what?")
        assert await talk.hear() == b'LIST "" "*"'
        await talk.say(b'* LIST () "/" INBOX', b"* LIST broken", b'* LIST (\\Noselect) "/" Parent')
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"SPECIAL-USE", handler) as (connected, _):
        found = await connected.list_folders()
        assert [(folder.name, folder.selectable) for folder in found] == [("INBOX", True), ("Parent", False)]


async def test_status_asks_only_for_what_the_server_can_tell(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b'STATUS "INBOX" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)'
        await talk.say(b"* STATUS INBOX (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 7 UNSEEN 0)")
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, _):
        status = await connected.status(b"INBOX")
        assert (status.messages, status.uidnext, status.uidvalidity, status.highestmodseq) == (3, 9, 7, None)


async def test_a_folder_without_uidvalidity_is_not_believed(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"* 3 EXISTS")
        await talk.ok(b"[READ-ONLY] done")
        assert await talk.hear() == b'STATUS "INBOX" (UIDVALIDITY UIDNEXT)'
        await talk.say(b"* STATUS INBOX (UIDNEXT 5)")
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, _):
        with pytest.raises(ProtocolError):
            await connected.examine(b"INBOX")


async def test_uidvalidity_is_asked_for_where_the_opening_does_not_tell_it(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"* 3 EXISTS")
        await talk.ok()
        await talk.hear()
        await talk.say(b"* STATUS INBOX (UIDVALIDITY 7 UIDNEXT 5)")
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, _):
        opened = await connected.examine(b"INBOX")
    assert (opened.exists, opened.uidvalidity, opened.uidnext) == (3, 7, 5)


async def test_search_without_esearch_reads_numbers(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b"UID SEARCH SINCE 1-Jan-2025"
        await talk.say(b"* SEARCH 3 1 2", b"* SEARCH 9")
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, _):
        assert await connected.uid_search(b"SINCE 1-Jan-2025") == UidSet(((1, 3), (9, 9)))


async def test_who_we_are_is_said_only_where_it_is_understood(authority):
    async def handler(talk: Talk) -> None:
        assert (await talk.hear()).startswith(b'ID ("name" "Fumibako"')
        await talk.say(b'* ID ("name" "Odd")')
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"ID", handler) as (connected, _):
        assert await connected.identify() == (("name", "Odd"),)
    async with talking(authority, b"", silent) as (connected, lab):
        assert await connected.identify() == ()
    assert lab.heard == b""


# Fetching


async def test_answers_go_to_the_fetch_that_asked_and_changes_to_whoever_asks_next(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        first = talk.tag
        await talk.hear()
        await talk.say(
            b"* 1 FETCH (UID 1 BODY[] {1}\r\na)",
            b"* 2 FETCH (UID 2 FLAGS (\\Seen))",
            b"* 4 FETCH (UID 3 BODY[] {1}\r\nc)",
            b"* 3 FETCH (UID 2 BODY[] {1}\r\nb)",
            b"* 9 EXISTS",
            first + b" OK done",
        )
        await talk.ok()
        await silent(talk)

    first, second = [], []
    async with talking(authority, b"IDLE", handler) as (connected, _):
        await asyncio.gather(
            connected.fetch("1:2", "(UID BODY.PEEK[])", uid=True, on_message=first.append),
            connected.fetch("3", "(UID BODY.PEEK[])", uid=True, on_message=second.append),
        )
        assert [(message.uid, message.body) for message in first] == [(1, b"a"), (2, b"b")]
        assert [(message.uid, message.body) for message in second] == [(3, b"c")]
        changes = await connected.idle(5)
    assert [change.uid for change in changes[:1]] == [2]
    assert changes[1:] == [Exists(9)]


async def test_nothing_is_delivered_while_reading_is_paused(authority):
    more = asyncio.Event()

    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(*(b"* %d FETCH (UID %d BODY[] {3}\r\nabc)" % (uid, uid) for uid in range(1, 11)))
        more.set()
        await talk.ok()
        await silent(talk)

    got, sizes = [], []
    async with talking(authority, b"", handler) as (connected, _):

        def on_message(message) -> None:
            got.append(message.uid)
            if message.uid == 3:
                connected.pause_reading()

        connected.allocate = lambda size: sizes.append(size)
        fetching = asyncio.ensure_future(connected.fetch("1:10", "(UID BODY.PEEK[])", uid=True, on_message=on_message))
        await more.wait()
        done, _ = await asyncio.wait([fetching], timeout=0.2)
        assert not done
        assert got == [1, 2, 3]
        assert len(sizes) == 3
        connected.resume_reading()
        await fetching
        assert got == list(range(1, 11))


async def test_an_error_of_the_receiver_of_messages_ends_the_fetch(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"* 1 FETCH (UID 1 BODY[] {1}\r\na)")
        await silent(talk)

    def fail(message) -> None:
        raise LookupError("ours")

    async with talking(authority, b"", handler) as (connected, _):
        with pytest.raises(LookupError, match="ours"):
            await connected.fetch("1", "(UID BODY.PEEK[])", uid=True, on_message=fail)
        assert connected.closed


async def test_a_damaged_answer_costs_its_message_alone(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"* 1 FETCH (UID x BODY[] {1}\r\na)", b"* 2 FETCH (UID 2 BODY[] {1}\r\nb)")
        await talk.ok()
        await silent(talk)

    got = []
    async with talking(authority, b"", handler) as (connected, _):
        await connected.fetch("1:2", "(UID BODY.PEEK[])", uid=True, on_message=got.append)
    assert [message.uid for message in got] == [2]


async def test_a_mail_comes_through_whatever_is_wrong_beside_it_and_the_log_names_that(authority, caplog):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(
            b"* 1 FETCH (UID 1 RFC822.SIZE -1 INTERNALDATE NIL FLAGS (\\Seen) BODY[] {6}\r\nGEHEIM)",
            b"GEHEIM",
            b'* 2 FETCH (UID 2 RFC822.SIZE 1 BODYSTRUCTURE ("GEHEIM" BODY[] {1}\r\nb)',
        )
        await talk.ok()
        await silent(talk)

    got = []
    async with talking(authority, b"", handler) as (connected, _):
        items = "(UID RFC822.SIZE INTERNALDATE FLAGS BODYSTRUCTURE BODY.PEEK[])"
        await connected.fetch("1:2", items, uid=True, on_message=got.append)
    assert [(message.uid, message.flags, message.body) for message in got] == [
        (1, ("\\Seen",), b"GEHEIM"),
        (2, None, b"b"),
    ]
    told = [record.damage for record in caplog.records if record.name.startswith("fumibako.mail.imap")]
    assert told == ["FETCH INTERNALDATE RFC822.SIZE", "line", "FETCH BODYSTRUCTURE"]
    assert "GEHEIM" not in "".join(str(vars(record)) for record in caplog.records)


async def test_a_message_told_of_in_several_lines_comes_as_one(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(
            b"* 4 FETCH (UID 7 RFC822.SIZE 1)",
            b"* 4 FETCH (FLAGS (\\Seen))",
            b"* 5 FETCH (UID 8 FLAGS ())",
            b"* 4 FETCH (BODY[] {1}\r\na)",
            b"* 5 FETCH (UID 8 BODY[] {1}\r\nb)",
        )
        await talk.ok()
        await silent(talk)

    got = []
    async with talking(authority, b"", handler) as (connected, _):
        await connected.fetch("7:9", "(UID RFC822.SIZE FLAGS BODY.PEEK[])", uid=True, on_message=got.append)
    assert [(message.uid, message.flags, message.size, message.body) for message in got] == [
        (7, ("\\Seen",), 1, b"a"),
        (8, (), None, b"b"),
    ]


async def test_the_only_mail_asked_for_comes_even_without_its_uid(authority):
    async def handler(talk: Talk) -> None:
        for _ in range(2):
            await talk.hear()
            await talk.say(b"* 4 FETCH (BODY[] {1}\r\na)")
            await talk.ok()
        await silent(talk)

    one, many = [], []
    async with talking(authority, b"", handler) as (connected, _):
        await connected.fetch("7", "(UID BODY.PEEK[])", uid=True, on_message=one.append)
        await connected.fetch("7:9", "(UID BODY.PEEK[])", uid=True, on_message=many.append)
        assert await connected.wait(0) == []
    assert [(message.uid, message.body) for message in one] == [(7, b"a")]
    assert many == []


async def test_garbage_ends_in_an_error_for_who_waits(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"* 1 FETCH (BODY[] {99999999999}")
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, _):
        with pytest.raises(ProtocolError):
            await connected.fetch("1", "(BODY.PEEK[])", uid=False, on_message=lambda message: None)


# Idling


async def test_idle_ends_with_the_first_change_and_the_connection_goes_on(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b"IDLE"
        tag = talk.tag
        await talk.say(b"+ idling", b"* 4 EXPUNGE", b"* 5 EXISTS")
        assert (await talk.reader.readline()).strip() == b"DONE"
        await talk.say(tag + b" OK over")
        assert await talk.hear() == b"NOOP"
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"IDLE", handler) as (connected, _):
        assert await connected.idle(10) == [Expunged(4), Exists(5)]
        assert await connected.noop() == []


async def test_a_cancelled_idle_leaves_the_connection_usable(authority):
    idling = asyncio.Event()

    async def handler(talk: Talk) -> None:
        await talk.hear()
        tag = talk.tag
        await talk.say(b"+ idling", b"* OK still here")
        idling.set()
        assert (await talk.reader.readline()).strip() == b"DONE"
        await talk.say(tag + b" OK over")
        assert await talk.hear() == b"NOOP"
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"IDLE", handler) as (connected, _):
        task = asyncio.create_task(connected.idle(10))
        await idling.wait()
        await asyncio.wait([task], timeout=0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await connected.noop() == []


async def test_a_woken_idle_returns_at_once_even_when_it_was_woken_before(authority):
    async def handler(talk: Talk) -> None:
        for _ in range(2):
            await talk.hear()
            tag = talk.tag
            await talk.say(b"+ idling")
            assert (await talk.reader.readline()).strip() == b"DONE"
            await talk.say(tag + b" OK over")
        await silent(talk)

    async with talking(authority, b"IDLE", handler) as (connected, _), asyncio.timeout(5):
        connected.wake()
        assert await connected.idle(10) == []
        asyncio.get_running_loop().call_later(0.05, connected.wake)
        assert await connected.idle(10) == []


async def test_without_idle_the_server_is_asked_once_when_the_time_is_over(authority):
    async def handler(talk: Talk) -> None:
        assert await talk.hear() == b"NOOP"
        await talk.say(b"* 5 EXISTS")
        await talk.ok()
        await silent(talk)

    async with talking(authority, b"", handler) as (connected, lab):
        assert await connected.idle(0.2) == [Exists(5)]
    assert len(lab.heard.splitlines()) == 1


async def test_a_silent_cut_during_idle_is_noticed_by_the_next_deadline(authority, monkeypatch):
    monkeypatch.setattr(client, "COMMAND_TIMEOUT", 0.3)

    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"+ idling")
        await silent(talk)

    async with talking(authority, b"IDLE", handler) as (connected, _):
        with pytest.raises(CommandTimedOut):
            await connected.idle(0.1)


async def test_bye_during_idle_is_told(authority):
    async def handler(talk: Talk) -> None:
        await talk.hear()
        await talk.say(b"+ idling", b"* BYE Server shutting down")

    async with talking(authority, b"IDLE", handler) as (connected, _):
        with pytest.raises(Bye, match="shutting down"):
            await connected.idle(10)


async def test_logout_never_raises(authority):
    async with talking(authority, b"", silent) as (connected, _):
        connected.close()
        await connected.logout()
        assert connected.closed
