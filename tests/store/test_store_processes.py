"""What processes counted: added up once, whoever folds when, and however long one was idle."""

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tocsin.store.processes import ENDED_MS, FRESH_MS, Counted, Processes
from tocsin.store.store import Store

NOW_MS = 1_772_366_400_000
OLD_MS = NOW_MS - ENDED_MS - 1

counters = st.dictionaries(st.sampled_from(["201", "410", "timeout"]), st.integers(1, 100)).map(Counter)
by_service = st.dictionaries(st.sampled_from(["fcm", "apple"]), counters)
some_counts = st.builds(
    Counted, at_ms=st.integers(0), statuses=by_service, outcomes=by_service, latency=by_service, accepted_in=counters
)


def counted(at_ms: int, accepted: int, rate: float = 0.0) -> Counted:
    return Counted(
        at_ms,
        {"fcm": Counter({"201": accepted})},
        {"fcm": Counter({"accepted": accepted})},
        {"fcm": Counter({"7": accepted})},
        Counter({"9": accepted}),
        {"priority": rate},
    )


def accepted(whole: Counted) -> int:
    found = {
        whole.statuses.get("fcm", Counter())["201"],
        whole.outcomes.get("fcm", Counter())["accepted"],
        whole.latency.get("fcm", Counter())["7"],
        whole.accepted_in["9"],
    }
    (count,) = found
    return count


@given(some_counts, some_counts)
def test_what_was_added_can_be_taken_away(one: Counted, other: Counted) -> None:
    both = Counted.load(one.dump().encode())
    both.add(other)
    rest = both.since(one)
    for name in ("statuses", "outcomes", "latency"):
        kept = {service: counts for service, counts in getattr(rest, name).items() if counts}
        assert kept == {service: counts for service, counts in getattr(other, name).items() if counts}
    assert rest.accepted_in == other.accepted_in


@given(some_counts)
def test_rows_come_back_as_they_were(row: Counted) -> None:
    assert Counted.load(row.dump().encode()) == row


async def test_processes_add_up_and_only_fresh_rates_count(store: Store) -> None:
    assert accepted(await store.processes.total(NOW_MS)) == 0
    await store.processes.write("a", counted(NOW_MS, 5, rate=2.0))
    await store.processes.write("a", counted(NOW_MS, 7, rate=3.0))  # written whole: it does not add up with itself
    await store.processes.write("b", counted(NOW_MS - FRESH_MS, 10, rate=100.0))
    whole = await store.processes.total(NOW_MS)
    assert (accepted(whole), whole.rates) == (17, {"priority": 3.0})


async def test_the_ended_are_folded_and_the_others_are_not(store: Store) -> None:
    await store.processes.write("ended", counted(OLD_MS, 5))
    await store.processes.write("alive", counted(NOW_MS, 7))
    for _ in range(3):
        await store.processes.fold_ended(NOW_MS)
        assert accepted(await store.processes.total(NOW_MS)) == 12
    assert await store.server.redis.hkeys("{processes}:counted") == [b"alive"]


async def test_many_that_fold_at_once_lose_and_double_nothing(store: Store) -> None:
    for number in range(20):
        await store.processes.write(f"process-{number}", counted(OLD_MS, number))
    watched: list[int] = []

    async def watch() -> None:
        watched.extend([accepted(await store.processes.total(NOW_MS)) for _ in range(20)])

    await asyncio.gather(*(Processes(store.server).fold_ended(NOW_MS) for _ in range(5)), watch())

    assert set(watched) == {190}
    while await store.server.redis.hlen("{processes}:counted"):
        await store.processes.fold_ended(NOW_MS)
    assert accepted(await store.processes.total(NOW_MS)) == 190


async def test_who_was_idle_and_taken_for_ended_is_not_counted_twice(store: Store) -> None:
    process = Processes(store.server)
    await process.write("idle", counted(OLD_MS, 5))
    for total in (8, 20, 21):
        await store.processes.fold_ended(NOW_MS)
        await process.write("idle", counted(OLD_MS, total))
        assert accepted(await store.processes.total(NOW_MS)) == total
        await process.write("idle", counted(OLD_MS, total))
        assert accepted(await store.processes.total(NOW_MS)) == total


KEYS = ("{processes}:counted", "{processes}:ended")


async def test_a_sum_that_changed_since_it_was_seen_is_not_overwritten(store: Store) -> None:
    rows = {}
    for name in ("one", "two"):
        await store.processes.write(name, counted(OLD_MS, 5))
        rows[name] = await store.server.redis.hget(KEYS[0], name)
    folded = [await store.server.run("fold_process", KEYS, name, row, b"", row) for name, row in rows.items()]
    assert folded == [1, 0]
    assert accepted(await store.processes.total(NOW_MS)) == 10


async def test_a_row_that_changed_since_it_was_seen_is_not_folded(store: Store) -> None:
    await store.processes.write("slow", counted(OLD_MS, 5))
    seen = await store.server.redis.hget(KEYS[0], "slow")
    await store.processes.write("slow", counted(NOW_MS, 6))
    assert await store.server.run("fold_process", KEYS, "slow", seen, b"", counted(0, 5).dump()) == 0
    assert accepted(await store.processes.total(NOW_MS)) == 6
