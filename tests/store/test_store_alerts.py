"""Alerts: one for each call, however often it is repeated; stopped and ended once."""

import asyncio
import json
from datetime import timedelta

import pytest
from store_hands import ALL, begin, begin_run, hand, next_claim, queue, work_off

from samples import NOW, a_draft, an_alert
from tocsin import clock
from tocsin.clock import from_milliseconds, milliseconds
from tocsin.domain.alerts import Alert, AlertState, Correction
from tocsin.domain.errors import Invalid, NotFound
from tocsin.store.alerts import KEEP_IDEMPOTENCY_KEY, KEEP_LEDGERS, KEEP_LEDGERS_MS, alert_key
from tocsin.store.runs import Go, Unbegun
from tocsin.store.store import Store

KEY = "one-call-of-an-editor"
NOW_MS = milliseconds(NOW)
DONE = {"eligible": 0, "deferred": 0}


async def test_what_was_queued_is_there(store: Store) -> None:
    alert = an_alert(expires_at=NOW + timedelta(days=1))

    queued = await store.alerts.queue(alert, KEY)

    assert (queued.alert_id, queued.is_new) == (alert.id, True)
    status = await store.alerts.get(alert.id)
    assert (status.alert, status.state) == (alert, AlertState.SENDING)
    assert (status.began_at, status.ended_at, status.totals, status.corrected_by) == (None, None, None, None)
    assert await store.alerts.open_ids() == [alert.id]
    assert await store.alerts.count() == 1
    with pytest.raises(NotFound):
        await store.alerts.get("0" * 22)


async def test_fifty_at_once_with_one_key_make_one_alert(store: Store) -> None:
    queued = await asyncio.gather(*(store.alerts.queue(an_alert(), KEY) for _ in range(50)))
    assert len({each.alert_id for each in queued}) == 1
    assert [each.is_new for each in queued].count(True) == 1
    assert await store.alerts.open_ids() == [queued[0].alert_id]
    assert await store.alerts.count() == 1


async def test_fifty_at_once_with_two_bodies_make_one_alert_and_refuse_the_other(store: Store) -> None:
    alerts = [an_alert(headline=("One", "Two")[number % 2]) for number in range(50)]

    told = await asyncio.gather(*(store.alerts.queue(alert, KEY) for alert in alerts), return_exceptions=True)

    refused = [each for each in told if isinstance(each, Invalid)]
    assert len(refused) == 25
    assert {fault.field for each in refused for fault in each.faults} == {"Idempotency-Key"}
    assert await store.alerts.count() == 1


async def test_a_repeat_is_known_before_anything_is_checked(store: Store) -> None:
    alert = an_alert()
    assert await store.alerts.asked_before(alert, KEY) is None
    await store.alerts.queue(alert, KEY)

    again = await store.alerts.asked_before(an_alert(), KEY)

    assert again is not None
    assert (again.alert_id, again.is_new) == (alert.id, False)
    with pytest.raises(Invalid):
        await store.alerts.asked_before(an_alert(headline="Another"), KEY)


@pytest.mark.parametrize(("author", "key"), [("other", KEY), ("desk", KEY + "2"), ("desk\0one", "call")])
async def test_a_key_is_one_persons(store: Store, author: str, key: str) -> None:
    await store.alerts.queue(an_alert("desk"), KEY)
    assert (await store.alerts.queue(an_alert(author, headline="Another"), key)).is_new


async def test_a_key_is_kept_for_seven_days(store: Store) -> None:
    await store.alerts.queue(an_alert(), KEY)
    (asked,) = await store.server.redis.keys("{alerts}:asked:*")
    assert KEY.encode() not in asked
    assert KEEP_IDEMPOTENCY_KEY == 7 * 86_400
    assert KEEP_IDEMPOTENCY_KEY - 60 < await store.server.redis.ttl(asked) <= KEEP_IDEMPOTENCY_KEY


