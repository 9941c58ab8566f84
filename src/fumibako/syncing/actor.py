"""The one writer of a mailbox: logs in, imports, watches, and knows what to do when any of it fails.

session: connect → login → folders → first screens → the rest of the import → watch
a fault of the server or the network → ``retrying``, again after a growing while
a refused login → design rule 10: ``retrying`` for 15 minutes, refused again → ``needs_attention``, two silent tries
the mailbox has changed (generation) → the session begins anew with what it is now
"""

import asyncio
import logging
import random

from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from fumibako.archive import Stale
from fumibako.context import working_on
from fumibako.linking import ACTIVE, MOVE, SecretLost, State, move
from fumibako.mail.connect import ConnectError
from fumibako.mail.diagnosis import Failure, diagnose
from fumibako.mail.imap import CommandRefused, ImapClient, ImapError
from fumibako.syncing.hands import Hands
from fumibako.syncing.importing import fetch_mail, look
from fumibako.syncing.mailbox import Mailbox, load_folders, load_mailbox, note_folders
from fumibako.syncing.pipeline import FIRST
from fumibako.syncing.watch import watch

FIRST_PAUSE = 5.0  # seconds before the first try after a fault
LONGEST_PAUSE = 300.0  # seconds; an outage that ends is noticed within five minutes
PAUSE_GROWTH = 2.0
STEADY = 120.0  # seconds that a session must last before the pause shrinks again
OUTAGE_PAUSE = 1.0  # seconds between tries while the database is away
REFUSED_PAUSES = {1: 15 * 60.0, 2: 2 * 3600.0, 3: 12 * 3600.0}  # seconds to the next login after so many refusals
CREDENTIALS = frozenset(
    {"wrong_credentials", "wrong_password", "wrong_username_shape", "no_mailbox_at_address", "password_expired"}
)
"""Causes that count as a refusal of the secret itself."""

logger = logging.getLogger(__name__)


class Actor:
    """Looks after one mailbox until it is cancelled or the mailbox needs nobody."""

    def __init__(self, hands: Hands, mailbox: int) -> None:
        self._hands = hands
        self._mailbox = mailbox
        self._pause = FIRST_PAUSE
        self._tried = False
        self._try_now = asyncio.Event()

    def try_now(self) -> None:
        """Do not wait for the next try."""
        self._try_now.set()

    async def run(self) -> None:
        """Look after the mailbox; returns when it is unlinked, paused or waits for a person."""
        while True:
            try:
                box = await load_mailbox(self._hands.pool, self._mailbox)
                if box is None:
                    return
                with working_on(mailbox=box.public_id):
                    if not await self._attend(box):
                        return
            except Stale:
                logger.info("the mailbox has changed; beginning anew")
            except (OperationalError, PoolTimeout) as error:
                logger.warning("a mailbox waits for the database", extra={"error": type(error).__name__})
                await asyncio.sleep(OUTAGE_PAUSE)

    async def _attend(self, box: Mailbox) -> bool:
        """One session; returns whether there is to be another."""
        if State(box.state) not in {*ACTIVE, State.NEEDS_ATTENTION}:
            return False
        if box.state == State.RETRYING and box.next_try_in > 0 and not self._tried:
            await self._wait(box.next_try_in)
        self._tried = True
        began = asyncio.get_running_loop().time()
        try:
            await self._session(box)
        except Stale:
            self._hands.shards.doubt()
            return self._hands.shards.holds(box.shard)
        except (ConnectError, ImapError, OSError) as error:
            if asyncio.get_running_loop().time() - began > STEADY:
                self._pause = FIRST_PAUSE
            return await self._failed(box, diagnose(error, stage="login"))
        except SecretLost:
            await self._move(box, State.NEEDS_ATTENTION, cause="wrong_password", cause_stage="login")
            return False
        except (OperationalError, PoolTimeout):
            raise
        except Exception:
            # A fault of ours in one mailbox ends no other, and the page says that this one does not run.
            logger.exception("a session failed")
            return await self._retry(box)
        return True

    async def _session(self, box: Mailbox) -> None:
        hands = self._hands
        async with await ImapClient.connect(box.server, hands.network) as client:
            await client.login(box.imap_username, box.secret(), box.imap_mechanism)
            await client.identify()
            hands.pulse.beat(box.id, box.organization)
            await note_folders(hands.pool, box, await client.list_folders())
            await self._import(client, box)
            await hands.pulse.flush()
            await self._move(box, State.LIVE)
            await watch(hands, client, box)

    async def _import(self, client: ImapClient, box: Mailbox) -> None:
        """Bring what is not known: first screens of what receives and of what was sent, then folder by folder.

        The other folders are looked at before the long part begins, so that its progress knows where it ends.
        """
        folders = await load_folders(self._hands.pool, box.id)
        first = [folder for folder in folders if folder.role in {"inbox", "sent"}]
        others = [folder for folder in folders if folder not in first]
        importing = box.state == State.LIVE
        for folder, upto in [*((f, FIRST) for f in first), *((f, 0) for f in others), *((f, None) for f in folders)]:
            try:
                looked = await look(self._hands, client, box, folder)
            except CommandRefused as refused:
                logger.warning("a folder cannot be opened", extra={"folder": folder.id, "reply": refused.code})
                continue
            if len(looked.wanted) and not importing:
                await self._move(box, State.IMPORTING)
                importing = True
            await fetch_mail(self._hands, client, box, looked, newest=upto, urgent=upto is not None)

    async def _failed(self, box: Mailbox, failure: Failure) -> bool:
        words = failure.server_words or ""
        told = {"cause": failure.cause, "cause_stage": failure.stage, "server_words": words}
        logger.warning("a mailbox cannot be reached", extra={"cause": failure.cause, "stage": failure.stage})
        refused = failure.cause in CREDENTIALS
        if not refused and (failure.about.stage != "login" or failure.retry != "never"):
            return await self._retry(box, **told)
        refusals = box.refusals + 1
        pause = REFUSED_PAUSES.get(refusals) if refused and box.worked else None
        if pause is not None and refusals == 1:
            await self._move(box, State.RETRYING, **told, refusals=refusals, next_try_in=pause)
            return await self._wait(pause)
        await self._move(box, State.NEEDS_ATTENTION, **told, refusals=refusals, next_try_in=pause)
        return False

    async def _retry(self, box: Mailbox, **told: str) -> bool:
        pause = self._pause * random.uniform(0.8, 1.2)  # noqa: S311
        self._pause = min(self._pause * PAUSE_GROWTH, LONGEST_PAUSE)
        await self._move(box, State.RETRYING, **told, refusals=box.refusals, next_try_in=pause)
        return await self._wait(pause)

    async def _wait(self, seconds: float) -> bool:
        self._try_now.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._try_now.wait()
        except TimeoutError:
            pass
        return True

    async def _move(
        self,
        box: Mailbox,
        state: State,
        *,
        cause: str = "",
        cause_stage: str = "",
        server_words: str = "",
        refusals: int = 0,
        next_try_in: float | None = None,
    ) -> None:
        """Move the mailbox's state. Raises Stale when the mailbox has changed meanwhile."""
        parameters = move(
            box.id,
            state,
            generation=box.generation,
            cause=cause,
            cause_stage=cause_stage,
            server_words=server_words,
            refusals=refusals,
            next_try_in=next_try_in,
        )
        async with self._hands.pool.connection() as connection:
            cursor = await connection.execute(MOVE, parameters)
            if await cursor.fetchone() is None:
                raise Stale("the mailbox has changed")
        self._hands.numberer.wake()
