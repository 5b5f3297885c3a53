"""Whom we trust: the system, and PUSH_CA_FILE beside it."""

import ssl
from pathlib import Path

import certifi
import pytest

from tocsin.domain.errors import Misconfigured
from tocsin.push.trust import ca_bundle
from tocsin.simulator.authority import Authority


def authorities(bundle: Path) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(bundle)
    return context.cert_store_stats()["x509_ca"]


@pytest.fixture(autouse=True)
def roots(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    return Path(certifi.where())


def test_the_systems_roots_are_used_where_they_are(tmp_path: Path, roots: Path) -> None:
    assert ca_bundle(None, tmp_path) == roots
    assert not list(tmp_path.iterdir())


def test_an_own_authority_is_trusted_beside_them(tmp_path: Path, roots: Path, authority: Authority) -> None:
    bundle = ca_bundle(authority.ca_file, tmp_path / "data")
    assert authorities(bundle) == authorities(roots) + 1
    before = bundle.stat().st_ino
    assert ca_bundle(authority.ca_file, tmp_path / "data") == bundle
    assert bundle.stat().st_ino == before
    assert list(bundle.parent.iterdir()) == [bundle]


def test_a_changed_authority_replaces_the_bundle(tmp_path: Path, roots: Path, authority: Authority) -> None:
    (tmp_path / "other").mkdir()
    bundle = ca_bundle(authority.ca_file, tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(authority.ca_file.read_bytes() + Authority(tmp_path / "other").ca_file.read_bytes())
    assert authorities(ca_bundle(both, tmp_path)) == authorities(roots) + 2
    assert ca_bundle(both, tmp_path) == bundle


@pytest.mark.parametrize(
    "content", [None, b"", b"not PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_certificate_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"TOCSIN_PUSH_CA_FILE.*ca\.pem"):
        ca_bundle(file, tmp_path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, authority: Authority) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(Misconfigured, match="TOCSIN_DATA_DIR"):
        ca_bundle(authority.ca_file, tmp_path / "data")


def test_roots_that_were_asked_for_and_are_missing_are_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(Misconfigured, match="SSL_CERT_FILE"):
        ca_bundle(None, tmp_path)


def test_without_any_system_roots_certifi_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    nowhere = ssl.DefaultVerifyPaths(None, None, "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)
    assert ca_bundle(None, tmp_path) == Path(certifi.where())