async def test_a_stop_is_kept_whoever_says_it_how_often(store: Store) -> None:
    alert = await queue(store)
    told = await asyncio.gather(*(store.alerts.stop(alert.id, NOW_MS) for _ in range(10)))
    assert sorted(told) == [(AlertState.SENDING, True), *[(AlertState.STOPPED, False)] * 9]
    assert (await store.alerts.get(alert.id)).state is AlertState.STOPPED
    assert await store.alerts.open_ids() == [alert.id]  # those who still waited are to be accounted for
    with pytest.raises(NotFound):
        await store.alerts.stop("0" * 22, NOW_MS)


async def test_one_of_many_ends_an_alert(store: Store) -> None:
    alert = await begin(store, {})
    totals = {"eligible": 0, "deferred": 0}

    ended = await asyncio.gather(*(store.alerts.close(alert.id, AlertState.SENT, totals, NOW_MS, 7) for _ in range(10)))

    assert ended.count(True) == 1
    status = await store.alerts.get(alert.id)
    assert (status.state, status.ended_at, status.totals) == (AlertState.SENT, NOW, totals)
    assert await store.alerts.open_ids() == []
    assert await store.alerts.first_requests() == {7: 1}
    assert await store.alerts.stop(alert.id, NOW_MS) == (AlertState.SENT, False)
    assert (await store.alerts.get(alert.id)).state is AlertState.SENT


async def test_what_was_stopped_ends_as_stopped(store: Store) -> None:
    alert = await begin(store, {})
    await store.alerts.stop(alert.id, NOW_MS)
    assert await store.alerts.close(alert.id, AlertState.SENT, DONE, NOW_MS, None)
    assert (await store.alerts.get(alert.id)).state is AlertState.STOPPED
    assert await store.alerts.first_requests() == {}


async def test_an_alert_with_anything_left_is_not_ended(store: Store) -> None:
    """Closed, it would never be looked at again: who was pending or retrying would get nothing."""
    alert = await begin(store, {"fcm": 1}, "b")
    assert not await store.alerts.close(alert.id, AlertState.SENT, DONE, NOW_MS, None)
    claim = await next_claim(store)
    assert claim is not None
    assert not await store.alerts.close(alert.id, AlertState.SENT, DONE, NOW_MS, None)
    assert (await store.alerts.get(alert.id)).totals is None

    assert await store.runs.finish(claim)

    assert await store.alerts.close(alert.id, AlertState.SENT, DONE, NOW_MS, None)
    not_begun = await queue(store, "a")
    assert not await store.alerts.close(not_begun.id, AlertState.SENT, DONE, NOW_MS, None)
    assert await store.alerts.open_ids() == [not_begun.id]


def at(seconds: int) -> Alert:
    return replace_time(an_alert(), NOW_MS + seconds * 1000)


def replace_time(alert: Alert, queued_ms: int) -> Alert:
    return Alert.take(alert.draft, alert.author, from_milliseconds(queued_ms))


