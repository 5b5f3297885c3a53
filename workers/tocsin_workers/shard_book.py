"""What a worker knows of its shard while it works on it: ledger, account and retries. No I/O."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tocsin import clock
from tocsin.domain.deliveries import UNFINISHED, Ledger, Mark
from tocsin.domain.progress import WITHIN, ShardCounts, time_bucket
from tocsin.store.ledgers import Retry

MOST_RETRY_SECONDS = 300.0


class ShardBook:
    """The truth is in the store; this is what the next write will make of it."""

    def __init__(self, ledger: Ledger, counts: ShardCounts, retries: dict[int, Retry]) -> None:
        self.ledger = ledger
        self.retries = retries
        self._counts = counts

    @classmethod
    def planned(cls, marks: Sequence[Mark], size: int) -> "ShardBook":
        """A fresh one: `eligible` is fixed here."""
        ledger = Ledger("".join(marks).encode("latin-1").ljust(size, b"\0"))
        return cls(ledger, ShardCounts.of(ledger, ledger.eligible), {})

    @property
    def counts(self) -> ShardCounts:
        """Counted anew from the ledger."""
        return ShardCounts.of(self.ledger, self._counts.eligible, self._counts)

    @property
    def first_retry(self) -> datetime | None:
        due = min((retry.due_ms for retry in self.retries.values()), default=None)
        return None if due is None else clock.from_milliseconds(due)

    def next_slots(self, now: datetime, most: int) -> list[int]:
        """Retries that are due, then those not tried yet."""
        now_ms = clock.milliseconds(now)
        slots = [slot for slot, retry in self.retries.items() if retry.due_ms <= now_ms][:most]
        for slot in self.ledger.slots(Mark.PENDING):
            if len(slots) >= most:
                break
            slots.append(slot)
        return slots

    def mark(self, slot: int, mark: Mark) -> None:
        self.ledger[slot] = mark
        self.retries.pop(slot, None)

    def mark_unfinished(self, mark: Mark) -> None:
        for unfinished in UNFINISHED:
            for slot in list(self.ledger.slots(unfinished)):
                self.mark(slot, mark)

    def retry_later(self, slot: int, now: datetime, first_seconds: float) -> None:
        """With full jitter: a push service that comes back is not met by all retries at once."""
        attempts = self.retries[slot].attempts + 1 if slot in self.retries else 1
        most = min(MOST_RETRY_SECONDS, first_seconds * 2 ** (attempts - 1))
        due = now + timedelta(seconds=random.uniform(0, most))  # noqa: S311 (no secret)
        self.ledger[slot] = Mark.RETRYING
        self.retries[slot] = Retry(attempts, clock.milliseconds(due))

    def first_request(self, now: datetime) -> None:
        if self._counts.first_request_ms is None:
            self._counts = replace(self._counts, first_request_ms=clock.milliseconds(now))

    def accepted(self, sent_at: datetime, queued_at: datetime, seconds: Sequence[float]) -> Counter[int]:
        """Notes when these were accepted, each so long after `sent_at`; gives the buckets of seconds since the 202."""
        waited = (sent_at - queued_at).total_seconds()
        buckets = Counter(time_bucket(waited + each) for each in seconds)
        if seconds:
            first_ms = clock.milliseconds(sent_at + timedelta(seconds=min(seconds)))
            before = self._counts
            self._counts = replace(
                before,
                times=Counter(before.times) + buckets,
                within=before.within + sum(waited + each <= WITHIN for each in seconds),
                first_ms=first_ms if before.first_ms is None else min(first_ms, before.first_ms),
            )
        return buckets
