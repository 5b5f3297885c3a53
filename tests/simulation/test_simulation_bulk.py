"""What is written in bulk is, byte for byte, what registering one by one leaves behind."""

from typing import Any

from bulk import a_browser, fill, preferences
from crowd import Crowd
from tocsin import clock
from tocsin.clock import milliseconds
from tocsin.store.store import Store

# The day is the store's.
NOW_MS = milliseconds(clock.now())


async def dump(store: Store) -> dict[bytes, Any]:
    redis, found = store.server.redis, {}
    read = {b"string": redis.get, b"hash": redis.hgetall, b"set": redis.smembers}
    async for key in redis.scan_iter(count=1_000):
        found[key] = await read[await redis.type(key)](key)
    return found


async def test_as_one_by_one(store: Store) -> None:
    crowd = Crowd(7, ["2026-03-01T12:00:00Z"], sets=40)
    readers = [(a_browser(number, crowd.host()), preferences(crowd.wants())) for number in range(120)]
    for subscription, wanted in readers:
        await store.subscriptions.add(subscription, wanted, b"keyd", NOW_MS, NOW_MS)
    one_by_one = await dump(store)
    await store.server.redis.flushall()
    store.profiles._numbers.clear()

    addresses = await fill(store, readers, b"keyd", NOW_MS)

    assert await dump(store) == one_by_one
    for (subscription, wanted), address in zip(readers, addresses, strict=True):
        kept = await store.subscriptions.get(subscription.digest)
        assert kept is not None
        assert (kept.address, kept.preferences) == (address, wanted)
