"""Mail that arrives while the server runs, so that somebody who watches the product sees it notice."""

import asyncio
import logging
import random
import sqlite3
from datetime import UTC, datetime

from fumibako.site.sample.folders import Folder
from fumibako.site.sample.letters import JST, blocks
from fumibako.site.sample.mailbox import FILLED, SEED, written_until
from fumibako.site.sample.store import Store
from fumibako.site.sample.texts.cast import PEOPLE
from fumibako.site.sample.writing import ME, Desk, Written

FIRST = 20.0  # seconds after the start: while the new user is still looking
JITTER = 0.4  # of the interval, to either side
ARRIVED = "arrived"  # the counter of mails that have arrived
log = logging.getLogger(__name__)


async def arrive(store: Store, inbox: Folder, every: float) -> None:
    """Deliver a mail about every `every` seconds, the first one after 20 seconds at most; never when it is 0."""
    delay = min(FIRST, every)
    while every > 0:
        await asyncio.sleep(delay)
        delay = every * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        try:
            deliver_next(store, inbox, datetime.now(UTC))
        except sqlite3.OperationalError as full:
            log.warning("The sample mail server could not store a mail: %s", full)


def deliver_next(store: Store, inbox: Folder, now: datetime) -> int:
    """Deliver the next mail of the list, from its beginning again with other numbers when it is through; its UID."""
    with store.transaction():
        number = store.counter(ARRIVED)
        store.set_counter(ARRIVED, number + 1)
        written_at = datetime.fromtimestamp(store.counter(FILLED), UTC)
        return inbox.deliver(arriving(number, written_at, now).raw, now.astimezone(JST))


def arriving(number: int, written_at: datetime, now: datetime) -> Written:
    """The mail that arrives as this number (from 0) in a mailbox that was written at that moment."""
    letters = list(blocks("arriving.txt"))
    turn, place = divmod(number, len(letters))
    block, desk, moment = letters[place], Desk(f"{SEED} {number}"), now.astimezone(JST).replace(microsecond=0)
    values = {"n": desk.rng.randrange(1000, 10000)}
    if block.options["from"] == "reply":
        awaited = _unanswered(written_at)
        last = awaited[turn % len(awaited)]
        return desk.write(block, last.to, ME, moment, values, after=last, answers=True)
    return desk.write(block, PEOPLE[block.options["from"]], ME, moment, values)


def _unanswered(written_at: datetime) -> list[Written]:
    """Our letters to customers that nobody has answered, newest first."""
    letters = written_until(written_at, Desk(SEED))
    answered = {mail.ids[-2] for mail in letters if not mail.ours and len(mail.ids) > 1}
    return [mail for mail in reversed(letters) if mail.ours and not mail.to.inside and mail.ids[-1] not in answered]
