"""Whether the subscriptions in a store fit together; and a connection that dies after so many commands."""

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from samples import a_subscription
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import SHARD_SIZE, Address, Record, Subscription
from tocsin.store.client import Server
from tocsin.store.index import Index
from tocsin.store.numbers import REST_MS, Numbers, shards_below
from tocsin.store.profiles import NOBODY, NUMBER, Profiles
from tocsin.store.quarantine import Quarantine
from tocsin.store.shards import PERSONAL, shard_key
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept, Subscriptions

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

    async def _together(self, *commands: Sequence[Any]) -> list[Any]:
        """It may die within a trip, too: the server has then seen only the first part of it."""
        answers: list[Any] = []
        for command in commands:
            try:
                answers.append(await self.redis.execute_command(*command))
            except ResponseError as error:
                answers.append(error)
        return answers


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
    return Subscriptions(server, Profiles(server), Numbers(server), Quarantine(server))


async def assert_sound(store: Store) -> dict[bytes, Address]:
    """Every number is in use, free or reserved, and only one of them; every record, in quarantine or not, is named by
    the index, and only it has preferences, a count under a cap and a consent; nobody is on the way to another endpoint.
    Gives who is kept where and not in quarantine."""
    redis = store.server.redis
    kept: dict[bytes, Address] = {}
    quarantined: dict[bytes, Address] = {}
    for push_service, bound in (await store.numbers.bounds()).items():
        mine: dict[bytes, Address] = {}
        away: dict[bytes, Address] = {}
        expected: set[int] = set()
        for shard in shards_below(push_service, bound):
            here, gone = await _shard(store, shard)
            assert not (mine.keys() | away.keys()) & (here.keys() | gone.keys())
            mine |= here
            away |= gone
            slots = await redis.hkeys(shard_key(shard, "expected"))
            expected |= {Address.of(shard, int(slot)).number for slot in slots}
        used = {address.number for address in (*mine.values(), *away.values())}
        assert len(used) == len(mine) + len(away), "two in one place"
        freed = {int(number) for number in await redis.zrange(f"{{numbers:{push_service}}}:freed", 0, -1)}
        reserved = {int(number) for number in await redis.hkeys(f"{{numbers:{push_service}}}:reserved")}
        assert not used & freed
        assert not used & reserved
        assert not freed & reserved
        assert used | freed | reserved == set(range(bound))
        assert expected <= reserved
        kept |= mine
        quarantined |= away
    for digest, address in {**kept, **quarantined}.items():
        entry = await Index(store.server).get(digest)
        assert (entry.address, entry.ready) == (address, True)
    named = 0
    async for bucket in redis.scan_iter(match="index:*", count=1_000):
        named += await redis.hlen(bucket)
    pending = named - len(kept) - len(quarantined)
    assert pending == 0
    return kept


async def _shard(store: Store, shard: str) -> tuple[dict[bytes, Address], dict[bytes, Address]]:
    """Who is there, and who is in quarantine."""
    redis = store.server.redis
    assert await redis.hgetall(shard_key(shard, "gone")) == {}
    assert await redis.hgetall(shard_key(shard, "moves")) == {}
    numbers = await store.profiles.of_shard(shard, SHARD_SIZE)
    rows = {int(slot): row for slot, row in (await redis.hgetall(shard_key(shard, "records"))).items()}
    away = {int(slot): row for slot, row in (await redis.hgetall(shard_key(shard, "quarantine"))).items()}
    assert {slot for slot, number in enumerate(numbers) if number != NOBODY} == set(rows)
    assert not rows.keys() & away.keys()
    flagged = {slot for slot, number in enumerate(numbers) if number & PERSONAL}
    flagged |= {slot for slot, row in away.items() if NUMBER.unpack(row[: NUMBER.size])[0] & PERSONAL}
    assert {int(slot) for slot in await redis.hkeys(shard_key(shard, "personal"))} == flagged
    for days in ("seen", "unreached"):
        row = (await redis.get(shard_key(shard, days)) or b"").ljust(2 * SHARD_SIZE, b"\0")
        noted = {slot for slot in range(SHARD_SIZE) if row[2 * slot : 2 * slot + 2] != b"\0\0"}
        assert noted <= rows.keys() | away.keys()
    for beside in ("caps", "consents"):
        assert {int(slot) for slot in await redis.hkeys(shard_key(shard, beside))} <= rows.keys() | away.keys()
    here = {Record.unpack(row).digest: Address.of(shard, slot) for slot, row in rows.items()}
    gone = {}
    for each in await store.quarantine.of(shard):
        record = await store.quarantine.record(each.address)
        assert record is not None
        gone[record.digest] = each.address
    assert (len(here), len(gone)) == (len(rows), len(away))
    return here, gone
