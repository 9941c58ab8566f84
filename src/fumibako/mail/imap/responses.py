"""What a server says, as values. Text is decoded as UTF-8 with replacement; folder names stay bytes as well."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from .uids import UidSet


class Memory(Protocol):
    """Where a mail's bytes land: `view` is writable and exactly as long as was asked for."""

    @property
    def view(self) -> memoryview: ...


@dataclass(frozen=True)
class Condition:
    """OK, NO, BAD, BYE or PREAUTH, untagged (`tag` None) or as the end of a command.

    `code` is the first word of the response code in capitals, `argument` what follows it inside the brackets.
    """

    kind: str
    code: str | None
    argument: str
    words: str
    tag: str | None = None

    @property
    def reply(self) -> str:
        """As the server wrote it, without tag: "NO [CODE argument] words"."""
        code = " ".join(part for part in (self.code, self.argument) if part)
        return " ".join(part for part in (self.kind, f"[{code}]" if code else "", self.words) if part)


@dataclass(frozen=True)
class Continuation:
    """A line that begins with "+": the server waits for more of a command."""

    text: str


@dataclass(frozen=True)
class Capabilities:
    """What the server announces, in capitals."""

    names: frozenset[str]


@dataclass(frozen=True)
class Enabled:
    """What ENABLE has switched on, in capitals (RFC 5161)."""

    names: frozenset[str]


@dataclass(frozen=True)
class Namespace:
    """Where folders of one kind begin; `prefix_raw` as in their names, empty for the root."""

    prefix_raw: bytes
    delimiter: str | None


@dataclass(frozen=True)
class Namespaces:
    """One's own folders, those of other people, and shared ones (RFC 2342)."""

    personal: tuple[Namespace, ...] = ()
    others: tuple[Namespace, ...] = ()
    shared: tuple[Namespace, ...] = ()

    def is_foreign(self, name_raw: bytes) -> bool:
        """Whether a folder is somebody else's or shared: the longest prefix decides; INBOX is always one's own."""
        if name_raw.upper() == b"INBOX":
            return False
        own = max((_fit(space, name_raw) for space in self.personal), default=-1)
        foreign = max((_fit(space, name_raw) for space in (*self.others, *self.shared)), default=-1)
        return foreign > own


def _fit(space: Namespace, name_raw: bytes) -> int:
    """How many bytes of the name lie in the prefix; -1 when it is elsewhere. "user" is in "user." as well."""
    delimiter = (space.delimiter or "").encode()
    return len(space.prefix_raw) if (name_raw + delimiter).startswith(space.prefix_raw) else -1


@dataclass(frozen=True)
class Status:
    """What STATUS tells of one folder; None where the server did not say."""

    name_raw: bytes
    messages: int | None = None
    uidnext: int | None = None
    uidvalidity: int | None = None
    highestmodseq: int | None = None
    size: int | None = None
    unseen: int | None = None


@dataclass(frozen=True)
class Listed:
    """A folder of LIST. `name_raw` goes back to the server unchanged; `name` is for people.

    `status` where LIST was asked for it and the server can (RFC 5819). `foreign`: in a namespace of other people or a
    shared one. `old_name_raw`: told when it was renamed (NOTIFY, RFC 5465 §5.4).
    """

    name_raw: bytes
    name: str
    delimiter: str | None
    attributes: frozenset[str]
    status: Status | None = None
    foreign: bool = False
    old_name_raw: bytes | None = None

    @property
    def selectable(self) -> bool:
        """Whether it can be opened at all (RFC 9051 §7.3.1)."""
        return not self.attributes & {"\\Noselect", "\\NonExistent"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """One message of FETCH; None where the answer did not say.

    `body` is what the `allocate` hook gave, filled (or bytes where no hook is set or the server sent a quoted string; a
    body that the server gave as NIL is b""). `skipped` is the length in bytes of a body that was read past because the
    hook gave no memory; then `body` is None.
    """

    seq: int
    uid: int | None = None
    flags: tuple[str, ...] | None = None
    internaldate: datetime | None = None
    size: int | None = None
    modseq: int | None = None
    emailid: str | None = None
    body: Memory | bytes | None = None
    skipped: int = 0
    sections: dict[str, bytes] = field(default_factory=dict)
    """Other parts that were asked for, such as "BODY[HEADER]", by their name in capitals."""
    damaged: tuple[str, ...] = ()
    """Items that were there but could not be read; "BODY[]" when more of the mail follows than its length told."""


@dataclass(frozen=True)
class Synced:
    """What is known of a folder from before: all changes up to `modseq` (a HIGHESTMODSEQ that the server told).

    `known` are the UIDs that are known; None lets the server tell of any that are gone.
    """

    uidvalidity: int
    modseq: int
    known: UidSet | None = None


@dataclass(frozen=True)
class Examined:
    """A folder as it was when it was opened read-only. `uidnext` is None on servers that do not say it.

    `resynced`: the server took what was known (QRESYNC, RFC 7162 §3.2.5), so `changed` and `vanished` are all that has
    happened since to the mails that were known; both are empty otherwise. New mails may be among `changed` or not.
    `mailboxid` stays with the folder when it is renamed (RFC 8474 §4).
    """

    exists: int
    uidvalidity: int
    uidnext: int | None
    highestmodseq: int | None
    flags: tuple[str, ...]
    mailboxid: str | None = None
    resynced: bool = False
    changed: tuple[Fetched, ...] = ()
    vanished: UidSet = field(default_factory=UidSet)


@dataclass(frozen=True)
class Exists:
    """The folder now has so many messages."""

    count: int


@dataclass(frozen=True)
class Expunged:
    """The message with this sequence number is gone; later numbers have moved up by one."""

    seq: int


@dataclass(frozen=True)
class Vanished:
    """These UIDs are gone (RFC 7162 §3.2.10); `earlier` for those gone before the folder was opened."""

    uids: UidSet
    earlier: bool


@dataclass(frozen=True)
class Flags:
    """The flags that the folder knows."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """UIDs or sequence numbers of SEARCH or ESEARCH; `tag` is the command's where an ESEARCH says it (RFC 4731)."""

    numbers: UidSet
    tag: str | None = None
    damaged: bool = False
    """Something among the numbers was none."""


@dataclass(frozen=True)
class Named:
    """The server's fields of ID (RFC 2971), keys in lower case."""

    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Other:
    """A response that we have no use for, or could not read (`damaged`). `keyword` is its first word in capitals."""

    keyword: str
    damaged: bool = False


Change = Exists | Expunged | Vanished | Fetched | Status | Listed
"""What can happen to an open folder without being asked for; under NOTIFY (RFC 5465), to others (Status) and to the
list of folders (Listed)."""

Response = Condition | Continuation | Capabilities | Enabled | Namespaces | Change | Flags | Found | Named | Other


def damage_of(response: Response) -> str:
    """What of a response could not be read: keyword and items; empty when all could."""
    if isinstance(response, Fetched) and response.damaged:
        return "FETCH " + " ".join(response.damaged)
    if isinstance(response, Found) and response.damaged:
        return "SEARCH"
    if isinstance(response, Other) and response.damaged:
        return response.keyword or "line"
    return ""
