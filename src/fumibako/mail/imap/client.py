"""An IMAP client that only reads: what a caller can do with one connection.

Connected → (STARTTLS) → logged in → folder examined → fetch, search, idle; `close` from anywhere. Every command has a
deadline in seconds; when one passes, or the server breaks the protocol, the connection is closed and everything that
waits gets the error. Nothing here can change a mailbox: folders are opened by EXAMINE, bodies read by BODY.PEEK.

Calls may be made while others wait for the server: STATUS, SEARCH, NOOP and UID FETCH go out at once and their answers
find them. Opening a folder, COMPRESS and FETCH by sequence numbers wait until what was sent before has been answered.
While `idle` waits by IDLE, all others wait for it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

from ..connect import Network, Server
from . import commands, examining, folders, idling, login, messages, opening
from .commands import Command, Verb
from .connection import Connection
from .errors import CommandRefused, ImapError
from .responses import Change, Condition, Examined, Fetched, Listed, Memory, Named, Namespaces, Status, Synced
from .uids import UidSet

CONNECT_TIMEOUT = 30.0  # seconds from look-up to a greeting over proven TLS
COMMAND_TIMEOUT = 30.0  # seconds for the answer to a command; for FETCH, without any progress
SEARCH_TIMEOUT = 120.0  # seconds; servers without an index read every mail for some criteria
LOGOUT_TIMEOUT = 3.0  # seconds; nobody needs the answer

_WHO_WE_ARE = {"name": "Fumibako", "vendor": "Fumibako"}


class ImapClient:
    """One connection. Use `async with`, or call `close`."""

    def __init__(self, server: Server, connection: Connection, greeting: Condition, tls: str) -> None:
        self.server = server
        self.greeting = greeting
        self.tls = tls
        """The TLS version in use, such as "TLSv1.3"."""
        self._connection = connection
        self._namespaces: Namespaces | None = None

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server announces in its present state, in capitals."""
        return self._connection.capabilities or frozenset()

    @property
    def enabled(self) -> frozenset[str]:
        """The extensions that `enable` has switched on, in capitals."""
        return self._connection.enabled

    @property
    def identity(self) -> str | None:
        """The FETCH item for `Fetched.emailid`, "EMAILID" or "X-GM-MSGID"; None where the server has neither."""
        return messages.identity(self.capabilities)

    @property
    def notifying(self) -> bool:
        """Whether NOTIFY is in force; the server may end it by itself (RFC 5465 §5.8), and then `wait` returns."""
        return self._connection.notifying

    @property
    def compressed(self) -> bool:
        """Whether `compress` was taken."""
        return self._connection.compressed

    @property
    def allocate(self) -> Callable[[int], Memory | None] | None:
        """Called with a body's length in bytes before it is read; the body lands in the memory that it gives.

        When it gives None, the body is read past and reported as `Fetched.skipped`. Without a hook bodies come as
        bytes, up to 64 MiB. One call for each body, in the order of `on_message`; a mail whose answer is damaged has a
        call but no `on_message`.
        """
        return self._connection.allocate

    @allocate.setter
    def allocate(self, hook: Callable[[int], Memory | None] | None) -> None:
        self._connection.allocate = hook

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""
        return self._connection.error is not None

    @classmethod
    async def connect(
        cls,
        server: Server,
        network: Network,
        *,
        timeout: float = CONNECT_TIMEOUT,
    ) -> Self:
        """Connect, prove the certificate, read the greeting; with STARTTLS, TLS before anything else.

        Raises the ConnectError family until a mail server has greeted (NotAMailServer when none does), then Bye,
        StartTlsRefused, ConnectionLost, ProtocolError, TimedOut.
        """
        connection, greeting, tls = await opening.open_connection(
            server, network, timeout=timeout, command_timeout=COMMAND_TIMEOUT
        )
        client = cls(server, connection, greeting, tls)
        try:
            await client._know_capabilities()
        except BaseException:
            client.close()
            raise
        return client

    async def _know_capabilities(self) -> None:
        if self._connection.capabilities is None:
            await self._connection.run(Command(Verb.CAPABILITY))

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
        used = await login.log_in(self._connection, username, secret, mechanism)
        await self._know_capabilities()
        return used

    async def identify(self) -> tuple[tuple[str, str], ...]:
        """Say who we are (ID, RFC 2971) where announced; some hosts want it before the first folder is opened.

        Returns the server's fields; empty when not announced or refused.
        """
        if "ID" not in self.capabilities:
            return ()
        try:
            answer = await self._connection.run(commands.identify(_WHO_WE_ARE), wants=(Named,))
        except CommandRefused:
            return ()
        return next((named.fields for named in answer.collected if isinstance(named, Named)), ())

    async def enable(self) -> frozenset[str]:
        """Switch on QRESYNC and CONDSTORE as announced (RFC 7162 §3.2.3); after the login, before a folder is opened.

        Returns what the server has switched on. UTF8=ACCEPT never: names and headers would come in another form.
        """
        wanted = [name for name in ("QRESYNC", "CONDSTORE") if name in self.capabilities]
        if wanted and {"ENABLE", "IMAP4REV2"} & self.capabilities:
            with contextlib.suppress(CommandRefused):
                await self._connection.run(commands.enable(wanted))
        return self.enabled

    async def compress(self) -> bool:
        """Compress both directions from now on (RFC 4978) where announced; whether the server does.

        It pays while importing over a slow line, and costs 300 KB of memory here and there as long as it lasts.
        """
        if "COMPRESS=DEFLATE" not in self.capabilities or self.compressed:
            return self.compressed
        async with self._connection.alone():
            with contextlib.suppress(CommandRefused):
                await self._connection.run_alone(Command(Verb.COMPRESS, (b"DEFLATE",)))
        return self.compressed

    async def namespaces(self) -> Namespaces:
        """Where one's own, other people's and shared folders begin (RFC 2342); asked once. Empty where unknown."""
        if self._namespaces is None:
            self._namespaces = await folders.namespaces(self._connection)
        return self._namespaces

    async def list_folders(self, status: Sequence[str] | None = None) -> list[Listed]:
        """All folders, with their special uses where the server tells them (RFC 6154).

        `status` names items for `Listed.status`, filled where LIST-STATUS is announced (RFC 5819), else None.
        """
        return await folders.list_folders(self._connection, await self.namespaces(), status)

    async def status(self, name_raw: bytes, items: Sequence[str] | None = None) -> Status:
        """Look at a folder without opening it. Without `items`: all that this server can tell of those in Status.

        Items that need an extension which the server lacks are left out. Raises CommandRefused.
        """
        return await folders.status(self._connection, name_raw, items)

    async def statuses(
        self, names: Sequence[bytes], items: Sequence[str] | None = None
    ) -> list[Status | CommandRefused]:
        """`status` of many folders at the pace of the line; a refused one does not keep the others."""
        return await folders.statuses(self._connection, names, items)

    async def examine(self, name_raw: bytes, since: Synced | None = None) -> Examined:
        """Open a folder read-only. Raises CommandRefused (then no folder is open).

        With `since`, where QRESYNC is enabled, the answer tells in one round trip what has changed (RFC 7162 §3.2.5);
        `Examined.resynced` says whether it does.
        """
        return await examining.examine(self._connection, name_raw, since)

    async def uid_search(self, criteria: bytes = b"ALL") -> UidSet:
        """The UIDs that match, such as b"UID 1:* SINCE 1-Jan-2025"; ESEARCH where announced (RFC 4731)."""
        return await messages.uid_search(self._connection, criteria, SEARCH_TIMEOUT)

    def fetch(
        self,
        sequence: str,
        items: str,
        *,
        uid: bool,
        on_message: Callable[[Fetched], None],
        changed_since: int | None = None,
    ) -> Awaitable[None]:
        """Ask for messages; each is given to `on_message` as it arrives. Sent at once: may be called again meanwhile.

        `sequence` is a sequence set, `items` such as "(UID FLAGS BODY.PEEK[])". Bodies only by BODY.PEEK: others raise
        ValueError, since they set \\Seen. `changed_since`: only messages with a higher MODSEQ (RFC 7162 §3.1.4.1, where
        CONDSTORE is announced). What awaits the result gets CommandRefused when the server gives less than
        was asked for; when it is cancelled, the connection is closed. An exception of `on_message` ends the connection
        and is raised to the awaiting side.
        """
        return messages.fetch(
            self._connection, sequence, items, uid=uid, on_message=on_message, changed_since=changed_since
        )

    async def idle(self, timeout: float) -> list[Change]:
        """Wait until something happens to the open folder, at most `timeout` seconds; then all that has happened.

        Returns at once with changes that earlier answers brought. Without IDLE (RFC 2177) it sends one NOOP when the
        time is over. When cancelled after the server has agreed to IDLE, the connection stays usable. Beside NOTIFY it
        brings the changes of other folders too.
        """
        return await idling.idle(self._connection, timeout)

    async def notify(self, names: Sequence[bytes]) -> bool:
        """Let the server tell of these folders as of the open one, and of folders that come and go (RFC 5465).

        Returns False where it cannot. From then on messages vanish at any time, so that only UIDs may be used. A
        change of another folder comes as Status, with what has changed alone; a new, renamed or removed folder as
        Listed, whose `name_raw` may be in another form than LIST gives it (Dovecot 2.3: UTF-8): list the folders again.
        """
        return await idling.notify(self._connection, names)

    async def wait(self, timeout: float) -> list[Change]:
        """What happens within `timeout` seconds, as soon as it does, without a word to the server (see `notify`).

        `idle` is to be preferred: Dovecot 2.3 does not tell of each delivery to the open folder without IDLE.
        Raises Bye, ConnectionLost, ProtocolError. A silent cut is not noticed: `noop` from time to time does that.
        """
        await idling.wait(self._connection, timeout)
        return self._connection.take_changes()

    def wake(self) -> None:
        """Let `idle` or `wait` return, the one under way or the next: there is something else to do."""
        self._connection.wake()

    async def noop(self) -> list[Change]:
        """Prove that the server is there; returns what has happened meanwhile."""
        await self._connection.run(Command(Verb.NOOP))
        return self._connection.take_changes()

    def pause_reading(self) -> None:
        """Take nothing more from the server for now; no `allocate` and no `on_message` until resumed."""
        self._connection.pause_reading()

    def resume_reading(self) -> None:
        """Go on after `pause_reading`, first with what had been received."""
        self._connection.resume_reading()

    async def logout(self) -> None:
        """Say LOGOUT, wait a moment for the answer, close. Never raises."""
        with contextlib.suppress(ImapError, TimeoutError):
            async with asyncio.timeout(LOGOUT_TIMEOUT):
                await self._connection.run(Command(Verb.LOGOUT))
        self.close()

    def close(self) -> None:
        """End the connection now; whatever waits gets ConnectionLost. May be called twice."""
        self._connection.close()
