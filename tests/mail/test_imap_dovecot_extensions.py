"""Extensions of the client against a real Dovecot, with another client that changes the mailbox meanwhile."""

import asyncio
import contextlib
import imaplib

import pytest

from fumibako.mail.imap import Exists, Fetched, ImapClient, Listed, Status, Synced, UidSet, Vanished
from fumibako.mail.imap.mutf7 import encode
from tests.lab.dovecot import running_dovecot, sample_mail

pytestmark = pytest.mark.lab

SENT = encode("送信済みアイテム")


@contextlib.asynccontextmanager
async def logged_in(server, address):
    """A client as the product uses it: logged in, extensions on."""
    async with await ImapClient.connect(server.tls, server.network) as connected:
        await connected.login(address, "pw")
        await connected.enable()
        yield connected


async def changed(server, address: str, folder: bytes, *calls: tuple[str, ...]) -> None:
    """Let another client open a folder and do what `calls` say."""

    def work() -> None:
        other = imaplib.IMAP4(server.host, server.imap_port)
        other.login(address, "pw")
        other.select(f'"{folder.decode()}"')
        for name, *arguments in calls:
            kind, said = getattr(other, name)(*arguments)
            assert kind == "OK", said
        other.logout()

    await asyncio.to_thread(work)


async def told(client: ImapClient, until) -> list:
    """All changes up to the one that `until` accepts."""
    got: list = []
    async with asyncio.timeout(20):
        while not any(until(change) for change in got):
            got += await client.idle(5)
    return got


async def test_a_folder_is_brought_up_to_date_in_one_round_trip(dovecot):
    address = "resync@example.jp"
    dovecot.add_user(address, "pw")
    dovecot.fill(address, [sample_mail(number, 300) for number in range(20)])
    async with logged_in(dovecot, address) as client:
        assert client.enabled == {"QRESYNC", "CONDSTORE"}
        before = await client.examine(b"INBOX")
        assert not before.resynced
        known = Synced(before.uidvalidity, before.highestmodseq, UidSet.of_ranges([(1, 20)]))
        same = await client.examine(b"INBOX", known)
        assert (same.resynced, same.changed, same.vanished) == (True, (), UidSet())
        store = ("uid", "STORE", "5", "+FLAGS", "(\\Flagged)")
        gone = (("uid", "STORE", "7:8", "+FLAGS", "(\\Deleted)"), ("expunge",))
        await changed(dovecot, address, b"INBOX", store, *gone)
        dovecot.deliver(address, sample_mail(21))
        after = await client.examine(b"INBOX", known)
        assert (after.resynced, after.exists, str(after.vanished)) == (True, 19, "7:8")
        assert [message.uid for message in after.changed if message.uid <= 20] == [5]
        assert "\\Flagged" in after.changed[0].flags
        got: list[Fetched] = []
        since = before.highestmodseq
        await client.fetch("1:*", "(UID FLAGS)", uid=True, on_message=got.append, changed_since=since)
        assert [message.uid for message in got] == [5, 21]
        assert got[0].modseq == after.changed[0].modseq
        await asyncio.to_thread(dovecot.renumber, address, 777)
        anew = await client.examine(b"INBOX", known)
        assert (anew.resynced, anew.uidvalidity) == (False, 777)


async def test_under_notify_every_folder_tells(dovecot):
    address = "notify@example.jp"
    dovecot.add_user(address, "pw")
    dovecot.fill(address, [sample_mail(number, 300) for number in range(3)])
    async with logged_in(dovecot, address) as client:
        await client.examine(b"INBOX")
        assert await client.notify([b"INBOX", SENT])
        mail = sample_mail(9)
        await changed(dovecot, address, b"INBOX", ("append", SENT.decode(), None, None, mail))
        got = await told(client, lambda change: isinstance(change, Status))
        assert {change.name_raw for change in got if isinstance(change, Status)} == {SENT}
        dovecot.deliver(address, mail)
        await told(client, lambda change: change == Exists(4))
        gone = (("uid", "STORE", "2", "+FLAGS", "(\\Deleted)"), ("expunge",))
        await changed(dovecot, address, b"INBOX", *gone)
        await told(client, lambda change: isinstance(change, Vanished) and 2 in change.uids)
        await changed(dovecot, address, b"INBOX", ("create", "New"))
        await told(client, lambda change: isinstance(change, Listed) and change.name == "New")
        (looked,) = await client.statuses([SENT])
        assert (looked.name_raw, looked.messages) == (SENT, 1)


async def test_folders_are_listed_with_their_status_in_one_command(dovecot):
    dovecot.add_user("liststatus@example.jp", "pw")
    dovecot.fill("liststatus@example.jp", [sample_mail(1)])
    async with logged_in(dovecot, "liststatus@example.jp") as client:
        found = {folder.name: folder for folder in await client.list_folders(["MESSAGES", "UIDNEXT", "UIDVALIDITY"])}
        assert (found["INBOX"].status.messages, found["INBOX"].status.uidnext) == (1, 2)
        assert found["送信済みアイテム"].status.messages == 0
        assert not any(folder.foreign for folder in found.values())
        looked = await client.statuses([folder.name_raw for folder in found.values()])
        assert [status.messages for status in looked] == [folder.status.messages for folder in found.values()]


async def test_mails_come_whole_through_a_compressed_connection(authority):
    personality = "protocol imap {\n  mail_plugins = $mail_plugins imap_zlib\n}\n"
    mails = [sample_mail(number, 3_000 * number) for number in range(40)]
    with running_dovecot(authority, personality=personality) as server:
        server.add_user("a@example.jp", "pw")
        server.fill("a@example.jp", mails)
        got: dict[int, bytes] = {}
        async with logged_in(server, "a@example.jp") as client:
            await client.examine(b"INBOX")
            assert await client.compress()
            assert not await client.idle(0.05)
            *_, found, _ = await asyncio.gather(
                *(
                    client.fetch(
                        f"{low}:{low + 9}",
                        "(UID BODY.PEEK[])",
                        uid=True,
                        on_message=lambda message: got.update({message.uid: message.body}),
                    )
                    for low in (31, 21, 11, 1)
                ),
                client.uid_search(),
                client.noop(),
            )
            assert len(found) == 40
            await client.logout()
    assert got == dict(enumerate(mails, start=1))
