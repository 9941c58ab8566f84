"""The IMAP server: pymap's protocol over the stored folders, TLS from the first byte."""

import asyncio
import secrets
import socket
import ssl
from argparse import Namespace
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NoReturn

from proxyprotocol.reader import ProxyProtocolReader
from pymap.backend.session import BaseSession
from pymap.concurrent import Subsystem
from pymap.config import BackendCapability, IMAPConfig
from pymap.exceptions import AuthorizationFailure, InvalidAuth, NotAllowedError
from pymap.imap import IMAPServer
from pymap.interfaces.login import IdentityInterface, LoginInterface
from pymap.token import AllTokens
from pymap.user import UserMetadata
from pysasl.creds.server import ServerCredentials
from pysasl.identity import ClearIdentity

from fumibako.site.sample.account import Account
from fumibako.site.sample.folders import Mail, Mailbox

MAX_APPEND = 64 * 1024 * 1024  # bytes
WRONG_PASSWORD_DELAY = 0.3  # seconds before a refusal, as real hosts have one


class Config(IMAPConfig):
    """pymap's settings: TLS comes before IMAP, so the login is offered at once."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(
            Namespace(passlib_cfg=None, proxy_protocol=None),
            host=None,
            port=0,
            ssl_context=context,
            tls_enabled=False,
            cpu_subsystem=Subsystem.for_asyncio(),
            admin_key=secrets.token_bytes(),
            max_append_len=MAX_APPEND,
        )

    @property
    def backend_capability(self) -> BackendCapability:
        """What the folders above can do."""
        return BackendCapability(idle=True, object_id=True, multi_append=True)

    @property
    def greeting(self) -> bytes:
        """Without the host's name, whose look-up could block."""
        return b"Fumibako sample mail server ready"

    @property
    def id_response(self) -> Mapping[bytes, bytes]:
        """Answer to ID (RFC 2971)."""
        return {b"name": b"Fumibako sample"}


class Session(BaseSession[Mail]):
    """One login's view of the mailbox; all logins share the folders."""

    def __init__(self, owner: str, config: Config, mailbox: Mailbox) -> None:
        super().__init__(owner)
        self._config = config
        self._mailbox = mailbox

    @property
    def config(self) -> Config:
        """pymap's settings."""
        return self._config

    @property
    def mailbox_set(self) -> Mailbox:
        """The folders."""
        return self._mailbox


class Identity(IdentityInterface):
    """The one person who may log in."""

    def __init__(self, name: str, config: Config, mailbox: Mailbox) -> None:
        self._name = name
        self._config = config
        self._mailbox = mailbox

    @property
    def name(self) -> str:
        """The login name."""
        return self._name

    @property
    def roles(self) -> frozenset[str]:
        """No special rights."""
        return frozenset()

    @asynccontextmanager
    async def new_session(self) -> AsyncIterator[Session]:
        """Begin a session for a login."""
        yield Session(self._name, self._config, self._mailbox)

    async def new_token(self, *, expiration: datetime | None = None) -> str | None:
        """There are no login tokens here."""
        return None

    async def get(self) -> UserMetadata:
        """What pymap knows of the person: the name."""
        return UserMetadata(self._config, self._name)

    async def set(self, metadata: UserMetadata) -> NoReturn:
        """The account does not change."""
        raise NotAllowedError("The sample account cannot be changed.")

    async def delete(self) -> NoReturn:
        """The account stays."""
        raise NotAllowedError("The sample account cannot be deleted.")


class Login(LoginInterface):
    """Lets the account's address and password in."""

    def __init__(self, account: Account, config: Config, mailbox: Mailbox) -> None:
        self._known = ClearIdentity(account.address, account.password)
        self._identity = Identity(account.address, config, mailbox)
        self._tokens = AllTokens(config)

    @property
    def tokens(self) -> AllTokens:
        """pymap's token service; none is ever given out."""
        return self._tokens

    async def authenticate(self, credentials: ServerCredentials) -> Identity:
        """Check name and password; InvalidAuth becomes NO [AUTHENTICATIONFAILED] (RFC 5530)."""
        if not credentials.verify(self._known):
            await asyncio.sleep(WRONG_PASSWORD_DELAY)
            raise InvalidAuth
        return self._identity

    async def authorize(self, authenticated: IdentityInterface, authzid: str) -> Identity:
        """Nobody acts for somebody else."""
        if authzid != authenticated.name:
            raise AuthorizationFailure
        return self._identity


async def serve_imap(
    listening: socket.socket, context: ssl.SSLContext, account: Account, mailbox: Mailbox
) -> asyncio.Server:
    """Serve IMAP on a bound socket until the server that is returned is closed."""
    config = Config(context)
    config.apply_context()
    reader = ProxyProtocolReader(config.proxy_protocol)
    server = IMAPServer(Login(account, config, mailbox), config)
    return await asyncio.start_server(reader.get_callback(server), sock=listening, ssl=context)
