"""Runs: who gets which shard, for how long, and what a worker that was too slow can still do."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from store_hands import (
    ALL,
    PAST,
    begin,
    begin_run,
    claimed,
    due_at,
    hand,
    lapse,
    lease_left_ms,
    queue,
    store_ms,
    take_up,
    unhold,
    work_off,
)
from store_sound import add_some

from tocsin import clock
from tocsin.clock import from_milliseconds, milliseconds
from tocsin.domain.deliveries import Mark
from tocsin.domain.queues import PRIORITY, STANDARD
from tocsin.store.alerts import PAUSED
from tocsin.store.runs import Go, Release, Runs, Unbegun
from tocsin.store.store import Store

LEASE_MS = 30_000


async def test_a_run_is_made_once_over_every_shard(store: Store) -> None:
    alert = await queue(store)
    assert await store.runs.left(alert.id) == 0
    assert await store.runs.claim(ALL, ()) == Unbegun(alert.id)

    made = [await begin_run(store, alert.id, bounds) for bounds in ({"fcm": 2_001, "apple": 1_000}, {"wns": 9})]

    assert made == [True, False]
    assert await store.runs.bounds(alert.id) == {"fcm": 2_001, "apple": 1_000}
    assert await store.runs.left(alert.id) == 4
    assert (await store.alerts.get(alert.id)).began_at is not None
    assert {shard for _, shard in await work_off(store)} == {"fcm.0", "fcm.1", "fcm.2", "apple.0"}
    assert await store.runs.left(alert.id) == 0


async def test_ten_that_begin_it_at_once_make_one(store: Store) -> None:
    alert = await queue(store)
    made = await asyncio.gather(*(begin_run(store, alert.id, {"fcm": bound * 1_000}) for bound in range(10)))
    assert made.count(True) == 1
    assert await store.runs.left(alert.id) == (await store.runs.bounds(alert.id))["fcm"] // 1_000


async def test_nobody_to_send_to(store: Store) -> None:
    alert = await begin(store, {})
    assert await store.runs.claim(ALL, ()) is None
    assert await store.runs.left(alert.id) == 0


async def test_a_claim_says_what_a_worker_needs(store: Store) -> None:
    alert = await begin(store, {"push.example.com": 1_500})
    claim = await claimed(store)
    assert (claim.alert_id, claim.shard, claim.epoch) == (alert.id, "push.example.com.0", 1)
    assert claim.push_service == "push.example.com"
    assert claim.began_at == (await store.alerts.get(alert.id)).began_at
    assert claim.bound == 1_500
    left = await lease_left_ms(store, claim)
    assert left is not None
    assert 0 < left <= LEASE_MS


async def test_no_shard_is_given_to_two(store: Store) -> None:
    await begin(store, {"fcm": 20_000, "apple": 10_000})
    claims = await asyncio.gather(*(store.runs.claim(ALL, ()) for _ in range(50)))
    shards = [claim.shard for claim in claims if claim]
    assert len(shards) == len(set(shards)) == 30


async def test_flash_comes_first_then_the_oldest(store: Store) -> None:
    update = await begin(store, {"fcm": 2_000}, "1", level="update")
    breaking = await begin(store, {"fcm": 2_000}, "2", level="breaking")
    flash = await begin(store, {"fcm": 2_000}, "3", level="flash")
    order = [alert_id for alert_id, _ in await work_off(store)]
    assert order == [flash.id] * 2 + [update.id] * 2 + [breaking.id] * 2


@pytest.mark.parametrize("level", ["flash", "breaking", "update"])
async def test_two_alerts_share_equally(store: Store, level: str) -> None:
    one = await begin(store, {"fcm": 50_000, "apple": 50_000}, "1", level=level)
    first = [await claimed(store) for _ in range(4)]  # at work before the other came
    two = await begin(store, {"fcm": 50_000, "apple": 50_000}, "2", level=level)

    second = [await claimed(store) for _ in range(16)]

    assert {claim.alert_id for claim in first} == {one.id}
    assert Counter(claim.alert_id for claim in [*first, *second]) == {one.id: 10, two.id: 10}


async def test_push_services_share_equally(store: Store) -> None:
    await begin(store, {"fcm": 50_000, "apple": 50_000})
    claims = [await claimed(store) for _ in range(20)]
    assert Counter(claim.push_service for claim in claims) == {"fcm": 10, "apple": 10}


async def test_what_a_process_is_busy_with_is_passed_over(store: Store) -> None:
    flash = await begin(store, {"fcm": 2_000}, "1", level="flash")
    update = await begin(store, {"fcm": 2_000, "apple": 1_000}, "2", level="update")
    busy = [(flash.id, "fcm"), (update.id, "fcm")]
    claim = await claimed(store, busy)
    assert claim.lane == (update.id, "apple")
    assert await store.runs.claim(ALL, [*busy, claim.lane]) is None
    assert (await claimed(store, [(flash.id, "fcm")])).lane == (update.id, "fcm")
    assert (await claimed(store, [(update.id, "fcm")])).lane == (flash.id, "fcm")


async def test_a_run_yet_to_be_made_comes_first(store: Store) -> None:
    begun = await begin(store, {"fcm": 1_000}, "1", level="flash")
    update = await queue(store, "2", level="update")
    assert await store.runs.claim(ALL, ()) == Unbegun(update.id)
    assert (await claimed(store, queues=[PRIORITY])).alert_id == begun.id  # not of its queue
    assert await store.runs.claim(ALL, [(begun.id, "fcm")]) == Unbegun(update.id)
    assert await store.runs.claim(ALL, [(update.id, "")]) is None  # one that this worker cannot read
    await begin_run(store, update.id, {"fcm": 1_000})
    assert (await claimed(store)).alert_id == update.id


async def test_queues_are_kept_apart_except_for_flash(store: Store) -> None:
    update = await begin(store, {"fcm": 1_000}, "1", level="update")
    breaking = await begin(store, {"fcm": 1_000}, "2", level="breaking")
    assert (await claimed(store, queues=(PRIORITY,))).alert_id == breaking.id
    assert await store.runs.claim((PRIORITY,), ()) is None
    assert (await claimed(store, queues=(STANDARD,))).alert_id == update.id
    flash = await begin(store, {"fcm": 1_000}, "3", level="flash")
    assert (await claimed(store, queues=(STANDARD,))).alert_id == flash.id


async def test_a_held_push_service_is_left_alone_until_its_moment(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000, "apple": 1_000})
    claim = await claimed(store, [(alert.id, "apple")])
    until = from_milliseconds(milliseconds(clock.now() + timedelta(hours=1)))
    await store.pace.hold("fcm", until)

    assert await store.runs.check(claim) == (Go.HELD, until)
    await store.runs.hand_back(claim, until)
    assert (await claimed(store)).push_service == "apple"
    assert await store.runs.claim(ALL, ()) is None
    assert (await store.pace.states())["fcm"].held_until == until
    assert not await store.runs.has_due(alert.id, await store_ms(store))

    await unhold(store)
    assert await store.runs.claim(ALL, ()) is None  # the shard itself is due when the hold was to end
    assert await store.runs.has_due(alert.id, milliseconds(until))


async def test_a_shard_handed_back_is_due_at_its_moment(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    claim = await claimed(store)
    await store.runs.hand_back(claim, clock.now() + timedelta(hours=1))
    assert await store.runs.claim(ALL, ()) is None
    assert not await store.runs.has_due(alert.id, await store_ms(store))
    assert await store.runs.left(alert.id) == 1

    await store.server.redis.zadd(f"{{alerts}}:due:{alert.id}:fcm", {"fcm.0": PAST})
    again = await claimed(store)
    await store.runs.hand_back(again)

    assert (again.epoch, (await claimed(store)).epoch) == (2, 3)


async def test_the_last_shard_ends_the_run(store: Store) -> None:
    alert = await begin(store, {"fcm": 2_000, "apple": 1})
    claims = [await claimed(store) for _ in range(3)]
    assert [await store.runs.finish(claim) for claim in claims] == [False, False, True]
    assert await store.runs.left(alert.id) == 0
    assert [await store.runs.finish(claim) for claim in claims] == [False] * 3


async def test_of_many_that_finish_at_once_one_is_the_last(store: Store) -> None:
    await begin(store, {"fcm": 20_000})
    claims = [await claimed(store) for _ in range(20)]
    assert (await asyncio.gather(*(store.runs.finish(claim) for claim in claims))).count(True) == 1


async def test_what_is_left_is_counted_at_one_moment(store: Store) -> None:
    """A shard on its way from one list to the other must not look like a run that is over."""
    alert = await begin(store, {"fcm": 1_000})

    async def pass_it_on() -> None:
        for _ in range(100):
            await store.runs.hand_back(await claimed(store))

    async def count() -> set[int]:
        return {await store.runs.left(alert.id) for _ in range(300)}

    _, *counted = await asyncio.gather(pass_it_on(), count(), count())
    assert counted == [{1}, {1}]


async def test_a_lapsed_lease_comes_back_with_a_later_epoch(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    lost = await claimed(store)
    assert await store.runs.claim(ALL, ()) is None
    assert not await store.runs.has_due(alert.id, await store_ms(store))

    await lapse(store, lost)

    assert await store.runs.has_due(alert.id, await store_ms(store))
    assert await store.runs.check(lost) == (Go.LOST, from_milliseconds(0))
    found = await claimed(store)
    assert (found.shard, found.epoch) == (lost.shard, lost.epoch + 1)
    assert await store.runs.lapsed() == 1
    assert (await store.runs.check(lost))[0] is Go.LOST
    assert (await store.runs.check(found))[0] is Go.GO
    # Whatever the slow one says now changes nothing.
    assert not await store.runs.finish(lost)
    await store.runs.hand_back(lost)
    assert await store.runs.left(alert.id) == 1
    assert (await store.runs.check(found))[0] is Go.GO


async def test_a_lapsed_lease_that_nobody_wanted_yet_is_lost_all_the_same(store: Store) -> None:
    """Another's look brought it back among the due: its holder may not go on as if it had it."""
    alert = await begin(store, {"fcm": 1_000})
    lost = await claimed(store)
    await lapse(store, lost)
    assert await store.runs.claim(ALL, [(alert.id, "fcm")]) is None
    assert await due_at(store, lost) is not None
    assert (await store.runs.check(lost))[0] is Go.LOST
    assert not await store.runs.finish(lost)
    assert await store.runs.left(alert.id) == 1


