"""Caps: counted once for a run, given back once, and never overrun by alerts at once."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_hands import Hand, begin, had_today, hand, lapse, next_claim, take_up
from store_sound import add_some

from tocsin.domain.decisions import Limit
from tocsin.domain.deliveries import Mark
from tocsin.store.store import Store

TODAY = 20_500


async def workers(store: Store, count: int, readers: int = 1) -> list[Hand]:
    """Each with an alert of its own, all in one shard."""
    await add_some(store, readers)
    bounds = await store.numbers.bounds()
    return [await hand(store, await begin(store, bounds, str(number))) for number in range(count)]


async def take(worker: Hand, slot: int = 0, limit: int = 1, day: int = TODAY) -> bool:
    """Whether there was room."""
    full = await worker.store.ledgers.take_caps(worker.claim, {slot: Limit(day, limit)})
    assert full is not None
    return slot not in full


async def had(store: Store, slot: int = 0, day: int = TODAY) -> int:
    return (await had_today(store, "fcm.0", {slot: day})).get(slot, 0)


async def taken(worker: Hand) -> dict[int, int]:
    kept = await worker.store.ledgers.begin(worker.claim)
    assert kept is not None
    return kept.taken


async def test_two_alerts_at_once_never_overrun_a_cap(store: Store) -> None:
    alerts = await workers(store, 8)
    told = await asyncio.gather(*(take(worker, limit=3) for worker in alerts))
    assert told.count(True) == 3
    assert await had(store) == 3
    assert [await taken(worker) for worker in alerts].count({0: TODAY}) == 3


async def test_asked_again_a_run_counts_once(store: Store) -> None:
    one, two = await workers(store, 2)
    assert [await take(one) for _ in range(3)] == [True] * 3
    assert await had(store) == 1
    assert [await take(two) for _ in range(3)] == [False] * 3
    # The claim that comes after a death takes over what was counted.
    await lapse(store, one.claim)
    claim = await next_claim(store)
    assert claim is not None
    after = await take_up(store, claim)
    assert after.kept.taken == {0: TODAY}
    assert await take(after)
    assert await had(store) == 1


async def test_many_readers_at_once(store: Store) -> None:
    one, two = await workers(store, 2, readers=4)
    capped = {slot: Limit(TODAY, slot) for slot in range(4)}
    assert await store.ledgers.take_caps(one.claim, capped) == {0}
    assert await store.ledgers.take_caps(two.claim, capped) == {0, 1}
    assert await had_today(store, "fcm.0", dict.fromkeys(range(5), TODAY)) == {1: 1, 2: 2, 3: 2}
    assert await store.ledgers.take_caps(one.claim, {}) == set()


async def test_a_cap_of_none_lets_nothing_through(store: Store) -> None:
    (one,) = await workers(store, 1)
    assert not await take(one, limit=0)
    assert await had(store) == 0


async def test_what_nobody_got_is_given_back_once(store: Store) -> None:
    one, two = await workers(store, 2)
    assert await take(one)
    for _ in range(2):  # a repeat of the same write changes nothing
        assert await one.write({0: Mark.REJECTED}, give_back=[0]) == []
        assert await had(store) == 0
    assert await take(two)
    assert await one.write({0: Mark.REJECTED}, give_back=[0]) == []
    assert await had(store) == 1
    assert await taken(one) == {}


async def test_what_was_accepted_stays_counted(store: Store) -> None:
    one, two = await workers(store, 2)
    assert await take(one)
    for _ in range(2):
        assert await one.write({0: Mark.ACCEPTED}, spent=[0]) == []
    assert await one.write(give_back=[0]) == []  # whatever comes later gives nothing back
    assert await had(store) == 1
    assert await taken(one) == {}
    assert not await take(two)


async def test_another_day_begins_anew(store: Store) -> None:
    one, two, three = await workers(store, 3)
    assert await take(one)
    assert not await take(two)
    assert await take(two, day=TODAY + 1)
    assert (await had(store), await had(store, day=TODAY + 1)) == (0, 1)
    # What was counted on a day that is over is not given back on this one.
    await one.write({0: Mark.REJECTED}, give_back=[0])
    assert await had(store, day=TODAY + 1) == 1
    assert not await take(three, day=TODAY + 1)


async def test_a_turn_that_comes_on_the_next_day_counts_there(store: Store) -> None:
    one, two = await workers(store, 2)
    assert await take(one)
    assert await take(one, day=TODAY + 1)
    assert await taken(one) == {0: TODAY + 1}
    assert not await take(two, day=TODAY + 1)
    await one.write({0: Mark.GONE}, give_back=[0])
    assert await had(store, day=TODAY + 1) == 0


async def test_a_cap_that_was_lowered_holds_for_what_waits(store: Store) -> None:
    alerts = await workers(store, 3)
    for worker in alerts:
        assert await take(worker, limit=3)
    # The reader wishes for two now: one of the three has to go, whichever is asked first.
    assert [await take(alerts[1], limit=2) for _ in range(2)] == [False, False]
    assert await had(store) == 2
    assert await taken(alerts[1]) == {}
    assert await take(alerts[0], limit=2)
    assert await take(alerts[2], limit=2)
    # What the book of the one still says is given back by the store only if it holds it.
    await alerts[1].write({0: Mark.TURNED_DAILY_CAP}, give_back=[0])
    assert await had(store) == 2


async def test_who_lost_the_shard_takes_nothing(store: Store) -> None:
    (one,) = await workers(store, 1)
    await lapse(store, one.claim)
    claim = await next_claim(store)
    assert claim is not None
    await take_up(store, claim)
    assert await store.ledgers.take_caps(one.claim, {0: Limit(TODAY, 5)}) is None
    assert await had(store) == 0


@dataclass
class Model:
    """What the store is to say, kept plainly: of each reader the day and how many, and who holds one of them."""

    counts: dict[int, tuple[int, int]] = field(default_factory=lambda: {0: (0, 0), 1: (0, 0)})
    holds: dict[tuple[int, int], int] = field(default_factory=dict)  # alert and reader → day

    def take(self, which: int, slot: int, limit: int, day: int) -> bool:
        its_day, count = self.counts[slot]
        so_far = count if its_day == day else 0
        held = self.holds.get((which, slot)) == day
        room = so_far <= limit if held else so_far < limit
        if room and not held:
            self.counts[slot], self.holds[which, slot] = (day, so_far + 1), day
        elif held and not room:
            self.counts[slot] = (day, so_far - 1)
            del self.holds[which, slot]
        return room

    def end(self, which: int, slot: int, give_back: bool) -> None:
        its_day, count = self.counts[slot]
        if self.holds.pop((which, slot), None) == its_day and give_back:
            self.counts[slot] = (its_day, count - 1)


STEPS = st.tuples(
    st.integers(0, 2),  # which alert
    st.integers(0, 1),  # which reader
    st.sampled_from(["take", "take", "give_back", "spent"]),
    st.integers(0, 1),  # days later
    st.integers(0, 3),  # the cap as it stands then
    st.booleans(),  # told twice
)


@given(st.lists(STEPS, max_size=30))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_counts_are_those_of_a_plain_model(
    store: Store, steps: list[tuple[int, int, str, int, int, bool]]
) -> None:
    await store.server.redis.flushall()
    store.profiles._numbers.clear()
    alerts = await workers(store, 3, readers=2)
    model, today = Model(), TODAY
    for which, slot, what, later, limit, twice in steps:
        today += later
        if what == "take":
            room = model.take(which, slot, limit, today)
            assert [await take(alerts[which], slot, limit, today) for _ in range(1 + twice)] == [room] * (1 + twice)
        else:
            model.end(which, slot, give_back=what == "give_back")
            for _ in range(1 + twice):
                assert await alerts[which].write(**{what: [slot]}) == []
        for reader, (day, count) in model.counts.items():
            assert day == 0 or await had(store, reader, day) == count
        for number, worker in enumerate(alerts):
            assert await taken(worker) == {
                reader: day for (alert, reader), day in model.holds.items() if alert == number
            }
