"""From an address with its passwords to logins that have worked.

In order: look-ups and candidates (discover), a proven connection for reading and one for sending, side by side and
still without any secret (connect), the login (login), the survey of folders (folders), the login for sending and the
question whether the own address may send (smtp). A secret is first sent when a server with authority has proven its
name.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from typing import TypeVar

from fumibako.mail.connect import ConnectError, Network, Server
from fumibako.mail.diagnosis import Failure, StageName, diagnose
from fumibako.mail.discovery.book import Host
from fumibako.mail.discovery.candidates import Candidate
from fumibako.mail.discovery.failing import failure_to_tell
from fumibako.mail.discovery.login import first_that_works
from fumibako.mail.discovery.plan import Plan, make_plan
from fumibako.mail.discovery.progress import OnStage, Progress
from fumibako.mail.discovery.race import Closable, Outcome, race
from fumibako.mail.discovery.survey import survey
from fumibako.mail.discovery.usernames import MOST_TRIES, usernames
from fumibako.mail.discovery.values import ProbeRequest, Proven, ProvenLogin
from fumibako.mail.imap import ImapClient, ImapError
from fumibako.mail.submission import SubmissionClient, SubmissionError

C = TypeVar("C", bound=Closable)

WHOLE_SECONDS = 20.0  # for everything (A2)
DISCOVERY_SECONDS = 15.0  # for look-ups and proven connections; some hosts greet after 10 s
SENDING_SECONDS = 4.0  # that are kept for the login for sending
QUESTION_SECONDS = 3.0  # that a proven server for reading waits for the other, so that both ask for consent at once

_FINER: dict[StageName, str] = {
    "discover": "discovery",
    "connect": "connect",
    "login": "login",
    "folders": "list",
    "smtp": "smtp-auth",
}
"""The stage of a cause for what went wrong in a stage that people see."""


async def prove(request: ProbeRequest, network: Network, on_stage: OnStage) -> Proven:
    """Find the servers of an address, prove them, log in, look at the folders, and ask whether it may send.

    `on_stage` hears of each stage when it begins and ends. Ends within about WHOLE_SECONDS. Changes nothing on the
    server and sends no mail. A failure of sending alone is in the result (`smtp_failure`).

    Raises Failure with the stages until then; with the cause server_needs_consent, `proposed` are names that would get
    the password if they stood in `request.trusted_names`. At most two logins are made at a server with one secret.
    """
    progress = Progress(on_stage)
    proof = _Proof(request, network, progress)
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            return await proof.run()
    except Failure as told:
        failure = told
    except TimeoutError:
        failure = Failure("server_unreachable", stage=_FINER[progress.at], detail="not done in time")
    except (ConnectError, ImapError, SubmissionError, OSError) as error:
        failure = diagnose(error, stage=_FINER[progress.at])
    finally:
        await proof.close()
    progress.fail_open(failure.cause)
    failure.stages = progress.stages
    raise failure from None


class _Proof:
    """One proof under way. Every connection made for it is closed by `close`."""

    def __init__(self, request: ProbeRequest, network: Network, progress: Progress) -> None:
        self._request = request
        self._network = network
        self._progress = progress
        self._started = time.monotonic()
        self._connections = ExitStack()
        self._sending: asyncio.Task[Outcome[SubmissionClient]] | None = None

    async def run(self) -> Proven:
        """All stages, in order."""
        progress = self._progress
        progress.begin("discover")
        plan = await make_plan(self._request, self._network)
        progress.done("discover", plan.found)

        progress.begin("connect")
        candidate, client = await self._connect(plan)
        progress.done("connect", _where(candidate.server), client.tls)

        progress.begin("login")
        imap, client, refusals = await self._log_in(plan, candidate, client)
        progress.done("login", detail=imap.mechanism)

        progress.begin("folders")
        folders = await survey(client, seconds=self._left(WHOLE_SECONDS - SENDING_SECONDS))
        await client.logout()
        progress.done("folders", detail=str(len(folders)))

        progress.begin("smtp")
        sending = await self._prove_sending(plan, imap, refusals)
        smtp, smtp_failure = (None, sending) if isinstance(sending, Failure) else (sending, None)
        if smtp_failure:
            progress.fail("smtp", smtp_failure.cause)
        elif smtp:
            progress.done("smtp", _where(smtp.server), smtp.mechanism)
        host = plan.host or candidate.host
        return Proven(host.id if host else None, imap, smtp, smtp_failure, folders, progress.stages)

    async def close(self) -> None:
        """End what is under way and every connection."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        self._connections.close()

    def _left(self, seconds: float) -> float:
        return max(self._started + seconds - time.monotonic(), 0.0)

    async def _connect(self, plan: Plan) -> tuple[Candidate, ImapClient]:
        """A proven server for reading. The one for sending is looked for meanwhile.

        Raises Failure: what kept us from the servers that could be named, or server_needs_consent.
        """
        self._sending = asyncio.create_task(self._race(plan.smtp, self._connect_smtp))
        reading = await self._race(plan.imap, self._connect_imap)
        if reading.winner is None or reading.connection is None:
            raise failure_to_tell("imap", reading.failures)
        await asyncio.wait({self._sending}, timeout=QUESTION_SECONDS)
        sending = self._sending.result() if self._sending.done() else Outcome[SubmissionClient]()
        foreign = [one.server.host for one in (reading.winner, sending.winner) if one and not one.authority]
        if foreign:
            raise Failure("server_needs_consent", proposed=tuple(dict.fromkeys(foreign)))
        return reading.winner, reading.connection

    async def _race(self, candidates: Sequence[Candidate], attempt: Callable[[Candidate], Awaitable[C]]) -> Outcome[C]:
        outcome = await race(candidates, attempt, deadline=self._left(DISCOVERY_SECONDS))
        if outcome.connection is not None:
            self._connections.callback(outcome.connection.close)
        return outcome

    async def _connect_imap(self, candidate: Candidate) -> ImapClient:
        return await ImapClient.connect(candidate.server, self._network, timeout=DISCOVERY_SECONDS)

    async def _connect_smtp(self, candidate: Candidate) -> SubmissionClient:
        return await SubmissionClient.connect(candidate.server, self._network, timeout=DISCOVERY_SECONDS)

    async def _log_in(
        self, plan: Plan, candidate: Candidate, client: ImapClient
    ) -> tuple[ProvenLogin, ImapClient, int]:
        """Log in for reading; also returns the client that is logged in, and how many refusals it took."""
        secret = plan.imap_wish.secret
        clients = [client]

        async def log_in(name: str) -> str:
            if name != names[0]:
                clients[-1].close()
                clients.append(await self._connect_imap(candidate))
                self._connections.callback(clients[-1].close)
            return await clients[-1].login(name, secret)

        names = usernames("imap", plan.address, plan.imap_wish, host=candidate.host, settings=plan.settings)
        host_id = _id(candidate.host or plan.host)
        name, mechanism, refusals = await first_that_works(names, log_in, stage="login", host_id=host_id)
        await clients[-1].identify()
        return ProvenLogin(candidate.server, name, mechanism), clients[-1], refusals

    async def _prove_sending(self, plan: Plan, imap: ProvenLogin, refusals: int) -> ProvenLogin | Failure:
        """The login for sending, or why there is none; never raises for what is the server's doing."""
        try:
            async with asyncio.timeout(self._left(WHOLE_SECONDS - 0.5)):
                return await self._log_in_for_sending(plan, imap, refusals)
        except Failure as failure:
            return failure
        except TimeoutError:
            return Failure("server_unreachable", stage="smtp-connect", detail="not done in time")
        except (ConnectError, SubmissionError, OSError) as error:
            return diagnose(error, stage="smtp-mail", host_id=_id(plan.host))

    async def _log_in_for_sending(self, plan: Plan, imap: ProvenLogin, refusals: int) -> ProvenLogin:
        assert self._sending is not None
        outcome = await self._sending
        candidate, client = outcome.winner, outcome.connection
        if candidate is None or client is None:
            raise failure_to_tell("smtp", outcome.failures)
        if not candidate.authority:
            raise Failure("server_needs_consent", proposed=(candidate.server.host,))
        secret = plan.smtp_wish.secret
        same_secret = secret == plan.imap_wish.secret
        names = usernames(
            "smtp",
            plan.address,
            plan.smtp_wish,
            host=candidate.host,
            settings=plan.settings,
            worked_for_imap=imap.username if same_secret else None,
        )
        if same_secret and candidate.server.host == imap.server.host:
            names = names[: MOST_TRIES - refusals]
        clients = [client]

        async def log_in(name: str) -> str:
            if name != names[0]:
                clients[-1].close()
                clients.append(await self._connect_smtp(candidate))
                self._connections.callback(clients[-1].close)
            return await clients[-1].login(name, secret)

        name, mechanism, _ = await first_that_works(
            names, log_in, stage="smtp-auth", host_id=_id(candidate.host or plan.host)
        )
        await clients[-1].try_sender(plan.address)
        await clients[-1].quit()
        return ProvenLogin(candidate.server, name, mechanism)


def _id(host: Host | None) -> str | None:
    return host.id if host else None


def _where(server: Server) -> str:
    return f"{server.host}:{server.port}"
