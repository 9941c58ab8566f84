"""What can go wrong with accounts. Pages and the command line say it in their own words."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AccountsError(Exception):
    """Something about an organization or a person could not be done."""


class NotAllowed(AccountsError):
    """Only an active admin of the same organization may do this."""


class LastAdmin(AccountsError):
    """The organization would be left without an active admin."""


class OneSelf(AccountsError):
    """Nobody stops themselves."""


class Stopped(AccountsError):
    """The person is stopped: no login and no link until an admin resumes them."""


class DeadLink(AccountsError):
    """No such one-time link, or it was used, replaced, or is older than a day."""


class LoginRefused(AccountsError):
    """Login name or password are wrong; the same for names that nobody has. ``tries_left`` until the pause."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(f"{tries_left} tries left")
        self.tries_left = tries_left


class LoginPaused(AccountsError):
    """Too many wrong passwords for this name: nothing is tried before ``until``."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"paused until {until:%H:%M:%S}")
        self.until = until


class Reason(StrEnum):
    """Why a value is not taken."""

    MISSING = "missing"
    LONG = "long"
    CHARACTERS = "characters"
    TAKEN = "taken"
    UNKNOWN = "unknown"
    SHORT = "short"
    COMMON = "common"
    WRONG = "wrong"


@dataclass(frozen=True)
class Problem:
    """One value that was not taken: the argument's name and why."""

    field: str
    reason: Reason


class Invalid(AccountsError):
    """Values were not taken; nothing was changed. ``problems`` has one item a field."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(", ".join(f"{problem.field}: {problem.reason}" for problem in problems))
        self.problems = problems
