"""The account of an alert: exact sums, and percentiles to 2 %."""

from collections import Counter
from datetime import timedelta, timezone
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import NOW
from tocsin.domain.deliveries import OUTCOMES, SKIPPED, Ledger, Mark
from tocsin.domain.progress import Progress, ShardAccount, Times, bucket_seconds, percentile, time_bucket

ledgers = st.lists(st.sampled_from(Mark), max_size=60).map(lambda marks: Ledger("".join(marks).encode("latin-1")))


@given(st.floats(0.001, 1_000_000))
def test_a_time_is_in_its_bucket(seconds: float) -> None:
    upper = bucket_seconds(time_bucket(seconds))
    assert seconds * 0.999_999 <= upper <= seconds * 1.020_001


@pytest.mark.parametrize("seconds", [-5.0, 0.0, 0.000_1, 0.001])
def test_no_time_at_all_and_clocks_that_differ(seconds: float) -> None:
    assert time_bucket(seconds) == 0


@given(st.lists(st.floats(0.05, 100_000), min_size=1), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_percentile_is_at_most_2_percent_off(times: list[float], share: float) -> None:
    exact = sorted(times)[max(0, ceil(share * len(times) - 1e-9) - 1)]
    found = percentile(Counter(time_bucket(seconds) for seconds in times), share)
    assert found is not None
    assert exact - 0.001 <= found <= exact * 1.02 + 0.001


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile({}, 0.5) is None


@given(st.lists(ledgers))
def test_every_reader_is_accounted_for_once(shards: list[Ledger]) -> None:
    whole = Progress.total(ShardAccount(ledger.eligible, ledger) for ledger in shards)
    counts = whole.counts()
    assert counts["eligible"] == sum(counts[name] for name in OUTCOMES)
    assert whole.unaccounted == counts["unaccounted"] == 0
    marks = b"".join(map(bytes, shards))
    assert counts["accepted"] == marks.count(b"a")
    assert counts["opted_out"] == sum(marks.count(mark) for mark in (b"o", b"N", b"M", b"Z", b"L", b"Q", b"C"))
    assert counts["stopped"] == marks.count(b"s") + marks.count(b"w")
    skipped = {str(reason): marks.count(mark.encode("latin-1")) for reason, mark in SKIPPED.items()}
    assert whole.skipped == Counter(skipped)
    nowhere = marks.count(b"\0") + marks.count(b"-")
    assert counts["eligible"] + whole.skipped.total() + nowhere == len(marks)


def test_a_reader_of_whom_nothing_is_known_is_seen() -> None:
    assert Progress.total([ShardAccount(4, Ledger(b"aap"))]).unaccounted == 1


@given(st.lists(ledgers, min_size=2))
def test_sums_know_no_order(shards: list[Ledger]) -> None:
    parts = [
        ShardAccount(ledger.eligible, ledger, Times({at: at + 1}, within=at, first_ms=None if at == 1 else 1_000 - at))
        for at, ledger in enumerate(shards)
    ]
    one, other = Progress.total(parts), Progress.total(reversed(parts))
    assert one.as_json({}, NOW) == other.as_json({}, NOW)
    assert one.within == sum(range(len(parts)))
    assert one.first_ms == min(part.times.first_ms for part in parts if part.times.first_ms is not None)
    assert one.first_request_ms is None


def test_the_first_of_all_shards_is_the_alerts() -> None:
    shards = [Times(first_ms=7, first_request_ms=5), Times(), Times(first_ms=6, first_request_ms=None)]
    whole = Progress.total(ShardAccount(0, Ledger(b""), times) for times in shards)
    assert (whole.first_ms, whole.first_request_ms) == (6, 5)


def test_the_contracts_names() -> None:
    part = ShardAccount(3, Ledger(b"aapl-"))
    whole = Progress.total([part])
    in_damascus = NOW.astimezone(timezone(timedelta(hours=3)))
    whole.first_ms = int(NOW.timestamp() * 1000) + 250
    whole.times[time_bucket(1.0)] = 2

    told = whole.as_json({"fcm": whole}, in_damascus)

    assert list(told) == [
        "eligible", "accepted", "gone", "rejected", "expired", "stopped", "opted_out", "set_aside", "deferred",
        "retrying", "pending", "unaccounted", "skipped", "by_push_service", "first_at", "p50_seconds", "p90_seconds",
        "p99_seconds", "within_120_s",
    ]  # fmt: skip
    assert told["first_at"] == "2026-03-01T15:00:00.250000+03:00"
    assert told["skipped"] == {"level": 1}
    assert told["by_push_service"] == {"fcm": whole.counts()}
    assert told["p50_seconds"] == pytest.approx(1.0, rel=0.02)


def test_before_anything_was_sent() -> None:
    told = Progress().as_json({}, NOW)
    assert (told["first_at"], told["p99_seconds"], told["skipped"], told["eligible"]) == (None, None, {}, 0)
