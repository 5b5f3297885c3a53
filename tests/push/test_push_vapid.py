"""The application server's key: made once by all, kept from others; and its tokens."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from py_vapid.jwt import decode

from tocsin.domain.errors import Misconfigured
from tocsin.push import vapid
from tocsin.push.vapid import ApplicationServer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FCM = "https://fcm.googleapis.com"
APPLE = "https://web.push.apple.com"
SUBJECT = "mailto:desk@news.example"


@pytest.fixture
def server(tmp_path: Path) -> ApplicationServer:
    return ApplicationServer.load_or_make(tmp_path / "vapid.pem", SUBJECT)


def claims(header: str) -> dict[str, object]:
    """The claims of a header, its signature checked with the key that it names."""
    match = re.fullmatch(r"vapid t=([\w-]+\.[\w-]+\.[\w-]+), k=([\w-]{87})", header)
    assert match
    found = decode(*match.groups())
    assert isinstance(found, dict)
    return found


def pem(key: object) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined,no-any-return]


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "vapid.pem"
    made = ApplicationServer.load_or_make(path, SUBJECT)
    loaded = ApplicationServer.load_or_make(path, SUBJECT)
    assert (loaded.public_key, loaded.key_id) == (made.public_key, made.key_id)
    assert (len(made.public_key), len(made.key_id)) == (87, 4)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    together = Barrier(8)

    def start(_: int) -> str:
        together.wait()
        return ApplicationServer.load_or_make(tmp_path / "vapid.pem", SUBJECT).public_key

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["vapid.pem"]


def test_a_late_maker_keeps_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "vapid.pem"
    first = ApplicationServer.load_or_make(path, SUBJECT)
    vapid._make(path)
    assert ApplicationServer.load_or_make(path, SUBJECT).public_key == first.public_key


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "vapid.pem"
    ApplicationServer.load_or_make(path, SUBJECT)
    path.chmod(mode)
    with pytest.raises(Misconfigured, match="chmod 600"):
        ApplicationServer.load_or_make(path, SUBJECT)


@pytest.mark.parametrize(
    "content",
    [
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(rsa.generate_private_key(65_537, 2_048)),
        b"-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n",
        b"",
        b"\xff\xfe",
    ],
    ids=["P-384", "RSA", "garbage", "empty", "binary"],
)
def test_a_foreign_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vapid.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Misconfigured, match=r"TOCSIN_VAPID_PRIVATE_KEY_FILE.*P-256"):
        ApplicationServer.load_or_make(path, SUBJECT)
    assert path.read_bytes() == content


def test_a_place_where_no_key_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "vapid.pem"):
        with pytest.raises(Misconfigured, match="TOCSIN_VAPID_PRIVATE_KEY_FILE"):
            ApplicationServer.load_or_make(path, SUBJECT)


def test_each_origin_has_its_own_claims(server: ApplicationServer) -> None:
    ends = int((NOW + timedelta(hours=12)).timestamp())
    for origin in (FCM, APPLE, FCM):
        assert claims(server.authorization(origin, NOW)) == {"aud": origin, "exp": ends, "sub": SUBJECT}
    assert server.signatures == 2


def test_a_token_is_signed_once_in_six_hours(server: ApplicationServer) -> None:
    headers = {server.authorization(APPLE, NOW + timedelta(minutes=minute)) for minute in range(0, 360, 7)}
    assert (len(headers), server.signatures) == (1, 1)
    later = server.authorization(APPLE, NOW + timedelta(hours=6))
    assert claims(later)["exp"] == int((NOW + timedelta(hours=18)).timestamp())
    assert server.signatures == 2


@settings(max_examples=30, deadline=None)
@given(hours=st.lists(st.floats(-400, 400), min_size=1, max_size=8))
def test_no_token_is_stale_or_too_long_whatever_the_clock_does(
    tmp_path_factory: pytest.TempPathFactory, hours: list[float]
) -> None:
    server = ApplicationServer.load_or_make(tmp_path_factory.getbasetemp() / "clock" / "vapid.pem", SUBJECT)
    for hour in hours:
        now = NOW + timedelta(hours=hour)
        ends = claims(server.authorization(FCM, now))["exp"]
        assert isinstance(ends, int)
        assert 6 * 3_600 - 1 <= ends - now.timestamp() <= 13 * 3_600


def test_origins_without_end_do_not_fill_the_memory(server: ApplicationServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vapid, "MAX_ORIGINS", 4)
    for number in range(9):
        server.authorization(f"https://wns{number}.notify.windows.com", NOW)
    assert len(server._headers) == 4


def test_a_subject_may_be_a_page(tmp_path: Path) -> None:
    page = "https://news.example/about/alerts"
    server = ApplicationServer.load_or_make(tmp_path / "vapid.pem", page)
    assert json.dumps(claims(server.authorization(FCM, NOW))["sub"]) == f'"{page}"'
