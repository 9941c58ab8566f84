"""From what went wrong to a cause that a person can act on.

Rules of the room:
- A cause is a code of `causes.json`: a sentence, steps, who acts, whether to try again, in Japanese and English.
- Exceptions are matched by their class and, for certificates, by OpenSSL's verify code; replies of servers by the rows
  of `replies.json`: those of the host first, then those of a known software, then the general ones, in file order.
- What matches nothing gets a truthful general cause, never a guess.
- A server's words are handed on only when it has greeted as a mail server; a secret is never among them.
"""

from fumibako.mail.diagnosis.causes import CAUSES, Cause, Retry, WhoActs
from fumibako.mail.diagnosis.diagnose import Reply, diagnose
from fumibako.mail.diagnosis.failure import Failure, Words
from fumibako.mail.diagnosis.limits import LimitTold, limit_told
from fumibako.mail.diagnosis.stage import Stage, StageName, StageState

__all__ = [
    "CAUSES",
    "Cause",
    "Failure",
    "LimitTold",
    "Reply",
    "Retry",
    "Stage",
    "StageName",
    "StageState",
    "WhoActs",
    "Words",
    "diagnose",
    "limit_told",
]
