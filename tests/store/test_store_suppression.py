"""Who was erased on request is not taken in again by itself, whoever races; what is left of it names nobody."""

from datetime import timedelta
from typing import Any

import pytest
from store_sound import KEY_ID, NONE_KEPT, NOW_MS, SPORT, WORLD, add, add_some, assert_sound

from samples import a_subscription
from tocsin.domain.errors import Ended
from tocsin.store.shards import shard_key
from tocsin.store.store import Store
from tocsin.store.suppression import KEEP_DAYS

BROWSER = a_subscription("one")


async def assert_stays_away(store: Store) -> None:
    with pytest.raises(Ended):
        await store.subscriptions.add(BROWSER, WORLD, KEY_ID, NOW_MS, NONE_KEPT)
    assert await store.subscriptions.get(BROWSER.digest) is None
    assert BROWSER.digest not in await assert_sound(store)


async def test_it_stays_away_and_all_others_do_not(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER, SPORT)

    assert await store.subscriptions.erase(BROWSER.digest, NOW_MS) == kept.address

    await assert_stays_away(store)
    assert await store.subscriptions.erase(BROWSER.digest, NOW_MS) is None
    assert len(await add_some(store, 3)) == 3


async def test_who_leaves_by_itself_may_come_again(store: Store) -> None:
    assert await store.subscriptions.delete(await add(store.subscriptions, BROWSER), NOW_MS)
    assert await add(store.subscriptions, BROWSER)


async def test_one_called_gone_is_erased_too(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER)
    await store.quarantine.add(kept.address, kept.packed, NOW_MS)

    assert await store.subscriptions.erase(BROWSER.digest, NOW_MS) == kept.address

    assert await store.quarantine.of("fcm.0") == []
    await assert_stays_away(store)


@pytest.mark.parametrize("called_gone", [False, True])
async def test_one_whose_first_answer_was_lost_is_told_as_erased(
    store: Store, monkeypatch: pytest.MonkeyPatch, called_gone: bool
) -> None:
    kept = await add(store.subscriptions, BROWSER)
    if called_gone:
        await store.quarantine.add(kept.address, kept.packed, NOW_MS)
    run = store.server.run

    async def repeated(*call: Any) -> Any:
        await run(*call)
        return await run(*call)

    monkeypatch.setattr(store.server, "run", repeated)

    assert await store.subscriptions.erase(BROWSER.digest, NOW_MS) == kept.address


async def test_one_on_its_way_to_another_endpoint_is_not_waited_for(store: Store) -> None:
    """The process that moved it was killed: the browser is here by another id, and the operator is told so."""
    kept = await add(store.subscriptions, BROWSER)
    moved = a_subscription("moved")
    row = BROWSER.digest + kept.packed.replace(BROWSER.endpoint.url.encode(), moved.endpoint.url.encode())
    await store.server.redis.hset(shard_key("fcm.0", "moves"), "0", row)

    assert await store.subscriptions.erase(BROWSER.digest, NOW_MS) is None

    assert await store.subscriptions.get(moved.digest)
    await assert_stays_away(store)


async def test_a_registration_that_looked_before_comes_to_nothing(store: Store) -> None:
    seen = await store.subscriptions.look(BROWSER.digest)
    await add(store.subscriptions, BROWSER)
    await store.subscriptions.erase(BROWSER.digest, NOW_MS)

    with pytest.raises(Ended):
        await store.subscriptions.add(BROWSER, WORLD, KEY_ID, NOW_MS, NONE_KEPT, seen)

    await assert_stays_away(store)


async def test_what_is_left_names_nobody_and_goes_by_itself(store: Store) -> None:
    await add(store.subscriptions, BROWSER)
    await store.subscriptions.erase(BROWSER.digest, NOW_MS)
    redis = store.server.redis

    (key,) = [key async for key in redis.scan_iter(match="{site}:suppressed:*")]

    assert BROWSER.digest.hex().encode() not in key
    assert await redis.get(key) == b""
    left = timedelta(seconds=await redis.ttl(key))
    assert timedelta(days=KEEP_DAYS - 1) < left <= timedelta(days=KEEP_DAYS)
    await redis.delete(key)
    assert await add(store.subscriptions, BROWSER)
