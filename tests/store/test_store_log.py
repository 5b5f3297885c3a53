"""The store's append-only file is written anew some hours after an erasure, and once more where that failed."""

import asyncio
from typing import Any

import pytest
from store_sound import NOW_MS, add_some

from tocsin.store.store import Store

HOURS_12 = 12 * 3_600_000


async def until_idle(store: Store) -> None:
    async with asyncio.timeout(20):
        while True:
            info = await store.server.redis.info("persistence")
            if not info["aof_rewrite_in_progress"] and not info["aof_rewrite_scheduled"]:
                return
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
async def _idle(store: Store) -> None:
    """The test before may have left one at work in the server that all share."""
    await until_idle(store)


async def noted(store: Store) -> set[bytes]:
    rows: dict[bytes, Any] = await store.server.redis.hgetall("{site}:erased")
    return set(rows)


async def test_where_nothing_was_erased_nothing_is_done(store: Store) -> None:
    await add_some(store, 1)
    assert not await store.log.tend(NOW_MS, 0)
    assert await noted(store) == set()


async def test_it_is_written_once_some_hours_after_the_first(store: Store) -> None:
    one, two, three = await add_some(store, 3)
    await store.subscriptions.delete(one, NOW_MS)
    await store.subscriptions.delete(two, NOW_MS + HOURS_12 // 2)
    assert not await store.log.tend(NOW_MS + HOURS_12 - 1, HOURS_12)

    assert await store.log.tend(NOW_MS + HOURS_12, HOURS_12)
    await store.subscriptions.delete(three, NOW_MS + HOURS_12 + 1)
    await until_idle(store)

    assert not await store.log.tend(NOW_MS + HOURS_12 + 2, HOURS_12)
    assert await noted(store) == {b"first"}  # what was erased since has its own time
    assert await store.log.tend(NOW_MS + 2 * HOURS_12 + 1, HOURS_12)


async def test_one_that_did_not_end_is_done_again(store: Store) -> None:
    (one,) = await add_some(store, 1)
    await store.subscriptions.delete(one, NOW_MS)
    assert await store.log.tend(NOW_MS + HOURS_12, HOURS_12)
    await until_idle(store)
    # The server was restarted amid it: another life, and none was written in that.
    await store.server.redis.hset("{site}:erased", "life", "another")

    assert await store.log.tend(NOW_MS + HOURS_12, HOURS_12)
    await until_idle(store)
    assert not await store.log.tend(NOW_MS + HOURS_12, HOURS_12)
    assert await noted(store) == set()


async def test_several_at_once_begin_one(store: Store) -> None:
    (one,) = await add_some(store, 1)
    await store.subscriptions.delete(one, NOW_MS)
    begun = await asyncio.gather(*(store.log.tend(NOW_MS + HOURS_12, HOURS_12) for _ in range(10)))
    assert begun.count(True) == 1
    await until_idle(store)
