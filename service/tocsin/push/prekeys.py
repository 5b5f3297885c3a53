"""Message keys made ahead: what RFC 8291 asks of a message before its text is known, sealed until it is sent.

An entry is 128 bytes: day and tag (2 + 2), salt (16), our public key without its first byte (64), and the content key
and its nonce (16 + 12) sealed by AES-256-GCM (+ 16). The private key is gone when an entry exists.
"""

import hashlib
import hmac
import struct
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tocsin.push.encryption import HEADER_SIZE, MessageKey, header_of

ENTRY_SIZE = 128
HEAD = struct.Struct(">H2s")
# An entry is not used after so many days, nor one that says it is of tomorrow's tomorrow: clocks differ, not by days.
KEEP_DAYS = 7

_SALT = slice(HEAD.size, HEAD.size + 16)
_PUBLIC = slice(_SALT.stop, _SALT.stop + 64)
_SEALED = slice(_PUBLIC.stop, ENTRY_SIZE)
_SECONDS_A_DAY = 86_400


def day_of(moment: datetime) -> int:
    """Days since 1970, UTC: 2 bytes last until 2149."""
    return int(moment.timestamp()) // _SECONDS_A_DAY


def head_of(p256dh: bytes, auth: bytes, day: int) -> bytes:
    """The first 4 bytes of an entry for these keys. They tell an entry of other keys apart, but for one in 65,536; that
    none such is ever used is up to the seal."""
    return HEAD.pack(day, hashlib.sha256(p256dh + auth).digest()[:2])


def is_fresh(day: int, today: int) -> bool:
    return -1 <= today - day < KEEP_DAYS


class Seal:
    """Closes and opens the entries of one life of one prekey server: another life has another key.

    The nonce is 12 of the salt's random bytes. In the 2^32 entries of a life (five days of one core, without a pause)
    two would share one with a probability of 2^-33.
    """

    def __init__(self, secret: bytes, life: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(secret, b"prekeys of " + life, "sha256"))

    def close(self, key: MessageKey, p256dh: bytes, auth: bytes, day: int) -> bytes:
        """The entry of a key that was derived for this browser."""
        salt, public = key.header[:16], key.header[HEADER_SIZE - 64 :]
        shown = b"".join((head_of(p256dh, auth, day), salt, public))
        return shown + self._cipher.encrypt(salt[:12], key.cek + key.nonce, shown + p256dh + auth)

    def open(self, entry: bytes, p256dh: bytes, auth: bytes, today: int) -> MessageKey | None:
        """None for an entry of other keys, another life or another week; and for what is none."""
        if len(entry) != ENTRY_SIZE or not is_fresh(HEAD.unpack_from(entry)[0], today):
            return None
        salt = entry[_SALT]
        try:
            opened = self._cipher.decrypt(salt[:12], entry[_SEALED], entry[: _SEALED.start] + p256dh + auth)
        except InvalidTag:
            return None
        return MessageKey(header_of(salt, b"\x04" + entry[_PUBLIC]), opened[:16], opened[16:])
