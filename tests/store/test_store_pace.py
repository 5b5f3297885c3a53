"""Pace: what all workers together may send to a push service, decided by the real store. Two Pace are two processes.

The store's clock cannot be set, so the seconds of the rules are made shorter here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tocsin import clock
from tocsin.clock import from_milliseconds, milliseconds
from tocsin.domain.pace import VAPID_REFUSED, Breaker, Grant, PaceLimits, PaceState, WindowReport
from tocsin.store.pace import Pace
from tocsin.store.store import Store

# So that a test meets the rule it is about, and no other.
FREE = PaceLimits(trial=1_000_000, start_per_second=1_000_000)
ACCEPTED = WindowReport(accepted=100, latency_ms=50)


def two(store: Store, limits: PaceLimits = FREE) -> tuple[Pace, Pace]:
    return Pace(store.server, limits), Pace(store.server, limits)


async def ask(pace: Pace, wanted: int = 100, retries: int = 0, alert: str = "a", rate: int | None = None) -> Grant:
    return await pace.grant("fcm", alert, rate, wanted, retries)


async def state(pace: Pace) -> PaceState:
    return (await pace.states())["fcm"]


async def taken(paces: tuple[Pace, ...], seconds: float, rate: int | None = None, report: bool = True) -> int:
    """What processes that ask for windows of 50 get within a time, all of it accepted."""
    ends = time.monotonic() + seconds

    async def work(pace: Pace) -> int:
        total = 0
        while time.monotonic() < ends:
            grant = await pace.grant("fcm", "a", rate, 50, 0)
            total += grant.total
            if grant.total and report:
                await pace.report("fcm", WindowReport(accepted=grant.total, latency_ms=5))
            await asyncio.sleep(0.005)
        return total

    return sum(await asyncio.gather(*map(work, paces)))


async def store_ms(store: Store) -> int:
    return milliseconds(await store.runs.now())


async def until(wanted: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await wanted():
            await asyncio.sleep(0.01)


# -- 1: the whole pace and the alert's own


async def test_without_a_limit_everything_goes(store: Store) -> None:
    pace, _ = two(store)
    assert await ask(pace, 1_000) == Grant(1_000, 0, None)
    assert await ask(pace, 0) == Grant(0, 0, None)


@pytest.mark.parametrize("whole", [True, False])
async def test_a_pace_is_kept_by_all_processes_together(store: Store, whole: bool) -> None:
    paces = two(store, replace(FREE, max_per_second=400) if whole else FREE)
    began = time.monotonic()
    total = await taken(paces, 1.0, None if whole else 400)
    most = 400 * (time.monotonic() - began) + 100  # a quarter of a second's worth may go at once
    assert 0.7 * 400 <= total <= most


async def test_the_whole_pace_is_over_push_services_and_alerts(store: Store) -> None:
    pace, other = two(store, replace(FREE, max_per_second=40))
    assert (await pace.grant("fcm", "a", None, 6, 0)).total == 6
    assert (await other.grant("apple", "b", None, 6, 0)).total == 4
    refused = await pace.grant("mozilla", "c", None, 6, 0)
    assert refused.total == 0
    assert refused.until is not None
    assert 0 < milliseconds(refused.until) - await store_ms(store) <= 150
    assert 0 < refused.seconds <= 0.15


async def test_an_alerts_own_pace_is_its_own(store: Store) -> None:
    pace, other = two(store)
    assert (await ask(pace, 100, rate=8)).total == 2
    assert (await other.grant("apple", "a", 8, 1, 0)).total == 0
    assert (await ask(other, 100, alert="b")).total == 100


async def test_at_least_one_goes_at_the_slowest_pace(store: Store) -> None:
    pace, other = two(store)
    assert (await ask(pace, 5, rate=1)).total == 1
    assert (await ask(other, 5, rate=1)).total == 0


# -- 2: gentle start

GENTLE = replace(FREE, start_per_second=400, step_ms=50, idle_ms=60_000)


async def test_a_push_service_starts_gently_and_doubles(store: Store) -> None:
    paces = two(store, replace(GENTLE, step_ms=200))
    assert (await ask(paces[0], 1_000)).total == 100
    assert (await state(paces[0])).per_second == 400

    async def grown() -> bool:
        await taken(paces, 0.05)
        return (await state(paces[0])).per_second is None

    rates = []
    for _ in range(4):
        await asyncio.sleep(0.2)
        await paces[0].report("fcm", ACCEPTED)
        await paces[1].report("fcm", ACCEPTED)  # in the same step: once is enough
        rates.append((await state(paces[0])).per_second)
    assert rates == [800, 1_600, 3_200, 6_400]
    await until(grown)
    assert (await ask(paces[1], 1_000)).total == 1_000


async def test_throttling_halves_what_was_in_use_at_most_once_a_step(store: Store) -> None:
    pace, other = two(store, replace(GENTLE, step_ms=300, retry_ms=1))
    await ask(pace, 80)
    for process in (pace, other, pace):
        await process.report("fcm", WindowReport(accepted=40, throttled=40))
    assert (await state(pace)).per_second == 40
    await asyncio.sleep(0.31)
    await other.report("fcm", WindowReport(throttled=1))
    assert (await state(pace)).per_second == 20
    for _ in range(3):
        await asyncio.sleep(0.31)
        await other.report("fcm", WindowReport(throttled=1))
    assert (await state(pace)).per_second == 10


async def test_an_unlimited_pace_is_cut_to_half_of_what_was_in_use(store: Store) -> None:
    pace, _ = two(store, replace(FREE, retry_ms=1))
    await ask(pace, 1_000)
    assert (await state(pace)).per_second is None
    await pace.report("fcm", WindowReport(throttled=1))
    assert (await state(pace)).per_second == 500


@pytest.mark.parametrize(("latency", "cut"), [(900, False), (3_000, False), (4_100, True)])
async def test_rising_latency_halves_too(store: Store, latency: int, cut: bool) -> None:
    usual = 100 if latency < 1_000 else 1_000
    pace, _ = two(store, replace(GENTLE, step_ms=60_000))
    await ask(pace, 100)
    await pace.report("fcm", WindowReport(accepted=100, latency_ms=usual))
    await pace.report("fcm", WindowReport(accepted=100, latency_ms=latency))
    assert (await state(pace)).per_second == (50 if cut else 400)


async def test_after_a_rest_it_starts_anew_and_a_pause_is_no_rest(store: Store) -> None:
    pace, _ = two(store, replace(GENTLE, idle_ms=200))
    await ask(pace, 80)
    await pace.report("fcm", WindowReport(throttled=1, retry_after=0.5))
    await asyncio.sleep(0.52)
    await ask(pace, 1)
    assert (await state(pace)).per_second == 40

    await asyncio.sleep(0.25)
    assert (await state(pace)).per_second is None
    await ask(pace, 1)
    assert (await state(pace)).per_second == 400


# -- 3: the trial

TRIAL = replace(FREE, trial=40, trial_per_second=10, proven_ms=300)


async def test_before_the_first_accepted_answer_forty_are_under_way(store: Store) -> None:
    pace, other = two(store, TRIAL)
    assert (await ask(pace, 30)).total == 30
    assert (await ask(other, 30)).total == 10
    refused = await ask(other, 30)
    assert refused.total == 0
    assert refused.until is not None
    assert milliseconds(refused.until) - await store_ms(store) <= 50

    await pace.report("fcm", WindowReport(failed=10, gone=5, rejected=2))
    assert (await ask(other, 30)).total in (17, 18)
    await pace.report("fcm", WindowReport(accepted=1))
    assert (await ask(other, 500)).total == 500


async def test_proof_is_short_lived(store: Store) -> None:
    pace, other = two(store, TRIAL)
    await pace.report("fcm", WindowReport(accepted=1))
    assert (await ask(other, 500)).total == 500
    await asyncio.sleep(0.31)
    assert (await ask(other, 500)).total == 40


async def test_refusals_give_nothing_back_and_a_killed_worker_blocks_nobody(store: Store) -> None:
    pace, other = two(store, replace(TRIAL, refused=1_000, refused_of=1_000, trial_per_second=100))
    assert (await ask(pace, 100)).total == 40
    await pace.report("fcm", WindowReport(refused=40))
    assert (await ask(other, 100)).total <= 3
    await asyncio.sleep(0.2)  # nobody reports, and time gives some back
    assert 10 <= (await ask(other, 100)).total <= 40


async def test_what_was_granted_and_not_sent_comes_back(store: Store) -> None:
    pace, other = two(store, TRIAL)
    await ask(pace, 40)
    await pace.report("fcm", WindowReport(unsent=40))
    assert (await ask(other, 100)).total == 40


# -- 4: our key is refused


async def test_a_storm_of_refusals_stops_within_a_hundred_requests(store: Store) -> None:
    limits = PaceLimits()  # the real numbers
    paces = [Pace(store.server, limits) for _ in range(8)]
    sent = 0
    for _ in range(20):
        grants = [(pace, await ask(pace)) for pace in paces]
        sent += sum(grant.total for _, grant in grants)
        for pace, grant in grants:
            await pace.report("fcm", WindowReport(refused=grant.total))
    assert 20 <= sent <= 100
    assert (await state(paces[0])).stopped == VAPID_REFUSED
    refused = await ask(paces[1])
    assert refused.until is not None
    assert 4_000 < milliseconds(refused.until) - await store_ms(store) <= 5_000
    assert (await paces[0].grant("apple", "a", None, 10, 0)).total == 10  # nobody else's affair


async def test_a_stopped_push_service_goes_on_when_it_is_resumed(store: Store) -> None:
    pace, other = two(store)
    await pace.report("fcm", WindowReport(refused=20))
    assert (await ask(other)).total == 0
    await other.resume("fcm")
    assert (await state(pace)).stopped is None
    assert (await ask(pace)).total == 100
    await pace.report("fcm", WindowReport(refused=19))
    assert (await state(pace)).stopped is None
    await other.report("fcm", WindowReport(refused=1))
    assert (await state(pace)).stopped == VAPID_REFUSED


async def test_one_stale_key_among_many_stops_nobody(store: Store) -> None:
    pace, other = two(store)
    for _ in range(30):
        await pace.report("fcm", WindowReport(accepted=80, refused=19))
        await other.report("fcm", WindowReport(refused=19))
        await other.report("fcm", WindowReport(accepted=1))
    assert (await state(pace)).stopped is None


async def test_nearly_all_refused_stops_too(store: Store) -> None:
    pace, other = two(store)
    await pace.report("fcm", WindowReport(accepted=4, refused=35))
    assert (await state(pace)).stopped is None
    await other.report("fcm", WindowReport(accepted=1, refused=10))
    assert (await state(pace)).stopped == VAPID_REFUSED


# -- 5: Retry-After


async def test_a_retry_after_holds_for_all_workers(store: Store) -> None:
    pace, other = two(store)
    await pace.report("fcm", WindowReport(accepted=50, throttled=50, retry_after=90))
    await other.report("fcm", WindowReport(throttled=1, retry_after=10))
    refused, now = await ask(other), await store_ms(store)
    assert refused.total == 0
    assert refused.until is not None
    assert 85_000 < milliseconds(refused.until) - now <= 90_000
    seen = await state(pace)
    assert seen.held_until == seen.retry_after_until == refused.until
    assert seen.breaker is Breaker.CLOSED


@pytest.mark.parametrize(
    ("report", "held"),
    [
        (WindowReport(throttled=1), 2_000),
        (WindowReport(throttled=1, retry_after=0), 2_000),
        (WindowReport(failed=1), 0),
        (WindowReport(failed=1, retry_after=30), 30_000),
    ],
)
async def test_how_long_it_is_held(store: Store, report: WindowReport, held: int) -> None:
    pace, _ = two(store)
    await pace.report("fcm", report)
    until_, now = (await state(pace)).held_until, await store_ms(store)
    assert (until_ is not None) is bool(held)
    if until_:
        assert held - 500 < milliseconds(until_) - now <= held


async def test_a_hold_is_never_shortened(store: Store) -> None:
    pace, other = two(store)
    far = from_milliseconds(milliseconds(clock.now() + timedelta(hours=1)))
    await asyncio.gather(pace.hold("fcm", far), other.hold("fcm", clock.now()))
    await pace.report("fcm", WindowReport(throttled=1))
    assert (await state(pace)).held_until == far


# -- 6: the breaker

BREAKER = replace(FREE, breaker_ms=100, breaker_most_ms=350, probe_ms=1_000)


async def opened(pace: Pace) -> None:
    await ask(pace)
    await pace.report("fcm", WindowReport(failed=20))
    assert (await state(pace)).breaker is Breaker.OPEN


async def half_opened(pace: Pace) -> None:
    async def is_half_open() -> bool:
        return (await state(pace)).breaker is Breaker.HALF_OPEN

    await until(is_half_open)


async def test_failures_in_a_row_open_it(store: Store) -> None:
    pace, other = two(store, BREAKER)
    await pace.report("fcm", WindowReport(failed=19))
    await pace.report("fcm", WindowReport(accepted=1))
    await other.report("fcm", WindowReport(failed=10))
    await pace.report("fcm", WindowReport(failed=9))
    assert (await state(pace)).breaker is Breaker.CLOSED
    await other.report("fcm", WindowReport(failed=1))
    seen = await state(pace)
    assert seen.breaker is Breaker.OPEN
    refused = await ask(pace)
    assert (refused.total, refused.until) == (0, seen.held_until)
    assert seen.retry_after_until is None


async def test_half_of_many_that_fail_open_it(store: Store) -> None:
    pace, other = two(store, BREAKER)
    await pace.report("fcm", WindowReport(accepted=20, failed=19))
    assert (await state(pace)).breaker is Breaker.CLOSED
    await other.report("fcm", WindowReport(failed=1))
    assert (await state(pace)).breaker is Breaker.OPEN


async def test_one_probe_at_a_time_until_one_is_accepted(store: Store) -> None:
    pace, other = two(store, BREAKER)
    await opened(pace)
    await half_opened(pace)
    assert await ask(pace, 100, 30) == Grant(1, 0, None)
    waiting = await ask(other)
    assert waiting.total == 0
    assert waiting.until is not None
    assert milliseconds(waiting.until) - await store_ms(store) <= 250
    await pace.report("fcm", WindowReport(accepted=1))
    assert (await state(pace)).breaker is Breaker.CLOSED
    assert (await ask(other)).total == 100


async def test_a_repeat_may_be_the_probe(store: Store) -> None:
    pace, _ = two(store, BREAKER)
    await opened(pace)
    await half_opened(pace)
    assert await ask(pace, 5, 5) == Grant(0, 1, None)


async def test_while_it_stays_bad_the_pauses_double(store: Store) -> None:
    pace, other = two(store, BREAKER)
    await opened(pace)
    pauses = []
    for _ in range(3):
        await half_opened(pace)
        assert (await ask(pace)).total == 1
        before = await store_ms(store)
        await pace.report("fcm", WindowReport(failed=1))
        held = (await state(other)).held_until
        assert held is not None
        pauses.append(milliseconds(held) - before)
    assert [round(pause, -2) for pause in pauses] == [200, 400, 400]
    assert pauses[2] < 400  # the most that it may be

    await half_opened(pace)
    await ask(other)
    await other.report("fcm", WindowReport(accepted=1))
    await opened(pace)
    held, now = (await state(other)).held_until, await store_ms(store)
    assert held is not None
    assert milliseconds(held) - now <= 100  # begun anew


async def test_what_was_under_way_when_it_opened_changes_nothing(store: Store) -> None:
    pace, other = two(store, replace(BREAKER, breaker_ms=60_000))
    await opened(pace)
    held = (await state(pace)).held_until
    await other.report("fcm", WindowReport(failed=100))
    await other.report("fcm", WindowReport(accepted=100))
    seen = await state(pace)
    assert (seen.breaker, seen.held_until) == (Breaker.OPEN, held)


async def test_a_probe_that_nobody_reports_on_is_given_up(store: Store) -> None:
    pace, other = two(store, replace(BREAKER, probe_ms=100))
    await opened(pace)
    await half_opened(pace)
    assert (await ask(pace)).total == 1

    async def another() -> bool:
        return (await ask(other)).total == 1

    assert not await another()
    await until(another)


async def test_an_answer_that_is_no_failure_makes_way_for_the_next_probe(store: Store) -> None:
    pace, other = two(store, BREAKER)
    await opened(pace)
    for report in (WindowReport(gone=1), WindowReport(unsent=1)):
        await half_opened(pace)
        assert (await ask(pace)).total == 1
        await pace.report("fcm", report)
        assert (await state(pace)).breaker is Breaker.HALF_OPEN
    assert (await ask(other)).total == 1


async def test_resuming_closes_it_and_keeps_a_retry_after(store: Store) -> None:
    pace, other = two(store, replace(BREAKER, breaker_ms=60_000))
    await opened(pace)
    await other.resume("fcm")
    assert await state(pace) == replace(await state(other), breaker=Breaker.CLOSED, held_until=None)
    assert (await ask(pace)).total == 100

    await pace.report("fcm", WindowReport(throttled=1, retry_after=30))
    await opened(pace)
    await other.resume("fcm")
    seen = await state(pace)
    assert seen.breaker is Breaker.CLOSED
    assert seen.held_until == seen.retry_after_until is not None


# -- 7: the retry budget


async def test_repeats_are_a_tenth_of_what_is_accepted(store: Store) -> None:
    pace, other = two(store, replace(FREE, retry_per_second=0.001))
    assert await ask(pace, 600, 600) == Grant(0, 500, None)
    assert (await ask(other, 100, 100)).total == 0
    assert await ask(other, 100, 40) == Grant(60, 0, None)  # first attempts go on
    await pace.report("fcm", WindowReport(accepted=200))
    assert await ask(other, 100, 100) == Grant(0, 20, None)


async def test_an_accepted_repeat_makes_way_for_two(store: Store) -> None:
    pace, _ = two(store, replace(FREE, retry_per_second=0.001))
    await ask(pace, 500, 500)
    await pace.report("fcm", WindowReport(accepted=30, accepted_retries=30))
    assert await ask(pace, 100, 100) == Grant(0, 60, None)


async def test_repeats_never_starve(store: Store) -> None:
    pace, other = two(store, replace(FREE, retry_per_second=100))
    await ask(pace, 500, 500)
    refused = await ask(other, 100, 100)
    assert refused.total <= 1
    await asyncio.sleep(0.1)
    assert 8 <= (await ask(other, 100, 100)).total <= 100


async def test_first_attempts_go_before_repeats(store: Store) -> None:
    pace, _ = two(store)
    assert await ask(pace, 100, 70, rate=160) == Grant(30, 10, None)


async def test_an_outage_makes_no_storm_and_what_is_back_is_served_at_full_speed(store: Store) -> None:
    """Four processes, 20,000 readers of whom 5,000 wait for a repeat; the push service is down, then back."""
    limits = PaceLimits(start_per_second=100_000, breaker_ms=100, breaker_most_ms=200)
    is_up, sent_while_down = False, 0
    left = {"first": 15_000, "again": 5_000}

    async def worker() -> None:
        nonlocal sent_while_down
        pace = Pace(store.server, limits)
        while any(left.values()):
            again = min(left["again"], 100 if not left["first"] else 20)
            first = min(left["first"], 100 - again)
            left["first"], left["again"] = left["first"] - first, left["again"] - again
            grant = await ask(pace, first + again, again)
            left["first"], left["again"] = left["first"] + first - grant.first, left["again"] + again - grant.retries
            await asyncio.sleep(0.01)
            if not grant.total:
                continue
            if is_up:
                await pace.report("fcm", WindowReport(grant.total, accepted_retries=grant.retries, latency_ms=10))
            else:
                sent_while_down += grant.total
                left["again"] += grant.total
                await pace.report("fcm", WindowReport(failed=grant.total))

    async with asyncio.TaskGroup() as workers:
        for _ in range(4):
            workers.create_task(worker())
        await asyncio.sleep(1.5)
        began, is_up = time.monotonic(), True
    assert sent_while_down < 100  # the trial, then probes
    # 20,000 requests in windows of 100 that each take 10 ms, by four: half a second and the machine's own time.
    assert time.monotonic() - began < 4


# -- 8: storms of the gone


async def test_a_storm_of_the_gone_stays_until_it_is_ended(store: Store) -> None:
    pace, other = two(store)
    await pace.report("fcm", WindowReport(accepted=100, gone=99))
    assert await other.storms() == set()
    await other.report("fcm", WindowReport(gone=1))
    assert await other.storms() == {"fcm"}
    since = (await state(pace)).storm_since
    assert since is not None
    await pace.report("fcm", WindowReport(accepted=100_000))
    assert (await state(pace)).storm_since == since

    await other.end_storm("fcm")
    assert (await state(pace)).storm_since is None
    await other.report("fcm", WindowReport(accepted=50, gone=99))  # counted anew
    assert await pace.storms() == set()


async def test_ordinary_churn_is_no_storm(store: Store) -> None:
    pace, _ = two(store)
    for _ in range(300):
        await pace.report("fcm", WindowReport(accepted=97, gone=3))
    assert await pace.storms() == set()


async def test_a_sudden_storm_is_seen_among_many_good(store: Store) -> None:
    pace, _ = two(store)
    for _ in range(100):
        await pace.report("fcm", WindowReport(accepted=100))
    gone = 0
    while not await pace.storms():
        await pace.report("fcm", WindowReport(gone=50))
        gone += 50
    assert 100 <= gone <= 250


async def test_the_gone_of_long_ago_are_forgotten(store: Store) -> None:
    pace, _ = two(store, replace(FREE, gone_within_ms=100))
    await pace.report("fcm", WindowReport(accepted=100, gone=99))
    await asyncio.sleep(0.12)
    await pace.report("fcm", WindowReport(accepted=100, gone=99))
    assert await pace.storms() == set()


async def test_each_push_service_has_a_state_of_its_own(store: Store) -> None:
    pace, other = two(store)
    assert await pace.states() == {}
    await pace.report("fcm", WindowReport(refused=20))
    await pace.report("apple", WindowReport(failed=20))
    await pace.report("mozilla", WindowReport(accepted=3, throttled=2, failed=1, gone=4, rejected=5, retry_after=60))
    await pace.grant("wns", "a", None, 1, 0)
    states = await other.states()
    assert {name: (seen.breaker, seen.stopped) for name, seen in states.items()} == {
        "fcm": (Breaker.CLOSED, VAPID_REFUSED),
        "apple": (Breaker.OPEN, None),
        "mozilla": (Breaker.CLOSED, None),
        "wns": (Breaker.CLOSED, None),
    }
    assert states["mozilla"].answers == {
        "accepted": 3,
        "throttled": 2,
        "failed": 1,
        "refused": 0,
        "gone": 4,
        "rejected": 5,
    }
    assert states["mozilla"].held_until is not None
    assert set(states["wns"].answers.values()) == {0}


async def test_a_clock_that_goes_back_blocks_nothing(store: Store) -> None:
    pace, other = two(store, replace(TRIAL, max_per_second=1_000))
    await ask(pace, 10, 5, rate=1_000)
    await pace.report("fcm", WindowReport(accepted=10, gone=3))
    key, hour = "{alerts}:pace:fcm", 3_600_000
    row = await store.server.redis.hgetall(key)
    for name, value in row.items():
        if name.endswith(b"_at"):
            await store.server.redis.hset(key, name, int(value) + hour)
    assert (await ask(other, 10, 5, rate=1_000)).total == 10
    await other.report("fcm", WindowReport(accepted=10, gone=3))
    assert (await ask(other, 200)).total == 200
