"""A million subscriptions in an empty store within half a minute, as `Subscriptions.add` would leave them.

Endpoints are as long as those of the real push services. Keys are real points of P-256, so that a real message can be
encrypted to each reader; the readers share a pool of them, which no part of Tocsin can tell, since nothing is kept by
key. Endpoints and `auth` are each reader's own.
"""

import base64
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bulk import Shard, write
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import SHARD_SIZE, Address, Record
from tocsin.store import index as entries
from tocsin.store.shards import PERSONAL
from tocsin.store.store import Store

_SHARDS_AT_ONCE = 20


@dataclass(frozen=True)
class PushService:
    """`share` of all readers have it; `token_bytes` make up the rest of an endpoint, as base64url."""

    name: str
    share: float
    prefix: str
    token_bytes: int

    def url(self, number: int, chance: random.Random) -> str:
        """The number is in it, so that two are never the same."""
        token = number.to_bytes(6) + chance.randbytes(self.token_bytes - 6)
        return self.prefix + base64.urlsafe_b64encode(token).decode().rstrip("=")


FCM = PushService("fcm", 0.62, "https://fcm.googleapis.com/fcm/send/", 114)
MOZILLA = PushService("mozilla", 0.13, "https://updates.push.services.mozilla.com/wpush/v2/", 105)
APPLE = PushService("apple", 0.17, "https://web.push.apple.com/", 114)
WNS = PushService("wns", 0.08, "https://wns2-db5p.notify.windows.com/w/?token=", 120)
FOUR = (FCM, MOZILLA, APPLE, WNS)

# The text of what is personal to a reader; "" for the many who have nothing of the kind.
Personal = Callable[[random.Random], str]
_CREATED = 1_772_366_400


def points(count: int = 20_000) -> list[bytes]:
    """Distinct public keys, uncompressed; made in about a second."""
    keys = (generate_private_key(SECP256R1()).public_key() for _ in range(count))
    return [key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) for key in keys]


async def fill(
    store: Store,
    count: int,
    sets: Sequence[Preferences],
    key_id: bytes,
    *,
    personal: Personal = lambda _: "",
    pool: Sequence[bytes] | None = None,
    services: Sequence[PushService] = FOUR,
    seed: int = 1,
) -> dict[str, int]:
    """Gives how many each push service has. Each reader draws one of `sets`; `key_id` is the application server key
    that they subscribed with; a `pool` of points may be given where another filling shares it."""
    chance = random.Random(seed)
    kinds = _Kinds([await store.profiles.number(each) for each in sets], personal, pool or points(), key_id)
    whole = sum(service.share for service in services)
    bounds: dict[str, int] = {}
    for service in services:
        bounds[service.name] = round(count * service.share / whole)
    bounds[services[0].name] += count - sum(bounds.values())
    for service in services:
        for first in range(0, bounds[service.name], _SHARDS_AT_ONCE * SHARD_SIZE):
            end = min(bounds[service.name], first + _SHARDS_AT_ONCE * SHARD_SIZE)
            await _fill_some(store, service, range(first, end), kinds, chance)
    return bounds


@dataclass(frozen=True)
class _Kinds:
    profiles: Sequence[int]
    personal: Personal
    pool: Sequence[bytes]
    key_id: bytes


async def _fill_some(store: Store, service: PushService, numbers: range, kinds: _Kinds, chance: random.Random) -> None:
    shards: dict[str, Shard] = defaultdict(Shard)
    index: dict[str, dict[bytes, bytes]] = defaultdict(dict)
    for number in numbers:
        address = Address(service.name, number)
        url, point, personal = service.url(number, chance), chance.choice(kinds.pool), kinds.personal(chance)
        record = Record(url, point, chance.randbytes(16), kinds.key_id, _CREATED)
        shard, slot = shards[address.shard], address.slot
        shard.records[str(slot)] = record.pack()
        shard.numbers[slot] = chance.choice(kinds.profiles) | (PERSONAL if personal else 0)
        if personal:
            shard.personal[str(slot)] = personal
        bucket, name = entries._place(record.digest)
        index[bucket][name] = entries.ready(address)
    await write(store, shards, index, {service.name: numbers.stop})
