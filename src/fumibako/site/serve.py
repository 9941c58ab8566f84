"""The web server: uvicorn with Django and the event streams."""

import asyncio
import socket
from types import FrameType

import uvicorn
from django.conf import settings

from fumibako.site.asgi import Application

GRACE = 3  # seconds for requests under way when the server is told to stop


class WebServer(uvicorn.Server):
    """Ends the event streams when it is told to stop; uvicorn itself would wait for the browsers to leave."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self._application = application
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop: signals come from outside of it."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._application.feed.end_all)


def serve(listening: socket.socket) -> None:
    """Answer requests until SIGTERM or SIGINT. Proxies are believed as FUMIBAKO_TRUSTED_PROXIES says."""
    application = Application()
    config = uvicorn.Config(
        application,
        loop="uvloop",
        ws="none",
        lifespan="on",
        forwarded_allow_ips=settings.FUMIBAKO_TRUSTED_PROXIES,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    WebServer(config, application).run([listening])
