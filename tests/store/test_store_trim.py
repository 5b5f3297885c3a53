"""Which ledgers are kept: those of the last fifty runs that began, and all that anything under way still needs."""

from datetime import datetime, timedelta

import pytest
from store_hands import begin, hand

from samples import NOW, an_alert
from tocsin.clock import milliseconds
from tocsin.domain.alerts import Alert, AlertState
from tocsin.store import alerts as kept
from tocsin.store.store import Store
from tocsin_workers.trim import trim

NOW_MS = milliseconds(NOW)
DONE = {"deferred": 0}
AHEAD = timedelta(days=2)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "KEEP_LEDGERS", 3)


def key_of(alert: Alert) -> str:
    return f"a-key-of-sixteen-{alert.id}"


async def begun(store: Store, at: datetime, alert: Alert | None = None) -> Alert:
    alert = alert or an_alert(now=at)
    await store.alerts.queue(alert, key_of(alert))
    assert await store.runs.begin(alert.id, {"fcm": 1}, at, at + timedelta(hours=1))
    return alert


async def end(store: Store, alert: Alert, deferred: int = 0) -> None:
    """Closed, with nothing left to do."""
    await store.server.redis.delete(f"{{alerts}}:due:{alert.id}:fcm", f"{{alerts}}:leased:{alert.id}:fcm")
    if deferred:
        await store.alerts.defers(alert.id)
    assert await store.alerts.close(alert.id, AlertState.SENT, {"deferred": deferred}, NOW_MS, None)


async def ended(store: Store, second: int) -> Alert:
    alert = await begun(store, NOW + timedelta(seconds=second))
    await end(store, alert)
    return alert


async def test_what_waits_for_its_time_takes_no_others_place(store: Store) -> None:
    sent = [await ended(store, second) for second in range(3)]
    for hour in range(5):
        timed = an_alert(now=NOW + timedelta(minutes=1), send_at=NOW + AHEAD + timedelta(hours=hour))
        await store.alerts.queue(timed, key_of(timed))

    await trim(store, NOW_MS)

    assert await store.alerts.recent_with_ledgers() == [alert.id for alert in sent[::-1]]
    assert await store.alerts.oldest_ledger_ms(0) == NOW_MS


async def test_what_was_queued_long_ago_is_as_new_as_its_run(store: Store) -> None:
    timed = an_alert(now=NOW - timedelta(days=30), send_at=NOW)
    await store.alerts.queue(timed, key_of(timed))
    draft = an_alert(now=NOW - timedelta(days=30), state="draft")
    await store.alerts.queue(draft, key_of(draft), AlertState.DRAFT)
    others = [await ended(store, second) for second in range(3)]
    for alert in (timed, draft):
        seen = await store.alerts.get(alert.id)
        assert await store.drafts.change(seen, alert, AlertState.SENDING, NOW_MS, writers=["desk"])
        assert await store.runs.begin(alert.id, {"fcm": 1}, NOW + timedelta(minutes=1), NOW + AHEAD)
        await end(store, alert)

    await trim(store, NOW_MS + 60_000)

    assert await store.alerts.recent_with_ledgers() == [*sorted([timed.id, draft.id], reverse=True), others[-1].id]


@pytest.mark.parametrize("state", ["open", "deferring"])
async def test_those_before_it_are_kept_as_long_as_a_follow_up_needs_them(store: Store, state: str) -> None:
    root = await ended(store, 0)
    follow_ups = [root.retraction(f"Reason {n}", "desk", NOW + timedelta(seconds=n)) for n in (1, 2)]
    for second, follow_up in enumerate(follow_ups, 1):
        await begun(store, NOW + timedelta(seconds=second), follow_up)
    await end(store, follow_ups[0])
    if state == "deferring":
        await end(store, follow_ups[1], deferred=1)
    [await ended(store, second) for second in range(3, 8)]

    await trim(store, NOW_MS)
    assert {root.id, *(each.id for each in follow_ups)} <= set(await store.alerts.recent_with_ledgers())
    assert await store.alerts.chain(root.id) == [root.id, *(each.id for each in follow_ups)]

    if state == "deferring":
        await store.alerts.settle(follow_ups[1].id, DONE)
    else:
        await end(store, follow_ups[1])
    await trim(store, NOW_MS)
    assert len(await store.alerts.recent_with_ledgers()) == 3
    left = {key.decode() for key in await store.server.redis.keys("*") if root.id.encode() in key}
    assert left == {f"{{alerts}}:alert:{root.id}"}


async def test_a_chain_is_kept_for_a_form_that_only_a_newer_program_knows(store: Store) -> None:
    root = await ended(store, 0)
    follow_up = await begun(store, NOW, root.retraction("Reason", "desk", NOW + timedelta(seconds=1)))
    text = follow_up.model_dump_json()
    await store.server.redis.hset(f"{{alerts}}:alert:{follow_up.id}", "alert", text[:-1] + ', "of_the_future": 1}')
    [await ended(store, second) for second in range(3, 8)]

    await trim(store, NOW_MS)

    assert {root.id, follow_up.id} <= set(await store.alerts.recent_with_ledgers())


async def test_a_correction_is_possible_before_the_run_begins_and_as_long_as_ledgers_are_kept(store: Store) -> None:
    alert = an_alert(now=NOW)
    timed = an_alert(now=NOW, send_at=NOW + AHEAD)
    for each in (alert, timed):
        await store.alerts.queue(each, key_of(each))
    assert await store.alerts.has_ledgers(alert.id)
    assert not await store.alerts.has_ledgers(timed.id)

    await store.runs.begin(alert.id, {"fcm": 1}, NOW, NOW + AHEAD)
    assert await store.alerts.has_ledgers(alert.id)
    await end(store, alert)
    await store.alerts.ledgers_dropped(alert.id)
    assert not await store.alerts.has_ledgers(alert.id)


async def test_a_dropped_run_leaves_no_pace_of_its_own(store: Store) -> None:
    alert = await begin(store, {"fcm": 1}, max_per_second=100)
    worker = await hand(store, alert)
    await store.pace.grant("fcm", alert.id, 100, 10, 0)
    await worker.write()
    await store.runs.finish(worker.claim)
    assert await store.alerts.close(alert.id, AlertState.SENT, DONE, NOW_MS, None)

    await store.ledgers.drop(alert.id, await store.runs.bounds(alert.id))
    await store.runs.drop(alert.id)
    await store.alerts.ledgers_dropped(alert.id)

    left = [key.decode() for key in await store.server.redis.keys("*") if alert.id.encode() in key]
    assert left == [f"{{alerts}}:alert:{alert.id}"]
