"""The simulator's CA: kept, private, and followed by OpenSSL."""

import ssl
import stat
from pathlib import Path

import pytest

from tocsin.simulator.authority import Authority


def handshake(server: ssl.SSLContext, ca_file: Path, name: str) -> dict[str, object]:
    """A TLS handshake in memory; the certificate that the client accepted."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.create_default_context(cafile=str(ca_file))
    client_side = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client_side, server_side):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(client_side.getpeercert() or {})


def test_certificate_is_trusted_for_each_of_its_names(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context("fcm.googleapis.com", "jmt17.google.com")
    for name in ("fcm.googleapis.com", "jmt17.google.com"):
        assert ("DNS", name) in handshake(context, authority.ca_file, name)["subjectAltName"]  # type: ignore[operator]


def test_other_names_and_expired_certificates_are_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(authority.server_context("wrong.example"), authority.ca_file, "web.push.apple.com")
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(authority.server_context("a.example", expired=True), authority.ca_file, "a.example")


def test_ca_is_kept_so_that_it_is_trusted_only_once(tmp_path: Path) -> None:
    ca_file = Authority(tmp_path).ca_file
    before = ca_file.read_bytes()
    again = Authority(tmp_path)
    assert ca_file.read_bytes() == before
    assert handshake(again.server_context("a.example"), ca_file, "a.example")


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    Authority(tmp_path).server_context("a.example")
    keys = list(tmp_path.glob("*.key"))
    assert len(keys) == 2
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
