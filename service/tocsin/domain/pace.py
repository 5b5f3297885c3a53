"""How fast and whether we may send to a push service: the numbers, what a window brought, what may go next."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from statistics import median

from tocsin.domain.deliveries import Answer, Outcome

VAPID_REFUSED = "vapid_refused"

# Apple says with this, under 400 or 403, that the subscription was made with another key.
_KEY_MISMATCH = "VapidPkHashMismatch"


@dataclass(frozen=True)
class PaceLimits:
    """Every number of the rules; times in milliseconds. Tests make seconds shorter, nobody else changes them."""

    max_per_second: int | None = None  # over all push services and alerts

    # Gentle start: doubled in each step of use, halved by throttling, and after a rest begun anew.
    start_per_second: float = 2_000
    least_per_second: float = 10
    unlimited_per_second: float = 100_000
    step_ms: int = 1_000
    idle_ms: int = 60_000
    # Slow is a median this many times the usual one, and not below so much.
    slow_times: float = 4
    slow_ms: int = 1_000

    # Before the first accepted answer so many requests may be under way or refused. The time for which an answer is
    # proof is short: what began to refuse between two alerts must be met with the trial, not with full windows.
    trial: int = 40
    trial_per_second: float = 10
    proven_ms: int = 2_000

    # Refusals of our VAPID key (401, 403) that stop a push service: so many since the last accepted answer, or this
    # share of at least so many answers within the time.
    refused: int = 20
    refused_share: float = 0.9
    refused_of: int = 40
    refused_within_ms: int = 60_000

    # Failures that open the breaker, told likewise, and for how long.
    failed: int = 20
    failed_share: float = 0.5
    failed_of: int = 40
    failed_within_ms: int = 10_000
    breaker_ms: int = 1_000
    breaker_most_ms: int = 10_000
    # A probe that nobody reported on (its worker was killed) is given up after so long.
    probe_ms: int = 15_000

    # Repeats: a tenth of what is accepted, from a store that never starves.
    retry_budget: float = 500
    retry_share: float = 0.1
    retry_per_second: float = 10
    # The pause after a 429 that names none.
    retry_ms: int = 2_000

    # A storm of 404 and 410. Without a share the ordinary churn of a million readers would be one at every alert.
    gone: int = 100
    gone_of: int = 200
    gone_share: float = 0.1
    gone_within_ms: int = 300_000

    # When to ask again: of a stopped push service, while a probe is under way, and before the first accepted answer.
    ask_stopped_ms: int = 5_000
    ask_probe_ms: int = 250
    ask_trial_ms: int = 50


@dataclass(frozen=True)
class Grant:
    """How many requests may go now, first attempts and repeats; where none, `until` is when to ask again.

    `seconds` is how long that is by the store's clock, which a caller's own may differ from.
    """

    first: int
    retries: int
    until: datetime | None
    seconds: float = 0.0

    @property
    def total(self) -> int:
        return self.first + self.retries


@dataclass(frozen=True)
class WindowReport:
    """What the push service answered to one window.

    `refused` are 401 and 403, `rejected` any other refusal that is not repeated. `accepted_retries` of the accepted
    were repeats. `unsent` were granted and not sent after all. `latency_ms` is the median over those that were
    answered, `retry_after` the largest seen, in seconds.
    """

    accepted: int = 0
    throttled: int = 0
    failed: int = 0
    refused: int = 0
    gone: int = 0
    rejected: int = 0
    accepted_retries: int = 0
    unsent: int = 0
    latency_ms: float | None = None
    retry_after: float | None = None

    @classmethod
    def of(cls, answers: Iterable[tuple[Answer, Outcome, bool]], unsent: int = 0) -> "WindowReport":
        """From each answer, what it means, and whether the request was a repeat."""
        counts = dict.fromkeys(("accepted", "throttled", "failed", "refused", "gone", "rejected"), 0)
        accepted_retries = 0
        seconds: list[float] = []
        waits: list[float] = []
        for answer, outcome, is_retry in answers:
            counts["refused" if _key_refused(answer) else str(outcome)] += 1
            accepted_retries += is_retry and outcome is Outcome.ACCEPTED
            if answer.failure is None:
                seconds.append(answer.seconds)
            if answer.retry_after and outcome in (Outcome.THROTTLED, Outcome.FAILED):
                waits.append(answer.retry_after)
        return cls(
            **counts,
            accepted_retries=accepted_retries,
            unsent=unsent,
            latency_ms=median(seconds) * 1000 if seconds else None,
            retry_after=max(waits, default=None),
        )


def _key_refused(answer: Answer) -> bool:
    return answer.status in (401, 403) or (answer.status == 400 and _KEY_MISMATCH in answer.detail)


class Breaker(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"  # one request at a time finds out whether the push service is back


@dataclass(frozen=True)
class PaceState:
    """One push service, for those who watch.

    `held_until` is the end of any pause, `retry_after_until` of one that it asked for. `per_second` is None where there
    is no limit, or nothing was sent lately. `stopped` is the reason why nothing goes until an operator says so.
    `answers` are those of the last minute.
    """

    breaker: Breaker = Breaker.CLOSED
    held_until: datetime | None = None
    retry_after_until: datetime | None = None
    per_second: float | None = None
    stopped: str | None = None
    storm_since: datetime | None = None
    answers: dict[str, int] = field(default_factory=dict)

    @property
    def is_shut(self) -> bool:
        """Nothing goes, or one request at a time."""
        return self.breaker is not Breaker.CLOSED or self.stopped is not None
