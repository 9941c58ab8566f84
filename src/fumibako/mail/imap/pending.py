"""A command under way: what it wants, what has come for it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from .commands import Verb
from .errors import CommandRefused, ProtocolError
from .responses import Condition, Fetched, Response

MOST_NOTICES = 20  # untagged NO, BAD and ALERT lines that are kept of one command
MOST_COLLECTED = 200_000  # untagged responses to one command


@dataclass(eq=False)
class Wanted:
    """What a FETCH under way is to bring: `numbers` None stands for every message."""

    numbers: tuple[tuple[int, int], ...] | None
    uid: bool
    content: bool
    size: bool
    on_message: Callable[[Fetched], None]

    def fits(self, message: Fetched) -> bool:
        """Whether the answer can be of this FETCH, not a change of flags that was told meanwhile."""
        if self.content and message.body is None and not message.skipped and not message.sections:
            return False
        if self.size and message.size is None:
            return False
        number = message.uid if self.uid else message.seq
        if number is None:
            return False
        return self.numbers is None or any(low <= number <= high for low, high in self.numbers)


@dataclass(eq=False)
class Pending:
    """A command that was sent and has not been answered."""

    tag: str
    verb: Verb
    done: "asyncio.Future[Condition]"
    wants: tuple[type[Response], ...] = ()
    wanted: Wanted | None = None
    collected: list[Response] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    to_ask: "asyncio.Future[None] | None" = None
    """Resolved when the server says "+"."""
    whole: bool = False
    """All of its pieces are sent."""

    def note(self, condition: Condition) -> None:
        """Keep what the server says beside its answer, as far as people should see it."""
        if (condition.kind != "OK" or condition.code == "ALERT") and len(self.notices) < MOST_NOTICES:
            self.notices.append(condition.reply)

    def collect(self, response: Response) -> None:
        """Keep a response that the command asked for."""
        if len(self.collected) == MOST_COLLECTED:
            raise ProtocolError(f"{self.verb}: too many answers")
        self.collected.append(response)

    def refusal(self, condition: Condition) -> CommandRefused:
        """The error for an answer NO or BAD."""
        return CommandRefused(condition.kind, condition.code, condition.words, self.verb.value, tuple(self.notices))
