"""One connection: bytes between the transport and the protocol, and which answer belongs to which command.

Theory of operation. Commands get tags and wait in the order in which they were sent; the server answers in that order.
An untagged response goes to the oldest command that wants its kind; FETCH answers go to the oldest FETCH whose set,
and whose items, they fit; what nobody wants and tells of a change of the open folder is kept in `changes`. Commands may
be sent while others are under way, but nothing is sent in the middle of one that waits for a "+" (`turn`).

The end comes once, by `fail`: the transport is aborted and all that waits gets the error.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, cast

from ..connect import Dropped, NotAMailServer
from .commands import Command, Verb, encode
from .errors import Bye, ConnectionLost, ProtocolError, TimedOut
from .grammar import capability_names
from .pending import Pending, Wanted
from .protocol import NotImap, Receiver, recognize
from .responses import (
    Capabilities,
    Change,
    Condition,
    Continuation,
    Exists,
    Expunged,
    Fetched,
    Memory,
    Response,
    Status,
    Vanished,
)

AFTER_BYE = 2.0  # seconds between BYE and the end of a connection that the server does not close
MOST_CHANGES = 100_000  # that are kept until somebody asks

_PROVING = (Verb.AUTHENTICATE, Verb.LOGIN)  # their OK counts only after the secret was said
_CHANGES = (Exists, Expunged, Vanished, Fetched, Status)


class Answer(NamedTuple):
    """The end of a command that went well, and what it brought."""

    condition: Condition
    collected: list[Response]


class Connection(asyncio.BufferedProtocol):
    """See the top of this file. `greeting` resolves to the server's first line."""

    def __init__(self, command_timeout: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = command_timeout
        self._receiver = Receiver()
        self._transport: asyncio.Transport | None = None
        self._serial = 0
        self._pending: dict[str, Pending] = {}
        self._error: BaseException | None = None
        self._bye: Bye | None = None
        self._paused = self._draining = self._deaf = False
        self._watch: asyncio.TimerHandle | None = None
        self._progress = 0.0  # when a FETCH last brought something
        self._changed: asyncio.Future[None] | None = None
        self.turn = asyncio.Lock()
        self.greeting: asyncio.Future[Condition] = _quiet(self._loop.create_future())
        self.capabilities: frozenset[str] | None = None
        self.changes: list[Change] = []

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._receiver.buffer()

    def buffer_updated(self, nbytes: int) -> None:
        if self._receiver.in_body:
            self._progress = self._loop.time()
        self._receiver.received(nbytes)
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

    def _dispatch(self, response: Response) -> None:
        if isinstance(response, Fetched):
            self._deliver(response)
        elif isinstance(response, Condition):
            self._condition(response)
        elif isinstance(response, Continuation):
            self._asked()
        else:
            if isinstance(response, Capabilities):
                self.capabilities = response.names
            self._collect(response)

    def _deliver(self, message: Fetched) -> None:
        for pending in self._pending.values():
            if pending.wanted is not None and pending.wanted.fits(message):
                self._progress = self._loop.time()
                pending.wanted.on_message(message)
                return
        self._note(message)

    def _collect(self, response: Response) -> None:
        for pending in self._pending.values():
            if isinstance(response, pending.wants):
                pending.collect(response)
                return
        if isinstance(response, _CHANGES):
            self._note(response)

    def _note(self, change: Change) -> None:
        if len(self.changes) == MOST_CHANGES:
            raise ProtocolError("too many changes at once")
        self.changes.append(change)
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
        oldest = next(iter(self._pending.values()), None)
        if oldest is not None:
            oldest.note(condition)
        self._collect(condition)

    def _answered(self, condition: Condition) -> None:
        pending = self._pending.pop(condition.tag or "", None)
        if pending is None:
            return
        if pending.verb is Verb.STARTTLS and condition.kind == "OK":
            self._deaf = True
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
        timeout: float | None = None,
    ) -> Answer:
        """Send a command and wait for its end: the tagged OK and the untagged responses of the wanted types.

        Raises CommandRefused, TimedOut, Bye, ConnectionLost, ProtocolError. When cancelled, the connection is closed.
        """
        async with self.deadline(command.verb, timeout):
            async with self.turn:
                pending, last = await self.begin(command, wants)
                self.finish(pending, last)
            return await self.answer(pending)

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

    async def begin(self, command: Command, wants: tuple[type[Response], ...] = ()) -> tuple[Pending, bytes]:
        """Send a command but for its last piece, each piece when the server asks for it. Needs `turn`.

        Returns the last piece for `finish`. An answer may come before that; then `finish` sends nothing.
        """
        pending, pieces = self._new(command, wants=wants)
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

    async def answer(self, pending: Pending) -> Answer:
        """Wait for the end of a command; raises CommandRefused for NO and BAD."""
        condition = await pending.done
        if condition.kind != "OK":
            raise pending.refusal(condition)
        return Answer(condition, pending.collected)

    def fetch(self, command: Command, wanted: Wanted) -> Pending:
        """Send a FETCH now, behind those under way. When its `done` is cancelled, the connection is closed."""
        if self.turn.locked():
            raise RuntimeError("another command waits for the server's word before it goes on")
        pending, (piece,) = self._new(command, wanted=wanted)
        pending.done.add_done_callback(self._fetch_cancelled)
        self._receiver.bulk = self._receiver.bulk or wanted.content
        if self._watch is None:
            self._progress = self._loop.time()
            self._watch = self._loop.call_later(self._timeout, self._check_progress)
        self.finish(pending, piece)
        return pending

    def _fetch_cancelled(self, done: "asyncio.Future[Condition]") -> None:
        if done.cancelled():
            self.fail(ConnectionLost("FETCH was given up"))

    def _check_progress(self) -> None:
        self._watch = None
        if self._error or not any(pending.wanted for pending in self._pending.values()):
            return
        now = self._loop.time()
        if self._paused:
            self._progress = now
        if now - self._progress >= self._timeout:
            self.fail(TimedOut(Verb.FETCH.value))
        else:
            self._watch = self._loop.call_at(self._progress + self._timeout, self._check_progress)

    def _new(
        self, command: Command, *, wants: tuple[type[Response], ...] = (), wanted: Wanted | None = None
    ) -> tuple[Pending, list[bytes]]:
        self._serial += 1
        pending = Pending(f"F{self._serial}", command.verb, _quiet(self._loop.create_future()), wants, wanted)
        if self._error is not None:
            pending.done.set_exception(self._error)
        else:
            self._pending[pending.tag] = pending
        return pending, encode(pending.tag, command, self.capabilities or frozenset())

    def _write(self, data: bytes) -> None:
        if self._error is None and self._transport is not None:
            self._transport.write(data)

    async def changed(self, timeout: float, pending: Pending | None = None) -> None:
        """Return when `changes` holds something, the seconds are over, or the command or the connection has ended."""
        if not self.changes and self._error is None:
            self._changed = self._loop.create_future()
            waits = (self._changed, pending.done) if pending else (self._changed,)
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            self._changed = None

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

    @property
    def transport(self) -> asyncio.Transport:
        """What the connection runs over."""
        assert self._transport is not None
        return self._transport

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
        self.changes.clear()

    def close(self) -> None:
        """End the connection by our own will."""
        self.fail(ConnectionLost("the connection was closed by us"))

    def fail(self, error: BaseException) -> None:
        """End the connection; the first error counts. Whatever waits gets it."""
        if self._error is not None:
            return
        self._error = error
        if self._watch is not None:
            self._watch.cancel()
        if self._transport is not None:
            self._transport.abort()
        waiting: list[asyncio.Future[Condition]] = [self.greeting, *(p.done for p in self._pending.values())]
        self._pending.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(error)
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    @property
    def error(self) -> BaseException | None:
        """Why the connection ended; None while it lives."""
        return self._error


def _quiet(future: "asyncio.Future[Condition]") -> "asyncio.Future[Condition]":
    """A future whose error may stay unread: when a connection ends, not everybody still waits."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future
