"""The exact account of an alert: sums of what each shard's ledger says."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tocsin.domain.deliveries import OUTCOMES, SKIPPED, Ledger

# Times are kept as a histogram whose bounds grow by 2 %, so that a percentile is at most 2 % too high.
_RATIO = math.log(1.02)
WITHIN = 120.0


def time_bucket(seconds: float) -> int:
    """The bucket of a time; `bucket_seconds` gives its upper bound back."""
    return max(0, math.ceil(math.log(max(seconds, 0.001) / 0.001) / _RATIO))


def bucket_seconds(bucket: int) -> float:
    return 0.001 * math.exp(bucket * _RATIO)


def percentile(times: Mapping[int, int], share: float) -> float | None:
    """Seconds within which this share of what is counted in buckets lies; None while there is nothing."""
    wanted = share * sum(times.values())
    seen = 0
    for bucket in sorted(times):
        seen += times[bucket]
        if seen >= wanted:
            return round(bucket_seconds(bucket), 3)
    return None


@dataclass(frozen=True)
class Times:
    """When the readers of a shard had the alert, those who were deferred apart: they wished to have it later.

    `buckets` maps a bucket of seconds since the 202 to how many were accepted then; `within` counts those accepted
    within 120 s; `first_ms` and `first_request_ms` are the moments of the first acceptance and of the first request
    (ms since 1970), or None.
    """

    buckets: Mapping[int, int] = field(default_factory=dict)
    within: int = 0
    first_ms: int | None = None
    first_request_ms: int | None = None


@dataclass(frozen=True)
class ShardAccount:
    """A shard of a run as it is kept: `eligible` was fixed when it was planned, all else is counted from the ledger."""

    eligible: int
    ledger: Ledger
    times: Times = field(default_factory=Times)


class Progress:
    """The sum over shards; `as_json` has the contract's names."""

    def __init__(self) -> None:
        self.eligible = 0
        self.outcomes: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.times: Counter[int] = Counter()
        self.within = 0
        self.first_ms: int | None = None
        self.first_request_ms: int | None = None

    @classmethod
    def total(cls, parts: Iterable[ShardAccount]) -> "Progress":
        whole = cls()
        for part in parts:
            whole.add(part)
        return whole

    def add(self, part: ShardAccount) -> None:
        self.eligible += part.eligible
        self.outcomes.update({name: part.ledger.total(name) for name in OUTCOMES})
        self.skipped.update({str(reason): part.ledger.count(mark) for reason, mark in SKIPPED.items()})
        self.times.update(part.times.buckets)
        self.within += part.times.within
        self.first_ms = _earlier(self.first_ms, part.times.first_ms)
        self.first_request_ms = _earlier(self.first_request_ms, part.times.first_request_ms)

    @property
    def unaccounted(self) -> int:
        """Eligible readers of whom no ledger says anything: 0, or there is a bug to be seen."""
        return self.eligible - sum(self.outcomes.values())

    def counts(self) -> dict[str, int]:
        return {
            "eligible": self.eligible,
            **{name: self.outcomes[name] for name in OUTCOMES},
            "unaccounted": self.unaccounted,
        }

    def as_json(self, by_push_service: Mapping[str, "Progress"], queued_at: datetime) -> dict[str, Any]:
        first_at = None
        if self.first_ms is not None:
            epoch = datetime.fromtimestamp(0, queued_at.tzinfo)
            first_at = (epoch + timedelta(milliseconds=self.first_ms)).isoformat()
        return {
            **self.counts(),
            "skipped": {name: count for name, count in sorted(self.skipped.items()) if count},
            "by_push_service": {name: part.counts() for name, part in sorted(by_push_service.items())},
            "first_at": first_at,
            "p50_seconds": percentile(self.times, 0.5),
            "p90_seconds": percentile(self.times, 0.9),
            "p99_seconds": percentile(self.times, 0.99),
            "within_120_s": self.within,
        }


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)
