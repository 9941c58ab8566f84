"""One log line a request, and an id that all lines of the request carry."""

import logging
import re
import secrets
import time
from collections.abc import Callable

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse

from fumibako.context import working_on

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
ANSWERS = (Http404, PermissionDenied, BadRequest, SuspiciousOperation)
ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")  # of a proxy's own id


class RequestLog:
    """Middleware: takes the proxy's X-Request-ID or makes one, tells it to the browser, and logs how it went.

    The path is logged, never the query: what was searched for is a person's own.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        request_id = given if ACCEPTED.fullmatch(given) else secrets.token_hex(8)
        begin = time.perf_counter()
        with working_on(request=request_id):
            response = self.get_response(request)
            if request.path != "/healthz":
                self._log(request, response, begin)
        response.headers[HEADER] = request_id
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Log what a view did not catch, with its traceback; Django then answers 500. A 404 or 403 is an answer."""
        if isinstance(exception, ANSWERS):
            return
        logger.error("%s failed", _shown(request), exc_info=exception)

    def _log(self, request: HttpRequest, response: HttpResponse, begin: float) -> None:
        milliseconds = round((time.perf_counter() - begin) * 1000)
        facts = {"method": request.method, "path": _shown(request), "status": response.status_code, "ms": milliseconds}
        logger.info("%(method)s %(path)s %(status)d in %(ms)d ms", facts, extra=facts)


def _shown(request: HttpRequest) -> str:
    """The route where there is one: addresses of one-time links are secrets."""
    match = request.resolver_match
    return f"/{match.route}" if match else request.path