async def test_a_lease_from_before_the_clock_went_back_has_lapsed(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    lost = await claimed(store)
    now_ms = await store_ms(store)
    await lapse(store, lost, now_ms + 10 * LEASE_MS)

    assert await store.runs.has_due(alert.id, now_ms)
    assert (await claimed(store)).epoch == 2
    assert (await store.runs.check(lost))[0] is Go.LOST


async def test_who_still_works_when_the_clock_goes_back_keeps_the_shard(store: Store) -> None:
    await begin(store, {"fcm": 1_000})
    claim = await claimed(store)
    await lapse(store, claim, await store_ms(store) + 10 * LEASE_MS)
    assert (await store.runs.check(claim))[0] is Go.GO
    assert await store.runs.claim(ALL, ()) is None
    left = await lease_left_ms(store, claim)
    assert left is not None
    assert left <= LEASE_MS


@pytest.mark.parametrize(("share", "renewed"), [(0.9, False), (0.5, True), (0.1, True)])
async def test_a_lease_is_renewed_once_a_third_of_it_is_used(store: Store, share: float, renewed: bool) -> None:
    await begin(store, {"fcm": 1_000})
    claim = await claimed(store)
    until = await store_ms(store) + int(LEASE_MS * share)
    await lapse(store, claim, until)
    assert (await store.runs.check(claim))[0] is Go.GO
    score = await store.server.redis.zscore(f"{{alerts}}:leased:{claim.alert_id}:fcm", claim.shard)
    assert (score > until) is renewed


async def test_a_stop_is_told_before_the_next_window_and_beats_a_hold(store: Store) -> None:
    alert = await begin(store, {"fcm": 2_000})
    claim = await claimed(store)
    await store.pace.hold("fcm", clock.now() + timedelta(hours=1))
    assert await store.runs.claim(ALL, ()) is None

    await store.alerts.stop(alert.id, 0)

    assert (await store.runs.check(claim))[0] is Go.STOPPED
    await store.runs.hand_back(claim, clock.now() + timedelta(hours=1))
    # Nothing is to be sent any more: neither the hold nor the moment of a retry keeps its end waiting.
    assert len(await work_off(store)) == 2
    assert await store.runs.left(alert.id) == 0


async def test_an_alert_out_of_time_is_worked_off_whatever_is_held(store: Store) -> None:
    alert = await queue(store)
    await begin_run(store, alert.id, {"fcm": 1_000}, await store.runs.now())
    await store.pace.hold("fcm", clock.now() + timedelta(hours=1))
    assert await work_off(store) == [(alert.id, "fcm.0")]


async def test_a_slow_workers_write_is_refused_once_the_next_one_began(store: Store) -> None:
    await add_some(store, 3)
    alert = await begin(store, await store.numbers.bounds())
    slow = await hand(store, alert)
    await lapse(store, slow.claim)
    claim = await claimed(store)

    # Claimed, not begun: what the slow one did is still taken, so that the quick one does not do it again.
    assert await slow.write({0: Mark.ACCEPTED}) == []
    quick = await take_up(store, claim)
    assert await quick.ledger() == b"app"

    # Begun: nothing of the slow one's counts any more, nor may it look at who is next.
    assert await slow.write({1: Mark.GONE}) is None
    assert await slow.read([1]) is None
    assert await quick.ledger() == b"app"
    assert await quick.write() == []


async def test_a_claim_that_slept_through_the_next_one_cannot_begin(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000})
    slept = await claimed(store)
    await lapse(store, slept)
    quick = await hand(store, alert)
    assert await store.ledgers.begin(slept) is None
    assert await quick.write() == []
    assert await store.ledgers.begin(quick.claim) is not None  # told twice by a connection that broke


