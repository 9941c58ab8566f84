"""The web process's application: Django, and the event streams beside it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.core.handlers.asgi import ASGIHandler

from fumibako.events import Feed, connect_directly
from fumibako.site.doors import permitted
from fumibako.web.live import Live, answer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Application:
    """Sends a request to where it is answered. The feed runs from the server's start to its end (lifespan)."""

    def __init__(self) -> None:
        self.feed = Feed(connect_directly)
        self._live = Live(self.feed)
        self._django = ASGIHandler()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"] != "/live":
            await self._django(scope, receive, send)  # type: ignore[arg-type]
        elif scope["method"] != "GET":
            await answer(send, 405)
        elif not permitted(scope):
            await answer(send, 403)
        else:
            await self._live(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        listening = asyncio.create_task(self.feed.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        await send({"type": "lifespan.shutdown.complete"})
