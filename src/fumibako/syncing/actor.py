"""The one writer of a mailbox: logs in, imports, watches, and knows what to do when any of it fails.

session: a place at the host → connect → login → folders → first screens → watch, beside it the rest of the import
a fault of the server or the network → ``retrying``, again after a growing while
a refused login → design rule 10 (``refusals``)
others wait for a place at the host → the session ends after its look, and begins again in its turn
the mailbox has changed (generation) → the session begins anew with what it is now
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from fumibako.archive import Stale
from fumibako.context import working_on
from fumibako.linking import ACTIVE, MOVE, SecretLost, State, move
from fumibako.mail.connect import ConnectError
from fumibako.mail.diagnosis import Failure, diagnose
from fumibako.mail.discovery import host_id_of
from fumibako.mail.imap import CommandRefused, ImapClient, ImapError
from fumibako.syncing.backoff import Backoff
from fumibako.syncing.budget import Lease
from fumibako.syncing.database import OUTAGE_SECONDS, steadily
from fumibako.syncing.folders import note_folders
from fumibako.syncing.hands import Hands
from fumibako.syncing.importing import Backlog
from fumibako.syncing.looking import begin
from fumibako.syncing.mailbox import Folder, Mailbox, load_mailbox, note_refusal
from fumibako.syncing.refusals import record_failure, record_login
from fumibako.syncing.watch import INTERVAL, ITEMS, Errands, Watch

logger = logging.getLogger(__name__)


class Actor:
    """Looks after one mailbox until it is cancelled or the mailbox needs nobody."""

    def __init__(self, hands: Hands, mailbox: int) -> None:
        self._hands = hands
        self._mailbox = mailbox
        self._backoff = Backoff()
        self._errands = Errands()
        self._client: ImapClient | None = None
        self._try_now = asyncio.Event()
        self._clock = asyncio.get_running_loop().time

    def try_now(self) -> None:
        """Do not wait for the next try."""
        self._try_now.set()

    def prove_now(self) -> None:
        """Prove that nothing is missing, as soon as the mailbox is being watched."""
        self._errands.prove = True
        if self._client is not None:
            self._client.wake()

    async def run(self) -> None:
        """Look after the mailbox; returns when it is unlinked, paused or waits for a person, or the shard is lost."""
        while True:
            box = await load_mailbox(self._hands, self._mailbox)
            if box is None or not self._hands.shards.holds(box.shard):
                return
            with working_on(mailbox=box.public_id):
                if not await self._attend(box):
                    return

    async def _attend(self, box: Mailbox) -> bool:
        """One session, and what follows from its end; returns whether there is to be another."""
        if State(box.state) not in {*ACTIVE, State.NEEDS_ATTENTION}:
            return False
        if box.state == State.RETRYING:
            await steadily(lambda: self._hands.incidents.wait(box.id, box.next_try_in, self._try_now))
        try:
            return await self._try(box)
        except Stale:
            logger.info("the mailbox has changed; beginning anew")
            self._hands.shards.doubt()
        except (OperationalError, PoolTimeout) as error:
            logger.warning("a mailbox waits for the database", extra={"error": type(error).__name__})
            await asyncio.sleep(OUTAGE_SECONDS)
        return True

    async def _try(self, box: Mailbox) -> bool:
        try:
            await self._session(box)
        except SecretLost:
            await self._move(box, State.NEEDS_ATTENTION, cause="wrong_password", cause_stage="login")
            return False
        except _Failed as failed:
            return await self._failed(box, failed.failure, failed.lived)
        except (Stale, OperationalError, PoolTimeout):
            raise
        except Exception:
            # A fault of ours in one mailbox ends no other, and the page says that this one does not run.
            logger.exception("a session failed")
            await self._move(box, State.RETRYING, next_try_in=self._backoff.pause(0.0))
        return True

    async def _session(self, box: Mailbox) -> None:
        began = self._clock()
        async with self._connected(box, first=True) as (client, lease):
            if await steadily(lambda: record_login(self._hands.pool, box.id)):
                self._hands.numberer.wake()
            self._hands.pulse.beat(box.id, box.organization)
            self._client = client
            backlog = Backlog(self._hands, box)
            await self._first_looks(client, box, backlog)
            await steadily(self._hands.pulse.flush)
            await self._watch(client, box, backlog, lease)
        await self._give_way(box, began)

    @contextlib.asynccontextmanager
    async def _connected(self, box: Mailbox, *, first: bool) -> AsyncIterator[tuple[ImapClient, Lease]]:
        """A connection that is logged in, within the host's budget. Raises _Failed for what the host does."""
        logged_in: float | None = None
        stage = "login"
        try:
            async with self._hands.budgets.connection(box.limit_key, first=first) as lease:  # noqa: SIM117
                async with await ImapClient.connect(box.server, self._hands.network) as client:
                    await client.login(box.imap_username, box.secret(), box.imap_mechanism)
                    lease.logged_in()
                    logged_in, stage = self._clock(), lease.stage
                    await client.identify()
                    await client.enable()
                    yield client, lease
                    await client.logout()
        except (ConnectError, ImapError, OSError) as error:
            failure = diagnose(error, stage=stage, host_id=host_id_of(box.imap_host))
            raise _Failed(failure, self._clock() - logged_in if logged_in is not None else 0.0) from error

    async def _first_looks(self, client: ImapClient, box: Mailbox, backlog: Backlog) -> None:
        """Bring the first screens of what receives and of what was sent; see how much there is in every folder.

        A folder of which all is known and whose STATUS has not changed is not opened.
        """
        folders = await note_folders(self._hands, client, box)
        settled = [folder for folder in folders if folder.is_settled(box)]
        answers = await client.statuses([folder.name_raw for folder in settled], ITEMS)
        unchanged = {
            folder.id
            for folder, status in zip(settled, answers, strict=True)
            if not isinstance(status, CommandRefused) and folder.unchanged(status)
        }
        for folder in folders:
            if folder.id not in unchanged:
                await self._begin(client, box, folder, backlog)
        if len(backlog) and box.state != State.LIVE:
            await self._move(box, State.IMPORTING)

    async def _begin(self, client: ImapClient, box: Mailbox, folder: Folder, backlog: Backlog) -> None:
        try:
            await begin(self._hands, client, box, folder.id, backlog, screen=folder.role in {"inbox", "sent"})
        except CommandRefused as refused:
            logger.warning("a folder cannot be opened", extra={"folder": folder.id, "reply": refused.code})
            await note_refusal(self._hands, box, folder, refused.reply)

    async def _watch(self, client: ImapClient, box: Mailbox, backlog: Backlog, lease: Lease) -> None:
        """Watch, and import what is left on a second connection where the host allows one, else on this one."""
        second = bool(len(backlog)) and self._hands.budgets.spare(box.limit_key)
        self._errands.leave = lambda: lease.wanted
        watch = Watch(
            self._hands,
            client,
            box,
            backlog,
            self._errands,
            brings=not second,
            imported=lambda: self._move(box, State.LIVE),
        )
        if not len(backlog):
            await self._move(box, State.LIVE)
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = [tasks.create_task(self._wake_when_wanted(client, lease))]
                if second:
                    beside.append(tasks.create_task(self._import(box, backlog)))
                await watch.run()
                for task in beside:
                    task.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _wake_when_wanted(self, client: ImapClient, lease: Lease) -> None:
        await lease.until_wanted()
        client.wake()

    async def _import(self, box: Mailbox, backlog: Backlog) -> None:
        async with self._connected(box, first=False) as (client, _):
            await client.compress()
            while len(backlog):
                await backlog.bring(client, at_once=True)
        await self._move(box, State.LIVE)

    async def _give_way(self, box: Mailbox, began: float) -> None:
        """Let others have the place at the host, until it is time for the next look."""
        interval = self._hands.budgets.interval(box.limit_key) or INTERVAL
        self._try_now.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(began + interval - self._clock(), 0.0)):
                await self._try_now.wait()

    async def _failed(self, box: Mailbox, failure: Failure, lived: float) -> bool:
        logger.warning("a mailbox cannot be reached", extra={"cause": failure.cause, "stage": failure.stage})
        pause = max(self._backoff.pause(lived), self._hands.budgets.pause(box.limit_key))
        verdict = await steadily(lambda: record_failure(self._hands.pool, box.id, box.generation, failure, pause=pause))
        self._hands.numberer.wake()
        return verdict.state is State.RETRYING

    async def _move(self, box: Mailbox, state: State, **told: str | float) -> None:
        """Move the mailbox's state. Raises Stale when the mailbox has changed meanwhile."""
        parameters = move(box.id, state, generation=box.generation, **told)

        async def write() -> bool:
            async with self._hands.pool.connection() as connection:
                return await (await connection.execute(MOVE, parameters)).fetchone() is not None

        if not await steadily(write):
            raise Stale("the mailbox has changed")
        self._hands.numberer.wake()


class _Failed(Exception):
    """The host has ended a session, or not let it begin; ``lived`` is how many seconds it had been logged in."""

    def __init__(self, failure: Failure, lived: float) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.lived = lived
