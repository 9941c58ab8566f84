"""What can go wrong in a conversation with a submission server. No error holds an argument of a command.

Before a mail server has greeted, errors are those of `mail.connect` (ConnectError family).
"""


class SubmissionError(Exception):
    """The root of the family."""


class Refused(SubmissionError):
    """The server answered a command with a code other than the one that was hoped for.

    `step` is where: "smtp-connect" (in place of a greeting), "smtp-ehlo", "smtp-auth", "smtp-mail"; `words` the
    server's text, lines joined by a space.
    """

    def __init__(self, code: int, words: str, step: str) -> None:
        super().__init__(code, words, step)
        self.code = code
        self.words = words
        self.step = step

    def __str__(self) -> str:
        return f"{self.step}: {self.reply}"

    @property
    def reply(self) -> str:
        """The answer as the server wrote it: "535 5.7.8 words"."""
        return f"{self.code} {self.words}".strip()


class StartTlsMissing(SubmissionError):
    """The server does not offer STARTTLS, so nothing may be said to it in the clear."""


class LoginUnavailable(SubmissionError):
    """The server offers no login with a password; nothing was sent. `offered` are its AUTH mechanisms."""

    def __init__(self, offered: frozenset[str]) -> None:
        super().__init__("no password login is offered; mechanisms: " + (" ".join(sorted(offered)) or "none"))
        self.offered = offered


class ConnectionLost(SubmissionError):
    """The connection ended after the greeting, without an answer."""


class TimedOut(SubmissionError):
    """A command got no answer within its deadline; the connection is closed."""
