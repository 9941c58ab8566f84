"""The client against a real Dovecot, over TLS and STARTTLS."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest
import uvloop

from fumibako.mail.imap import CommandRefused, Exists, ImapClient, LoginRefused
from fumibako.mail.imap.mutf7 import encode
from tests.lab.dovecot import running_dovecot, sample_mail

pytestmark = pytest.mark.lab

ALL = "(UID RFC822.SIZE INTERNALDATE FLAGS MODSEQ BODY.PEEK[])"


@contextlib.asynccontextmanager
async def logged_in(server, address, secret="pw", *, where=None):
    async with await ImapClient.connect(where or server.tls, server.network) as connected:
        await connected.login(address, secret)
        yield connected


@pytest.fixture(params=["tls", "starttls"])
def where(dovecot, request):
    return getattr(dovecot, request.param)


async def test_a_password_with_umlauts_and_kana_logs_in(dovecot, where):
    dovecot.add_user("umlaut@example.jp", 'あö pass"\\word')
    async with await ImapClient.connect(where, dovecot.network) as connected:
        assert connected.tls == "TLSv1.3"
        assert "IDLE" in connected.capabilities
        assert await connected.login("umlaut@example.jp", 'あö pass"\\word') == "PLAIN"
        assert "CONDSTORE" in connected.capabilities
        assert dict(await connected.identify())["name"] == "Dovecot"


@pytest.mark.parametrize("capabilities", ["IMAP4rev1 LITERAL+", "IMAP4rev1", "IMAP4rev1 AUTH=PLAIN"])
async def test_a_poor_server_takes_the_same_password(authority, capabilities):
    personality = f"imap_capability = {capabilities}\nprotocol imap {{\n  imap_capability = {capabilities}\n}}\n"
    with running_dovecot(authority, personality=personality) as server:
        server.add_user("a@example.jp", "あö")
        for mechanism in ("LOGIN", "PLAIN"):
            async with await ImapClient.connect(server.tls, server.network) as connected:
                assert await connected.login("a@example.jp", "あö", mechanism) == mechanism
                assert (await connected.examine(b"INBOX")).exists == 0
                assert len(await connected.uid_search()) == 0


async def test_a_wrong_password_is_refused_with_the_servers_words(dovecot, where):
    dovecot.add_user("wrong@example.jp", "right")
    async with await ImapClient.connect(where, dovecot.network) as connected:
        with pytest.raises(LoginRefused) as caught:
            await connected.login("wrong@example.jp", "GEHEIM")
        assert caught.value.code == "AUTHENTICATIONFAILED"
        assert "Authentication failed" in caught.value.words
        assert await connected.login("wrong@example.jp", "right") == "PLAIN"


async def test_folders_come_with_japanese_names_uses_and_can_each_be_opened(dovecot):
    dovecot.add_user("folders@example.jp", "pw")
    for name in ("案件/A社 & B社", "親"):
        dovecot.fill("folders@example.jp", [sample_mail(1)], folder=name)
    async with logged_in(dovecot, "folders@example.jp") as connected:
        found = {folder.name: folder for folder in await connected.list_folders()}
        assert set(found) == {"INBOX", "送信済みアイテム", "下書き", "案件", "案件/A社 & B社", "親"}
        assert "\\Sent" in found["送信済みアイテム"].attributes
        assert "\\Drafts" in found["下書き"].attributes
        assert found["親"].delimiter == "/"
        assert not found["案件"].selectable
        for folder in found.values():
            if folder.selectable:
                status = await connected.status(folder.name_raw)
                opened = await connected.examine(folder.name_raw)
                assert (opened.exists, opened.uidvalidity) == (status.messages, status.uidvalidity)


async def test_a_folder_that_does_not_exist_is_refused(dovecot):
    dovecot.add_user("none@example.jp", "pw")
    async with logged_in(dovecot, "none@example.jp") as connected:
        with pytest.raises(CommandRefused, match="EXAMINE: NO"):
            await connected.examine(b"nowhere")


async def pipelined(server, address, mails, where):
    got = []
    async with logged_in(server, address, where=where) as connected:
        opened = await connected.examine(b"INBOX")
        assert (opened.exists, opened.uidnext) == (len(mails), len(mails) + 1)
        assert opened.highestmodseq
        assert str(await connected.uid_search()) == f"1:{len(mails)}"
        await asyncio.gather(
            *(
                connected.fetch(f"{low}:{low + 9}", ALL, uid=True, on_message=got.append)
                for low in reversed(range(1, len(mails) + 1, 10))
            )
        )
        await connected.logout()
    assert [message.uid for message in got][:10] == list(range(len(mails) - 9, len(mails) + 1))
    assert {message.uid: message.body for message in got} == dict(enumerate(mails, start=1))
    assert all(message.size == len(message.body) and message.modseq for message in got)
    newest = max(got, key=lambda message: message.uid)
    assert timedelta(0) < datetime.now(UTC) - newest.internaldate < timedelta(hours=2)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_200_mails_fetched_at_once_are_byte_for_byte_those_on_the_server(dovecot, where, run):
    address = f"many-{where.security}-{run.__module__.split('.')[0]}@example.jp"
    dovecot.add_user(address, "pw")
    mails = [sample_mail(number, 500 * number) for number in range(200)]
    mails[7] = mails[7].replace(b"\r\n\r\n", b"\r\n\r\n* 1 FETCH (BODY[] {5}\r\n)\r\nF3 OK done\r\n")
    mails[8] = b"x" * 3_000_000
    dovecot.fill(address, mails, seen=False)
    run(pipelined(dovecot, address, mails, where))
    assert not [line for line in dovecot.changes() if address in line]
    assert not any("S" in path.name.rpartition(",")[2] for path in (dovecot.maildir(address) / "cur").iterdir())


async def test_idle_sees_a_delivery_and_status_goes_in_between(dovecot):
    dovecot.add_user("idle@example.jp", "pw")
    async with logged_in(dovecot, "idle@example.jp") as connected:
        await connected.examine(b"INBOX")
        assert await connected.idle(0.1) == []
        assert (await connected.status(encode("送信済みアイテム"))).messages == 0
        waiting = asyncio.create_task(connected.idle(20))
        await asyncio.to_thread(dovecot.deliver, "idle@example.jp", sample_mail(1))
        assert Exists(1) in await waiting
        assert (await connected.status(b"INBOX")).unseen == 1
        got = []
        await connected.fetch("1:*", ALL, uid=True, on_message=got.append)
        assert [message.uid for message in got] == [1]
        assert (await connected.status(b"INBOX")).unseen == 1
    assert not [line for line in dovecot.changes() if "imap(idle@" in line]


async def test_a_renumbered_folder_shows_its_new_uidvalidity(dovecot):
    dovecot.add_user("renumber@example.jp", "pw")
    dovecot.fill("renumber@example.jp", [sample_mail(1)])
    async with logged_in(dovecot, "renumber@example.jp") as connected:
        await connected.examine(b"INBOX")
    await asyncio.to_thread(dovecot.renumber, "renumber@example.jp", 777)
    async with logged_in(dovecot, "renumber@example.jp") as connected:
        assert (await connected.examine(b"INBOX")).uidvalidity == 777
