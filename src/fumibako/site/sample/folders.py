"""The stored mailbox as pymap wants to see it: mails, folders, the set of folders.

pymap's own backends either forget everything at the end of the process (dict) or poll the file system (maildir), so
these are ours: metadata in memory, every change through `store.Store` first, the bytes read when a FETCH asks for them.
All of it runs in one event loop, and no method here gives way while it changes something, so no lock is needed.
"""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime

from pymap.backend.mailbox import MailboxDataInterface, MailboxSetInterface
from pymap.concurrent import Event
from pymap.exceptions import NotSupportedError
from pymap.flags import FlagOp
from pymap.interfaces.message import CachedMessage
from pymap.listtree import ListTree
from pymap.mailbox import MailboxSnapshot
from pymap.message import BaseLoadedMessage, BaseMessage
from pymap.mime import MessageContent
from pymap.parsing.message import AppendMessage
from pymap.parsing.specials import FetchRequirement, ObjectId
from pymap.parsing.specials.flag import Flag, Seen
from pymap.selected import SelectedMailbox, SelectedSet

from fumibako.site.sample.store import Store, StoredFolder, StoredMail


class Mail(BaseMessage):
    """A mail of a folder; its bytes stay in the store until they are asked for."""

    __slots__ = ("_folder",)

    def __init__(self, folder: "Folder", stored: StoredMail, *, expunged: bool = False) -> None:
        super().__init__(
            stored.uid,
            stored.internal_date,
            {Flag(flag.encode()) for flag in stored.flags},
            email_id=ObjectId(stored.email_id.encode()),
            thread_id=ObjectId(stored.thread_id.encode()),
            expunged=expunged,
        )
        self._folder = folder

    async def load_content(self, requirement: FetchRequirement) -> BaseLoadedMessage:
        """Read and parse the bytes when the command needs them."""
        content = None
        if requirement & FetchRequirement.CONTENT:
            raw = self._folder.raw(self.uid)
            content = MessageContent.parse(raw) if raw is not None else None
        return BaseLoadedMessage(self, requirement, content)


class Folder(MailboxDataInterface[Mail]):
    """One folder, shared by all sessions. `_changes` counts changes, so that none is missed between two waits."""

    def __init__(self, store: Store, stored: StoredFolder) -> None:
        self._store = store
        self.id = stored.id
        self._uidvalidity = stored.uidvalidity
        self._next_uid = stored.next_uid
        self._mails = {mail.uid: Mail(self, mail) for mail in store.mails(stored.id)}
        self._changes = 1
        self._changed = Event.for_asyncio()
        self._selected_set = SelectedSet()

    @property
    def mailbox_id(self) -> ObjectId:
        """RFC 8474 MAILBOXID: as stable as the UIDVALIDITY, which is never given twice."""
        return ObjectId(b"F%d" % self._uidvalidity)

    @property
    def readonly(self) -> bool:
        """No folder is read-only."""
        return False

    @property
    def uid_validity(self) -> int:
        """The UIDVALIDITY that the store gave."""
        return self._uidvalidity

    @property
    def selected_set(self) -> SelectedSet:
        """The sessions that have this folder selected."""
        return self._selected_set

    def raw(self, uid: int) -> bytes | None:
        """The bytes of a mail."""
        return self._store.raw(self.id, uid)

    def deliver(self, raw: bytes, when: datetime, flags: Iterable[str] = ()) -> int:
        """Store a mail, tell the sessions that wait in IDLE, return its UID."""
        stored = self._store.add(self.id, raw, when, flags)
        self._mails[stored.uid] = Mail(self, stored)
        self._next_uid = stored.uid + 1
        self._tell()
        return stored.uid

    def _tell(self) -> None:
        self._changes += 1
        self._changed.set()

    async def update_selected(self, selected: SelectedMailbox, *, wait_on: Event | None = None) -> SelectedMailbox:
        """Bring a session up to date; with `wait_on` wait for a change or for that event first."""
        if wait_on is not None and selected.mod_sequence == self._changes:
            await wait_on.or_event(self._changed).wait()
        selected.mod_sequence = self._changes
        selected.set_messages(list(self._mails.values()))
        return selected

    async def append(self, append_msg: AppendMessage, *, recent: bool = False) -> Mail:
        """APPEND, also for mail that is submitted or arrives."""
        when = append_msg.when or datetime.now(UTC).astimezone()
        return self._mails[self.deliver(append_msg.literal, when, _names(append_msg.flag_set))]

    async def copy(self, uid: int, destination: "Folder", *, recent: bool = False) -> int | None:
        """COPY one mail; None when it is gone."""
        mail, raw = self._mails.get(uid), self.raw(uid)
        if mail is None or raw is None:
            return None
        return destination.deliver(raw, mail.internal_date, _names(mail.permanent_flags))

    async def move(self, uid: int, destination: "Folder", *, recent: bool = False) -> int | None:
        """MOVE one mail (RFC 6851); None when it is gone."""
        with self._store.transaction():
            new_uid = await self.copy(uid, destination)
            if new_uid is not None:
                await self.delete([uid])
        return new_uid

    async def get(self, uid: int, cached_msg: CachedMessage) -> Mail:
        """A mail by UID, or its shell marked as expunged."""
        return self._mails.get(uid) or self._shell(cached_msg)

    async def update(self, uid: int, cached_msg: CachedMessage, flag_set: frozenset[Flag], mode: FlagOp) -> Mail:
        """STORE: change a mail's flags."""
        mail = self._mails.get(uid)
        if mail is None:
            return self._shell(cached_msg)
        flags = mode.apply(mail.permanent_flags, flag_set)
        if flags != mail.permanent_flags:
            self._store.set_flags(self.id, uid, _names(flags))
            mail.permanent_flags = flags
            self._tell()
        return mail

    def _shell(self, cached: CachedMessage) -> Mail:
        ids = cached.email_id.value.decode(), cached.thread_id.value.decode()
        stored = StoredMail(cached.uid, cached.internal_date, frozenset(_names(cached.permanent_flags)), *ids)
        return Mail(self, stored, expunged=True)

    async def delete(self, uids: Iterable[int]) -> None:
        """EXPUNGE these UIDs."""
        gone = list(uids)
        self._store.remove(self.id, gone)
        for uid in gone:
            self._mails.pop(uid, None)
        self._tell()

    async def claim_recent(self, selected: SelectedMailbox) -> None:
        r"""No mail is ever \Recent here (RFC 9051 has dropped the flag)."""

    async def cleanup(self) -> None:
        """Nothing to tidy."""

    async def snapshot(self) -> MailboxSnapshot:
        """The counts for SELECT, EXAMINE and STATUS."""
        unseen = [seq for seq, mail in enumerate(self._mails.values(), 1) if Seen not in mail.permanent_flags]
        return MailboxSnapshot(
            self.mailbox_id,
            self.readonly,
            self.uid_validity,
            self.permanent_flags,
            self.session_flags,
            len(self._mails),
            0,
            len(unseen),
            unseen[0] if unseen else None,
            self._next_uid,
        )