async def test_two_runs_of_one_shard_are_apart(store: Store) -> None:
    await add_some(store, 1)
    bounds = await store.numbers.bounds()
    one, two = await begin(store, bounds, "1"), await begin(store, bounds, "2")
    first = await hand(store, one)
    second = await hand(store, two)
    assert await first.write({0: Mark.ACCEPTED}) == []
    assert await second.read([0]) is not None
    assert await second.ledger() == b"p"


async def test_depths(store: Store) -> None:
    one = await begin(store, {"fcm": 3_000, "apple": 1_000}, "1")
    await claimed(store)
    two = await queue(store, "2")
    queued_ms = {one.id: 5_000, two.id: 6_000}

    depth = await store.runs.depth([one.id, two.id], queued_ms)
    assert (depth.waiting, depth.in_work, depth.oldest_ms) == (4, 1, 5_000)
    assert await store.runs.claim(("maintenance",), ()) is None

    for _ in range(3):
        await claimed(store, [(two.id, "")])
    depth = await store.runs.depth([one.id, two.id], queued_ms)
    assert (depth.waiting, depth.in_work, depth.oldest_ms) == (1, 4, 6_000)
    assert (await store.runs.depth([], {})).oldest_ms is None


async def test_the_lease_is_the_settings(store: Store) -> None:
    await begin(store, {"fcm": 1_000})
    claim = await Runs(store.server, 1.5).claim(ALL, ())
    assert claim is not None
    left = await lease_left_ms(store, claim)
    assert left is not None
    assert left <= 1_500


