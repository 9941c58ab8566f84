"""Which user names to try at a server, the likeliest first, never more than two (design rule 11, B6)."""

from __future__ import annotations

from fumibako.mail.diagnosis import Failure
from fumibako.mail.discovery.address import split_address
from fumibako.mail.discovery.book import Host, Service
from fumibako.mail.discovery.values import DomainSettings, LoginShape, Wish

MOST_TRIES = 2  # logins at one server with one password


def usernames(
    service: Service,
    address: str,
    wish: Wish,
    *,
    host: Host | None = None,
    settings: DomainSettings | None = None,
    worked_for_imap: str | None = None,
) -> tuple[str, ...]:
    """The user names to try. `host` is the known host of the server; `worked_for_imap` the name that reading took.

    Where the host or the settings say the shape, only that is tried; where nobody knows, the address and then the part
    before the @. Raises Failure(wrong_username_shape) where only the person can say the name; nothing was sent then.
    """
    if wish.username:
        return (wish.username,)
    if settings is not None:
        shape = settings.imap_login if service == "imap" else settings.smtp_login
        return (_name(address, shape),)
    if host is not None:
        shape = host.login_for(service)
        if host.login_sure:
            if shape == "ask" and worked_for_imap:
                return (worked_for_imap,)
            return (_name(address, shape),)
        likely = (_name(address, shape), _name(address, "local" if shape == "address" else "address"))
    else:
        likely = (address, _name(address, "local"))
    first = (worked_for_imap,) if worked_for_imap else ()
    return tuple(dict.fromkeys((*first, *likely)))[:MOST_TRIES]


def _name(address: str, shape: LoginShape) -> str:
    if shape == "ask":
        raise Failure("wrong_username_shape", detail="the user name cannot be told from the address")
    if shape == "percent":
        return address.replace("@", "%")
    return split_address(address)[0] if shape == "local" else address
