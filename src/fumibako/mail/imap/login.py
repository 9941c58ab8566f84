"""Logging in: which mechanism, at most one refusal, and nothing of the secret in what is told of a failure.

A server's words may repeat what it was sent ("unknown command: LOGIN taro …"), so the secret in every form in which it
went over the wire is taken out of them.
"""

from .. import sasl
from . import commands
from .commands import Command
from .connection import Connection
from .errors import Bye, CommandRefused, LoginRefused, LoginUnavailable
from .responses import Condition

LOGIN_TIMEOUT = 60.0  # seconds; servers delay the answer after wrong passwords, Dovecot by up to 15


async def log_in(connection: Connection, username: str, secret: str, mechanism: str | None) -> str:
    """Try the mechanisms until the server takes one or refuses the secret; returns the one used. See `ImapClient`."""
    before = connection.capabilities
    choices = _choices(before or frozenset(), username, secret, mechanism)
    for number, (name, command) in enumerate(choices, start=1):
        try:
            await connection.run(command, wants=(Condition,), timeout=LOGIN_TIMEOUT)
        except CommandRefused as refused:
            if number == len(choices) or not _was_not_understood(refused):
                raise _refusal(refused, name, username, secret) from None
        except Bye as bye:
            raise Bye(sasl.hidden(bye.words, username, secret), bye.code) from None
        else:
            if connection.capabilities is before:
                connection.capabilities = None  # those of a session that is logged in are others (RFC 9051 §6.1.1)
            return name
    raise AssertionError("there is at least one choice")


def _choices(
    capabilities: frozenset[str], username: str, secret: str, mechanism: str | None
) -> list[tuple[str, Command]]:
    """The ways to log in that the server offers, best first; `mechanism` narrows them."""
    choices = []
    if "AUTH=PLAIN" in capabilities:
        at_once = "SASL-IR" in capabilities
        choices.append(("PLAIN", commands.authenticate_plain(username, secret, at_once=at_once)))
    if "LOGINDISABLED" not in capabilities:  # RFC 9051 §6.2.3
        choices.append(("LOGIN", commands.login(username, secret)))
    elif "AUTH=LOGIN" in capabilities:
        choices.append(("LOGIN", commands.authenticate_login(username, secret)))
    choices = [choice for choice in choices if mechanism in (None, choice[0])]
    if not choices:
        raise LoginUnavailable(frozenset(name[5:] for name in capabilities if name.startswith("AUTH=")))
    return choices


_NOT_UNDERSTOOD = ("not supported", "unsupported", "unknown", "unrecognized", "invalid mechanism", "not enabled")


def _was_not_understood(refused: CommandRefused) -> bool:
    """Whether the server did not know the mechanism, so that the secret has not been judged."""
    if refused.code == "CANNOT":
        return True
    words = refused.words.lower()
    return refused.code is None and refused.kind == "BAD" and any(part in words for part in _NOT_UNDERSTOOD)


def _refusal(refused: CommandRefused, mechanism: str, username: str, secret: str) -> LoginRefused:
    return LoginRefused(
        refused.kind,
        refused.code,
        sasl.hidden(refused.words, username, secret),
        refused.command,
        tuple(sasl.hidden(notice, username, secret) for notice in refused.notices),
        mechanism,
    )
