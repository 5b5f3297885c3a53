"""Message encryption for Web Push (RFC 8291) as one `aes128gcm` record (RFC 8188).

What is costly does not depend on the message: `derive` makes the key of one message to one subscription, at any time
before; `seal` is all that is left when the message is known.
"""

import hmac
import os
from functools import cache
from typing import NamedTuple

import structlog
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tocsin.domain.errors import TooLarge
from tocsin.domain.payload import MAX_PAYLOAD
from tocsin.push.native import NATIVE

log = structlog.get_logger()

# RFC 8030 §7.2: a push service must take 4,096 bytes, and need not take more. The header has 86, the tag 16.
MAX_BODY = 4_096
HEADER_SIZE = 86
MAX_PADDED = MAX_BODY - HEADER_SIZE - 16
MAX_PLAINTEXT = MAX_PADDED - 1
# Most headlines differ by less than this; all alerts of a newsroom fall into a few lengths.
STEP = 256

_CURVE = SECP256R1()
_EXCHANGE = ECDH()
# RFC 8188 §2.1: salt, then the record size (4,096: one record, whatever its length), then the length of the key id.
_SIZES = MAX_BODY.to_bytes(4, "big") + b"\x41"
_KEY_INFO = b"WebPush: info\0"
_CEK_INFO = b"Content-Encoding: aes128gcm\0\x01"
_NONCE_INFO = b"Content-Encoding: nonce\0\x01"


class MessageKey(NamedTuple):
    """The key for ONE message to one subscription: using it for a second plaintext would give both away.

    `header` is the 86 bytes before the ciphertext (salt, sizes, our public key); `cek` 16 bytes; `nonce` 12.
    """

    header: bytes
    cek: bytes
    nonce: bytes


def pad(plaintext: bytes, step: int = STEP) -> bytes:
    """The plaintext with its delimiter and zeros (RFC 8188 §2), once for an alert: lengths come in steps of bytes.

    Raises TooLarge over 3,993 bytes: the libraries would split it into two records, which no browser takes.
    """
    if len(plaintext) > MAX_PLAINTEXT:
        raise TooLarge(f"a push message holds {MAX_PLAINTEXT:,} bytes at most, not {len(plaintext):,}")
    length = -(-(len(plaintext) + 1) // step) * step
    # The longest alerts are not padded over what bridged Android takes, which is why they are no longer.
    most = MAX_PAYLOAD + 1 if len(plaintext) <= MAX_PAYLOAD else MAX_PADDED
    return (plaintext + b"\x02").ljust(min(length, most), b"\0")


def derive(
    p256dh: bytes, auth: bytes, *, salt: bytes | None = None, private_key: EllipticCurvePrivateKey | None = None
) -> MessageKey:
    """A message's key from the browser's point (65 bytes) and secret (16 bytes), RFC 8291 §3.4.

    `salt` (16 bytes) and `private_key` are drawn at random and are given only to repeat a known example. The private
    key is not kept. Raises ValueError if `p256dh` is no point on P-256.
    """
    if NATIVE is not None and salt is None and private_key is None and NATIVE.takes(p256dh, auth):
        try:
            found = NATIVE.derive(p256dh, auth)
        except RuntimeError as error:
            _tell(str(error))
        else:
            return MessageKey(found[:86], found[86:102], found[102:])
    return derive_portably(p256dh, auth, salt=salt, private_key=private_key)


@cache
def _tell(fault: str) -> None:
    """Once for a process: what fails for one message may fail for all."""
    log.warning("message keys are made without libcrypto where it fails", fault=fault)


def derive_portably(
    p256dh: bytes, auth: bytes, *, salt: bytes | None = None, private_key: EllipticCurvePrivateKey | None = None
) -> MessageKey:
    """`derive` without the system's libcrypto: what it is measured against, and what is there everywhere."""
    salt = salt or os.urandom(16)
    private_key = private_key or generate_private_key(_CURVE)
    ours = private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = private_key.exchange(_EXCHANGE, EllipticCurvePublicKey.from_encoded_point(_CURVE, p256dh))
    # HKDF written out: one block each, so that one HMAC is the whole expansion (RFC 5869 §2.3).
    key = hmac.digest(hmac.digest(auth, shared, "sha256"), b"".join((_KEY_INFO, p256dh, ours, b"\x01")), "sha256")
    secret = hmac.digest(salt, key, "sha256")
    return MessageKey(
        header_of(salt, ours),
        hmac.digest(secret, _CEK_INFO, "sha256")[:16],
        hmac.digest(secret, _NONCE_INFO, "sha256")[:12],
    )


def header_of(salt: bytes, public_key: bytes) -> bytes:
    """The 86 bytes before the ciphertext (RFC 8188 §2.1) from the salt (16) and our public key (65)."""
    return b"".join((salt, _SIZES, public_key))


def seal(key: MessageKey, padded: bytes) -> bytes:
    """The body of the request: at most 4,096 bytes. `padded` comes from `pad`; raises TooLarge for more than that."""
    if len(padded) > MAX_PADDED:
        raise TooLarge(f"a push message holds {MAX_PADDED:,} padded bytes at most, not {len(padded):,}")
    return key.header + AESGCM(key.cek).encrypt(key.nonce, padded, None)


def encrypt(
    padded: bytes,
    p256dh: bytes,
    auth: bytes,
    *,
    salt: bytes | None = None,
    private_key: EllipticCurvePrivateKey | None = None,
) -> bytes:
    """`derive` and `seal` at once, for a message that has no prekey."""
    return seal(derive(p256dh, auth, salt=salt, private_key=private_key), padded)