async def test_pages_from_the_newest_on(store: Store) -> None:
    alerts = [at(second // 2) for second in range(10)]  # two in each moment
    for number, alert in enumerate(alerts):
        await store.alerts.queue(alert, f"{KEY}-{number}")

    seen: list[str] = []
    after = None
    while page := await store.alerts.latest(3, after):
        seen += [status.alert.id for status in page]
        after = seen[-1]
        # One that comes meanwhile stands before the first page and moves none of the next.
        await store.alerts.queue(at(100 + len(seen)), f"{KEY}-late-{len(seen)}")

    assert seen == sorted((alert.id for alert in alerts), reverse=True)
    assert [status.alert.draft for status in await store.alerts.latest(1)] == [a_draft()]
    with pytest.raises(NotFound):
        await store.alerts.latest(3, "0" * 22)


async def test_the_oldest_comes_first_among_the_open(store: Store) -> None:
    late, early = at(10), at(0)
    await store.alerts.queue(late, KEY + "1")
    await store.alerts.queue(early, KEY + "2")
    assert await store.alerts.open_ids() == [early.id, late.id]


async def test_ledgers_are_kept_of_the_last_fifty_or_for_thirty_days_and_of_open_alerts(store: Store) -> None:
    alerts = [at(second) for second in range(KEEP_LEDGERS + 3)]
    for number, alert in enumerate(alerts):
        await store.alerts.queue(alert, f"{KEY}-{number}")
        await store.runs.begin(alert.id, {}, alert.queued_at, alert.queued_at)
        if number:  # the first is still being sent
            assert await store.alerts.close(alert.id, AlertState.SENT, DONE, NOW_MS, None)

    assert await store.alerts.with_old_ledgers(NOW_MS) == [alert.id for alert in alerts[1:3]]
    assert await store.alerts.with_old_ledgers(NOW_MS + KEEP_LEDGERS_MS + 5_001) == [a.id for a in alerts[1:6]]
    for alert in alerts[1:3]:
        await store.alerts.ledgers_dropped(alert.id)
    assert await store.alerts.with_old_ledgers(NOW_MS) == []
    assert await store.alerts.oldest_ledger_ms(0) == NOW_MS

    await store.alerts.ledgers_dropped(alerts[0].id)
    assert await store.alerts.oldest_ledger_ms(0) == NOW_MS + 3_000


async def test_a_dropped_run_leaves_nothing_but_the_alert(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_500, "apple": 1})
    workers = [await hand(store, alert) for _ in range(3)]
    for worker in workers:
        assert await worker.write() == []
        await store.runs.finish(worker.claim)
    assert await store.alerts.close(alert.id, AlertState.SENT, DONE, NOW_MS, None)

    await store.ledgers.drop(alert.id, await store.runs.bounds(alert.id))
    await store.runs.drop(alert.id)
    await store.alerts.ledgers_dropped(alert.id)

    left = [key for key in await store.server.redis.keys("*") if alert.id.encode() in key]
    assert left == [f"{{alerts}}:alert:{alert.id}".encode()]
    assert (await store.alerts.get(alert.id)).totals == DONE
    for worker in workers:  # one that slept through all this changes nothing
        assert await worker.write() is None
        assert (await store.runs.check(worker.claim))[0] is Go.LOST
        assert not await store.runs.finish(worker.claim)


async def test_an_alert_for_later_waits_for_its_time(store: Store) -> None:
    send_at = NOW + timedelta(hours=1)
    later, soon = an_alert(send_at=send_at), an_alert(undo_seconds=15)
    for alert in (later, soon):
        await store.alerts.queue(alert, f"{KEY}-{alert.id}")

    assert (await store.alerts.get(later.id)).state is AlertState.SCHEDULED
    assert (await store.alerts.get(soon.id)).state is AlertState.UNDO_WINDOW
    assert await store.alerts.open_ids() == []
    assert await store.alerts.timed() == {soon.id: NOW + timedelta(seconds=15), later.id: send_at}
    assert await store.alerts.count() == 2


async def test_whose_time_has_come_is_opened_with_the_next_claim(store: Store) -> None:
    # Both are past by the store's clock, and by the order in which they were to go, not in which they were asked for.
    second = an_alert(send_at=NOW + timedelta(seconds=9))
    first = an_alert(undo_seconds=3)
    future = an_alert(send_at=clock.now() + timedelta(hours=1))
    for alert in (second, first, future):
        await store.alerts.queue(alert, f"{KEY}-{alert.id}")

    assert await store.runs.claim(ALL, ()) == Unbegun(first.id)

    assert await store.alerts.open_ids() == [first.id, second.id]
    assert (await store.alerts.get(second.id)).state is AlertState.SENDING
    assert list(await store.alerts.timed()) == [future.id]
    await begin_run(store, first.id, {"fcm": 1})
    assert await store.runs.claim(ALL, ()) == Unbegun(second.id)
    assert (await store.alerts.get(first.id)).state is AlertState.SENDING


async def test_what_is_taken_back_in_time_never_begins(store: Store) -> None:
    alert = an_alert(undo_seconds=1)
    await store.alerts.queue(alert, KEY)
    told = [await store.alerts.stop(alert.id, NOW_MS) for _ in range(2)]
    assert told == [(AlertState.UNDO_WINDOW, True), (AlertState.STOPPED, False)]
    assert await store.runs.claim(ALL, ()) is None
    status = await store.alerts.get(alert.id)
    assert (status.state, status.ended_at, status.began_at) == (AlertState.STOPPED, NOW, None)
    assert await store.alerts.timed() == {}
    assert await store.alerts.open_ids() == []


@pytest.mark.parametrize("state", [state for state in AlertState if state is not AlertState.SENDING])
async def test_a_stop_in_each_state(store: Store, state: AlertState) -> None:
    alert = await begin(store, {})
    await store.server.redis.hset(alert_key(alert.id), "state", state)
    takes_it = state in (AlertState.SCHEDULED, AlertState.UNDO_WINDOW)
    assert await store.alerts.stop(alert.id, NOW_MS) == (state, takes_it)
    assert (await store.alerts.get(alert.id)).state is (AlertState.STOPPED if takes_it else state)


async def test_a_chain_knows_its_order_and_who_stands_in_for_whom(store: Store) -> None:
    root = await queue(store)
    follow_ups = []
    for number in range(3):
        at = root.queued_at + timedelta(seconds=number + 1)
        alert = root.correction(Correction(headline=f"Number {number}"), "desk", at)
        await store.alerts.queue(alert, f"{KEY}-{number}")
        follow_ups.append(alert)
    ids = [root.id, *(alert.id for alert in follow_ups)]

    assert await store.alerts.chain(root.id) == ids
    assert await store.alerts.chain("0" * 22) == ["0" * 22]
    statuses = [await store.alerts.get(alert_id) for alert_id in ids]
    assert [status.corrected_by for status in statuses] == [*[ids[3]] * 3, None]
    assert await store.alerts.open_ids() == ids

    # A repeat of the second says nothing anew: the third still stands for all.
    again = root.correction(Correction(headline="Number 1"), "desk", NOW)
    assert not (await store.alerts.queue(again, f"{KEY}-1")).is_new
    assert await store.alerts.chain(root.id) == ids
    assert (await store.alerts.get(root.id)).corrected_by == ids[3]


async def test_the_same_key_for_another_alert_of_the_chain_is_refused(store: Store) -> None:
    root = await queue(store)
    await store.alerts.queue(root.retraction("No.", "desk", NOW), KEY)
    other = await queue(store, "other")
    with pytest.raises(Invalid):
        await store.alerts.queue(other.retraction("No.", "desk", NOW), KEY)


async def test_an_account_with_deferred_readers_is_not_final(store: Store) -> None:
    alert = await begin(store, {})
    await store.alerts.defers(alert.id)
    await store.alerts.defers(alert.id)
    assert await store.alerts.close(alert.id, AlertState.SENT, {"deferred": 2}, NOW_MS, None)

    status = await store.alerts.get(alert.id)
    assert (status.state, status.ended_at, status.totals) == (AlertState.SENT, NOW, None)
    assert await store.alerts.deferring() == [alert.id]
    assert await store.alerts.open_ids() == []

    for _ in range(2):
        await store.alerts.settle(alert.id, DONE)
        assert (await store.alerts.get(alert.id)).totals == DONE
        assert await store.alerts.deferring() == []


async def test_an_alert_at_work_is_not_settled(store: Store) -> None:
    alert = await begin(store, {"fcm": 1})
    await store.alerts.defers(alert.id)
    await store.alerts.settle(alert.id, DONE)
    assert (await store.alerts.get(alert.id)).totals is None
    assert await store.alerts.deferring() == [alert.id]
    # The last of those who waited were settled before the run itself was over.
    await work_off(store)
    assert await store.alerts.close(alert.id, AlertState.SENT, DONE, NOW_MS, None)
    assert await store.alerts.deferring() == []


async def test_a_sent_alert_can_be_stopped_while_readers_wait_for_it(store: Store) -> None:
    waited_for, done = await begin(store, {}, "1"), await begin(store, {}, "2")
    await store.alerts.defers(waited_for.id)
    for alert, deferred in ((waited_for, 1), (done, 0)):
        await store.alerts.close(alert.id, AlertState.SENT, {"deferred": deferred}, NOW_MS, None)
    assert await store.alerts.stop(waited_for.id, NOW_MS) == (AlertState.SENT, True)
    assert await store.alerts.stop(done.id, NOW_MS) == (AlertState.SENT, False)
    assert await store.alerts.deferring() == [waited_for.id]  # they are yet to be accounted for


async def test_ledgers_that_readers_wait_for_are_kept(store: Store) -> None:
    alerts = [at(second) for second in range(KEEP_LEDGERS + 2)]
    for number, alert in enumerate(alerts):
        await store.alerts.queue(alert, f"{KEY}-{number}")
        await begin_run(store, alert.id, {})
        if number == 0:
            await store.alerts.defers(alert.id)
        totals = DONE | {"deferred": int(number == 0)}
        assert await store.alerts.close(alert.id, AlertState.SENT, totals, NOW_MS, None)
    assert await store.alerts.with_old_ledgers(NOW_MS) == [alerts[1].id]
    await store.alerts.settle(alerts[0].id, DONE)
    assert await store.alerts.with_old_ledgers(NOW_MS) == [alerts[0].id, alerts[1].id]


async def test_of_which_it_is_known_who_had_them(store: Store) -> None:
    first, second = await begin(store, {}, "1"), await begin(store, {}, "2")
    assert await store.alerts.recent_with_ledgers() == [second.id, first.id]
    assert await store.alerts.has_ledgers(first.id)
    await store.alerts.ledgers_dropped(first.id)
    assert not await store.alerts.has_ledgers(first.id)
    assert await store.alerts.recent_with_ledgers() == [second.id]


async def test_an_alert_that_a_newer_version_wrote_costs_no_other(store: Store) -> None:
    unknown, known = await queue(store, "1"), await queue(store, "2")
    row = unknown.model_dump() | {"of_the_future": True}
    await store.server.redis.hset(alert_key(unknown.id), "alert", json.dumps(row, default=str))
    assert [status.alert.id for status in await store.alerts.open()] == [known.id]
    assert await store.alerts.open_ids() == [unknown.id, known.id]


async def test_an_alert_for_later_is_among_the_last_fifty_when_it_goes_out(store: Store) -> None:
    """However many were asked for after it: its ledgers are of then."""
    scheduled = an_alert(send_at=NOW + timedelta(days=20))
    await store.alerts.queue(scheduled, KEY)
    alerts = [at(3_600 + second) for second in range(KEEP_LEDGERS + 1)]
    for number, alert in enumerate(alerts):
        await store.alerts.queue(alert, f"{KEY}-{number}")
        await begin_run(store, alert.id, {})
        assert await store.alerts.close(alert.id, AlertState.SENT, DONE, NOW_MS, None)

    assert scheduled.id not in await store.alerts.with_old_ledgers(NOW_MS + KEEP_LEDGERS_MS)

    assert await store.runs.claim(ALL, ()) == Unbegun(scheduled.id)
    await begin_run(store, scheduled.id, {})
    assert await store.alerts.close(scheduled.id, AlertState.SENT, DONE, NOW_MS, None)
    assert (await store.alerts.recent_with_ledgers())[0] == scheduled.id
    assert scheduled.id not in await store.alerts.with_old_ledgers(NOW_MS + KEEP_LEDGERS_MS)
