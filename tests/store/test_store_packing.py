"""Ledgers of alerts that are over are packed: everybody still reads them, nobody writes into them."""

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from store_hands import Hand, begin, begin_run, hand, next_claim, queue, take_up
from store_sound import add_some

from samples import NOW
from tocsin import clock
from tocsin.domain.alerts import AlertState
from tocsin.domain.deliveries import Ledger, Mark, is_packed
from tocsin.domain.progress import Times
from tocsin.domain.subscriptions import SHARD_SIZE, Address
from tocsin.store import packing
from tocsin.store.packing import REST_MS
from tocsin.store.store import Store
from tocsin_workers.trim import pack, trim

READERS = 4
MARKS: dict[int, Mark] = {0: Mark.ACCEPTED, 1: Mark.GONE, 2: Mark.TURNED_SNOOZED, 3: Mark.EXPIRED}
DONE: dict[str, Any] = {"deferred": 0, "set_aside": 0}


async def sent(store: Store, key: str = "key", marks: dict[int, Mark] = MARKS, ttl_hours: float = 1) -> Hand:
    """An alert whose run is through, and open still."""
    if not await store.numbers.bounds():
        await add_some(store, READERS)
    alert = await queue(store, key)
    ends_at = await store.runs.now() + timedelta(hours=ttl_hours)
    await begin_run(store, alert.id, await store.numbers.bounds(), ends_at)
    worker = await hand(store, alert)
    await worker.write(marks, times=Times({7: 1}, 1, 2, 3))
    await store.runs.finish(worker.claim)
    return worker


async def close(store: Store, alert_id: str, ended_ms: int, totals: dict[str, Any] | None = None) -> None:
    if (totals or DONE)["deferred"]:
        await store.alerts.defers(alert_id)
    assert await store.alerts.close(alert_id, AlertState.SENT, totals or DONE, ended_ms, None)


async def now_ms() -> int:
    return clock.milliseconds(clock.now())


async def packed(store: Store, marks: dict[int, Mark] = MARKS) -> Hand:
    """An alert that is over and packed."""
    worker = await sent(store, marks=marks)
    ended_ms = await now_ms()
    await close(store, worker.alert_id, ended_ms)
    await pack(store, ended_ms + REST_MS)
    assert await is_packed_in(store, worker.alert_id)
    return worker


async def is_packed_in(store: Store, alert_id: str, shard: str = "fcm.0") -> bool:
    return is_packed(await store.server.redis.get(f"{{{shard}}}:ledger:{alert_id}"))


async def keys_of(store: Store, alert_id: str) -> set[str]:
    found = [key.decode() for key in await store.server.redis.keys("*")]
    return {key.replace(alert_id, "ID") for key in found if alert_id in key}


EVERY = "".join(Mark).encode("latin-1")


@pytest.mark.parametrize("whole", [b"a" * SHARD_SIZE, random.Random(1).choices(EVERY, k=SHARD_SIZE), bytes(SHARD_SIZE)])
def test_packed_and_read(whole: Sequence[int]) -> None:
    whole = bytes(whole)
    row = Ledger(whole).packed()
    assert is_packed(row)
    assert not is_packed(whole)
    assert len(row) < SHARD_SIZE * 0.7
    assert bytes(Ledger.read(row)) == bytes(Ledger.read(whole)) == whole


def test_no_mark_is_the_byte_of_packed_ledgers() -> None:
    assert not any(is_packed(mark.encode("latin-1")) for mark in Mark)


async def test_everybody_reads_on(store: Store) -> None:
    worker = await sent(store)
    alert_id, bounds = worker.alert_id, await store.numbers.bounds()
    before = await store.ledgers.accounts(alert_id, bounds)
    await close(store, alert_id, await now_ms())
    await pack(store, await now_ms() + REST_MS)

    assert await is_packed_in(store, alert_id)
    assert await worker.ledger() == b"agZe"
    assert [await store.ledgers.marks("fcm.0", slot, [alert_id]) for slot in range(READERS)] == [
        {alert_id: mark} for mark in MARKS.values()
    ]
    (found,) = await store.ledgers.of_shards(["fcm.0"], [alert_id])
    assert bytes(found[alert_id]) == bytes((await store.ledgers.ledgers("fcm.0", [alert_id]))[alert_id])
    ((was,),), ((now,),) = before.values(), (await store.ledgers.accounts(alert_id, bounds)).values()
    assert (now.eligible, bytes(now.ledger)) == (was.eligible, bytes(was.ledger))
    assert (await store.alerts.get(alert_id)).totals == DONE


