"""Which addresses a mail connection may go to: pure decisions over IP addresses and ports, no look-ups, no sockets.

Rules (the answer is always yes or no, never why: an answer that differs would map the inside of a network):

1. Never, whatever the operator lists: unspecified, multicast, link-local and cloud metadata addresses, and the
   installation's own ports (`never`).
2. What the operator lists (network, port) is allowed, on any port that the entry covers.
3. Everything else must be a public address and a mail port.

IPv6 addresses that carry an IPv4 address inside (mapped, NAT64, 6to4) are judged by that address.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

MAIL_PORTS = frozenset({143, 993, 465, 587})

_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google Cloud, Azure, OpenStack
        "fd00:ec2::254",  # AWS over IPv6
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle Cloud
        "168.63.129.16",  # Azure's host agent, though a public address
    )
)
_ITEM = re.compile(r"\[?(?P<network>(?<=\[)[^]]*|[^:[\]]*)]?(?::(?P<port>[^:\]]*))?")
_MAPPED_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052 §2.1
_GLOBAL_UNICAST = ip_network("2000::/3")  # RFC 4291 §2.4, the only range that IANA gives out
_NOT_PUBLIC_6 = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments: Teredo, ORCHID, benchmarking (RFC 2928)
        "2001:db8::/32",  # documentation (RFC 3849)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
_NOT_PUBLIC_4 = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24",  # IETF protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays, given up (RFC 7526)
        "240.0.0.0/4",  # reserved (RFC 1112 §4)
    )
)
_THIS_HOST_4 = ip_network("0.0.0.0/8")  # RFC 1122 §3.2.1.3; Linux connects 0.0.0.0 to itself


@dataclass(frozen=True)
class AllowedNetwork:
    """A network where the operator allows mail hosts although it is private; `port` None means any port of it."""

    network: IPNetwork
    port: int | None = None

    def covers(self, address: IPAddress, port: int) -> bool:
        """Whether a connection to this address and port is meant by the entry."""
        return self.port in (None, port) and address.version == self.network.version and address in self.network


def parse_private_hosts(text: str) -> tuple[AllowedNetwork, ...]:
    """Read the operator's list, such as `10.1.2.0/24:993,127.0.0.0/8,[fd00:1::/64]:143`.

    A single address counts as a network of one. Raises ValueError naming the item that cannot be read.
    """
    return tuple(_parse_item(item.strip()) for item in text.split(",") if item.strip())


def _parse_item(item: str) -> AllowedNetwork:
    found = _ITEM.fullmatch(item)
    try:
        if found is None:  # a bare IPv6 network
            return AllowedNetwork(ip_network(item))
        port = found["port"]
        return AllowedNetwork(ip_network(found["network"]), None if port is None else _parse_port(port))
    except ValueError as error:
        raise ValueError(f"not a network or network:port: {item!r} ({error})") from None


def _parse_port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError("the port must be 1 to 65535")
    return int(text)


def effective(address: IPAddress) -> IPAddress:
    """The address that packets really go to: the IPv4 address inside a mapped, NAT64 or 6to4 one, else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _MAPPED_NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: IPAddress) -> bool:
    """Whether the address can be a mail server on the Internet."""
    address = effective(address)
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in net for net in _NOT_PUBLIC_4)
    return address in _GLOBAL_UNICAST and not any(address in net for net in _NOT_PUBLIC_6)


def permitted(
    address: IPAddress,
    port: int,
    *,
    private: Iterable[AllowedNetwork] = (),
    never: Iterable[tuple[IPAddress, int]] = (),
) -> bool:
    """Whether a mail connection may go to this address and port (the rules at the top of this file)."""
    inner = effective(address)
    if _always_refused(inner) or _always_refused(address) or _is_own(inner, port, never):
        return False
    if any(entry.covers(candidate, port) for entry in private for candidate in (address, inner)):
        return True
    return port in MAIL_PORTS and is_public(address)


def _always_refused(address: IPAddress) -> bool:
    return (
        address in _METADATA
        or address.is_unspecified
        or address.is_multicast
        or address.is_link_local
        or address == IPv4Address("255.255.255.255")
        or (isinstance(address, IPv4Address) and address in _THIS_HOST_4)
        or (isinstance(address, IPv6Address) and address.scope_id is not None)
    )


def _is_own(address: IPAddress, port: int, never: Iterable[tuple[IPAddress, int]]) -> bool:
    """An own port bound to every interface is refused on every address that may be this machine's."""
    return any(
        port == own_port and (effective(own) == address or (own.is_unspecified and not is_public(address)))
        for own, own_port in never
    )
