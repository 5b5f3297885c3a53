"""The round: a shard of it is due when the first quiet hours end, whoever says so how often, and never forgotten."""

from datetime import datetime, timedelta

import pytest
from store_hands import PAST, begin, hand, lapse, next_claim, round_claim, store_ms, take_up
from store_sound import add_some

from tocsin import clock
from tocsin.clock import from_milliseconds, milliseconds
from tocsin.domain.deliveries import Mark
from tocsin.domain.queues import PRIORITY, STANDARD
from tocsin.store.alerts import PAUSED, PREFIX
from tocsin.store.runs import ROUND, Claim, Go
from tocsin.store.store import Store

LONG_AGO = from_milliseconds(PAST)


def in_hours(hours: float) -> datetime:
    return from_milliseconds(milliseconds(clock.now() + timedelta(hours=hours)))


async def due(store: Store, shard: str = "fcm.0") -> datetime | None:
    score = await store.server.redis.zscore(f"{PREFIX}due:{ROUND}:{shard.partition('.')[0]}", shard)
    return None if score is None else from_milliseconds(int(score))


async def at_work(store: Store) -> Claim:
    """A round in hand."""
    await store.runs.defer("fcm.0", LONG_AGO)
    claim = await round_claim(store)
    assert claim is not None
    return claim


async def test_nothing_is_due_at_first(store: Store) -> None:
    assert await round_claim(store) is None
    assert not await store.runs.round_is_known("fcm.0")
    assert not await store.runs.round_due(milliseconds(clock.now()))
    assert await store.runs.left(ROUND) == 0


async def test_the_first_moment_counts_whoever_says_it_last(store: Store) -> None:
    for hours in (5, 2, 9):
        await store.runs.defer("fcm.0", in_hours(hours))
    assert await due(store) is not None
    assert await due(store) < in_hours(3)  # type: ignore[operator]
    assert await round_claim(store) is None
    assert await store.runs.round_is_known("fcm.0")
    assert not await store.runs.round_is_known("fcm.1")


async def test_a_shard_whose_moment_has_come_is_given_out(store: Store) -> None:
    for shard in ("fcm.0", "fcm.1", "push.example.com.7"):
        await store.runs.defer(shard, LONG_AGO if shard != "fcm.1" else in_hours(1))
    assert await store.runs.round_due(await store_ms(store))

    claims = [await round_claim(store) for _ in range(3)]

    assert [(claim.shard, claim.is_round) for claim in claims if claim] == [
        ("fcm.0", True),
        ("push.example.com.7", True),
    ]
    assert claims[1] is not None
    assert claims[1].push_service == "push.example.com"
    assert (await store.runs.check(claims[1]))[0] is Go.GO
    assert not await store.runs.round_due(await store_ms(store))
    assert await store.runs.left(ROUND) == 3


async def test_it_is_work_of_the_standard_queue(store: Store) -> None:
    await store.runs.defer("fcm.0", LONG_AGO)
    assert await next_claim(store, queues=[PRIORITY]) is None
    await store.server.redis.sadd(PAUSED, STANDARD)
    assert await next_claim(store) is None
    await store.server.redis.srem(PAUSED, STANDARD)
    assert await next_claim(store, [(ROUND, "fcm")]) is None
    assert await next_claim(store) is not None


async def test_news_comes_before_it(store: Store) -> None:
    await store.runs.defer("fcm.0", LONG_AGO)
    alert = await begin(store, {"fcm": 1_000}, level="flash")
    first, second = await next_claim(store), await next_claim(store)
    assert first is not None
    assert second is not None
    assert (first.alert_id, second.alert_id) == (alert.id, ROUND)


async def test_a_held_push_service_has_no_round(store: Store) -> None:
    claim = await at_work(store)
    until = in_hours(1)
    await store.pace.hold("fcm", until)
    assert await store.runs.check(claim) == (Go.HELD, until)
    await store.runs.hand_back(claim, until)
    assert await due(store) == until


async def test_who_is_deferred_while_it_is_in_work_is_not_forgotten(store: Store) -> None:
    claim = await at_work(store)
    for hours in (5, 2, 9):
        await store.runs.defer("fcm.0", in_hours(hours))
    assert await due(store) is None
    assert await round_claim(store) is None
    assert await store.runs.round_is_known("fcm.0")

    assert not await store.runs.finish(claim)  # it saw nobody of them

    found = await due(store)
    assert found is not None
    assert in_hours(1) < found < in_hours(3)
    # Said once, done once: the next that finishes is done.
    await store.server.redis.zadd(f"{PREFIX}due:{ROUND}:fcm", {"fcm.0": PAST})
    again = await round_claim(store)
    assert again is not None
    assert await store.runs.finish(again)
    assert await due(store) is None


@pytest.mark.parametrize(("mine", "others", "wins"), [(1.0, 5.0, 1.0), (5.0, 1.0, 1.0)])
async def test_of_two_moments_the_first(store: Store, mine: float, others: float, wins: float) -> None:
    claim = await at_work(store)
    await store.runs.defer("fcm.0", in_hours(others))
    await store.runs.hand_back(claim, in_hours(mine))
    found = await due(store)
    assert found is not None
    assert in_hours(wins - 0.5) < found < in_hours(wins + 0.5)


async def test_a_lapsed_round_comes_back_with_what_was_deferred_meanwhile(store: Store) -> None:
    lost = await at_work(store)
    await store.runs.defer("fcm.0", in_hours(1))
    await lapse(store, lost)
    found = await round_claim(store)
    assert found is not None
    assert found.epoch == lost.epoch + 1
    assert (await store.runs.check(lost))[0] is Go.LOST
    assert not await store.runs.finish(lost)
    assert not await store.runs.finish(found)
    assert await due(store) is not None


async def test_a_repeat_of_what_a_holder_said_changes_nothing(store: Store) -> None:
    claim = await at_work(store)
    await store.runs.hand_back(claim, in_hours(1))
    before = await due(store)
    await store.runs.hand_back(claim, in_hours(0.5))
    assert not await store.runs.finish(claim)
    assert await due(store) == before


async def test_it_settles_readers_in_the_ledgers_of_their_alerts_alone(store: Store) -> None:
    await add_some(store, 2)
    bounds = await store.numbers.bounds()
    one, two = await begin(store, bounds, "1"), await begin(store, bounds, "2")
    runs = [await hand(store, one), await hand(store, two)]
    for worker in runs:
        await worker.write({0: Mark.DEFERRED})
    round_ = await take_up(store, await at_work(store))

    changes = {one.id: {0: Mark.ACCEPTED}, two.id: {0: Mark.ACCEPTED}}
    assert await round_.write(changes=changes) == []

    assert [await worker.ledger() for worker in runs] == [b"ap", b"ap"]
    # The runs go on beside it, and neither writes over the other.
    assert await runs[0].write({1: Mark.ACCEPTED}) == []
    assert await runs[0].ledger() == b"aa"
    assert await store.ledgers.ledgers("fcm.0", [ROUND]) == {}
    for alert in (one, two):
        (account,) = (await store.ledgers.accounts(alert.id, bounds))["fcm"]
        assert account.eligible == account.ledger.eligible == 2
