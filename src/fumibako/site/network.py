"""The outside world as the operator allows it (`fumibako.mail.connect.Network`), made from the settings."""

import socket
from ipaddress import ip_address, ip_network
from pathlib import Path

from django.conf import settings

from fumibako.mail.connect import AllowedNetwork, Authority, IPAddress, Network, parse_private_hosts
from fumibako.site.data_folder import Sample

LOOPBACK = ip_address("127.0.0.1")


def network() -> Network:
    """Where mail connections may go. Beside a running `up` its sample server counts in, by its two ports alone.

    Raises ValueError for settings that cannot be read.
    """
    running = settings.DATA_FOLDER.running()
    sample = running.sample if running else None
    ports = {settings.FUMIBAKO_PORT, *([running.port] if running else [])}
    return Network(
        dns_server=parse_server(settings.FUMIBAKO_DNS_SERVER) if settings.FUMIBAKO_DNS_SERVER else None,
        private=(*parse_private_hosts(settings.FUMIBAKO_PRIVATE_HOSTS), *(_doors(sample) if sample else ())),
        never=(*(door for port in sorted(ports) for door in _own_doors(port)), *_database_doors()),
        authorities=(_authority(sample),) if sample else (),
    )


def parse_server(text: str) -> tuple[str, int]:
    """`192.0.2.1:53` or `[2001:db8::1]:53` as address and port. Raises ValueError."""
    address, separator, port = text.rpartition(":")
    if not separator or not port.isdigit():
        raise ValueError(f"not ADDRESS:PORT: {text!r}")
    return str(ip_address(address.strip("[]"))), int(port)


def _doors(sample: Sample) -> tuple[AllowedNetwork, ...]:
    loopback = ip_network(LOOPBACK)
    return AllowedNetwork(loopback, sample.imap_port), AllowedNetwork(loopback, sample.smtp_port)


def _authority(sample: Sample) -> Authority:
    return Authority(Path(sample.ca), frozenset({(LOOPBACK, sample.imap_port), (LOOPBACK, sample.smtp_port)}))


def _own_doors(port: int) -> tuple[tuple[IPAddress, int], ...]:
    """Our web port on every address of this machine, however it is bound."""
    return (ip_address("0.0.0.0"), port), (ip_address("::"), port)  # noqa: S104


def _database_doors() -> tuple[tuple[IPAddress, int], ...]:
    """Where DATABASE_URL leads to, if over TCP."""
    database = settings.DATABASES["default"]
    host, port = str(database["HOST"]), int(database["PORT"] or 5432)
    if not host or host.startswith("/"):
        return ()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(sorted({(ip_address(address[0]), port) for *_, address in found}, key=str))
