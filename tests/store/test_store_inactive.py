"""Who is heard of stays, by its own call or by its push service's word; who is not is forgotten after so many days."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from store_hands import begin, hand
from store_sound import add, add_some, assert_sound

from samples import NOW, a_subscription
from tocsin import clock
from tocsin.clock import milliseconds
from tocsin.domain.deliveries import Mark
from tocsin.domain.receipts import Event
from tocsin.domain.subscriptions import Address
from tocsin.store import alerts as kept_alerts
from tocsin.store.activity import DAY_MS, day_of
from tocsin.store.failures import Failure
from tocsin.store.store import Store
from tocsin_workers import mend
from tocsin_workers.inactive import STORM, STORM_DAYS, end_inactive
from tocsin_workers.trim import trim

TODAY = day_of(milliseconds(clock.now()))
NOW_MS = TODAY * DAY_MS + 1


def in_days(days: int) -> int:
    return NOW_MS + days * DAY_MS


async def left(store: Store) -> set[int]:
    return {address.number for address in (await assert_sound(store)).values()}


async def test_who_was_not_heard_of_for_so_long_is_forgotten(store: Store) -> None:
    for name in ("silent", "seen"):
        await add(store.subscriptions, a_subscription(name), now_ms=NOW_MS)
    seen = await store.subscriptions.get(a_subscription("seen").digest)
    assert seen is not None
    assert seen.seen == TODAY
    await store.activity.seen(seen.address, seen.packed, TODAY + 1)

    assert await end_inactive(store, 180, in_days(180)) == 0
    assert await end_inactive(store, 0, in_days(5_000)) == 0
    assert await end_inactive(store, 180, in_days(181)) == 1

    assert await left(store) == {1}
    assert await end_inactive(store, 180, in_days(182)) == 1
    assert await left(store) == set()


async def test_who_registered_before_days_were_kept_begins_now(store: Store) -> None:
    await add_some(store, 3)  # long ago
    await store.server.redis.delete("{fcm.0}:seen")

    assert await end_inactive(store, 180, NOW_MS) == 0
    assert await store.activity.days("fcm.0") == {0: TODAY, 1: TODAY, 2: TODAY}
    assert await end_inactive(store, 180, in_days(181)) == 3


async def test_who_gets_alerts_and_never_comes_is_a_reader(store: Store) -> None:
    """Only 404 and 410 remove whoever can be reached (G7)."""
    for number in range(4):
        await add(store.subscriptions, a_subscription(f"browser-{number}"), now_ms=in_days(-200))
    taken = await begin(store, await store.numbers.bounds())
    worker = await hand(store, taken)
    await worker.write({0: Mark.ACCEPTED, 1: Mark.REJECTED, 2: Mark.DEFERRED, 3: Mark.LEVEL})

    assert await end_inactive(store, 180, NOW_MS) == 2

    assert await left(store) == {0, 2}


async def test_a_push_services_word_outlasts_the_ledger(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await add_some(store, 2)
    taken = await begin(store, await store.numbers.bounds())
    worker, alert = await hand(store, taken), taken.id
    await worker.write({0: Mark.ACCEPTED, 1: Mark.REJECTED})
    await store.failures.add([Failure(alert, Address("fcm", 1), "unreadable_record", 1)])
    began_at = (await store.alerts.get(alert)).began_at
    assert began_at
    monkeypatch.setattr(kept_alerts, "KEEP_LEDGERS", 0)
    await store.server.redis.zrem("{alerts}:open", alert)

    await trim(store, milliseconds(began_at))

    assert await store.alerts.recent_with_ledgers() == []
    assert (await store.activity.days("fcm.0"))[0] == day_of(milliseconds(began_at))
    assert await store.failures.latest(10) == []
    since = day_of(milliseconds(began_at)) * DAY_MS
    assert await end_inactive(store, 180, since + 180 * DAY_MS) == 1
    assert await left(store) == {0}


async def test_half_of_all_at_once_have_some_weeks_more(store: Store) -> None:
    """The clock jumped, the service was away for half a year, or its store came out of a backup."""
    for number in range(STORM):
        await add(store.subscriptions, a_subscription(f"browser-{number}"), now_ms=NOW_MS)
    away = 200

    assert await end_inactive(store, 180, in_days(away)) == 0
    # A clock that was set right leaves nothing behind, nor does one that jumps to and fro.
    assert await end_inactive(store, 180, in_days(1)) == 0
    assert await end_inactive(store, 180, in_days(away + STORM_DAYS)) == 0
    assert await end_inactive(store, 180, in_days(away)) == 0
    # Some come back, and the others have their time all the same.
    reader = await store.subscriptions.get(a_subscription("browser-7").digest)
    assert reader
    await store.activity.seen(reader.address, reader.packed, TODAY + away + 1)
    assert await end_inactive(store, 180, in_days(away + STORM_DAYS - 1)) == 0
    assert len(await left(store)) == STORM

    assert await end_inactive(store, 180, in_days(away + STORM_DAYS)) == STORM - 1
    assert await left(store) == {reader.address.number}


async def test_a_clock_that_goes_back_makes_nobody_silent(store: Store) -> None:
    kept = await add(store.subscriptions, a_subscription("reader"), now_ms=NOW_MS)

    await store.activity.seen(kept.address, kept.packed, TODAY - 1_000)

    assert (await store.activity.days("fcm.0"))[0] == TODAY
    assert await end_inactive(store, 180, NOW_MS) == 0


async def test_it_is_looked_for_once_an_hour(store: Store) -> None:
    await add(store.subscriptions, a_subscription("silent"), now_ms=in_days(-200))
    runtime: Any = SimpleNamespace(
        store=store, settings=SimpleNamespace(inactive_days=180), looked_for_inactive_at=-1e9
    )
    await mend.inactive(runtime, NOW_MS)
    assert await left(store) == set()

    await add(store.subscriptions, a_subscription("another"), now_ms=in_days(-200))
    await mend.inactive(runtime, NOW_MS)
    assert len(await left(store)) == 1


async def test_what_a_browser_told_goes_with_it(store: Store) -> None:
    kept = await add_some(store, 2)
    taken = await begin(store, await store.numbers.bounds())
    worker, alert = await hand(store, taken), taken.id
    await worker.write({0: Mark.ACCEPTED, 1: Mark.ACCEPTED})
    for each in kept:
        assert await store.receipts.record(each.address, alert, Event.SHOWN)
    await store.failures.add([Failure(alert, each.address, "unreadable_record", 1) for each in kept])

    await store.subscriptions.delete(kept[0], milliseconds(NOW + timedelta(days=1)))

    assert await store.receipts.of(kept[0].address, [alert]) == {}
    assert await store.receipts.of(kept[1].address, [alert]) == {alert: [Event.SHOWN]}
    assert [failure.address for failure in await store.failures.latest(10)] == [kept[1].address]
