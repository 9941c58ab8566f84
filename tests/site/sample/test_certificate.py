import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from fumibako.site.sample import certificate
from fumibako.site.sample.certificate import server_context


def serial(folder: Path) -> int:
    return x509.load_pem_x509_certificate((folder / "server.pem").read_bytes()).serial_number


def test_a_good_certificate_is_kept(tmp_path: Path) -> None:
    server_context(tmp_path)
    first, authority = serial(tmp_path), (tmp_path / "ca.pem").read_bytes()
    server_context(tmp_path)
    assert serial(tmp_path) == first
    assert (tmp_path / "ca.pem").read_bytes() == authority


def test_one_that_ends_within_a_month_is_renewed_by_the_same_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(certificate, "SERVER_LIFE", timedelta(days=29))
        server_context(tmp_path)
    first, authority = serial(tmp_path), (tmp_path / "ca.pem").read_bytes()
    server_context(tmp_path)
    assert serial(tmp_path) != first
    assert (tmp_path / "ca.pem").read_bytes() == authority


def test_a_lost_key_of_the_authority_makes_a_new_one(tmp_path: Path) -> None:
    server_context(tmp_path)
    first = serial(tmp_path)
    (tmp_path / "ca.key").unlink()
    server_context(tmp_path)
    assert serial(tmp_path) != first


def test_the_authority_can_vouch_for_loopback_only(tmp_path: Path) -> None:
    server_context(tmp_path)
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.pem").read_bytes())
    names = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
    assert names and {str(name.value) for name in names} == {"localhost", "127.0.0.1/32"}
    assert authority.not_valid_before_utc < datetime.now(UTC)
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    assert context.cert_store_stats()["x509_ca"] >= 1
