"""How reaching a mail server can fail. No error holds a secret, nor a word that the other side said."""

from .guard import IPAddress


class ConnectError(Exception):
    """A mail server could not be reached; `host` and `port` say which, `address` where it was known."""

    def __init__(self, detail: str = "", *, host: str = "", port: int = 0, address: IPAddress | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.host = host
        self.port = port
        self.address = address

    def __str__(self) -> str:
        where = f"{self.host}:{self.port}" if self.port else self.host
        return ": ".join(part for part in (where, self.detail) if part) or type(self).__name__


class AddressRefused(ConnectError):
    """We do not connect there. The same for every refused address, so that it tells nothing about the inside."""


class NameNotFound(ConnectError):
    """The name does not exist, or has no address."""


class DnsFailure(ConnectError):
    """The look-up got no usable answer (time-out, SERVFAIL): the name may well exist."""


class Refused(ConnectError):
    """The machine answers, nothing listens on the port."""


class Unreachable(ConnectError):
    """No route to any address of the host."""


class TimedOut(ConnectError):
    """No answer in time."""


class Dropped(ConnectError):
    """The other side closed or reset the connection before anything useful was said."""


class NotAMailServer(ConnectError):
    """Something answers that does not greet as the mail server that was asked for.

    Its words are not kept. `speaks` is what was recognized by the first bytes: "imap", "smtp", "pop3", "http", "ssh"
    or None.
    """

    def __init__(
        self,
        *,
        speaks: str | None = None,
        host: str = "",
        port: int = 0,
        address: IPAddress | None = None,
    ) -> None:
        super().__init__(
            "not the mail server that was asked for" + (f" but {speaks}" if speaks else ""),
            host=host,
            port=port,
            address=address,
        )
        self.speaks = speaks


class TlsError(ConnectError):
    """TLS could not be set up; `reason` is OpenSSL's symbol, `verify_code` its X509_V_ERR number where one is known."""

    def __init__(
        self,
        detail: str = "",
        *,
        reason: str | None = None,
        verify_code: int | None = None,
        host: str = "",
        port: int = 0,
        address: IPAddress | None = None,
    ) -> None:
        super().__init__(detail, host=host, port=port, address=address)
        self.reason = reason
        self.verify_code = verify_code


class CertificateUntrusted(TlsError):
    """Self-signed, or by an authority that is not in the store."""


class CertificateForeignName(TlsError):
    """A valid certificate of another name."""


class CertificateExpired(TlsError):
    """Past its last day, or before its first."""


class TlsTooOld(TlsError):
    """The server has only protocol versions, ciphers or keys that are no longer safe."""


class NotTls(TlsError):
    """The port answers without TLS."""
