"""Whom alerts do not reach for so many days is forgotten, where it did not call; who is sent nothing is not silent."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from store_hands import begin, hand
from store_sound import add, add_some, assert_sound

from samples import NOW, a_subscription
from tocsin import clock
from tocsin.clock import milliseconds
from tocsin.domain.alerts import Alert
from tocsin.domain.deliveries import Mark
from tocsin.domain.receipts import Event
from tocsin.settings import Settings
from tocsin.store import alerts as kept_alerts
from tocsin.store.activity import DAY_MS, day_of
from tocsin.store.failures import Failure
from tocsin.store.prekeys import Prekeys
from tocsin.store.store import Store
from tocsin_workers import mend
from tocsin_workers.inactive import STORM, STORM_DAYS, end_inactive
from tocsin_workers.trim import trim

Look = Callable[..., Awaitable[int]]

TODAY = day_of(milliseconds(clock.now()))
NOW_MS = TODAY * DAY_MS + 1
DAYS = 180
SILENT, READER = a_subscription("silent"), a_subscription("reader")


def in_days(days: int) -> int:
    return NOW_MS + days * DAY_MS


async def left(store: Store) -> set[int]:
    return {address.number for address in (await assert_sound(store)).values()}


@pytest.fixture
async def prekeys(servers: Settings) -> AsyncIterator[Prekeys]:
    prekeys = Prekeys(servers.prekey_server, 1)
    yield prekeys
    await prekeys.close()


@pytest.fixture
def look(store: Store, prekeys: Prekeys) -> Callable[..., Awaitable[int]]:
    """How many are forgotten in so many days."""

    async def look(days: int, inactive_days: int = DAYS) -> int:
        return await end_inactive(store, prekeys, inactive_days, in_days(days))

    return look


@pytest.fixture
async def two(store: Store) -> None:
    for each in (SILENT, READER):
        await add(store.subscriptions, each)


async def sent(store: Store, days: int, marks: Mapping[int, Mark]) -> Alert:
    """An alert of that day, of which this became; before it what is too old was forgotten, as maintenance does."""
    await trim(store, in_days(days))
    alert = await begin(store, await store.numbers.bounds(), str(days))
    await (await hand(store, alert)).write(marks)
    redis = store.server.redis
    await redis.hset(kept_alerts.alert_key(alert.id), "began_ms", in_days(days))
    await redis.zadd(kept_alerts.LEDGERS, {alert.id: in_days(days)})
    await redis.zrem(kept_alerts.OPEN, alert.id)
    return alert


async def test_whom_no_alert_reaches_for_so_long_is_forgotten(two: None, store: Store, look: Look) -> None:
    assert await sent(store, 1, {0: Mark.REJECTED, 1: Mark.REJECTED})
    assert await sent(store, 2, {0: Mark.REJECTED, 1: Mark.ACCEPTED})
    await sent(store, 1 + DAYS, {0: Mark.EXPIRED, 1: Mark.EXPIRED})
    assert await look(1 + DAYS) == 0

    await sent(store, 2 + DAYS, {0: Mark.NO_KEY, 1: Mark.NO_KEY})

    assert await look(2 + DAYS, inactive_days=0) == 0
    assert await look(2 + DAYS) == 1
    assert await left(store) == {1}


async def test_who_waits_for_the_biggest_news_is_not_silent(two: None, store: Store, look: Look) -> None:
    """Flashes alone, one in years, and the page is never opened: an outage at one is no silence of half a year."""
    assert await look(5_000) == 0
    await sent(store, 5_000, {0: Mark.EXPIRED, 1: Mark.LEVEL})
    await sent(store, 6_000, {0: Mark.LEVEL, 1: Mark.LEVEL})
    assert await look(6_000) == 0

    await sent(store, 6_001, {0: Mark.ACCEPTED, 1: Mark.LEVEL})
    await sent(store, 7_000, {0: Mark.EXPIRED, 1: Mark.LEVEL})
    await sent(store, 7_001, {0: Mark.EXPIRED, 1: Mark.LEVEL})

    assert await look(7_001) == 0
    assert await left(store) == {0, 1}


async def test_a_visit_ends_a_silence(two: None, store: Store, look: Look) -> None:
    await sent(store, 1, {0: Mark.REJECTED, 1: Mark.REJECTED})
    await trim(store, in_days(100))
    await store.activity.reached("fcm.0", [1], TODAY + 100)
    await sent(store, 200, {0: Mark.REJECTED, 1: Mark.REJECTED})

    assert await look(200) == 1

    assert await left(store) == {1}


@pytest.mark.parametrize("mark", [Mark.ACCEPTED, Mark.DEFERRED, Mark.RETRYING])
async def test_one_sign_counts_more_than_a_failure_after_it(two: None, store: Store, look: Look, mark: Mark) -> None:
    await sent(store, 1, {0: Mark.REJECTED, 1: Mark.REJECTED})
    await sent(store, 200, {0: Mark.REJECTED, 1: mark})
    await sent(store, 201, {0: Mark.REJECTED, 1: Mark.REJECTED})

    assert await look(201) == 1

    assert await left(store) == {1}


@pytest.mark.parametrize("mark", [Mark.STOPPED, Mark.SET_ASIDE, Mark.LEVEL])
async def test_what_is_no_word_against_a_reader(two: None, store: Store, look: Look, mark: Mark) -> None:
    """Only 404 and 410 remove whoever can be reached (G7)."""
    await sent(store, 1, {0: Mark.REJECTED, 1: Mark.REJECTED})
    await sent(store, 200, {0: Mark.REJECTED, 1: mark})

    assert await look(200) == 1

    assert await left(store) == {1}


async def test_what_an_old_alert_says_is_not_said_of_who_has_the_number_now(store: Store) -> None:
    kept = await add(store.subscriptions, READER)
    await store.activity.not_reached("fcm.0", [0, 1], TODAY - 1)
    assert (await store.activity.silence("fcm.0")).since == {}
    await store.activity.not_reached("fcm.0", [0, 1], TODAY + 1)
    assert (await store.activity.silence("fcm.0")).since == {0: TODAY + 1}

    await store.subscriptions.delete(kept, NOW_MS)

    await assert_sound(store)


async def test_half_of_all_at_once_have_some_weeks_more(store: Store, look: Look) -> None:
    """The clock jumped, all were refused for half a year by our own fault, or INACTIVE_DAYS was set low by mistake."""
    for number in range(STORM):
        await add(store.subscriptions, a_subscription(f"browser-{number}"))
    everybody, away = range(STORM), 200
    await sent(store, 1, dict.fromkeys(everybody, Mark.REJECTED))
    await sent(store, away, dict.fromkeys(everybody, Mark.REJECTED))

    assert await look(away) == 0
    # A clock that was set right leaves nothing behind, nor does one that jumps to and fro.
    assert await look(away, inactive_days=away) == 0
    assert await look(away + STORM_DAYS) == 0
    assert await look(away) == 0
    # Turned off and on again, it begins anew.
    assert await look(away, inactive_days=0) == 0
    assert await look(away + STORM_DAYS) == 0
    assert await look(away) == 0
    # Some come back, and the others have their time all the same.
    await store.activity.reached("fcm.0", [7], TODAY + away + 1)
    assert await look(away + STORM_DAYS - 1) == 0
    assert len(await left(store)) == STORM

    assert await look(away + STORM_DAYS) == STORM - 1
    assert await left(store) == {7}


async def test_days_are_the_stores_and_go_on_only(store: Store) -> None:
    """The clock of a process that registers may say anything."""
    kept = await add(store.subscriptions, READER, now_ms=1)
    today = day_of(milliseconds(await store.runs.now()))
    assert (kept.seen, (await store.subscriptions.get(READER.digest))) == (today, kept)

    await store.activity.reached("fcm.0", [0], today - 1_000)
    assert await store.subscriptions.get(READER.digest) == kept
    await store.activity.reached("fcm.0", [0], today + 1)
    assert await store.activity.seen(kept.address, kept.packed)

    later = await store.subscriptions.get(READER.digest)
    assert later
    assert later.seen == today + 1
    assert not await store.activity.seen(kept.address, b"another")


async def test_who_comes_at_that_moment_is_not_forgotten(two: None, store: Store) -> None:
    await store.server.redis.delete("{fcm.0}:seen")
    silent = await store.subscriptions.get(SILENT.digest)
    assert silent
    await store.activity.seen(silent.address, silent.packed)
    assert not await store.subscriptions.delete_silent(silent, NOW_MS)
    assert await store.subscriptions.get(SILENT.digest)

    reader = await store.subscriptions.get(READER.digest)
    assert reader
    assert await store.subscriptions.delete_silent(reader, NOW_MS)
    assert await left(store) == {0}


async def test_it_is_looked_for_once_an_hour(store: Store, prekeys: Prekeys) -> None:
    runtime: Any = SimpleNamespace(
        store=store, prekeys=prekeys, settings=SimpleNamespace(inactive_days=DAYS), looked_for_inactive_at=-1e9
    )
    for name in ("silent", "another"):
        await add(store.subscriptions, a_subscription(name))
    await store.server.redis.delete("{fcm.0}:seen")
    await store.activity.not_reached("fcm.0", [0], TODAY - 200)
    await sent(store, 0, {0: Mark.REJECTED, 1: Mark.REJECTED})
    await mend.inactive(runtime)
    assert await left(store) == {1}

    await store.activity.not_reached("fcm.0", [1], TODAY - 200)
    await mend.inactive(runtime)
    assert await left(store) == {1}


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
