"""A command under way: what it wants, what has come for it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .commands import Verb
from .errors import CommandRefused, ProtocolError
from .responses import Condition, Fetched, Found, Response, Status

MOST_NOTICES = 20  # untagged NO, BAD and ALERT lines that are kept of one command
MOST_COLLECTED = 200_000  # untagged responses to one command
MOST_EARLY = 10_000  # messages of one FETCH that are told of before their mail comes
MOST_CHANGED = 50_000  # changed messages that EXAMINE keeps (QRESYNC): beyond, comparing anew costs less memory


@dataclass(eq=False)
class Wanted:
    """What a FETCH under way is to bring: `numbers` None stands for every message.

    A server may tell of one message in several lines (RFC 9051 §7.5.2); what comes before the mail itself is kept in
    `early` by sequence number and goes with it.
    """

    numbers: tuple[tuple[int, int], ...] | None
    uid: bool
    content: bool
    size: bool
    on_message: Callable[[Fetched], None]
    early: dict[int, Fetched] = field(default_factory=dict)

    def fits(self, message: Fetched) -> bool:
        """Whether the answer can be of this FETCH, not a change of flags that was told meanwhile."""
        if self.content:
            if message.body is None and not message.skipped and not message.sections:
                return False
        elif self.size and message.size is None and "RFC822.SIZE" not in message.damaged:
            return False
        return self._covers(self._number(message))

    def _number(self, message: Fetched) -> int | None:
        if not self.uid:
            return message.seq
        if message.uid is None and message.seq in self.early:
            return self.early[message.seq].uid
        return self._single if message.uid is None and self.content else message.uid

    def _covers(self, number: int | None) -> bool:
        if number is None:
            return False
        return self.numbers is None or any(low <= number <= high for low, high in self.numbers)

    @property
    def _single(self) -> int | None:
        """The only number that was asked for."""
        if self.numbers is not None and len(self.numbers) == 1 and self.numbers[0][0] == self.numbers[0][1]:
            return self.numbers[0][0]
        return None

    def keep_early(self, message: Fetched) -> None:
        """Keep what may belong to a mail that is still to come."""
        if self.content and message.seq and len(self.early) < MOST_EARLY and self._covers(self._number(message)):
            before = self.early.get(message.seq)
            self.early[message.seq] = _together(message, before) if before else message

    def give(self, message: Fetched) -> None:
        """Hand the message to who asked, with what was told of it before, and its UID if only one was asked for."""
        if self.early and (before := self.early.pop(message.seq, None)) is not None:
            message = _together(message, before)
        if self.uid and message.uid is None:
            message = replace(message, uid=self._single)
        self.on_message(message)


def _together(message: Fetched, before: Fetched) -> Fetched:
    """A message with what an earlier line told of it, unless that is of another one."""
    if None not in (message.uid, before.uid) and message.uid != before.uid:
        return message
    names = ("uid", "flags", "internaldate", "size", "modseq", "emailid")
    return replace(message, **{name: getattr(before, name) for name in names if getattr(message, name) is None})


@dataclass(eq=False)
class Pending:
    """A command that was sent and has not been answered."""

    tag: str
    verb: Verb
    done: "asyncio.Future[Condition]"
    wants: tuple[type[Response], ...] = ()
    wanted: Wanted | None = None
    about: bytes | None = None
    """The folder that STATUS asks for."""
    collected: list[Response] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    to_ask: "asyncio.Future[None] | None" = None
    """Resolved when the server says "+"."""
    whole: bool = False
    """All of its pieces are sent."""
    overflowed: bool = False
    """More messages have changed than are kept."""
    changed: int = 0

    def takes(self, response: Response) -> bool:
        """Whether an untagged response can be of this command."""
        if not isinstance(response, self.wants):
            return False
        if isinstance(response, Found):
            return response.tag in (None, self.tag)
        if isinstance(response, Status) and self.about is not None:
            return same_folder(response.name_raw, self.about)
        return True

    def note(self, condition: Condition) -> None:
        """Keep what the server says beside its answer, as far as people should see it."""
        if (condition.kind != "OK" or condition.code == "ALERT") and len(self.notices) < MOST_NOTICES:
            self.notices.append(condition.reply)

    def collect(self, response: Response) -> None:
        """Keep a response that the command asked for."""
        if isinstance(response, Condition) and response.code == "CLOSED":
            self.collected.clear()  # what was said before is of the folder that was open (RFC 7162 §3.2.11)
        if isinstance(response, Fetched):
            self.changed += 1
            if self.changed > MOST_CHANGED:
                self.overflowed = True
                return
        if len(self.collected) == MOST_COLLECTED:
            raise ProtocolError(f"{self.verb}: too many answers")
        self.collected.append(response)

    def refusal(self, condition: Condition) -> CommandRefused:
        """The error for an answer NO or BAD."""
        return CommandRefused(condition.kind, condition.code, condition.words, self.verb.value, tuple(self.notices))


def same_folder(one: bytes, other: bytes) -> bool:
    """Whether two names are of one folder; INBOX is one in any case of letters (RFC 9051 §5.1)."""
    return one == other or (one.upper() == b"INBOX" == other.upper())
