"""Whether the subscriptions in a store fit together; and a connection that dies after so many commands."""

from typing import Any

from samples import a_subscription
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import SHARD_SIZE, Address, Record, Subscription
from tocsin.store.client import Server
from tocsin.store.index import Index
from tocsin.store.numbers import REST_MS, Numbers
from tocsin.store.profiles import NOBODY, Profiles, unpack_numbers
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept, Subscriptions, shard_keys

NOW_MS = 1_772_366_400_000
LATER_MS = NOW_MS + 120_000
AFTER_REST_MS = NOW_MS + 2 * REST_MS
WORLD = Preferences(topics=("world",))
SPORT = Preferences(topics=("sport",))
KEY_ID = b"vkey"
NONE_KEPT = 2**50  # no ledger is kept, so that only a freed number's rest counts


async def add(
    subscriptions: Subscriptions,
    subscription: Subscription,
    preferences: Preferences = WORLD,
    now_ms: int = NOW_MS,
    reusable_before_ms: int = NONE_KEPT,
) -> Kept:
    """Known already, or kept now: what a registration does."""
    return await subscriptions.get(subscription.digest) or await subscriptions.add(
        subscription, preferences, KEY_ID, now_ms, reusable_before_ms
    )


async def add_some(store: Store, count: int, host: str = "fcm.googleapis.com") -> list[Kept]:
    return [await add(store.subscriptions, a_subscription(f"browser-{number}", host)) for number in range(count)]


class Died(Exception):
    """The process ended between two commands."""


class MortalServer(Server):
    """Dies before its command number `lives`: what a process had done that was killed there."""

    def __init__(self, server: Server, lives: int) -> None:
        self.redis = _Mortal(server.redis, lives)
        self._shas = {}


class _Mortal:
    def __init__(self, redis: Any, lives: int) -> None:
        self._redis = redis
        self._lives = lives

    def __getattr__(self, name: str) -> Any:
        if name != "script_load":
            if self._lives == 0:
                raise Died
            self._lives -= 1
        return getattr(self._redis, name)


def mortal_subscriptions(store: Store, lives: int) -> Subscriptions:
    server = MortalServer(store.server, lives)
    return Subscriptions(server, Profiles(server), Numbers(server))


async def assert_sound(store: Store) -> dict[bytes, Address]:
    """Every number is in use, free or reserved, and only one of them; every record is named by the index, and only it
    has preferences. Gives who is kept where."""
    redis, index = store.server.redis, Index(store.server)
    kept: dict[bytes, Address] = {}
    expected: set[Address] = set()
    for push_service, bound in (await store.numbers.bounds()).items():
        used: set[int] = set()
        for shard in range(-(-bound // SHARD_SIZE)):
            records, profiles, gone = shard_keys(f"{push_service}.{shard}")
            assert await redis.hgetall(gone) == {}
            slots = await redis.hkeys(f"{{{push_service}.{shard}}}:expected")
            expected |= {Address(push_service, shard * SHARD_SIZE + int(slot)) for slot in slots}
            numbers = unpack_numbers(await redis.get(profiles) or b"", SHARD_SIZE)
            rows = await redis.hgetall(records)
            assert {slot for slot, number in enumerate(numbers) if number != NOBODY} == set(map(int, rows))
            for slot, packed in rows.items():
                address = Address(push_service, shard * SHARD_SIZE + int(slot))
                digest = Record.unpack(packed).digest
                entry = await index.get(digest)
                assert (entry.address, entry.ready) == (address, True)
                assert digest not in kept
                kept[digest] = address
                used.add(address.number)
        freed = {int(number) for number in await redis.zrange(f"{{numbers:{push_service}}}:freed", 0, -1)}
        reserved = {int(number) for number in await redis.hkeys(f"{{numbers:{push_service}}}:reserved")}
        assert not used & freed
        assert not used & reserved
        assert not freed & reserved
        assert used | freed | reserved == set(range(bound))
        assert {address.number for address in expected if address.push_service == push_service} <= reserved
    named = 0
    async for bucket in redis.scan_iter(match="index:*", count=1_000):
        named += await redis.hlen(bucket)
    pending = named - len(kept)
    assert pending == 0
    return kept
