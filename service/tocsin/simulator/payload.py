"""Decrypts messages (RFC 8188, RFC 8291) with http_ece's key schedule, not with the sender's code."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import http_ece
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT_BYTES = 16
HEADER_BYTES = SALT_BYTES + 4 + 1 + 65  # RFC 8188 §2.1, with the 65-byte key id of RFC 8291 §4
TAG_BYTES = 16
LAST_RECORD = b"\x02"  # RFC 8188 §2, delimiter of the last record
# Thousands of browsers get the same words: each text is kept and parsed once.
TEXTS_SHARED = 1_000


class UndecryptableError(Exception):
    """The message cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What the browser's worker would see: the text, or the problem; `alert` is Tocsin's id in it."""

    text: str | None
    problem: str | None = None
    alert: str | None = None


EMPTY = Payload(None)


class Payloads:
    """Opens bodies; equal texts share one `Payload`."""

    def __init__(self) -> None:
        self._shared: dict[bytes, Payload] = {}

    def open(self, body: bytes, private_key: Callable[[], ec.EllipticCurvePrivateKey], auth: bytes) -> Payload:
        """The payload of one `aes128gcm` body; never raises, since a push service cannot see this either."""
        if not body:
            return EMPTY
        try:
            plaintext = decrypt(body, private_key(), auth)
        except UndecryptableError as problem:
            return Payload(None, str(problem))
        shared = self._shared.get(plaintext)
        if shared is None:
            if len(self._shared) >= TEXTS_SHARED:
                del self._shared[next(iter(self._shared))]
            shared = self._shared[plaintext] = _parse(plaintext)
        return shared


def decrypt(body: bytes, private_key: ec.EllipticCurvePrivateKey, auth: bytes) -> bytes:
    """The plaintext of exactly one record, without its padding (RFC 8291 §4)."""
    if len(body) < HEADER_BYTES + len(LAST_RECORD) + TAG_BYTES:
        raise UndecryptableError("shorter than a header and a record")
    salt, record_size, key_length = body[:16], int.from_bytes(body[16:20]), body[20]
    if key_length != 65:
        raise UndecryptableError(f"the key id has {key_length} bytes, not 65")
    record = body[HEADER_BYTES:]
    if len(record) >= record_size:  # RFC 8291 §4: greater than plaintext, padding and tag together
        raise UndecryptableError(f"more than one record of {record_size} bytes")
    sender_key = body[21:HEADER_BYTES]
    try:
        key, nonce = http_ece.derive_key("decrypt", "aes128gcm", salt, None, private_key, sender_key, auth, b"")
        padded = AESGCM(key).decrypt(nonce, record, None)
    except ValueError as error:
        raise UndecryptableError("the key id is no point of P-256") from error
    except InvalidTag as error:
        raise UndecryptableError("encrypted for other keys, or damaged") from error
    plaintext = padded.rstrip(b"\0")
    if not plaintext.endswith(LAST_RECORD):
        raise UndecryptableError("no delimiter of a last record")
    return plaintext[:-1]


def _parse(plaintext: bytes) -> Payload:
    try:
        text = plaintext.decode()
    except UnicodeDecodeError:
        return Payload(None, "not UTF-8")
    try:
        alert = json.loads(text)["notification"]["data"]["tocsin"]["alert"]
    except (ValueError, LookupError, TypeError):
        alert = None
    return Payload(text, None, alert if isinstance(alert, str) else None)
