"""The web port."""

import errno
import socket
import time

from fumibako.site.refusal import Refusal
from fumibako.site.words import gettext

BACKLOG = 1024
LINGER = 0.5  # seconds that the web server of a killed `up` may need to be gone


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises Refusal when the port is taken or the address not ours."""
    end = time.monotonic() + LINGER
    while True:
        try:
            return _listen(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < end:
                time.sleep(0.05)
                continue
            raise Refusal(_sentence(error, host, port)) from error


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening


def _sentence(error: OSError, host: str, port: int) -> str:
    where = {"host": host, "port": port, "error": error.strerror or error}
    if error.errno == errno.EADDRINUSE:
        return gettext("Port %(port)d at %(host)s is taken by another program. Choose another with --port.") % where
    if error.errno == errno.EACCES:
        return gettext("Port %(port)d needs more rights. Choose one above 1023 with --port.") % where
    return gettext("Cannot listen at %(host)s, port %(port)d: %(error)s.") % where
