"""Linking from the command line: the same verbs as the pages, proved in this process where no worker is quicker."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from fumibako import linking
from fumibako.accounts.models import Person
from fumibako.linking.states import State
from fumibako.mail.diagnosis import CAUSES
from fumibako.site.network import network
from fumibako.site.refusal import Refusal
from fumibako.site.words import gettext

LOOK = 0.1  # seconds between two looks at what another process is doing
PROOF_SECONDS = 60.0
SETTLED = {State.LIVE, State.RETRYING, State.NEEDS_ATTENTION, State.UNLINKED, State.PAUSED}


@dataclass(frozen=True)
class Wanted:
    """What the command was asked for. ``imap`` and ``smtp`` are HOST[:PORT]."""

    address: str
    login: str
    password: str = field(repr=False)
    imap: str | None = None
    smtp: str | None = None
    username: str | None = None
    trusted: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    range: str | None = None
    wait: bool = False


def find_person(login: str) -> Person:
    """The active person of a login name. Raises Refusal."""
    try:
        person = Person.objects.get_by_natural_key(login)
    except Person.DoesNotExist:
        raise Refusal(gettext("There is nobody with the login name %(login)s.") % {"login": login}) from None
    if not person.is_active:
        raise Refusal(gettext("%(login)s has been stopped.") % {"login": login})
    return person


def link_mailbox(wanted: Wanted) -> dict[str, Any]:
    """Link a mailbox and say how it went, in the form of ``link --json``. Raises Refusal for an unknown person."""
    person = find_person(wanted.login)
    try:
        draft = linking.start_link(
            person,
            wanted.address,
            linking.SecretsTyped(wanted.password),
            imap=_wish(wanted.imap, wanted.username),
            smtp=_wish(wanted.smtp, wanted.username),
            trusted=wanted.trusted,
        )
    except linking.AlreadyLinked:
        return _answer(wanted.address, cause="already_linked", stage="address", detail="linked by the same person")
    except linking.OwnPassword:
        return _answer(wanted.address, cause="wrong_password", stage="login", detail="the person's own of Fumibako")
    except linking.BadInput as bad:
        cause = bad.code if bad.code in CAUSES else "wrong_address"
        return _answer(wanted.address, cause=cause, stage="address", detail=f"{bad.field}: {bad.code}")
    if linking.claim_draft(draft.id):
        asyncio.run(linking.prove_draft(draft.id, network()))
    draft = _wait_for_proof(person, draft.public_id)
    if draft.state == "colleague":
        return _answer(wanted.address, cause="already_linked", stage="address", stages=draft.stages)
    if draft.state != "proved":
        return _failed(draft)
    choice = _choice(person, draft, wanted)
    try:
        mailbox = linking.finish_link(person, draft.public_id, choice)
    except linking.LinkedByColleague:
        return _answer(wanted.address, cause="already_linked", stage="address", stages=draft.stages)
    if wanted.wait:
        _wait_for_import(person, mailbox)
    proven = draft.proven or {}
    failure = proven.get("smtp_failure")
    return _answer(
        draft.address,
        linked=True,
        mailbox=mailbox,
        imap=_server(proven["imap"]),
        smtp=_server(proven["smtp"]),
        notice=failure["cause"] if failure else None,
        server_words=failure["server_words"] if failure else None,
        remedy=failure["remedy"] if failure else None,
        stages=draft.stages,
    )


def _wish(server: str | None, username: str | None) -> linking.ServerWish | None:
    if server is None and username is None:
        return None
    host, _, port = (server or "").partition(":")
    return linking.ServerWish(username=username or "", host=host, port=port)


def _wait_for_proof(person: Person, draft: str) -> Any:
    deadline = time.monotonic() + PROOF_SECONDS
    while True:
        seen = linking.get_draft(person, draft)
        if seen.state not in {"waiting", "proving"} or time.monotonic() > deadline:
            return seen
        time.sleep(LOOK)


def _wait_for_import(person: Person, mailbox: str) -> None:
    while linking.get_mailbox(person, mailbox).state not in SETTLED:
        time.sleep(LOOK)


def _choice(person: Person, draft: Any, wanted: Wanted) -> Any:
    rows = linking.folders_to_choose(person, draft.public_id)
    earlier = linking.earlier_range(person, draft.public_id)
    span = wanted.range or earlier or person.organization.default_range
    if not wanted.folders:
        return linking.suggest(rows, span)
    named = {row.name: row for row in rows}
    unknown = [name for name in wanted.folders if name not in named or not named[name].selectable]
    if unknown:
        linking.cancel_draft(person, draft.public_id)
        raise Refusal(
            gettext("There is no folder %(unknown)s. The folders are: %(folders)s")
            % {"unknown": unknown[0], "folders": ", ".join(named)}
        )
    chosen = [named[name] for name in wanted.folders]
    sent = [row.key for row in chosen if row.role == "sent"]
    inbox = next((row.key for row in chosen if row.role == "inbox"), None)
    others = frozenset(row.key for row in chosen) - {*sent, inbox}
    return linking.FolderChoice(
        sent=sent[0] if sent else None, inbox=inbox, also_sent=frozenset(sent[1:]), others=others, range=span
    )


def _server(login: dict[str, Any] | None) -> dict[str, Any] | None:
    return {name: login[name] for name in ("host", "port", "security", "username")} if login else None


def _failed(draft: Any) -> dict[str, Any]:
    failure = draft.failure or {"cause": "server_fault", "stage": "any"}
    return _answer(
        draft.address,
        cause=failure["cause"],
        stage=failure["stage"],
        server_words=failure.get("server_words"),
        remedy=failure.get("remedy"),
        detail=failure.get("detail", ""),
        proposed=failure.get("proposed", []),
        stages=draft.stages,
    )


def _answer(address: str, *, linked: bool = False, stages: Any = (), **more: Any) -> dict[str, Any]:
    lines = [
        {
            "stage": stage["name"],
            "ok": stage["state"] == "done",
            "detail": stage["detail"] or stage["found"],
            "ms": stage["ms"],
        }
        for stage in stages
    ]
    empty: dict[str, Any] = {
        "address": address,
        "linked": linked,
        "cause": None,
        "stage": None,
        "server_words": None,
        "remedy": None,
        "imap": None,
        "smtp": None,
        "notice": None,
    }
    return {**empty, **more, "stages": lines}
