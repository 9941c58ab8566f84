"""One connection: bytes between the transport and the protocol, and which answer belongs to which command.

Theory of operation. Commands get tags, go out at once, and are ended by their tag in whatever order. An untagged
response goes to the oldest command that takes it: STATUS by the folder's name, ESEARCH by its tag, FETCH by the set
and the items that were asked for, others by their kind. What nobody takes and tells of a change is kept in `changes`.
Commands may be sent while others are under way (RFC 9051 §5.5) but for these: nothing is sent in the middle of one that
waits for a "+" (`turn`), and what gives later answers another meaning goes alone (`alone`: EXAMINE, COMPRESS), as does
a FETCH by sequence numbers behind commands during which messages may vanish.

The end comes once, by `fail`: the transport is aborted and all that waits gets the error.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, cast

from ..connect import Dropped, NotAMailServer
from . import commands
from .commands import Command, Verb
from .deflate import Deflate
from .errors import Bye, ConnectionLost, ProtocolError, TimedOut
from .grammar import capability_names
from .pending import Pending, Wanted
from .protocol import NotImap, Receiver, recognize
from .responses import (
    Capabilities,
    Change,
    Condition,
    Continuation,
    Enabled,
    Exists,
    Expunged,
    Fetched,
    Found,
    Listed,
    Memory,
    Response,
    Status,
    Vanished,
    damage_of,
)

FEWEST_BYTES = 1024  # of a body, that count as getting on
AFTER_BYE = 2.0  # seconds between BYE and the end of a connection that the server does not close
MOST_DAMAGES = 20  # answers that cannot be read, that are told in the log
MOST_CHANGES = 100_000  # that are kept until somebody asks

logger = logging.getLogger(__name__)

_PROVING = (Verb.AUTHENTICATE, Verb.LOGIN)  # their OK counts only after the secret was said
_CHANGES = (Exists, Expunged, Vanished, Fetched, Status)


class Answer(NamedTuple):
    """The end of a command that went well, and the command with what it has brought."""

    condition: Condition
    pending: Pending

    @property
    def collected(self) -> list[Response]:
        """The untagged responses that the command took."""
        return self.pending.collected


class Connection(asyncio.BufferedProtocol):
    """See the top of this file. `greeting` resolves to the server's first line."""

    def __init__(self, command_timeout: float, host: str = "") -> None:
        self._loop = asyncio.get_running_loop()
        self._host = host
        self._timeout = command_timeout
        self._receiver = Receiver()
        self._transport: asyncio.Transport | None = None
        self._serial = 0
        self._pending: dict[str, Pending] = {}
        self._error: BaseException | None = None
        self._bye: Bye | None = None
        self._paused = self._draining = self._deaf = False
        self._progress = 0.0  # when a command was last answered or a FETCH brought something
        self._in_body = 0  # bytes that came since then
        self._deflate: Deflate | None = None
        self._changed: asyncio.Future[None] | None = None
        self._woken = False
        self._damages = 0
        self.turn = asyncio.Lock()
        self.greeting: asyncio.Future[Condition] = _unread(self._loop.create_future())
        self.capabilities: frozenset[str] | None = None
        self.enabled: frozenset[str] = frozenset()
        self.notifying = False
        self.spelled: dict[bytes, bytes] = {}  # other forms of the names that NOTIFY was asked for
        self.changes: list[Change] = []

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._receiver.buffer() if self._deflate is None else self._deflate.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        if self._receiver.in_body:
            self._in_body += nbytes
            if self._in_body >= FEWEST_BYTES:
                self._in_body = 0
                self._progress = self._loop.time()
        if self._deflate is not None:
            self._deflate.received(nbytes)
            self._inflate()
            return
        self._receiver.received(nbytes)
        if not self._receiver.filling:
            self._drain()

    def _inflate(self) -> None:
        """Give the receiver what was compressed, room by room, and stop as soon as nobody wants more."""
        while self._deflate is not None and not (self._paused or self._error):
            try:
                count = self._deflate.into(self._receiver.buffer())
            except ProtocolError as error:
                self.fail(error)
                return
            if not count:
                return
            self._receiver.received(count)
            if not self._receiver.filling:
                self._drain()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self.greeting.done():
            self.fail(self._bye or ConnectionLost("the server closed the connection"))
        else:
            said = self._receiver.unread()
            self.fail(NotAMailServer(speaks=recognize(said)) if said else Dropped("closed before any greeting"))

    # Responses

    def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        before = self._deflate
        try:
            while not (self._paused or self._deaf or self._error):
                response = self._receiver.next()
                if response is None:
                    break
                self._dispatch(response)
        except NotImap as error:
            self.fail(NotAMailServer(speaks=error.speaks))
        except ProtocolError as error:
            self.fail(error)
        except Exception as error:  # of a hook: who waits is told
            self.fail(error)
        finally:
            self._draining = False
        if self._deaf:
            self._receiver.forget()
        elif before is None:
            self._inflate()  # what came behind the OK to COMPRESS

    def _dispatch(self, response: Response) -> None:
        if damage := damage_of(response):
            self._tell_damage(damage)
        if isinstance(response, Fetched):
            self._deliver(response)
        elif isinstance(response, Condition):
            self._condition(response)
        elif isinstance(response, Continuation):
            self._asked()
        else:
            if isinstance(response, Capabilities):
                self.capabilities = response.names
            elif isinstance(response, Enabled):
                self.enabled |= response.names
            self._collect(response)

    def _tell_damage(self, damage: str) -> None:
        """Name in the log what could not be read, without a word of it."""
        self._damages += 1
        if self._damages <= MOST_DAMAGES:
            logger.warning("a mail server's answer cannot be read", extra={"host": self._host, "damage": damage})

    def _deliver(self, message: Fetched) -> None:
        for pending in self._pending.values():
            if pending.wanted is not None and pending.wanted.fits(message):
                self._progress = self._loop.time()
                pending.wanted.give(message)
                return
            if pending.takes(message):
                self._progress = self._loop.time()
                pending.collect(message)
                return
        if message.body is not None or message.sections:
            self._tell_damage("FETCH without UID" if message.uid is None else "FETCH not asked for")
            return
        for pending in self._pending.values():
            if pending.wanted is not None:
                pending.wanted.keep_early(message)
        self._note(message)

    def _collect(self, response: Response) -> None:
        pending = next((pending for pending in self._pending.values() if pending.takes(response)), None)
        if pending is None and isinstance(response, Found | Status):
            pending = self._misnamed(response)
        if pending is not None:
            pending.collect(response)
        elif isinstance(response, _CHANGES) or (self.notifying and isinstance(response, Listed)):
            self._note(response)

    def _misnamed(self, response: Found | Status) -> Pending | None:
        """The command that an answer is of although the server writes its folder or tag in another way."""
        if self.notifying and isinstance(response, Status):
            return None
        waiting = (pending for pending in self._pending.values() if isinstance(response, pending.wants))
        return next((pending for pending in waiting if not pending.collected), None)

    def _note(self, change: Change) -> None:
        if len(self.changes) == MOST_CHANGES:
            raise ProtocolError("too many changes at once")
        if isinstance(change, Status | Listed) and change.name_raw in self.spelled:
            change = dataclasses.replace(change, name_raw=self.spelled[change.name_raw])
        self.changes.append(change)
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def _condition(self, condition: Condition) -> None:
        if condition.code == "CAPABILITY":
            self.capabilities = capability_names(condition.argument)
        if condition.tag is not None:
            self._answered(condition)
        elif not self.greeting.done():
            self._greet(condition)
        elif condition.kind == "BYE":
            self._said_bye(Bye(condition.words, condition.code))
        else:
            self._notice(condition)

    def _greet(self, condition: Condition) -> None:
        if condition.kind == "BYE":
            self.fail(Bye(condition.words, condition.code))
        else:
            self.greeting.set_result(condition)

    def _said_bye(self, bye: Bye) -> None:
        """The answer to a command may still follow; the end comes when the server closes, or a little later."""
        self._bye = bye
        self._loop.call_later(AFTER_BYE, self.fail, bye)

    def _notice(self, condition: Condition) -> None:
        if condition.code == "NOTIFICATIONOVERFLOW":  # RFC 5465 §5.8: it tells nothing any more
            self.notifying = False
            self._wake()
        oldest = next(iter(self._pending.values()), None)
        if oldest is not None:
            oldest.note(condition)
        self._collect(condition)

    def _answered(self, condition: Condition) -> None:
        pending = self._pending.pop((condition.tag or "").upper(), None)
        if pending is None:
            return
        self._progress = self._loop.time()
        if pending.verb is Verb.STARTTLS and condition.kind == "OK":
            self._deaf = True
        if pending.verb is Verb.NOTIFY and condition.kind == "OK":
            self.notifying = True
        if pending.verb is Verb.COMPRESS and condition.kind == "OK":
            self._deflate = Deflate(self._receiver.take_unread())
        if pending.to_ask is not None and not pending.to_ask.done():
            pending.to_ask.set_result(None)
        if not pending.done.done():
            if condition.kind == "OK" and not pending.whole and pending.verb in _PROVING:
                error = ProtocolError(f"{pending.verb}: answered before it was said")
                pending.done.set_exception(error)
                self.fail(error)
            else:
                pending.done.set_result(condition)
        self._receiver.bulk = any(other.wanted and other.wanted.content for other in self._pending.values())

    def _asked(self) -> None:
        for pending in self._pending.values():
            if pending.to_ask is not None and not pending.to_ask.done():
                pending.to_ask.set_result(None)
                return
            if pending.verb is Verb.AUTHENTICATE and pending.whole:
                self._write(b"*\r\n")  # it wants more than the mechanism has: give up (RFC 9051 §6.2.2)
                return

    # Commands

    async def run(
        self,
        command: Command,
        *,
        wants: tuple[type[Response], ...] = (),
        about: bytes | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Send a command and wait for its end: the tagged OK and the untagged responses that it takes.

        `timeout` is in seconds without its answer and without any progress of those before it. Raises CommandRefused,
        TimedOut, Bye, ConnectionLost, ProtocolError. When cancelled after it was sent, the connection is closed.
        """
        async with self.turn:
            pending = await self._send(command, wants, about, timeout)
        return await self.answer(pending, timeout)

    async def run_alone(
        self, command: Command, *, wants: tuple[type[Response], ...] = (), timeout: float | None = None
    ) -> Answer:
        """As `run`, inside `alone`."""
        return await self.answer(await self._send(command, wants, None, timeout), timeout)

    async def _send(
        self, command: Command, wants: tuple[type[Response], ...], about: bytes | None, timeout: float | None
    ) -> Pending:
        async with self.deadline(command.verb, timeout):
            pending, last = await self.begin(command, wants, about)
            self.finish(pending, last)
        return pending

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Inside, what was sent before has been answered, and what others send waits."""
        async with self.turn:
            await self.quiet()
            yield

    async def quiet(self) -> None:
        """Wait for what is under way; each command has its own deadline."""
        while self._pending:
            await asyncio.wait([pending.done for pending in self._pending.values()])

    @contextlib.asynccontextmanager
    async def deadline(self, verb: Verb, timeout: float | None = None) -> AsyncIterator[None]:
        """What is inside ends in time or ends the connection, and so does being cancelled inside."""
        try:
            async with asyncio.timeout(self._timeout if timeout is None else timeout):
                yield
        except TimeoutError:
            error = TimedOut(verb.value)
            self.fail(error)
            raise error from None
        except asyncio.CancelledError:
            self.fail(ConnectionLost(f"{verb} was given up"))
            raise

    async def begin(
        self, command: Command, wants: tuple[type[Response], ...] = (), about: bytes | None = None
    ) -> tuple[Pending, bytes]:
        """Send a command but for its last piece, each piece when the server asks for it. Needs `turn`.

        Returns the last piece for `finish`. An answer may come before that; then `finish` sends nothing.
        """
        pending, pieces = self._new(command, wants=wants, about=about)
        for piece in pieces[:-1]:
            pending.to_ask = self._loop.create_future()
            self._write(piece)
            await asyncio.wait((pending.to_ask, pending.done), return_when=asyncio.FIRST_COMPLETED)
            if pending.done.done():
                break
        return pending, pieces[-1]

    def finish(self, pending: Pending, last: bytes) -> None:
        """Send the last piece of a command, unless the server has answered already."""
        if not pending.done.done():
            pending.whole = True
            self._write(last)

    async def answer(self, pending: Pending, timeout: float | None = None) -> Answer:
        """Wait for the end of a command that was sent; raises CommandRefused for NO and BAD."""
        await self._in_time(pending, self._timeout if timeout is None else timeout)
        condition = pending.done.result()
        if condition.kind != "OK":
            raise pending.refusal(condition)
        return Answer(condition, pending)

    async def _in_time(self, pending: Pending, timeout: float) -> None:
        """Wait for the answer; the seconds begin again whenever commands before it get on."""
        sent = self._loop.time()
        try:
            while not pending.done.done():
                if self._paused:
                    self._progress = self._loop.time()
                left = max(sent, self._progress) + timeout - self._loop.time()
                if left <= 0:
                    self.fail(TimedOut(pending.verb.value))
                    return
                await asyncio.wait((pending.done,), timeout=left)
        except asyncio.CancelledError:
            self.fail(ConnectionLost(f"{pending.verb} was given up"))
            raise

    @property
    def numbers_stand(self) -> bool:
        """Whether no command is under way during which messages may vanish, so that sequence numbers hold on.

        They do not vanish during FETCH, STORE and SEARCH, but during the UID forms of these (RFC 9051 §7.5.1).
        """
        return all(pending.verb is Verb.FETCH for pending in self._pending.values())

    def fetch(self, command: Command, wanted: Wanted) -> Pending:
        """Send a FETCH now, behind what is under way; nobody else may have the `turn`."""
        pending, (piece,) = self._new(command, wanted=wanted)
        self._receiver.bulk = self._receiver.bulk or wanted.content
        self.finish(pending, piece)
        return pending

    def _new(
        self,
        command: Command,
        *,
        wants: tuple[type[Response], ...] = (),
        wanted: Wanted | None = None,
        about: bytes | None = None,
    ) -> tuple[Pending, list[bytes]]:
        self._serial += 1
        pending = Pending(f"F{self._serial}", command.verb, _unread(self._loop.create_future()), wants, wanted, about)
        if self._error is not None:
            pending.done.set_exception(self._error)
        else:
            self._pending[pending.tag] = pending
        return pending, commands.encode(pending.tag, command, self.capabilities or frozenset())

    def _write(self, data: bytes) -> None:
        if self._error is None and self._transport is not None:
            self._transport.write(data if self._deflate is None else self._deflate.compressed(data))

    async def changed(self, timeout: float, pending: Pending | None = None) -> None:
        """Return when `changes` holds something, `wake` was called, the seconds are over, or what waits has ended."""
        if not self.changes and not self._woken and self._error is None:
            self._changed = self._loop.create_future()
            waits = (self._changed, pending.done) if pending else (self._changed,)
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            self._changed = None
        self._woken = False

    def wake(self) -> None:
        """Let `changed` return, now or when it is called next."""
        self._woken = True
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def take_changes(self) -> list[Change]:
        """What has happened since this was last asked."""
        taken, self.changes = self.changes, []
        return taken

    # Flow and end

    @property
    def allocate(self) -> Callable[[int], Memory | None] | None:
        """The hook that gives memory for bodies."""
        return self._receiver.allocate

    @allocate.setter
    def allocate(self, hook: Callable[[int], Memory | None] | None) -> None:
        self._receiver.allocate = hook

    def pause_reading(self) -> None:
        """No further response until `resume_reading`."""
        if not self._paused and self._error is None and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on, first with what has been received."""
        if self._paused and self._error is None and self._transport is not None:
            self._paused = False
            self._progress = self._loop.time()
            self._transport.resume_reading()
            self._drain()
            self._inflate()

    @property
    def transport(self) -> asyncio.Transport:
        """What the connection runs over."""
        assert self._transport is not None
        return self._transport

    @property
    def compressed(self) -> bool:
        """Whether both directions are compressed."""
        return self._deflate is not None

    @property
    def tls_version(self) -> str:
        """Such as "TLSv1.3"; empty before TLS."""
        found = self.transport.get_extra_info("ssl_object")
        return (found.version() if found else None) or ""

    def after_tls(self, transport: asyncio.BaseTransport) -> None:
        """Go on over TLS, knowing nothing of what was said before."""
        self.connection_made(transport)
        self._receiver.forget()
        self._deaf = False
        self.capabilities = None
        self.enabled = frozenset()
        self.changes.clear()

    def close(self) -> None:
        """End the connection by our own will."""
        self.fail(ConnectionLost("the connection was closed by us"))

    def fail(self, error: BaseException) -> None:
        """End the connection; the first error counts. Whatever waits gets it."""
        if self._error is not None:
            return
        self._error = error
        if self._transport is not None:
            self._transport.abort()
        waiting: list[asyncio.Future[Condition]] = [self.greeting, *(p.done for p in self._pending.values())]
        self._pending.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(error)
        self._wake()

    @property
    def error(self) -> BaseException | None:
        """Why the connection ended; None while it lives."""
        return self._error


def _unread(future: "asyncio.Future[Condition]") -> "asyncio.Future[Condition]":
    """A future whose error may stay unread: when a connection ends, not everybody still waits."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future
