"""What the verbs of this room refuse, and why."""

from fumibako.mail.diagnosis import Words


class LinkingError(Exception):
    """A verb of this room could not do its work; nothing was changed."""


class NotFound(LinkingError):
    """There is no such mailbox, draft or folder for this person."""


class BadInput(LinkingError):
    """What was typed cannot be used. ``field`` names the input, ``code`` why, ``words`` say more where there is more.

    Codes: ``empty``, ``wrong_address``, ``wrong_port``, ``wrong_server_name``, ``no_folder``, ``unknown_folder``,
    ``wrong_range``, ``same_address``, ``unknown``.
    """

    def __init__(self, field: str, code: str, words: Words | None = None) -> None:
        super().__init__(f"{field}: {code}")
        self.field = field
        self.code = code
        self.words = words


class OwnPassword(LinkingError):
    """The password typed is the person's own of Fumibako; it was sent nowhere."""


class AlreadyLinked(LinkingError):
    """The person has linked this address already. ``mailbox`` is its public id."""

    def __init__(self, mailbox: str) -> None:
        super().__init__(mailbox)
        self.mailbox = mailbox


class LinkedByColleague(LinkingError):
    """Somebody else of the organization has linked this mailbox. Said only once the login has proved the password."""
