"""A certificate authority for one server: names localhost and 127.0.0.1, nothing else.

The authority's certificate carries name constraints (RFC 5280 §4.2.1.10), so even a client that trusts it everywhere
could not be led to another name by it.
"""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fumibako.site.sample.account import write_private

AUTHORITY_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)  # what clients accept at most from public authorities
RENEW_BEFORE = timedelta(days=30)
CLOCK_SKEW = timedelta(hours=1)


def server_context(folder: Path) -> ssl.SSLContext:
    """A TLS context for the servers, with a certificate that is valid for at least 30 days more."""
    ca_file, key_file, server_file = folder / "ca.pem", folder / "ca.key", folder / "server.pem"
    if not (key_file.exists() and _lasts(ca_file, SERVER_LIFE)):
        _make_authority(ca_file, key_file)
        server_file.unlink(missing_ok=True)
    if not _lasts(server_file, RENEW_BEFORE):
        _make_server(ca_file, key_file, server_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_file)
    return context


def _lasts(file: Path, time: timedelta) -> bool:
    if not file.exists():
        return False
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    return certificate.not_valid_after_utc > datetime.now(UTC) + time


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _make_authority(ca_file: Path, key_file: Path) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("Fumibako sample authority")
    allowed = [x509.DNSName("localhost"), x509.IPAddress(IPv4Network("127.0.0.1/32"))]
    certificate = (
        _builder(name, name, key.public_key(), AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign_certificates=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=allowed, excluded_subtrees=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_private(key_file, _private(key))
    write_private(ca_file, certificate.public_bytes(serialization.Encoding.PEM))


def _make_server(ca_file: Path, key_file: Path, server_file: Path) -> None:
    authority = x509.load_pem_x509_certificate(ca_file.read_bytes())
    signer = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    certificate = (
        _builder(_name("localhost"), authority.subject, key.public_key(), SERVER_LIFE)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(signer, hashes.SHA256())
    )
    write_private(server_file, certificate.public_bytes(serialization.Encoding.PEM) + _private(key))
