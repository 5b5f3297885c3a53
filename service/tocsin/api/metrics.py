"""Prometheus' text: read from the store at each scrape, so that it is one truth for any number of processes."""

from collections import Counter
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from tocsin import __version__, clock
from tocsin.api.prekeys import stock
from tocsin.api.services import Services
from tocsin.domain.deliveries import Outcome
from tocsin.domain.endpoints import KNOWN_PUSH_SERVICES
from tocsin.domain.pace import PaceState
from tocsin.domain.progress import bucket_seconds
from tocsin.store.processes import Counted

CONTENT_TYPE = CONTENT_TYPE_LATEST

_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)


class _Given:
    """A collector of what was read before: the library collects without awaiting."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


async def exposition(services: Services) -> bytes:
    store = services.store
    counted = await store.processes.total(clock.milliseconds(clock.now()))
    metrics = [
        _counter("tocsin_alerts_queued", "Alerts taken, ever.", await store.alerts.count()),
        _counter("tocsin_leases_lapsed", "Leases that ran out: a worker died or hung.", await store.runs.lapsed()),
        _gauge(
            "tocsin_unaccounted",
            "Eligible readers of whom no ledger says anything.",
            await services.publishing.unaccounted(),
        ),
        _by_label("tocsin_build_info", "The version in use.", "version", {__version__: 1.0}),
        _by_label("tocsin_subscriptions", "Subscriptions.", "push_service", _for_all(await store.numbers.counts())),
        _histogram(
            "tocsin_queued_to_first_request_seconds",
            "From the 202 to the first request, one for each alert.",
            await store.alerts.first_requests(),
        ),
        _histogram(
            "tocsin_queued_to_accepted_seconds",
            "From the 202 to a push service's acceptance, one for each reader.",
            {int(bucket): count for bucket, count in counted.accepted_in.items()},
        ),
        _attempts(counted),
        _receipts(await store.receipts.fates()),
        *_of_pace(await store.pace.states()),
        _by_label(
            "tocsin_quarantined_subscriptions",
            "Called gone and not deleted yet.",
            "push_service",
            _for_all(await store.numbers.quarantined()),
        ),
        *await _of_prekeys(services, counted),
        _gauge("tocsin_canary_age_seconds", "Since the last canary came back; 0 before the first.", 0),
    ]
    states = await services.queues.states()
    depth = {state.queue: float(state.waiting) for state in states}
    ages = {state.queue: state.oldest_age_seconds or 0.0 for state in states}
    metrics.append(_by_label("tocsin_queue_depth", "Shards, or maintenance jobs, that wait.", "queue", depth))
    metrics.append(_by_label("tocsin_queue_oldest_age_seconds", "Age of the oldest that waits.", "queue", ages))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(metrics))
    return generate_latest(registry)


async def _of_prekeys(services: Services, counted: Counted) -> list[Metric]:
    found, counts = await stock(services), counted.prekeys
    return [
        _gauge("tocsin_prekeys", "Message keys made ahead; 0 also where none can be counted.", found.there or 0),
        _gauge("tocsin_prekeys_wanted", "As many as all subscriptions are to have.", found.wanted),
        _counter("tocsin_prekeys_made", "Message keys made ahead, ever.", counts["made"]),
        _counter("tocsin_prekeys_used", "Messages encrypted with a key made ahead.", counts["used"]),
        _counter("tocsin_prekeys_missed", "Messages for which there was none.", counts["missed"]),
    ]


def _of_pace(states: Mapping[str, PaceState]) -> list[Metric]:
    shut = _for_all({name: int(state.is_shut) for name, state in states.items()})
    stopped = _for_all({name: int(state.stopped is not None) for name, state in states.items()})
    return [
        _by_label("tocsin_breaker_open", "1 while a push service gets nothing or a probe.", "push_service", shut),
        _by_label("tocsin_push_service_stopped", "1 until an operator resumes it.", "push_service", stopped),
    ]


def _for_all(counts: Mapping[str, int]) -> dict[str, float]:
    """Every known push service is there before its first subscription."""
    return {name: float(counts.get(name, 0)) for name in dict.fromkeys((*KNOWN_PUSH_SERVICES, *counts))}


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _by_label(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _attempts(counted: Counted) -> Metric:
    family = CounterMetricFamily(
        "tocsin_push_attempts", "Answers of push services.", labels=["push_service", "outcome"]
    )
    for name in dict.fromkeys((*KNOWN_PUSH_SERVICES, *counted.outcomes)):
        for outcome in Outcome:
            family.add_metric([name, outcome], counted.outcomes.get(name, Counter())[outcome])
    return family


def _receipts(fates: Mapping[str, int]) -> Metric:
    told = "What became of receipts: counted, of an unknown alert, or shed under load."
    family = CounterMetricFamily("tocsin_receipts", told, labels=["fate"])
    for fate, count in fates.items():
        family.add_metric([fate], count)
    return family


def _histogram(name: str, text: str, buckets: Mapping[int, int]) -> Metric:
    """Ours are 2 % wide, so a bound is met to within 2 %; the sum follows from the same buckets."""
    total = sum(buckets.values())
    rows = [
        (str(float(bound)), float(sum(count for bucket, count in buckets.items() if bucket_seconds(bucket) <= bound)))
        for bound in _BOUNDS
    ]
    rows.append(("+Inf", float(total)))
    seconds = sum(bucket_seconds(bucket) * count for bucket, count in buckets.items())
    family = HistogramMetricFamily(name, text)
    family.add_metric([], buckets=rows, sum_value=seconds)
    return family