def _names(flags: Iterable[Flag]) -> list[str]:
    return [bytes(flag).decode() for flag in flags]


class Mailbox(MailboxSetInterface[Folder]):
    """All folders of the one account, by name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folders = {stored.name: Folder(store, stored) for stored in store.folders()}
        self._subscribed = {stored.name for stored in store.folders() if stored.subscribed}

    @property
    def inbox(self) -> Folder:
        """Where mail arrives."""
        return self._folders["INBOX"]

    @property
    def delimiter(self) -> str:
        """Between the levels of a folder's name."""
        return "/"

    async def set_subscribed(self, name: str, subscribed: bool) -> None:
        """SUBSCRIBE and UNSUBSCRIBE; a name without a folder is ignored."""
        if name in self._folders:
            self._store.set_subscribed(self._folders[name].id, subscribed)
            (self._subscribed.add if subscribed else self._subscribed.discard)(name)

    async def list_subscribed(self) -> ListTree:
        """The names for LSUB."""
        return ListTree(self.delimiter).update("INBOX", *(name for name in self._folders if name in self._subscribed))

    async def list_mailboxes(self) -> ListTree:
        """The names for LIST."""
        return ListTree(self.delimiter).update("INBOX", *self._folders)

    async def get_mailbox(self, name: str) -> Folder:
        """A folder by name; KeyError when there is none."""
        return self._folders[name]

    async def add_mailbox(self, name: str) -> ObjectId:
        """CREATE; ValueError when the name is taken."""
        try:
            stored = self._store.add_folder(name)
        except sqlite3.IntegrityError as taken:
            raise ValueError(name) from taken
        self._folders[name] = folder = Folder(self._store, stored)
        return folder.mailbox_id

    async def delete_mailbox(self, name: str) -> None:
        """DELETE; KeyError when there is no such folder."""
        self._store.remove_folder(self._folders.pop(name).id)

    async def rename_mailbox(self, before: str, after: str) -> None:
        """RENAME a folder with those below it; KeyError and ValueError as pymap wants them."""
        if before == "INBOX":
            raise NotSupportedError("INBOX keeps its name.")
        tree = await self.list_mailboxes()
        if tree.get(before) is None:
            raise KeyError(before)
        if tree.get(after) is not None:
            raise ValueError(after)
        with self._store.transaction():
            for old, new in tree.get_renames(before, after):
                self._store.rename_folder(self._folders[old].id, new)
                self._folders[new] = self._folders.pop(old)
