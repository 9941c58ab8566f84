"""What can go wrong in a conversation with an IMAP server. No error holds an argument of a command.

Before a mail server has greeted, errors are those of `mail.connect` (ConnectError family).
"""


class ImapError(Exception):
    """The root of the family."""


class CommandRefused(ImapError):
    """The server answered NO or BAD.

    `code` is the response code without brackets ("AUTHENTICATIONFAILED", "LIMIT", …; only its first word), `words` the
    server's text, `command` the command's name alone, `notices` the untagged NO, BAD and ALERT lines that it said
    meanwhile, each as "NO [CODE] words".
    """

    def __init__(self, kind: str, code: str | None, words: str, command: str, notices: tuple[str, ...] = ()) -> None:
        super().__init__(kind, code, words, command)
        self.kind = kind
        self.code = code
        self.words = words
        self.command = command
        self.notices = notices

    def __str__(self) -> str:
        return f"{self.command}: {self.reply}"

    @property
    def reply(self) -> str:
        """The answer without its tag: "NO [CODE] words"."""
        return " ".join(part for part in (self.kind, f"[{self.code}]" if self.code else "", self.words) if part)


class LoginRefused(CommandRefused):
    """The server did not take this username and secret (or cannot check them now: see `code`); `mechanism` was used."""

    def __init__(
        self,
        kind: str,
        code: str | None,
        words: str,
        command: str,
        notices: tuple[str, ...] = (),
        mechanism: str = "",
    ) -> None:
        super().__init__(kind, code, words, command, notices)
        self.mechanism = mechanism


class LoginUnavailable(ImapError):
    """The server offers no way to log in with a password; nothing was sent. `offered` are its AUTH= mechanisms."""

    def __init__(self, offered: frozenset[str]) -> None:
        super().__init__("no password login is offered; mechanisms: " + (" ".join(sorted(offered)) or "none"))
        self.offered = offered


class StartTlsRefused(ImapError):
    """The server does not take STARTTLS, so nothing may be said to it in the clear; `words` are its answer."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Bye(ImapError):
    """The server said BYE: in place of a greeting, in answer to a login, or in between."""

    def __init__(self, words: str, code: str | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.code = code

    @property
    def reply(self) -> str:
        """As the server wrote it: "* BYE [CODE] words"."""
        return " ".join(part for part in ("* BYE", f"[{self.code}]" if self.code else "", self.words) if part)


class ConnectionLost(ImapError):
    """The connection ended without BYE, after the greeting."""


class ProtocolError(ImapError):
    """The server breaks the protocol beyond what can be passed over; the connection is closed."""


class TimedOut(ImapError):
    """A command got no answer within its deadline; the connection is closed. `command` is its name."""

    def __init__(self, command: str) -> None:
        super().__init__(f"{command}: no answer in time")
        self.command = command
