"""A browser's push subscription (W3C Push API): what arrives, what is kept, and how a record is packed."""

import base64
import binascii
import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from pydantic import BaseModel, ConfigDict, Field

from tocsin.domain.endpoints import Endpoint, parse_endpoint
from tocsin.domain.errors import Invalid, UnknownRecord

SHARD_SIZE = 1_000


class PushKeys(BaseModel):
    """The browser's keys, base64url: `p256dh` a P-256 point of 65 bytes, `auth` a secret of 16 (RFC 8291 §3)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    p256dh: str = Field(max_length=256)
    auth: str = Field(max_length=64)


class PushSubscription(BaseModel):
    """What `PushSubscription.toJSON()` gives in a browser. `expirationTime` is milliseconds, or null."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    endpoint: str
    expirationTime: float | None = None  # noqa: N815 (the browser's own name)
    keys: PushKeys

    def checked(self, allowed_hosts: Sequence[str]) -> "Subscription":
        """Raises Invalid with the field for anything that no push could be sent to."""
        endpoint = parse_endpoint(self.endpoint, allowed_hosts)
        p256dh = _decode(self.keys.p256dh, "subscription.keys.p256dh")
        auth = _decode(self.keys.auth, "subscription.keys.auth")
        if len(p256dh) != 65 or p256dh[0] != 0x04 or not _on_curve(p256dh):
            raise Invalid.at("subscription.keys.p256dh", "is not an uncompressed point on the curve P-256")
        if len(auth) != 16:
            raise Invalid.at("subscription.keys.auth", f"must be 16 bytes, not {len(auth)}")
        return Subscription(endpoint, p256dh, auth)


@dataclass(frozen=True)
class Subscription:
    """A subscription that passed every check."""

    endpoint: Endpoint
    p256dh: bytes
    auth: bytes

    @property
    def digest(self) -> bytes:
        return endpoint_digest(self.endpoint.url)


@dataclass(frozen=True)
class Address:
    """Where a subscription lives: its number within its push service. `fcm.17` is the shard of 17,000 to 17,999."""

    push_service: str
    number: int

    @classmethod
    def of(cls, shard: str, slot: int) -> "Address":
        push_service, _, place = shard.rpartition(".")
        return cls(push_service, int(place) * SHARD_SIZE + slot)

    @property
    def shard(self) -> str:
        return f"{self.push_service}.{self.number // SHARD_SIZE}"

    @property
    def slot(self) -> int:
        return self.number % SHARD_SIZE


def shard_push_service(shard: str) -> str:
    """`fcm` of `fcm.17`; a push service known by its host has dots of its own."""
    return shard.rpartition(".")[0]


@dataclass(frozen=True)
class Record:
    """What is kept on a browser, packed: 91 bytes and the endpoint.

    `vapid_key_id` names the application server key it subscribed with, `created` is in seconds since 1970, and
    `token_counter` makes old tokens worthless when it moves on.
    """

    endpoint: str
    p256dh: bytes
    auth: bytes
    vapid_key_id: bytes
    created: int
    token_counter: int = 0

    _VERSION = 1
    _LAYOUT = struct.Struct(">B4sIH16s64s")

    def pack(self) -> bytes:
        # The point's first byte is always 0x04 (uncompressed), so it is not kept.
        head = self._LAYOUT.pack(
            self._VERSION, self.vapid_key_id, self.created, self.token_counter, self.auth, self.p256dh[1:]
        )
        return head + self.endpoint.encode("ascii")

    @classmethod
    def unpack(cls, packed: bytes) -> "Record":
        """Raises UnknownRecord for a form that a newer version wrote: it must not be taken for nobody."""
        version = packed[0] if packed else None
        if version != cls._VERSION or len(packed) < cls._LAYOUT.size:
            raise UnknownRecord(f"a subscription record has version {version}; this program knows {cls._VERSION}")
        _, key_id, created, counter, auth, point = cls._LAYOUT.unpack_from(packed)
        endpoint = packed[cls._LAYOUT.size :].decode("ascii")
        return cls(endpoint, b"\x04" + point, auth, key_id, created, counter)

    @property
    def digest(self) -> bytes:
        return endpoint_digest(self.endpoint)


def endpoint_digest(url: str) -> bytes:
    """16 bytes that stand for an endpoint; the public id is their text."""
    return hashlib.sha256(url.encode("ascii")).digest()[:16]


def public_id(digest: bytes) -> str:
    """22 base64url characters."""
    return encode_base64url(digest)


def parse_public_id(text: str) -> bytes | None:
    """None for what cannot be one of our ids."""
    try:
        digest = base64.urlsafe_b64decode(text + "==")
    except (ValueError, binascii.Error):
        return None
    return digest if len(digest) == 16 and public_id(digest) == text else None


def encode_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str, field: str) -> bytes:
    try:
        # Browsers give base64url; some libraries the plain alphabet. Anything outside both is refused.
        plain = text.rstrip("=").replace("+", "-").replace("/", "_")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise Invalid.at(field, "is not base64url") from None


def _on_curve(point: bytes) -> bool:
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
    except ValueError:
        return False
    return True
