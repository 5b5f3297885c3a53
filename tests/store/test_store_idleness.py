"""Idle is when no worker has anything to send now; what waits for later is no reason to stand still."""

from datetime import timedelta

from store_hands import begin_run, claimed, queue

from tocsin import clock
from tocsin.store.store import Store


async def test_an_alert_is_seen_from_its_202_to_its_end(store: Store) -> None:
    assert await store.idleness.is_idle()
    alert = await queue(store)
    assert not await store.idleness.is_idle()
    await begin_run(store, alert.id, {"fcm": 1})
    assert not await store.idleness.is_idle()
    claim = await claimed(store)
    assert not await store.idleness.is_idle()
    await store.runs.finish(claim)
    assert await store.idleness.is_idle()


async def test_what_waits_for_later_leaves_time(store: Store) -> None:
    alert = await queue(store)
    await begin_run(store, alert.id, {"fcm": 1})
    claim = await claimed(store)
    await store.runs.hand_back(claim, clock.now() + timedelta(minutes=1))
    assert await store.idleness.is_idle()
    await store.runs.hand_back(claim, clock.now())


async def test_a_push_service_that_is_held_leaves_time(store: Store) -> None:
    alert = await queue(store)
    await begin_run(store, alert.id, {"fcm": 1})
    await store.pace.hold("fcm", clock.now() + timedelta(minutes=1))
    assert await store.idleness.is_idle()
    await store.pace.resume("fcm")


async def test_an_alert_whose_time_has_come_is_seen(store: Store) -> None:
    await queue(store, send_at=clock.now() + timedelta(minutes=5))
    assert await store.idleness.is_idle()
    for key, score in (("{alerts}:timed", 1),):
        (alert_id,) = await store.server.redis.zrange(key, 0, -1)
        await store.server.redis.zadd(key, {alert_id: score})
    assert not await store.idleness.is_idle()
