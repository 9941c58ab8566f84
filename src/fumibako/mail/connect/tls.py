"""TLS towards a mail server: whom we believe, and what a failed handshake means."""

import functools
import os
import ssl
from pathlib import Path

from .errors import (
    CertificateExpired,
    CertificateForeignName,
    CertificateUntrusted,
    ConnectError,
    Dropped,
    NotTls,
    TlsError,
    TlsTooOld,
)
from .guard import IPAddress, effective
from .network import Network, Server, ascii_name, literal_address


def server_name(server: Server) -> str:
    """The name that the certificate must carry: the host in A-labels, or the IP literal."""
    literal = literal_address(server.host)
    return ascii_name(server.host) if literal is None else str(literal)


def tls_context(server: Server, network: Network, address: IPAddress) -> ssl.SSLContext:
    """A client context (TLS 1.2 or newer, certificate and name checked) for a connection to this address.

    Believes the system's store and SSL_CERT_FILE, and a private authority only at the addresses and ports that it was
    listed for. Contexts are shared between connections. Use it with `server_hostname=server_name(server)`.
    """
    here = (effective(address), server.port)
    cafiles = [authority.cafile for authority in network.authorities if here in authority.addresses]
    extra = os.environ.get("SSL_CERT_FILE")
    own_store = [Path(extra), Path(ssl.get_default_verify_paths().openssl_cafile)] if extra else []
    return _context(tuple((file, file.stat().st_mtime_ns) for file in (*own_store, *cafiles) if file.exists()))


@functools.lru_cache(maxsize=32)
def _context(cafiles: tuple[tuple[Path, int], ...]) -> ssl.SSLContext:
    """Cached by files and the moments of their last change: the store has hundreds of KB, connections are thousands."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # RFC 9525 §2: the subject alternative names decide
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    for cafile, _ in cafiles:
        context.load_verify_locations(cafile=cafile)
    return context


# X509_V_ERR numbers of OpenSSL, x509_vfy.h
_FOREIGN_NAME = frozenset({62, 64})  # host name, IP address
_OUT_OF_DATE = frozenset({9, 10})  # not yet valid, expired
_WEAK = frozenset({66, 67, 68})  # key of the certificate, key of an authority, digest of an authority
_TOO_OLD_REASONS = (
    "PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "VERSION_TOO_LOW",
    "KEY_TOO_SMALL",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
    "HANDSHAKE_FAILURE",
    "INSUFFICIENT_SECURITY",
    "NO_SHARED_CIPHER",
)
_NOT_TLS_REASONS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


def tls_failure(error: ssl.SSLError, server: Server, address: IPAddress | None = None) -> ConnectError:
    """What a failed handshake means, as one of the TlsError family (or Dropped)."""
    reason = error.reason or ""
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or "UNEXPECTED_EOF" in reason:
        return Dropped("closed during the TLS handshake", host=server.host, port=server.port, address=address)
    code = getattr(error, "verify_code", None)
    return _tls_kind(reason, code)(
        getattr(error, "verify_message", "") or reason.lower().replace("_", " "),
        reason=error.reason,
        verify_code=code,
        host=server.host,
        port=server.port,
        address=address,
    )


def _tls_kind(reason: str, verify_code: int | None) -> type[TlsError]:
    if verify_code is not None:
        if verify_code in _FOREIGN_NAME:
            return CertificateForeignName
        if verify_code in _OUT_OF_DATE:
            return CertificateExpired
        return TlsTooOld if verify_code in _WEAK else CertificateUntrusted
    if any(part in reason for part in _TOO_OLD_REASONS):
        return TlsTooOld
    return NotTls if any(part in reason for part in _NOT_TLS_REASONS) else TlsError
