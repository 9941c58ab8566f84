"""`/live`: the event stream of a page, as a small ASGI application beside Django.

A Django view that streams would keep a thread for as long as the page is open and hang the shutdown. Who asks is looked
up in a task of its own, so that the thread that Django takes for it ends before the stream begins.

A stream carries no data, only `changed` ("ask again"), so nobody sees by it what they may not. It ends after ten
minutes and the browser opens it anew, by which somebody whose login has ended is noticed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from io import BytesIO
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.contrib.auth import aget_user
from django.core.handlers.asgi import ASGIRequest
from django.db import close_old_connections

from fumibako.events import Feed, Stream, topic_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LIFETIME = 600.0  # seconds
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx: pass on at once
]
CHANGED = b"event: changed\ndata: again\n\n"
HEARTBEAT = b": hb\n\n"
BEGIN = b"retry: 2000\n\n"  # milliseconds until the browser opens an ended stream again


class Live:
    """The ASGI application of the streams; whether the door is open is decided before it."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        person = await asyncio.create_task(_person_of(scope))
        if person is None:
            await answer(send, 403)
            return
        with self._feed.stream(topic_of(person)) as stream:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await send({"type": "http.response.body", "body": BEGIN, "more_body": True})
            leaving = asyncio.create_task(_until_left(receive))
            leaving.add_done_callback(lambda _: stream.end())
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LIFETIME):
                        await _write(stream, send)
            finally:
                leaving.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def answer(send: Send, status: int) -> None:
    """An answer without a body."""
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _person_of(scope: Scope) -> int | None:
    """The key of the person whose login the request's cookie is."""
    async with ThreadSensitiveContext():
        request: Any = ASGIRequest(scope, BytesIO())
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if not key:
            return None
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
        try:
            person = await aget_user(request)
            return person.pk if person.is_authenticated else None
        finally:
            await sync_to_async(close_old_connections)()  # as Django does at a request's end


async def _write(stream: Stream, send: Send) -> None:
    async for changed in stream:
        await send({"type": "http.response.body", "body": CHANGED if changed else HEARTBEAT, "more_body": True})


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
