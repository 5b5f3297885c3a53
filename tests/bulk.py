"""Many subscriptions at once, as `Subscriptions.add` would leave them; test_simulation_bulk.py compares the two.

Registering two hundred thousand browsers one by one would take minutes.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from samples import a_subscription
from tocsin.domain.preferences import Preferences, PreferencesPatch
from tocsin.domain.subscriptions import SHARD_SIZE, Address, Record, Subscription
from tocsin.store import index as entries
from tocsin.store.activity import day_of, pack_day
from tocsin.store.profiles import NUMBER
from tocsin.store.shards import PERSONAL, shard_key
from tocsin.store.store import Store

DEFAULTS = Preferences()


@dataclass
class Shard:
    records: dict[str, bytes] = field(default_factory=dict)
    personal: dict[str, str] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    day: int = 0
    """On which all of them were last heard of."""

    @property
    def packed(self) -> bytes:
        return b"".join(NUMBER.pack(self.numbers[slot]) for slot in range(len(self.numbers)))


def preferences(wants: Mapping[str, Any]) -> Preferences:
    """As the API would keep them."""
    return PreferencesPatch.model_validate(wants).applied_to(DEFAULTS, DEFAULTS)


async def fill(
    store: Store, readers: Iterable[tuple[Subscription, Preferences]], key_id: bytes, now_ms: int
) -> list[Address]:
    """Into an empty store; the addresses are in the readers' order."""
    shards: dict[str, Shard] = defaultdict(Shard)
    index: dict[str, dict[bytes, bytes]] = defaultdict(dict)
    bounds: dict[str, int] = defaultdict(int)
    addresses = []
    for subscription, wanted in readers:
        service = subscription.endpoint.push_service
        address = Address(service, bounds[service])
        bounds[service] += 1
        addresses.append(address)
        record = Record(subscription.endpoint.url, subscription.p256dh, subscription.auth, key_id, now_ms // 1000)
        shard, personal = shards[address.shard], wanted.personal
        shard.day = day_of(now_ms)
        shard.records[str(address.slot)] = record.pack()
        shard.numbers[address.slot] = await store.profiles.number(wanted) | (PERSONAL if personal else 0)
        if personal:
            shard.personal[str(address.slot)] = personal
        bucket, name = entries._place(record.digest)
        index[bucket][name] = entries.ready(address)
    await write(store, shards, index, bounds)
    return addresses


async def write(
    store: Store, shards: Mapping[str, Shard], index: Mapping[str, dict[bytes, bytes]], bounds: Mapping[str, int]
) -> None:
    """Whole shards and whatever of the index; `bounds` are the next numbers after them."""
    redis = store.server.redis
    await redis.sadd("{site}:push-services", *bounds)
    for service, bound in bounds.items():
        await redis.set(f"{{numbers:{service}}}:next", bound)
    async with redis.pipeline(transaction=False) as pipe:
        for name, shard in shards.items():
            pipe.hset(shard_key(name, "records"), mapping=shard.records)
            pipe.set(shard_key(name, "profiles"), shard.packed)
            pipe.set(shard_key(name, "seen"), pack_day(shard.day) * len(shard.numbers))
            if shard.personal:
                pipe.hset(shard_key(name, "personal"), mapping=shard.personal)
            if len(pipe) >= 50:
                await pipe.execute()
        await pipe.execute()
        for bucket, rows in index.items():
            pipe.hset(bucket, mapping=rows)
            if len(pipe) >= 1_000:
                await pipe.execute()
        await pipe.execute()


def a_browser(number: int, host: str) -> Subscription:
    """One of many, known by the number at the end of its endpoint."""
    return a_subscription(f"browser-{number}", host)


def browser_number(url: str) -> int:
    return int(url.rpartition("-")[2])


def first_number(shard: str) -> int:
    return int(shard.rpartition(".")[2]) * SHARD_SIZE
