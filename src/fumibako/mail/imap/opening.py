"""From a server's name to a greeting over proven TLS."""

import asyncio
import ssl
from typing import cast

from ..connect import (
    ConnectError,
    Dialed,
    Network,
    Security,
    Server,
    TimedOut,
    connect_failure,
    dial,
    server_name,
    tls_context,
)
from .commands import Command, Verb
from .connection import Connection
from .errors import CommandRefused, ProtocolError, StartTlsRefused
from .responses import Condition


async def open_connection(
    server: Server,
    network: Network,
    *,
    timeout: float,
    command_timeout: float,
) -> tuple[Connection, Condition, str]:
    """Dial, prove the certificate, read the greeting; returns connection, greeting and TLS version."""
    address = None
    stage = "no connection in time"
    connection = Connection(command_timeout, server.host)
    try:
        async with asyncio.timeout(timeout):
            dialed = await dial(server, network, timeout=timeout)
            address, stage = dialed.address, "no TLS in time"
            context = tls_context(server, network, address)
            if server.security is Security.TLS:
                await _connect(connection, server, dialed, context)
                stage = "no greeting in time"
                greeting = await connection.greeting
            else:
                await _connect(connection, server, dialed, None)
                stage = "no greeting in time"
                greeting = await connection.greeting
                stage = "no TLS in time"
                await _start_tls(connection, server, greeting, context)
    except TimeoutError:
        connection.close()
        raise TimedOut(stage, host=server.host, port=server.port, address=address) from None
    except ConnectError as error:
        connection.close()
        error.host, error.port, error.address = server.host, server.port, error.address or address
        raise
    except OSError as error:
        connection.close()
        raise connect_failure(error, server, address) from error
    except BaseException:
        connection.close()
        raise
    return connection, greeting, connection.tls_version


async def _connect(connection: Connection, server: Server, dialed: Dialed, context: ssl.SSLContext | None) -> None:
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: connection,
            sock=dialed.sock,
            ssl=context,
            server_hostname=server_name(server) if context else None,
        )
    except BaseException:
        dialed.sock.close()
        raise
    _forget_certificate(connection)


async def _start_tls(connection: Connection, server: Server, greeting: Condition, context: ssl.SSLContext) -> None:
    """STARTTLS before anything else is said; what came in the clear is forgotten (RFC 9051 §11.1)."""
    if greeting.kind == "PREAUTH":
        raise ProtocolError("logged in before TLS: what this server says cannot be believed")
    try:
        await connection.run(Command(Verb.STARTTLS))
    except CommandRefused as refused:
        raise StartTlsRefused(refused.reply) from None
    loop = asyncio.get_running_loop()
    transport = await loop.start_tls(connection.transport, connection, context, server_hostname=server_name(server))
    connection.after_tls(cast(asyncio.Transport, transport))
    _forget_certificate(connection)


def _forget_certificate(connection: Connection) -> None:
    """Empty the transport's copy of the proven certificate: thousands of connections would keep kilobytes each."""
    certificate = connection.transport.get_extra_info("peercert")
    if certificate:
        certificate.clear()
