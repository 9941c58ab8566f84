"""Who may come in by which door.

- `KnownHost`: only for names that are this installation's. A page of somewhere else that points its own name at us (DNS
  rebinding) gets nothing.
- `EncryptedOnly`: mail passwords and logins are not taken over plain HTTP, except from this machine. A proxy that is
  trusted (FUMIBAKO_TRUSTED_PROXIES) says by X-Forwarded-Proto how the browser came; uvicorn has by then put that, and
  the browser's address, in the request's place of its own. `up --insecure-lan` opens this door.
"""

import socket
from collections.abc import Callable, MutableMapping
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext

from fumibako.site.language import chosen_language

OPEN_PATHS = ("/healthz", "/static/")  # no secret goes either way


def is_loopback(host: str) -> bool:
    """Whether a name or address means this machine itself, whatever a DNS says."""
    host = host.strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 §6.3
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_known_host(header: str, *, encrypted: bool) -> bool:
    """Whether a Host header names this installation.

    Where FUMIBAKO_HOSTS lists names, those (and loopback). Else: addresses, which no foreign page can be at; the name
    of this machine; and whatever name a trusted proxy took the request for, since it has a certificate for it.
    """
    domain = split_domain_port(header)[0].rstrip(".")
    if not domain:
        return False
    if is_loopback(domain):
        return True
    if settings.FUMIBAKO_HOSTS:
        return domain in (name.lower() for name in settings.FUMIBAKO_HOSTS)
    return encrypted or _is_address(domain) or domain in _own_names()


def is_protected(client: str, header: str, *, encrypted: bool) -> bool:
    """Whether what is typed on a page reaches us unread: encrypted, or without leaving this machine.

    `client` is the browser's address. Both it and the name must be this machine's: a proxy here that tells nothing of
    its browser passes on the name that was asked for.
    """
    return encrypted or (is_loopback(client) and is_loopback(split_domain_port(header)[0]))


def permitted(scope: MutableMapping[str, Any]) -> bool:
    """The same two doors for an ASGI request that Django does not see."""
    headers = dict(scope["headers"])
    header = headers.get(b"host", b"").decode("latin-1")
    client = (scope.get("client") or ("",))[0]
    encrypted = scope.get("scheme") == "https"
    return is_known_host(header, encrypted=encrypted) and (
        settings.FUMIBAKO_INSECURE_LAN or is_protected(client, header, encrypted=encrypted)
    )


class KnownHost:
    """Middleware: answers 400 to names that are not ours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        header = request.META.get("HTTP_HOST", "")
        if request.path == "/healthz" or is_known_host(header, encrypted=request.is_secure()):
            return self.get_response(request)
        with translation.override(chosen_language(request)):
            text = gettext("This address is not known here. The operator lists it in FUMIBAKO_HOSTS.")
        return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")


class EncryptedOnly:
    """Middleware: answers plain HTTP from elsewhere with what an admin can do, and marks cookies of HTTPS as such."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not self._may_pass(request):
            return _https_page(request)
        response = self.get_response(request)
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response

    def _may_pass(self, request: HttpRequest) -> bool:
        return (
            settings.FUMIBAKO_INSECURE_LAN
            or request.path.startswith(OPEN_PATHS)
            or is_protected(
                request.META["REMOTE_ADDR"], request.META.get("HTTP_HOST", ""), encrypted=request.is_secure()
            )
        )


def _https_page(request: HttpRequest) -> HttpResponse:
    language = request.GET.get("language", "")
    if language not in dict(settings.LANGUAGES):
        language = chosen_language(request)
    domain = split_domain_port(request.META.get("HTTP_HOST", ""))[0]
    context = {
        "local_url": f"http://localhost:{settings.FUMIBAKO_PORT}",
        "other_language": "en" if language == "ja" else "ja",
        "port": settings.FUMIBAKO_PORT,
        "name": "fumibako.example.co.jp" if _is_address(domain) else domain,
        "https_url": f"https://{domain}/",
    }
    with translation.override(language):
        return render(request, "web/https.html", context, status=403)


def _is_address(domain: str) -> bool:
    try:
        ip_address(domain.strip("[]"))
    except ValueError:
        return False
    return True


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, name.partition(".")[0], f"{name.partition('.')[0]}.local"}
