"""Alerts: one for each call, however often it is repeated; stopped and ended once."""

import asyncio
from datetime import timedelta

import pytest
from store_hands import begin, hand, next_claim, queue

from samples import NOW, a_draft, an_alert
from tocsin.clock import from_milliseconds, milliseconds
from tocsin.domain.alerts import Alert, AlertState
from tocsin.domain.errors import Invalid, NotFound
from tocsin.store.alerts import KEEP_IDEMPOTENCY_KEY, KEEP_LEDGERS, KEEP_LEDGERS_MS
from tocsin.store.runs import Go
from tocsin.store.store import Store

KEY = "one-call-of-an-editor"
NOW_MS = milliseconds(NOW)


async def test_what_was_queued_is_there(store: Store) -> None:
    alert = an_alert(expires_at=NOW + timedelta(days=1))

    queued = await store.alerts.queue(alert, KEY)

    assert (queued.alert_id, queued.is_new) == (alert.id, True)
    status = await store.alerts.get(alert.id)
    assert (status.alert, status.state) == (alert, AlertState.SENDING)
    assert (status.began_at, status.ended_at, status.totals) == (None, None, None)
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
    assert sorted(told) == [AlertState.SENDING, *[AlertState.STOPPED] * 9]
    assert (await store.alerts.get(alert.id)).state is AlertState.STOPPED
    assert await store.alerts.open_ids() == [alert.id]  # those who still waited are to be accounted for
    with pytest.raises(NotFound):
        await store.alerts.stop("0" * 22, NOW_MS)


async def test_one_of_many_ends_an_alert(store: Store) -> None:
    alert = await begin(store, {})
    totals = {"eligible": 0}

    ended = await asyncio.gather(*(store.alerts.close(alert.id, AlertState.SENT, totals, NOW_MS, 7) for _ in range(10)))

    assert ended.count(True) == 1
    status = await store.alerts.get(alert.id)
    assert (status.state, status.ended_at, status.totals) == (AlertState.SENT, NOW, totals)
    assert await store.alerts.open_ids() == []
    assert await store.alerts.first_requests() == {7: 1}
    assert await store.alerts.stop(alert.id, NOW_MS) is AlertState.SENT
    assert (await store.alerts.get(alert.id)).state is AlertState.SENT


async def test_what_was_stopped_ends_as_stopped(store: Store) -> None:
    alert = await begin(store, {})
    await store.alerts.stop(alert.id, NOW_MS)
    assert await store.alerts.close(alert.id, AlertState.SENT, {}, NOW_MS, None)
    assert (await store.alerts.get(alert.id)).state is AlertState.STOPPED
    assert await store.alerts.first_requests() == {}


async def test_an_alert_with_anything_left_is_not_ended(store: Store) -> None:
    """Closed, it would never be looked at again: who was pending or retrying would get nothing."""
    alert = await begin(store, {"fcm": 1}, "b")
    assert not await store.alerts.close(alert.id, AlertState.SENT, {}, NOW_MS, None)
    claim = await next_claim(store)
    assert claim is not None
    assert not await store.alerts.close(alert.id, AlertState.SENT, {}, NOW_MS, None)
    assert (await store.alerts.get(alert.id)).totals is None

    assert await store.runs.finish(claim)

    assert await store.alerts.close(alert.id, AlertState.SENT, {}, NOW_MS, None)
    not_begun = await queue(store, "a")
    assert not await store.alerts.close(not_begun.id, AlertState.SENT, {}, NOW_MS, None)
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
    assert await store.alerts.oldest_ledger_ms(0) == NOW_MS


async def test_ledgers_are_kept_of_the_last_fifty_or_for_thirty_days_and_of_open_alerts(store: Store) -> None:
    alerts = [at(second) for second in range(KEEP_LEDGERS + 3)]
    for number, alert in enumerate(alerts):
        await store.alerts.queue(alert, f"{KEY}-{number}")
        if number:  # the first is still being sent
            await store.runs.begin(alert.id, {}, NOW)
            assert await store.alerts.close(alert.id, AlertState.SENT, {}, NOW_MS, None)

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
        assert await worker.write()
        await store.runs.finish(worker.claim)
    assert await store.alerts.close(alert.id, AlertState.SENT, {"eligible": 0}, NOW_MS, None)

    await store.ledgers.drop(alert.id, await store.runs.bounds(alert.id))
    await store.runs.drop(alert.id)
    await store.alerts.ledgers_dropped(alert.id)

    left = [key for key in await store.server.redis.keys("*") if alert.id.encode() in key]
    assert left == [f"{{alerts}}:alert:{alert.id}".encode()]
    assert (await store.alerts.get(alert.id)).totals == {"eligible": 0}
    for worker in workers:  # one that slept through all this changes nothing
        assert not await worker.write()
        assert (await store.runs.check(worker.claim))[0] is Go.LOST
        assert not await store.runs.finish(worker.claim)
