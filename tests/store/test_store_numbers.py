"""Numbers: given out once, and again only when nothing can know them any more."""

import asyncio

from store_sound import NONE_KEPT, NOW_MS, add, add_some, assert_sound

from samples import a_subscription, an_alert
from tocsin.clock import from_milliseconds
from tocsin.store.numbers import REST_MS
from tocsin.store.store import Store

NEWCOMER = a_subscription("newcomer")


async def leave(store: Store, name: str, now_ms: int) -> None:
    kept = await store.subscriptions.get(a_subscription(name).digest)
    assert kept is not None
    await store.subscriptions.delete(kept, now_ms)


async def test_a_freed_number_rests_and_is_then_given_out_first(store: Store) -> None:
    await add_some(store, 3)
    await leave(store, "browser-1", NOW_MS)

    early = await add(store.subscriptions, a_subscription("early"), now_ms=NOW_MS + REST_MS)
    rested = await add(store.subscriptions, a_subscription("rested"), now_ms=NOW_MS + REST_MS + 1)
    later = await add(store.subscriptions, a_subscription("later"), now_ms=NOW_MS + REST_MS + 1)

    assert (early.address.number, rested.address.number, later.address.number) == (3, 1, 4)
    assert len(await assert_sound(store)) == 5


async def test_the_longest_free_comes_first(store: Store) -> None:
    await add_some(store, 3)
    await leave(store, "browser-2", NOW_MS)
    await leave(store, "browser-0", NOW_MS + 1)
    given = [await store.numbers.reserve("fcm", bytes(16), NOW_MS + 2 * REST_MS, NONE_KEPT) for _ in range(3)]
    assert given == [2, 0, 3]


async def test_a_number_that_a_ledger_knows_is_not_given_out(store: Store) -> None:
    await add_some(store, 2)
    alert = an_alert(now=from_milliseconds(NOW_MS))
    await store.alerts.queue(alert, "k" * 16)
    await store.runs.begin(alert.id, {"fcm": 2}, alert.queued_at, alert.queued_at)
    await leave(store, "browser-0", NOW_MS)  # freed in the very moment when it began: its ledger may know it
    await leave(store, "browser-1", NOW_MS - 1)
    now_ms = NOW_MS + 100 * REST_MS
    oldest = await store.alerts.oldest_ledger_ms(now_ms)

    given = [(await add(store.subscriptions, a_subscription(name), now_ms=now_ms, reusable_before_ms=oldest))
             for name in ("a", "b")]  # fmt: skip

    assert oldest == NOW_MS
    assert [kept.address.number for kept in given] == [1, 2]


async def test_without_alerts_only_the_rest_counts(store: Store) -> None:
    assert await store.alerts.oldest_ledger_ms(NOW_MS) == NOW_MS


async def test_a_number_freed_twice_is_free_once_and_since_the_first_time(store: Store) -> None:
    await add_some(store, 1)
    await leave(store, "browser-0", NOW_MS)
    await store.numbers.free("fcm", 0, NOW_MS + REST_MS)
    now_ms = NOW_MS + REST_MS + 1
    assert [await store.numbers.reserve("fcm", bytes(16), now_ms, NONE_KEPT) for _ in range(2)] == [0, 1]


async def test_a_hundred_at_once_get_a_number_each(store: Store) -> None:
    given = await asyncio.gather(*(store.numbers.reserve("fcm", bytes(16), NOW_MS, NONE_KEPT) for _ in range(100)))
    assert sorted(given) == list(range(100))


async def test_counts_are_of_those_who_are_there(store: Store) -> None:
    assert await store.numbers.counts() == {}
    await add_some(store, 5)
    await store.numbers.reserve("fcm", bytes(16), NOW_MS, NONE_KEPT)
    await leave(store, "browser-3", NOW_MS)
    assert await store.numbers.counts() == {"fcm": 4}
    assert await store.numbers.bounds() == {"fcm": 6}


async def test_stale_reservations_name_who_they_were_for(store: Store) -> None:
    number = await store.numbers.reserve("fcm", NEWCOMER.digest, NOW_MS, NONE_KEPT)
    (left,) = await store.numbers.stale_reservations(NOW_MS + 60_001)
    assert (left.push_service, left.number, left.digest, left.reserved_ms) == ("fcm", number, NEWCOMER.digest, NOW_MS)
    await store.numbers.settled("fcm", number)
    assert await store.numbers.stale_reservations(NOW_MS + 60_001) == []
