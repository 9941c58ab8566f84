"""An IMAP client that only reads: what a caller can do with one connection.

Connected → (STARTTLS) → logged in → folder examined → fetch, search, idle; `close` from anywhere. Every command has a
deadline in seconds; when one passes, or the server breaks the protocol, the connection is closed and everything that
waits gets the error. Nothing here can change a mailbox: folders are opened by EXAMINE, bodies read by BODY.PEEK.
"""

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from ..connect import Network, Server
from .responses import Change, Condition, Examined, Fetched, Listed, Memory, Status, UidSet

CONNECT_TIMEOUT = 30.0  # seconds from look-up to a greeting over proven TLS
COMMAND_TIMEOUT = 30.0  # seconds for the answer to a command; for FETCH and SEARCH, without any progress


class ImapClient:
    """One connection. Use `async with`, or call `close`."""

    server: Server
    greeting: Condition
    capabilities: frozenset[str]
    tls: str
    """The TLS version in use, such as "TLSv1.3"."""
    allocate: Callable[[int], Memory | None] | None
    """Called with a body's length in bytes before it is read; the body lands in the memory that it gives.

    None: the body is read past and reported as `Fetched.skipped`. Without a hook bodies come as bytes, up to 64 MiB.
    """

    @classmethod
    async def connect(cls, server: Server, network: Network, *, timeout: float = CONNECT_TIMEOUT) -> "ImapClient":
        """Connect, prove the certificate, read the greeting; with STARTTLS, TLS before anything else.

        Raises the ConnectError family until a mail server has greeted (NotAMailServer when none does), then Bye,
        StartTlsRefused, ConnectionLost, ProtocolError, TimedOut.
        """
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def login(self, username: str, secret: str, mechanism: str | None = None) -> str:
        """Log in and read the capabilities again; returns the mechanism used, "PLAIN" or "LOGIN".

        AUTHENTICATE PLAIN in UTF-8 where offered (RFC 4616), else LOGIN. One refusal is one try: another mechanism is
        used only when the server did not know the first. Raises LoginRefused, LoginUnavailable, Bye.
        """
        raise NotImplementedError

    async def identify(self) -> tuple[tuple[str, str], ...]:
        """Say who we are (ID, RFC 2971) where announced; some hosts want it before the first folder is opened.

        Returns the server's fields; empty when not announced or refused.
        """
        raise NotImplementedError

    async def list_folders(self) -> list[Listed]:
        """All folders, with their special uses where the server tells them (RFC 6154)."""
        raise NotImplementedError

    async def status(self, name_raw: bytes, items: Sequence[str] | None = None) -> Status:
        """Look at a folder without opening it. Without `items`: all that this server can tell of those in Status.

        Items that need an extension which the server lacks are left out. Raises CommandRefused.
        """
        raise NotImplementedError

    async def examine(self, name_raw: bytes) -> Examined:
        """Open a folder read-only. Raises CommandRefused (then no folder is open)."""
        raise NotImplementedError

    async def uid_search(self, criteria: bytes = b"ALL") -> UidSet:
        """The UIDs that match, such as b"UID 1:* SINCE 1-Jan-2025"; ESEARCH where announced (RFC 4731)."""
        raise NotImplementedError

    def fetch(self, sequence: str, items: str, *, uid: bool, on_message: Callable[[Fetched], None]) -> Awaitable[None]:
        """Ask for messages; each is given to `on_message` as it arrives. Sent at once: may be called again meanwhile.

        `sequence` is a sequence set, `items` such as "(UID FLAGS BODY.PEEK[])". Bodies only by BODY.PEEK: others raise
        ValueError, since they set \\Seen. What awaits the result gets CommandRefused when the server gives less than
        was asked for; when it is cancelled, the connection is closed. An exception of `on_message` ends the connection
        and is raised to the awaiting side.
        """
        raise NotImplementedError

    async def idle(self, timeout: float) -> list[Change]:
        """Wait until something happens to the open folder, at most `timeout` seconds; then all that has happened.

        Returns at once with changes that earlier answers brought. Without IDLE (RFC 2177) it sends one NOOP when the
        time is over. When cancelled, the connection stays usable.
        """
        raise NotImplementedError

    async def noop(self) -> list[Change]:
        """Prove that the server is there; returns what has happened meanwhile."""
        raise NotImplementedError

    def pause_reading(self) -> None:
        """Take nothing more from the server for now; no `allocate` and no `on_message` until resumed."""
        raise NotImplementedError

    def resume_reading(self) -> None:
        """Go on after `pause_reading`, first with what had been received."""
        raise NotImplementedError

    async def logout(self) -> None:
        """Say LOGOUT, wait a moment for the answer, close. Never raises."""
        raise NotImplementedError

    def close(self) -> None:
        """End the connection now; whatever waits gets ConnectionLost. May be called twice."""
        raise NotImplementedError
