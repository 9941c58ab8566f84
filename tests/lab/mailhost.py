"""A whole mail host on the standard ports: Dovecot and Postfix at a loopback address of their own.

All of 127/8 is this machine on Linux; ports below 1024 want root.
"""

import contextlib
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import pytest

from fumibako.mail.connect import AllowedNetwork, Authority, Network

from .ca import Certificate, CertificateAuthority
from .dovecot import Dovecot, running_dovecot
from .postfix import Postfix, running_postfix

STANDARD_PORTS = (143, 993, 465, 587)

needs_standard_ports = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("dovecot") is None or shutil.which("postfix") is None,
    reason="wants root (ports below 1024), Dovecot and Postfix",
)


@dataclass
class MailHost:
    """A running host; users are the Dovecot's."""

    address: str
    dovecot: Dovecot
    postfix: Postfix


def loopback_address() -> str:
    """An address of this machine that no other test has, most likely."""
    return f"127.{random.randrange(2, 255)}.{random.randrange(255)}.{random.randrange(1, 255)}"


def loopback_network(authority: CertificateAuthority, *addresses: str, dns: tuple[str, int]) -> Network:
    """A network with its own name server where loopback is allowed and the authority is believed at these addresses."""
    believed = frozenset((ip_address(address), port) for address in addresses for port in STANDARD_PORTS)
    return Network(
        dns_server=dns,
        private=(AllowedNetwork(ip_network("127.0.0.0/8")),),
        authorities=(Authority(authority.cafile, believed),),
    )


@contextlib.contextmanager
def running_mail_host(
    authority: CertificateAuthority, *names: str, certificate: Certificate | None = None, settings: str = ""
) -> Iterator[MailHost]:
    """Run a host whose certificate carries these names. `settings` are lines of Postfix's main.cf."""
    address = loopback_address()
    shown = certificate or authority.issue(*names)
    with contextlib.ExitStack() as stack:
        dovecot = stack.enter_context(
            running_dovecot(authority, certificate=shown, host=address, imap_port=143, imaps_port=993)
        )
        postfix = stack.enter_context(running_postfix(dovecot, submission_port=587, smtps_port=465, settings=settings))
        yield MailHost(address, dovecot, postfix)
