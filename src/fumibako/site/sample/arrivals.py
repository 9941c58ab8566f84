"""Mail that arrives while the server runs."""

import asyncio
from datetime import UTC, datetime

from fumibako.site.sample.folders import Folder
from fumibako.site.sample.mailbox import FIRST
from fumibako.site.sample.store import Store


async def arrive(store: Store, inbox: Folder, every: float) -> None:
    """Deliver a mail about every `every` seconds, the first one after 20 seconds at most; never when it is 0."""
    delay = min(20.0, every)
    while every:
        await asyncio.sleep(delay)
        delay, now = every, datetime.now(UTC)
        number = store.counter("arrivals") + 1
        store.set_counter("arrivals", number)
        inbox.deliver(FIRST.format(n=f"arrival.{number}", date=now).encode(), now)
