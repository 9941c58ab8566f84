"""A mail server that answers as a test says, at the boundary where linking asks `mail.discovery` to prove logins."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from fumibako import linking
from fumibako.accounts.models import Person
from fumibako.linking import Draft, FolderChoice, SecretsTyped
from fumibako.mail.connect import Network, Security, Server
from fumibako.mail.diagnosis import Failure, Stage
from fumibako.mail.discovery import FolderFound, OnStage, ProbeRequest, Proven, ProvenLogin
from tests.world import World, make_world

ADDRESS = "taro@example.jp"
INBOX = FolderFound(b"INBOX", "INBOX", "/", "inbox", True, 8, 800, None, {"3m": 1, "1y": 2, "all": 8})
SENT = FolderFound(b"&kAFP4W4IMH8-", "送信済み", "/", "sent", True, 5, 500, None, {"3m": 1, "1y": 2, "all": 5})
PROJECT = FolderFound(b"Project", "Project", "/", "other", True, 3, 300, None, {"all": 3})
PARENT = FolderFound(b"Parent", "Parent", "/", "other", False)
FOLDERS = (INBOX, SENT, PROJECT, PARENT)


def key(found: FolderFound) -> str:
    """A folder's name in a choice."""
    return linking.folder_key(found.name_raw)


USUAL = FolderChoice(sent=key(SENT), inbox=key(INBOX), range="all")
BOTH = "both logins"


def proven(
    username: str = ADDRESS,
    host: str = "imap.example.jp",
    *,
    smtp: str | None = BOTH,
    smtp_failure: Failure | None = None,
    folders: tuple[FolderFound, ...] = FOLDERS,
) -> Proven:
    """Logins that have worked; `smtp` is the user name there, None for a mailbox that can only be read."""
    sending = ProvenLogin(
        Server("smtp.example.jp", 465, Security.TLS), username if smtp == BOTH else smtp or "", "PLAIN"
    )
    return Proven(
        provider=None,
        imap=ProvenLogin(Server(host, 993, Security.TLS), username, "PLAIN"),
        smtp=sending if smtp else None,
        smtp_failure=smtp_failure,
        folders=folders,
        stages=(Stage("login", "done", "imap.example.jp:993"),),
    )


@dataclass
class MailServer:
    """What a proof finds, and what it was asked. `meanwhile` runs in a thread while the proof is under way."""

    answer: Proven | Exception = field(default_factory=proven)
    meanwhile: Callable[[], object] | None = None
    asked: list[ProbeRequest] = field(default_factory=list)

    async def prove(self, request: ProbeRequest, network: Network, on_stage: OnStage) -> Proven:
        """In the place of `mail.discovery.prove`."""
        self.asked.append(request)
        on_stage(Stage("connect", "done", "imap.example.jp:993"))
        if self.meanwhile is not None:
            await linking.in_thread(self.meanwhile)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def only_reads(self, failure: Failure) -> None:
        """From now on the login for sending fails."""
        self.answer = proven(smtp=None, smtp_failure=failure)

    def moves_to(self, host: str) -> None:
        """From now on the mailbox is at another server."""
        assert isinstance(self.answer, Proven)
        self.answer = replace(self.answer, imap=replace(self.answer.imap, server=Server(host, 993, Security.TLS)))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> MailServer:
    made = MailServer()
    monkeypatch.setattr("fumibako.linking.prove.prove", made.prove)
    return made


@pytest.fixture
def world(transactional_db: None) -> World:
    return make_world()


@pytest.fixture
def person(world: World) -> Person:
    return world.person


@pytest.fixture
def colleague(world: World) -> Person:
    return world.add_person("hana")


def prove(person: Person, draft: Draft) -> Draft:
    """Prove a draft as a worker does, and return it as it then is."""
    assert linking.claim_draft(draft.id)
    asyncio.run(linking.prove_draft(draft.id, Network()))
    return linking.get_draft(person, draft.public_id)


def begin(person: Person, address: str = ADDRESS, imap: str = "secret", smtp: str | None = None) -> Draft:
    """A draft that waits to be proved."""
    return linking.start_link(person, address, SecretsTyped(imap, smtp))


def link(person: Person, choice: FolderChoice = USUAL, *, address: str = ADDRESS, smtp: str | None = None) -> str:
    """A linked mailbox; returns its public id."""
    draft = prove(person, begin(person, address, smtp=smtp))
    assert draft.state == "proved", draft
    return linking.finish_link(person, draft.public_id, choice)
