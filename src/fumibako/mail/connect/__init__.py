"""The one place that looks up mail hosts and opens sockets to mail servers.

Every connection of the product to a mail server, IMAP or SMTP, begins with `dial`: it resolves the name once, keeps the
addresses that `guard` permits, and connects to exactly those, so that no second look-up can answer otherwise.
`tls_context` says whom to believe there; `tls_failure` and `connect_failure` turn what OpenSSL and the system say into
the `ConnectError` family, each telling where (`host`, `port`) and holding no secret and no word of the other side,
which has not yet shown to be a mail server.
"""

from .dial import Dialed, connect_failure, dial
from .errors import (
    AddressRefused,
    CertificateExpired,
    CertificateForeignName,
    CertificateUntrusted,
    ConnectError,
    DnsFailure,
    Dropped,
    NameNotFound,
    NotAMailServer,
    NotTls,
    Refused,
    TimedOut,
    TlsError,
    TlsTooOld,
    Unreachable,
)
from .guard import MAIL_PORTS, AllowedNetwork, IPAddress, IPNetwork, parse_private_hosts
from .network import Authority, Network, Security, Server, ascii_name
from .tls import server_name, tls_context, tls_failure

__all__ = [
    "MAIL_PORTS",
    "AddressRefused",
    "AllowedNetwork",
    "Authority",
    "CertificateExpired",
    "CertificateForeignName",
    "CertificateUntrusted",
    "ConnectError",
    "Dialed",
    "DnsFailure",
    "Dropped",
    "IPAddress",
    "IPNetwork",
    "NameNotFound",
    "Network",
    "NotAMailServer",
    "NotTls",
    "Refused",
    "Security",
    "Server",
    "TimedOut",
    "TlsError",
    "TlsTooOld",
    "Unreachable",
    "ascii_name",
    "connect_failure",
    "dial",
    "parse_private_hosts",
    "server_name",
    "tls_context",
    "tls_failure",
]
