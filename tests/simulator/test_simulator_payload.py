"""Decryption, against bodies made by http_ece and pywebpush and against damaged ones."""

import json
import os
from collections.abc import Callable

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tocsin.simulator.payload import Payloads, UndecryptableError, decrypt

BROWSER = ec.generate_private_key(ec.SECP256R1())
SENDER = ec.generate_private_key(ec.SECP256R1())
AUTH = os.urandom(16)


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encrypt(plaintext: bytes, record_size: int = 4096) -> bytes:
    body: bytes = http_ece.encrypt(
        plaintext, private_key=SENDER, dh=point(BROWSER), auth_secret=AUTH, rs=record_size, version="aes128gcm"
    )
    return body


def seal(padded: bytes) -> bytes:
    """A body whose record holds `padded` as it is."""
    salt = os.urandom(16)
    key, nonce = http_ece.derive_key("encrypt", "aes128gcm", salt, None, SENDER, point(BROWSER), AUTH, b"")
    return salt + (4096).to_bytes(4) + bytes([65]) + point(SENDER) + AESGCM(key).encrypt(nonce, padded, None)


@pytest.mark.parametrize("plaintext", [b"x", b"ends with zeros\0\0", b"x" * 3993])
def test_one_record(plaintext: bytes) -> None:
    assert decrypt(encrypt(plaintext), BROWSER, AUTH) == plaintext


def test_padding_is_stripped() -> None:
    assert decrypt(seal(b"padded\x02" + b"\0" * 3000), BROWSER, AUTH) == b"padded"
    assert decrypt(seal(b"\x02"), BROWSER, AUTH) == b""


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda _: b"short", "shorter"),
        (lambda _: encrypt(b"x" * 500, record_size=200), "more than one record"),
        (lambda body: body[:16] + (len(body) - 86).to_bytes(4) + body[20:], "more than one record"),
        (lambda body: body[:20] + b"\x40" + body[21:], "64 bytes"),
        (lambda body: body[:21] + b"\x04" + b"\x01" * 64 + body[86:], "no point"),
        (lambda body: body[:-1] + bytes([body[-1] ^ 1]), "other keys, or damaged"),
        (lambda _: seal(b"not the last\x01"), "delimiter"),
        (lambda _: seal(b"\0\0"), "delimiter"),
    ],
)
def test_what_cannot_be_read(spoil: Callable[[bytes], bytes], problem: str) -> None:
    with pytest.raises(UndecryptableError, match=problem):
        decrypt(spoil(encrypt(b"hello")), BROWSER, AUTH)


def test_alert_is_found_in_declarative_web_push() -> None:
    payloads = Payloads()
    text = json.dumps({"web_push": 8030, "notification": {"data": {"tocsin": {"alert": "al_7"}}}})
    first = payloads.open(encrypt(text.encode()), lambda: BROWSER, AUTH)
    assert (first.text, first.problem, first.alert) == (text, None, "al_7")
    assert payloads.open(encrypt(text.encode()), lambda: BROWSER, AUTH) is first


@pytest.mark.parametrize("text", [b"words", b"[]", b'{"notification": {"data": {"tocsin": {"alert": 7}}}}'])
def test_other_texts_have_no_alert(text: bytes) -> None:
    read = Payloads().open(encrypt(text), lambda: BROWSER, AUTH)
    assert (read.text, read.alert) == (text.decode(), None)


def test_problems_are_told_not_raised() -> None:
    payloads = Payloads()
    assert payloads.open(b"rubbish", lambda: BROWSER, AUTH).problem == "shorter than a header and a record"
    assert payloads.open(encrypt(b"\xff"), lambda: BROWSER, AUTH).problem == "not UTF-8"
