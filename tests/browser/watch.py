"""What a browser must never meet while somebody uses the pages."""

from dataclasses import dataclass, field

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response

HARMLESS = ("the server responded with a status of 422", "htmx:afterRequest", "htmx:sendAbort")
"""What the console says of a form that comes back with what is wrong in it, and of a request that a newer one replaces.

(Of a request that fails, htmx says `htmx:sendError` too.)
"""


@dataclass
class Complaints:
    """Errors of pages that are shown, in any watched browser; `requests` holds every address that was asked for."""

    base_url: str
    lines: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        """Collect what goes wrong in this browser from now on."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.lines.append(f"script: {error.error}"))
        context.on("request", self._request)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(words in message.text for words in HARMLESS):
            self.lines.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((self.base_url, "data:")):
            self.lines.append(f"request to another host: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status == 404 or response.status >= 500:
            self.lines.append(f"{response.status}: {response.url}")
