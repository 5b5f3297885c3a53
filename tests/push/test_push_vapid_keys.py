"""Keys in force: a rotation loses nobody, a foreign key is taken over whole or refused in words."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tocsin.domain.errors import Misconfigured, NotFound
from tocsin.domain.subscriptions import encode_base64url
from tocsin.push import vapid_keys
from tocsin.push.vapid_files import install, keep_older, read_foreign, retire, rotate
from tocsin.push.vapid_keys import ServerKeys, older_folder

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FCM = "https://fcm.googleapis.com"
SUBJECT = "mailto:desk@news.example"
KEY = ec.generate_private_key(ec.SECP256R1())
RAW = encode_base64url(KEY.private_numbers().private_value.to_bytes(32))
PUBLIC = encode_base64url(KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def pem(key: object, form: PrivateFormat = PrivateFormat.PKCS8, secret: object = None) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, form, secret or NoEncryption())  # type: ignore[attr-defined]
    return text.decode()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Processes look again at once."""
    monkeypatch.setattr(vapid_keys, "LOOK_SECONDS", 0)
    return tmp_path / "vapid.pem"


def test_after_a_rotation_each_has_its_own_key_without_a_restart(path: Path) -> None:
    keys = ServerKeys.load_or_make(path, SUBJECT)
    first = keys.present
    header = first.authorization(FCM, NOW)

    made = rotate(path, SUBJECT)

    assert keys.present.public_key == made.public_key != first.public_key
    assert list(keys.all) == [made.key_id, first.key_id]
    known = keys.of(first.key_id)
    assert known is not None
    assert known.authorization(FCM, NOW) == header  # not signed again
    assert keys.present.authorization(FCM, NOW) != header
    assert keys.of(b"none") is None
    files = [path, *older_folder(path).iterdir()]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    assert older_folder(path).stat().st_mode & 0o777 == 0o700

    again = rotate(path, SUBJECT)
    assert set(keys.all) == {first.key_id, made.key_id, again.key_id}
    retire(path, first.key_id)
    assert set(keys.all) == {made.key_id, again.key_id}
    for unknown in (first.key_id, again.key_id):
        with pytest.raises(NotFound):
            retire(path, unknown)


def test_a_file_that_cannot_be_used_ends_a_start_and_not_one_at_work(path: Path) -> None:
    keys = ServerKeys.load_or_make(path, SUBJECT)
    rotate(path, SUBJECT)
    before = dict(keys.all)
    (older,) = older_folder(path).iterdir()
    older.write_text("no key")

    assert dict(keys.all) == before
    with pytest.raises(Misconfigured, match=older.name):
        ServerKeys(path, SUBJECT)


def test_a_key_that_comes_back_is_there_once(path: Path) -> None:
    keys = ServerKeys.load_or_make(path, SUBJECT)
    first = path.read_bytes()
    made = rotate(path, SUBJECT)

    assert install(first, path, SUBJECT).key_id != made.key_id

    assert path.read_bytes() == first
    assert [file.stem for file in older_folder(path).iterdir()] == [made.key_id.hex()]
    assert len(keys.all) == 2


FOREIGN = {
    "PKCS8": pem(KEY),
    "SEC1": pem(KEY, PrivateFormat.TraditionalOpenSSL),
    "SEC1 with parameters": "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    + pem(KEY, PrivateFormat.TraditionalOpenSSL),
    "raw": RAW + "\n",
    "raw, padded": RAW + "=",
    "web-push's JSON": json.dumps({"publicKey": PUBLIC, "privateKey": RAW}),
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_a_key_of_another_provider_is_taken_over(path: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "theirs"
    file.write_text(text)
    file.chmod(0o600)

    assert install(read_foreign(file), path, SUBJECT).public_key == PUBLIC
    assert ServerKeys(path, SUBJECT).present.public_key == PUBLIC


def test_one_for_those_who_have_it_only(path: Path, tmp_path: Path) -> None:
    keys = ServerKeys.load_or_make(path, SUBJECT)
    present = keys.present
    file = tmp_path / "theirs"
    file.write_text(RAW)
    file.chmod(0o600)

    older = keep_older(read_foreign(file), path)

    assert keys.present is present
    assert keys.of(older.key_id)
    assert older.public_key == PUBLIC


WRONG = {
    "another curve": (pem(ec.generate_private_key(ec.SECP384R1())), "secp384r1"),
    "RSA": (pem(rsa.generate_private_key(65_537, 2_048)), "elliptic curve"),
    "Ed25519": (pem(ed25519.Ed25519PrivateKey.generate()), "elliptic curve"),
    "encrypted": (pem(KEY, secret=BestAvailableEncryption(b"secret")), "encrypted"),
    "a public key": (
        KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "no private key",
    ),
    "a raw public key": (PUBLIC, "public key"),
    "too short": (RAW[:20], "32"),
    "nothing on the curve": (encode_base64url(b"\xff" * 32), "no private key"),
    "zero": (encode_base64url(bytes(32)), "no private key"),
    "broken PEM": ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot be read"),
    "no base64": ("What is this?", "base64url"),
    "empty": ("", "0 bytes"),
    "JSON without it": ("{}", "privateKey"),
    "JSON of another": (json.dumps({"publicKey": PUBLIC[:-1] + "x", "privateKey": RAW}), "publicKey"),
    "no text": ("é", "no text"),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG)
def test_what_is_no_key_is_refused_in_words(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "theirs"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(Misconfigured, match=told) as refused:
        read_foreign(file)
    assert RAW not in refused.value.detail


def test_one_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "theirs"
    file.write_text(RAW)
    file.chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        read_foreign(file)
    with pytest.raises(Misconfigured, match="No such file"):
        read_foreign(tmp_path / "nowhere")
