"""How many would get an alert if it were sent now, and why the others not: counted by the code that plans a send."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tocsin.domain.alerts import Alert
from tocsin.domain.deliveries import SKIPPED, Ledger, Mark
from tocsin.domain.payload import notification
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.planning import Planner
from tocsin.settings import Settings
from tocsin.store.numbers import shards_below
from tocsin.store.readers import CapIsFull
from tocsin.store.store import Store

# What one process sends in a second with the default window at 30 ms an answer, once it is under way: 20,000 readers
# took two of them 7.3 s, three of which are the gentle start (`whole_path.py --delay 30`, docs/performance.md).
REQUESTS_PER_SECOND = 2_000

# How many shards are read in one go. More would keep other requests of this process waiting.
_SHARDS_AT_ONCE = 32


@dataclass
class Expected:
    """`audience` is the sum of all that follow it."""

    now: int = 0
    deferred: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def audience(self) -> int:
        return self.now + self.deferred + self.skipped.total()

    def add(self, other: "Expected") -> None:
        self.now += other.now
        self.deferred += other.deferred
        self.skipped.update(other.skipped)


@dataclass(frozen=True)
class Estimate:
    """`payload_bytes` is the size of the message, `seconds` how long its requests take at best."""

    whole: Expected
    by_push_service: Mapping[str, Expected]
    payload_bytes: int
    seconds: float


async def estimate(store: Store, settings: Settings, alert: Alert, now: datetime) -> Estimate:
    """Exact for the moment `now`; nothing is kept or taken."""
    planner = Planner(store.profiles, store.readers, alert.audience(settings.time_zone))
    bounds = await store.numbers.bounds()
    parts = {push_service: Expected() for push_service in bounds}
    some = _in_turn(bounds)

    async def work() -> None:
        for push_service, sizes in some:
            parts[push_service].add(await _of_shards(store, planner, sizes, now))

    # Two at once: one decides while the store answers the other.
    await asyncio.gather(work(), work())
    whole = Expected()
    for part in parts.values():
        whole.add(part)
    payload = notification(alert, settings.receipts_asked)
    return Estimate(whole, parts, len(payload), _seconds(whole.now, settings, alert))


def _in_turn(bounds: Mapping[str, int]) -> Iterator[tuple[str, dict[str, int]]]:
    """Some shards of a push service at a time, with the number of slots in each."""
    for push_service, bound in bounds.items():
        shards = shards_below(push_service, bound)
        for first in range(0, len(shards), _SHARDS_AT_ONCE):
            places = range(first, min(first + _SHARDS_AT_ONCE, len(shards)))
            yield push_service, {shards[place]: min(SHARD_SIZE, bound - place * SHARD_SIZE) for place in places}


async def _of_shards(store: Store, planner: Planner, sizes: Mapping[str, int], now: datetime) -> Expected:
    whole, is_full = Expected(), CapIsFull()
    for readers in await store.readers.of_shards(sizes):
        draft = await planner.draft(readers.numbers, now)
        plan = planner.finish(draft, readers.personal_of(draft.asked))
        plan.cap(readers.full(plan.capped, is_full))
        whole.add(_expected(plan.ledger))
    return whole


def _expected(ledger: Ledger) -> Expected:
    skipped = Counter({str(reason): ledger.count(mark) for reason, mark in SKIPPED.items()})
    # Whoever's preferences cannot be read is set aside at once: a part of those who would be sent to.
    now_count = ledger.count(Mark.PENDING) + ledger.count(Mark.SET_ASIDE)
    return Expected(now_count, ledger.count(Mark.DEFERRED), +skipped)


def _seconds(requests: int, settings: Settings, alert: Alert) -> float:
    own = 2 * settings.worker_processes * REQUESTS_PER_SECOND  # two workers send
    rates = [own, settings.max_per_second, alert.draft.max_per_second]
    return round(requests / min(rate for rate in rates if rate), 1)