async def test_a_paused_queue_gives_nothing_out_and_loses_nothing(store: Store) -> None:
    flash = await begin(store, {"fcm": 1_000}, "1", level="flash")
    update = await begin(store, {"fcm": 1_000}, "2", level="update")
    redis = store.server.redis
    await redis.sadd(PAUSED, PRIORITY)
    assert (await claimed(store)).alert_id == update.id
    assert await store.runs.claim(ALL, ()) is None
    await redis.sadd(PAUSED, STANDARD)
    await queue(store, "3", level="update")
    assert await store.runs.claim(ALL, ()) is None  # not even to make a run
    await redis.srem(PAUSED, PRIORITY)
    assert (await claimed(store)).alert_id == flash.id


async def test_who_holds_a_shard_of_a_paused_queue_may_go_on(store: Store) -> None:
    """A pause keeps work from beginning; it is not a stop."""
    await begin(store, {"fcm": 2_000})
    claim = await claimed(store)
    await store.server.redis.sadd(PAUSED, PRIORITY)
    assert (await store.runs.check(claim))[0] is Go.GO
    await store.runs.hand_back(claim)
    assert await store.runs.claim(ALL, ()) is None


async def test_a_part_of_what_is_due_is_claimed_beside_a_shard(store: Store) -> None:
    await begin(store, {"fcm": 21_000, "apple": 5_000})
    first = await claimed(store, busy=())
    while first.push_service != "fcm":
        first = await claimed(store)

    few = await store.runs.claim_beside(first, 3)
    beside = await store.runs.claim_beside(first, 32)

    assert (len(few), len(beside)) == (3, 4)  # of the 17 others that were due then, a quarter
    shards = {claim.shard for claim in (first, *few, *beside)}
    assert len(shards) == 8
    assert {(claim.lane, claim.epoch, claim.bound) for claim in (*few, *beside)} == {(first.lane, 1, first.bound)}
    assert (await store.runs.check_all([first, *few, *beside])).go is Go.GO
    assert await store.runs.release([Release(claim) for claim in (first, *few)]) is False
    assert (await store.runs.check_all([first, *beside])).lost == {first.shard}


async def test_nothing_is_claimed_beside_what_is_paused_held_or_over(store: Store) -> None:
    alert = await begin(store, {"fcm": 9_000})
    first = await claimed(store)

    await store.pace.hold("fcm", clock.now() + timedelta(minutes=1))
    assert await store.runs.claim_beside(first, 5) == []
    await unhold(store)
    await store.server.redis.sadd(PAUSED, alert.queue)
    assert await store.runs.claim_beside(first, 5) == []
    await store.server.redis.delete(PAUSED)
    assert len(await store.runs.claim_beside(first, 1)) == 1
    await store.alerts.stop(alert.id, 0)
    assert await store.runs.claim_beside(first, 5) == []
