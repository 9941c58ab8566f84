"""The choice of folders as a form: what is offered, what is chosen, and how many mails that comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.http import QueryDict
from django.utils.translation import gettext

from fumibako.linking import RANGES, FolderChoice, FolderRow

from .faces import RANGES as RANGE_WORDS
from .faces import folder_name

PACE = 100  # mails a second of an import, a careful figure for the estimate on the page


@dataclass(frozen=True)
class FolderLine:
    """A folder that is offered, with its numbers for the chosen range."""

    key: str
    name: str
    selectable: bool
    count: int | None
    size: int | None
    newest: date | None
    chosen: bool


class FolderForm:
    """Folders on the server beside a choice among them. `usual` is the organization's range."""

    def __init__(self, folders: Sequence[FolderRow], choice: FolderChoice, usual: str) -> None:
        self.folders = folders
        self.choice = choice
        self.usual = usual

    @classmethod
    def from_post(cls, folders: Sequence[FolderRow], post: QueryDict, usual: str) -> "FolderForm":
        """The choice that a browser sent: folders that hold sent mail stay with sent mail, whatever their tick."""
        sent, inbox = post.get("sent") or None, post.get("inbox") or None
        ticked = set(post.getlist("folder")) - {sent, inbox}
        holds_sent = {row.key for row in folders if row.role == "sent"}
        choice = FolderChoice(
            sent=sent,
            inbox=inbox,
            also_sent=frozenset(ticked & holds_sent),
            others=frozenset(ticked - holds_sent),
            range=post.get("range", usual),
        )
        return cls(folders, choice, usual)

    @property
    def sent(self) -> list[FolderLine]:
        """What can be the sent folder: those that hold sent mail first, then every other."""
        rows = [row for row in self.folders if row.selectable and row.role != "inbox"]
        return [self._line(row) for row in sorted(rows, key=lambda row: row.role != "sent")]

    @property
    def sent_key(self) -> str:
        """The chosen sent folder, empty for none."""
        return self.choice.sent or ""

    @property
    def server_has_sent(self) -> bool:
        """Whether a folder of the server is known to hold sent mail."""
        return any(row.role == "sent" for row in self.folders)

    @property
    def further_sent(self) -> list[FolderLine]:
        """Other folders that hold sent mail."""
        return [self._line(row) for row in self.folders if row.role == "sent" and row.key != self.sent_key]

    @property
    def inboxes(self) -> list[FolderLine]:
        """What can be the receiving folder: the inbox first."""
        rows = [row for row in self.folders if row.selectable and row.role != "sent"]
        return [self._line(row) for row in sorted(rows, key=lambda row: row.role != "inbox")]

    @property
    def inbox_key(self) -> str:
        """The chosen receiving folder."""
        return self.choice.inbox or ""

    @property
    def rows(self) -> list[FolderLine]:
        """Every other folder, those that only hold folders included."""
        taken = {self.choice.sent, self.choice.inbox}
        return [self._line(row) for row in self.folders if row.key not in taken and row.role != "sent"]

    @property
    def ranges(self) -> list[dict[str, str]]:
        """The ranges, the organization's own marked."""
        lines = []
        for key in sorted(RANGES, key=lambda key: key != self.usual):
            word = str(RANGE_WORDS[key])
            if key == self.usual:
                word = gettext("%(range)s (your company’s default)") % {"range": word}
            lines.append({"key": key, "word": word})
        return lines

    @property
    def range(self) -> str:
        """The chosen range's key."""
        return str(self.choice.range)

    @property
    def range_word(self) -> str:
        """The chosen range in words."""
        return str(RANGE_WORDS.get(self.choice.range, ""))

    @property
    def total(self) -> int:
        """How many mails are chosen."""
        return sum(self._count(row) or 0 for row in self._chosen())

    @property
    def sized(self) -> bool:
        """Whether the server told sizes."""
        return any(row.size is not None for row in self.folders)

    @property
    def exact(self) -> bool:
        """Whether every chosen folder was counted for the chosen range; else the total is the most that it can be."""
        return all(self.choice.range in row.counts for row in self._chosen())

    @property
    def total_size(self) -> int | None:
        """Their size in bytes, in proportion where a folder's mails are not all chosen; None where no size is known."""
        sizes = [self._size(row) for row in self._chosen()]
        known = [size for size in sizes if size is not None]
        return sum(known) if known else None

    @property
    def seconds(self) -> float:
        """How long the import will take, roughly."""
        return self.total / PACE

    def _chosen(self) -> list[FolderRow]:
        return [row for row in self.folders if row.key in self.choice.all]

    def _count(self, row: FolderRow) -> int | None:
        count: int | None = row.counts.get(self.choice.range, row.counts.get("all", row.messages))
        return count

    def _size(self, row: FolderRow) -> int | None:
        count = self._count(row)
        size: int | None = row.size
        if size is None or not row.messages or count is None:
            return size
        return size * count // int(row.messages)

    def _line(self, row: FolderRow) -> FolderLine:
        return FolderLine(
            key=row.key,
            name=folder_name(row.name),
            selectable=row.selectable,
            count=self._count(row),
            size=self._size(row),
            newest=date.fromisoformat(row.newest) if row.newest else None,
            chosen=row.key in self.choice.all,
        )
