"""The states of a mailbox, and the one statement that moves it from one to another.

    linking ──> importing ──> live <──> retrying <──> needs_attention
        └────────────┴───────────┴── paused ──┴──────────────┘
    any of them ──unlink──> unlinked ──relink──> linking

``live`` holds only while a watch or a poll has proved it; ``retrying`` knows when it tries next and needs nobody;
``needs_attention`` waits for a person. A link that has never worked is no mailbox yet: it is a failed draft.
"""

from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a mailbox stands."""

    LINKING = "linking"
    IMPORTING = "importing"
    LIVE = "live"
    RETRYING = "retrying"
    NEEDS_ATTENTION = "needs_attention"
    PAUSED = "paused"
    UNLINKED = "unlinked"


_LINKED = frozenset(State) - {State.UNLINKED}
_WATCHED = _LINKED - {State.PAUSED}

ALLOWED: dict[State, frozenset[State]] = {
    State.LINKING: frozenset(State),
    State.IMPORTING: _WATCHED,
    State.LIVE: _WATCHED,
    State.RETRYING: _WATCHED,
    State.NEEDS_ATTENTION: _WATCHED,
    State.PAUSED: _LINKED,
    State.UNLINKED: _LINKED,
}
"""From which states each state can be entered."""

ACTIVE = frozenset({State.LINKING, State.IMPORTING, State.LIVE, State.RETRYING})
"""The states in which a worker looks after the mailbox."""

MOVE = """
WITH before AS (
  SELECT id, state FROM mailbox
   WHERE id = %(mailbox)s AND state = ANY(%(allowed)s)
     AND generation = coalesce(%(generation)s, generation)
     FOR UPDATE
), moved AS (
  UPDATE mailbox SET
         state = %(state)s,
         state_since = CASE WHEN mailbox.state = %(state)s THEN state_since ELSE now() END,
         cause = %(cause)s, cause_stage = %(cause_stage)s, server_words = %(server_words)s,
         refusals = %(refusals)s,
         next_try_at = now() + make_interval(secs => %(next_try_in)s)
    FROM before WHERE mailbox.id = before.id
  RETURNING mailbox.id, organization_id, before.state AS old
), told AS (
  INSERT INTO event (organization_id, kind, mailbox_id, count, detail)
  SELECT organization_id, 'mailbox.state', id, 1, jsonb_build_object('state', %(state)s::text, 'cause', %(cause)s::text)
    FROM moved WHERE old <> %(state)s
)
SELECT moved.old, (SELECT count(pg_notify('fumibako_live', 'pe:' || person_id))
                     FROM mailbox_person WHERE mailbox_id = moved.id AND until IS NULL)
  FROM moved
"""
"""Parameters by ``move``. Returns the old state, or no row where the move is not allowed any more."""


def move(
    mailbox: int,
    state: State,
    *,
    generation: int | None = None,
    cause: str = "",
    cause_stage: str = "",
    server_words: str = "",
    refusals: int = 0,
    next_try_in: float | None = None,
) -> dict[str, Any]:
    """Return the parameters of MOVE: to ``state``, if the mailbox still has ``generation`` (None: whichever it has).

    ``next_try_in`` is in seconds from now; None for never. ``refusals`` counts refused logins in a row.
    """
    return {
        "mailbox": mailbox,
        "state": str(state),
        "allowed": [str(s) for s in ALLOWED[state]],
        "generation": generation,
        "cause": cause,
        "cause_stage": cause_stage,
        "server_words": server_words,
        "refusals": refusals,
        "next_try_in": next_try_in,
    }