async def test_only_what_history_and_corrections_need_is_kept(store: Store) -> None:
    worker = await packed(store)
    assert await keys_of(store, worker.alert_id) == {"{alerts}:alert:ID", "{alerts}:bounds:ID", "{fcm.0}:ledger:ID"}

    await store.ledgers.drop(worker.alert_id, await store.runs.bounds(worker.alert_id))
    await store.runs.drop(worker.alert_id)
    assert await keys_of(store, worker.alert_id) == {"{alerts}:alert:ID"}


@pytest.mark.parametrize("state", ["open", "deferring", "just ended", "may be replayed"])
async def test_what_may_still_change_is_left_as_it_is(store: Store, state: str) -> None:
    worker = await sent(store)
    ended_ms = await now_ms()
    match state:
        case "deferring":
            await close(store, worker.alert_id, ended_ms, {**DONE, "deferred": 1})
        case "just ended":
            await close(store, worker.alert_id, ended_ms + 1)
        case "may be replayed":
            await close(store, worker.alert_id, ended_ms, {**DONE, "set_aside": 1})
    before = await keys_of(store, worker.alert_id)

    await pack(store, ended_ms + REST_MS)

    assert not await is_packed_in(store, worker.alert_id)
    assert await keys_of(store, worker.alert_id) == before


async def test_who_was_set_aside_can_be_tried_again_until_the_attempts_end(store: Store) -> None:
    worker = await sent(store, marks={**MARKS, 0: Mark.SET_ASIDE})
    ended_ms = await now_ms()
    await close(store, worker.alert_id, ended_ms, {**DONE, "set_aside": 1})
    await pack(store, ended_ms + REST_MS)
    assert await store.ledgers.pend_again(worker.alert_id, Address("fcm", 0))

    await pack(store, ended_ms + 3_600_000 + 2 * REST_MS)

    assert await is_packed_in(store, worker.alert_id)


@pytest.mark.parametrize("seed", range(20))
async def test_whoever_comes_late_changes_nothing(store: Store, seed: int) -> None:
    """With many ledgers, so that some have a packed byte that looks like the mark that is sought."""
    chance = random.Random(seed)
    marks = {slot: chance.choice(list(MARKS.values())) for slot in range(SHARD_SIZE)}
    worker = await packed(store, marks)
    alert_id, key = worker.alert_id, f"{{fcm.0}}:ledger:{worker.alert_id}"
    row = await store.server.redis.get(key)
    newer = await sent(store, "newer")

    assert await worker.write(dict.fromkeys(range(50), Mark.PENDING)) is None
    others = {alert_id: dict.fromkeys(range(50), Mark.CORRECTED)}
    assert await newer.write(changes=others) == []
    assert not any([await store.ledgers.pend_again(alert_id, Address("fcm", slot)) for slot in range(len(row))])
    assert await store.ledgers.begin(worker.claim) is None
    await store.runs.reopen(alert_id, "fcm.0")

    assert await store.server.redis.get(key) == row
    assert await store.runs.left(alert_id) == 0
    assert (await store.alerts.get(alert_id)).totals == DONE


async def test_packing_that_was_broken_off_is_done_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = {"fcm": 3_000}
    alert = await begin(store, bounds)
    for _ in range(3):
        claim = await next_claim(store)
        assert claim is not None
        await (await take_up(store, claim)).write({0: Mark.ACCEPTED}, plans=True)
        await store.runs.finish(claim)
    await close(store, alert.id, await now_ms())
    later = await now_ms() + REST_MS
    together, trips = store.server.together, 0

    async def dies(*scripts: Any) -> Any:
        nonlocal trips
        trips += 1
        if trips == 2:
            raise ConnectionAbortedError
        return await together(*scripts)

    monkeypatch.setattr(store.server, "together", dies)
    monkeypatch.setattr(packing, "_SHARDS_AT_ONCE", 1)
    with pytest.raises(ConnectionAbortedError):
        await pack(store, later)
    assert [await is_packed_in(store, alert.id, shard) for shard in ("fcm.0", "fcm.1", "fcm.2")] == [True, False, False]
    assert len(await store.ledgers.of_shards(["fcm.0", "fcm.1"], [alert.id])) == 2

    assert await store.packing.due(later) == [alert.id]
    await pack(store, later)

    assert all([await is_packed_in(store, alert.id, shard) for shard in ("fcm.0", "fcm.1", "fcm.2")])
    assert await store.packing.due(later) == []


async def test_packed_ledgers_are_trimmed_like_others(store: Store) -> None:
    worker = await packed(store)

    await trim(store, clock.milliseconds(NOW + timedelta(days=36_500)))

    assert await keys_of(store, worker.alert_id) == {"{alerts}:alert:ID"}
