"""The stock of prekeys: filled while nothing is to be sent, kept fit, and left alone where it must not be."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from samples import a_subscription, an_alert
from tocsin import clock
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import Record
from tocsin.push.encryption import derive
from tocsin.push.prekeys import KEEP_DAYS, day_of
from tocsin.settings import Settings
from tocsin.store.client import Server
from tocsin.store.prekeys import Prekeys
from tocsin.store.shards import shard_key
from tocsin.store.store import Store
from tocsin_workers import prekeys as module
from tocsin_workers.keyring import Keyrings, Wanted
from tocsin_workers.prekeys import Stock

SHARD, COUNT, LAYERS = "fcm.0", 60, 2


class Counts:
    """Beside the real ones, which are written once a second."""

    def __init__(self) -> None:
        self.made = self.used = self.missed = 0

    def prekey(self, used: bool) -> None:
        self.used += used
        self.missed += not used

    def prekeys_made(self, count: int) -> None:
        self.made += count

    async def write_if_due(self) -> None:
        pass


@dataclass
class Keeper:
    store: Store
    server: Server
    prekeys: Prekeys
    keyrings: Keyrings
    counts: Counts
    stock: Stock

    async def there(self) -> int:
        return sum(await self.prekeys.stock([SHARD]))

    async def fill(self, seconds: float = 20) -> None:
        await self.stock.fill(seconds)

    async def used(self, slots: range) -> int:
        """How many of these readers' messages have a key that was made ahead."""
        records = await self.store.subscriptions.records(SHARD)
        ring, before = self.keyrings.empty(), self.counts.used
        await self.keyrings.take([Wanted(ring, SHARD, list(slots))])
        keys = {ring.key(slot, Record.unpack(records[slot]), clock.now()) for slot in slots}
        assert len(keys) == len(slots)
        return self.counts.used - before


@pytest.fixture
async def keeper(store: Store, servers: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeper]:
    server, prekeys, counts = Server(servers.prekey_server), Prekeys(servers.prekey_server, LAYERS), Counts()
    await server.redis.flushall()
    counting: Any = counts
    keyrings = Keyrings(prekeys, store.prekey_secret, counting)
    for number in range(COUNT):
        await store.subscriptions.add(a_subscription(f"b-{number}"), Preferences(), b"vapi", 0, 0)
    stock = Stock(store, prekeys, keyrings, counting, lambda: False)
    yield Keeper(store, server, prekeys, keyrings, counts, stock)
    await server.redis.config_set("appendonly", "no")
    await prekeys.close()
    await server.close()


async def test_everybody_has_as_many_as_are_wanted(keeper: Keeper) -> None:
    await keeper.fill()
    assert (await keeper.there(), keeper.counts.made) == (COUNT * LAYERS, COUNT * LAYERS)
    assert await keeper.used(range(COUNT)) == COUNT
    assert await keeper.used(range(10)) == 10
    assert await keeper.used(range(10)) == 0
    await keeper.fill()
    assert (await keeper.there(), keeper.counts.made) == (COUNT * LAYERS, COUNT * LAYERS + COUNT + 10)


async def test_nothing_is_made_while_an_alert_is_there(keeper: Keeper) -> None:
    await keeper.store.alerts.queue(an_alert(now=clock.now()), "k" * 16)
    await keeper.fill()
    assert await keeper.there() == 0


async def test_an_alert_that_comes_ends_it_after_a_slice(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SLICE_SECONDS", -1.0)  # one record each
    idle, looks = keeper.store.idleness.is_idle, 0

    async def look() -> bool:
        nonlocal looks
        looks += 1
        if looks == 10:
            await keeper.store.alerts.queue(an_alert(now=clock.now()), "k" * 16)
        return await idle()

    monkeypatch.setattr(keeper.store.idleness, "is_idle", look)
    await keeper.fill()
    assert looks == 10
    assert 0 < await keeper.there() <= 10 * LAYERS  # and what was made by then is kept


async def test_other_keys_and_readers_who_left_are_seen_at_a_visit(keeper: Keeper) -> None:
    await keeper.fill()
    kept = await keeper.store.subscriptions.get(a_subscription("b-1").digest)
    gone = await keeper.store.subscriptions.get(a_subscription("b-2").digest)
    assert kept is not None
    assert gone is not None
    await keeper.store.subscriptions.set_keys(kept, a_subscription("b-1", auth=b"o" * 16), b"vapi")
    await keeper.store.subscriptions.delete(gone, 0)
    keeper.stock._looked.clear()  # an hour later
    await keeper.fill()
    assert await keeper.there() == (COUNT - 1) * LAYERS
    assert keeper.counts.made == COUNT * LAYERS + LAYERS
    assert await keeper.used(range(2)) == 2


async def test_old_ones_are_made_anew(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    await keeper.fill()
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(days=KEEP_DAYS - 1))
    keeper.stock._looked.clear()
    await keeper.fill()
    assert keeper.counts.made == COUNT * LAYERS * 2
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(days=KEEP_DAYS + 1))
    assert await keeper.used(range(COUNT)) == COUNT


async def test_an_entry_for_another_browser_is_not_used(keeper: Keeper) -> None:
    """As if it had been put in that slot on purpose."""
    leave = await keeper.prekeys.claim(SHARD)
    assert leave is not None
    seal, stranger = await keeper.keyrings.seal(leave.life), a_subscription("stranger", auth=b"s" * 16)
    keys = stranger.p256dh, stranger.auth
    entry = seal.close(derive(*keys), *keys, day_of(clock.now()))
    await keeper.prekeys.put(leave, [{0: entry}, {}])
    assert await keeper.used(range(1)) == 0
    assert await keeper.there() == 0


async def test_a_server_that_keeps_things_gets_none_and_is_told_of_once(keeper: Keeper) -> None:
    await keeper.server.redis.config_set("appendonly", "yes")
    with capture_logs() as lines:
        for _ in range(3):
            await keeper.fill()
    assert await keeper.there() == 0
    assert [line["event"] for line in lines] == ["no prekeys are made"]
    await keeper.server.redis.config_set("appendonly", "no")
    await keeper.fill()
    assert await keeper.there() == COUNT * LAYERS


async def test_a_record_that_cannot_be_read_keeps_nobody_else_from_having_one(keeper: Keeper) -> None:
    await keeper.store.server.redis.hset(shard_key(SHARD, "records"), "3", b"\x09strange")
    await keeper.fill()
    assert await keeper.there() == (COUNT - 1) * LAYERS
    claims, claim = 0, keeper.prekeys.claim

    async def noting(shard: str) -> Any:
        nonlocal claims
        claims += 1
        return await claim(shard)

    keeper.prekeys.claim = noting  # type: ignore[method-assign]
    for _ in range(5):
        await keeper.fill()
    assert claims == 1, "asked for again and again, for nothing"
