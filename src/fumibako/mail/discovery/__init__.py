"""From an address and a password to logins that have worked.

Values (`values`) | sources of server names (`book`, `lookup`, `candidates`) | one runner (`race`, `prove`).

Rules of the room (design rules 8 to 12):
- A password goes to a server that has proven its name by TLS *and* has authority; foreign names are only proposed.
- All look-ups run at once; candidates are tried in order of likelihood, overlapping; everything has a deadline.
- At most two user names are tried with one password, none after a sign of a lock.
- Reading and sending are two logins; a mailbox that can only be read is a result, not a failure.
- Nothing is changed on the server and no mail is sent.

Not here yet: autoconfig and ISPDB over HTTPS, SPF, DKIM and PTR as sources. Each will be one more file that names
candidates, and one more line in `candidates`.
"""

from fumibako.mail.diagnosis import Stage
from fumibako.mail.discovery.address import normalize_address, normalize_server_name
from fumibako.mail.discovery.book import Limits, host_id_of, limits_of, provider_name
from fumibako.mail.discovery.folders import role_of
from fumibako.mail.discovery.progress import OnStage
from fumibako.mail.discovery.prove import prove
from fumibako.mail.discovery.survey import survey
from fumibako.mail.discovery.values import (
    RANGES,
    DomainSettings,
    FolderFound,
    LoginShape,
    ProbeRequest,
    Proven,
    ProvenLogin,
    Role,
    Wish,
    range_start,
)

__all__ = [
    "RANGES",
    "DomainSettings",
    "FolderFound",
    "Limits",
    "LoginShape",
    "OnStage",
    "ProbeRequest",
    "Proven",
    "ProvenLogin",
    "Role",
    "Stage",
    "Wish",
    "host_id_of",
    "limits_of",
    "normalize_address",
    "normalize_server_name",
    "prove",
    "provider_name",
    "range_start",
    "role_of",
    "survey",
]
