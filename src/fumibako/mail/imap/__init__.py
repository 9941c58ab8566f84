"""IMAP as a client that only reads (RFC 3501, RFC 9051), for servers of every kind.

`protocol` turns bytes into values and back without any input or output; `client` is the connection. See `client` for
what can be done, `responses` for what comes back, `errors` for what can go wrong.
"""

from .client import ImapClient
from .commands import since
from .errors import (
    Bye,
    CommandRefused,
    ConnectionLost,
    ImapError,
    LoginRefused,
    LoginUnavailable,
    ProtocolError,
    StartTlsRefused,
    TimedOut,
)
from .responses import (
    Change,
    Condition,
    Examined,
    Exists,
    Expunged,
    Fetched,
    Listed,
    Memory,
    Namespace,
    Namespaces,
    Status,
    Synced,
    Vanished,
)
from .uids import UidSet

__all__ = [
    "Bye",
    "Change",
    "CommandRefused",
    "Condition",
    "ConnectionLost",
    "Examined",
    "Exists",
    "Expunged",
    "Fetched",
    "ImapClient",
    "ImapError",
    "Listed",
    "LoginRefused",
    "LoginUnavailable",
    "Memory",
    "Namespace",
    "Namespaces",
    "ProtocolError",
    "StartTlsRefused",
    "Status",
    "Synced",
    "TimedOut",
    "UidSet",
    "Vanished",
    "since",
]
