"""A DNS server on loopback whose zones are a dict: names to records, or to the way in which a look-up fails.

    with running_dns({"example.jp": {"MX": ["10 mail.example.jp."]}, "mail.example.jp": {"A": ["127.0.1.1"]}}) as dns:
        network = Network(dns_server=dns.address)

"*.host.jp" matches any name directly below. `Fails.SERVFAIL` and `Fails.SILENT` in place of records make look-ups of
that name fail. Zones may be changed while it runs; `questions` tells what was asked.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

TTL = 5  # seconds


class Fails(Enum):
    """How a look-up can fail: with an error, or without an answer."""

    SERVFAIL = "SERVFAIL"
    SILENT = "SILENT"


Zones = dict[str, dict[str, list[str]] | Fails]


@dataclass
class NameServer:
    """A running server; `address` is IP and port."""

    address: tuple[str, int]
    zones: Zones
    questions: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, wire: bytes) -> bytes | None:
        """The answer to a question, None where the zone is silent."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.questions.append((name, kind))
        records = self.zones.get(name, self.zones.get("*." + name.partition(".")[2]))
        if records is Fails.SILENT:
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        if records is Fails.SERVFAIL:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif records is None:
            is_parent = any(known.endswith("." + name) for known in self.zones)
            reply.set_rcode(dns.rcode.NOERROR if is_parent else dns.rcode.NXDOMAIN)
        elif kind in records:
            reply.answer.append(dns.rrset.from_text(question.name, TTL, "IN", kind, *records[kind]))
        return bytes(reply.to_wire())


@contextlib.contextmanager
def running_dns(zones: Zones | None = None) -> Iterator[NameServer]:
    """Run a server on a free port of 127.0.0.1 until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        server = NameServer(sock.getsockname(), {} if zones is None else zones)
        thread = threading.Thread(target=_serve, args=(sock, server), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bell:
                bell.sendto(b"", server.address)
            thread.join()


def _serve(sock: socket.socket, server: NameServer) -> None:
    while True:
        wire, client = sock.recvfrom(4096)
        if not wire:
            return
        if (reply := server.answer(wire)) is not None:
            sock.sendto(reply, client)
