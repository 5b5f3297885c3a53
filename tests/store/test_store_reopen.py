"""A run that is not left to itself: corrected, settled or not, and begun again for one shard."""

from datetime import timedelta

from store_hands import ALL, begin, begin_run, claimed, lapse, queue, work_off

from tocsin import clock
from tocsin.domain.alerts import AlertState
from tocsin.store.alerts import PREFIX
from tocsin.store.runs import Go, Unbegun
from tocsin.store.store import Store


async def test_a_corrected_alert_is_worked_off_whatever_is_held(store: Store) -> None:
    """Whoever still waits for it gets the correction, which waits for its shards."""
    alert = await begin(store, {"fcm": 2_000})
    claim = await claimed(store)
    await store.pace.hold("fcm", clock.now() + timedelta(hours=1))
    assert await store.runs.claim(ALL, ()) is None
    follow_up = alert.retraction("It is not so.", "desk", alert.queued_at + timedelta(seconds=1))
    await store.alerts.queue(follow_up, "the-retraction--")

    assert (await store.runs.check(claim))[0] is Go.CORRECTED
    await store.runs.hand_back(claim, clock.now() + timedelta(hours=1))

    worked = [await claimed(store, [(follow_up.id, "")]) for _ in range(2)]
    assert {(each.alert_id, each.shard) for each in worked} == {(alert.id, "fcm.0"), (alert.id, "fcm.1")}
    assert await store.runs.claim(ALL, ()) == Unbegun(follow_up.id)


async def test_a_stop_is_told_before_a_correction(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    claim = await claimed(store)
    await store.alerts.queue(alert.retraction("No.", "desk", alert.queued_at), "the-retraction--")
    await store.alerts.stop(alert.id, 0)
    assert (await store.runs.check(claim))[0] is Go.STOPPED


async def test_whether_a_shard_is_settled(store: Store) -> None:
    alert = await queue(store)
    settled = [await store.runs.shard_is_settled(alert.id, "fcm.0")]
    await begin_run(store, alert.id, {"fcm": 1_000})
    settled.append(await store.runs.shard_is_settled(alert.id, "fcm.0"))
    claim = await claimed(store)
    settled.append(await store.runs.shard_is_settled(alert.id, "fcm.0"))
    await lapse(store, claim)
    settled.append(await store.runs.shard_is_settled(alert.id, "fcm.0"))
    await store.runs.finish(await claimed(store))
    settled.append(await store.runs.shard_is_settled(alert.id, "fcm.0"))
    assert settled == [False, False, False, False, True]
    assert await store.runs.shard_is_settled(alert.id, "apple.0")  # it has no such shard


async def test_a_shard_is_due_again_and_the_alert_is_sending(store: Store) -> None:
    alert = await begin(store, {"fcm": 2_000})
    await work_off(store)
    assert await store.alerts.close(alert.id, AlertState.SENT, {"deferred": 0}, 1, None)
    assert await store.runs.can_reopen(alert.id)

    await store.runs.reopen(alert.id, "fcm.1")

    status = await store.alerts.get(alert.id)
    assert (status.state, status.totals, status.ended_at) == (AlertState.SENDING, None, None)
    assert await store.alerts.open_ids() == [alert.id]
    assert await work_off(store) == [(alert.id, "fcm.1")]
    assert await store.alerts.close(alert.id, AlertState.SENT, {"deferred": 0}, 1, None)


async def test_a_shard_in_work_is_due_again_once_its_holder_is_done(store: Store) -> None:
    """Its holder does not know of who is pending again."""
    alert = await begin(store, {"fcm": 1_000})
    claim = await claimed(store)
    await store.runs.reopen(alert.id, "fcm.0")
    assert await store.runs.claim(ALL, ()) is None
    assert not await store.runs.finish(claim)
    assert not await store.alerts.close(alert.id, AlertState.SENT, {"deferred": 0}, 1, None)
    assert await work_off(store) == [(alert.id, "fcm.0")]


async def test_a_shard_due_later_is_due_at_once_when_it_is_reopened(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    await store.runs.hand_back(await claimed(store), clock.now() + timedelta(hours=1))
    await store.runs.reopen(alert.id, "fcm.0")
    assert (await claimed(store)).shard == "fcm.0"


async def test_what_is_over_cannot_be_reopened(store: Store) -> None:
    stopped = await begin(store, {"fcm": 1_000}, "1")
    await store.alerts.stop(stopped.id, 0)
    corrected = await begin(store, {"fcm": 1_000}, "2")
    await store.alerts.queue(corrected.retraction("No.", "desk", corrected.queued_at), "the-retraction--")
    late = await queue(store, "3")
    await begin_run(store, late.id, {"fcm": 1_000}, await store.runs.now())
    waiting = await queue(store, "4")
    for alert in (stopped, corrected, late, waiting):
        assert not await store.runs.can_reopen(alert.id)
    assert not await store.runs.can_reopen("0" * 22)


async def test_a_run_over_many_services_that_is_dropped_leaves_nothing(store: Store) -> None:
    alert = await begin(store, {"fcm": 2_000, "apple": 1})
    await store.runs.reopen(alert.id, "fcm.0")
    claim = await claimed(store)
    await store.runs.reopen(alert.id, claim.shard)
    await store.runs.finish(claim)
    await work_off(store)
    await store.runs.drop(alert.id)
    left = [key for key in await store.server.redis.keys("*") if alert.id.encode() in key]
    assert left == [f"{PREFIX}alert:{alert.id}".encode()]
