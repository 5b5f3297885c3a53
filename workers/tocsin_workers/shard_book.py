"""What a worker knows of its shard while it works on it, and what its next write will say. No I/O."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tocsin import clock
from tocsin.domain.deliveries import GIVEN_BACK, UNFINISHED, Ledger, Mark
from tocsin.domain.progress import WITHIN, time_bucket
from tocsin.store.ledgers import Kept, Retry, Window

MOST_RETRY_SECONDS = 300.0
_CLOCKS_DIFFER_MS = 1_000

# A recipient with whom so many holders of the shard died, one after another, is what kills them.
DEATHS = 5
# After a death the next windows are so much smaller: with 100 in a window the fifth death finds the one.
_NARROWER = 4


class ShardBook:
    """The truth is in the store. `waiting` maps each slot that is yet to be settled to the alerts that it waits for."""

    def __init__(self, kept: Kept) -> None:
        self.taken = dict(kept.taken)
        self.retries = dict(kept.retries)
        self.waiting: dict[int, tuple[str, ...]] = {}
        self._times = kept.times
        self._deaths = kept.deaths if kept.trying else 0
        self._suspects = list(kept.trying) if self._deaths else []
        self._narrow = -(-len(self._suspects) // _NARROWER)
        self._changes: dict[str, dict[int, Mark] | Ledger] = {}
        self._give_back: set[int] = set()
        self._spent: set[int] = set()
        self._windows = 0
        self._plans = False

    def wait(self, alert_id: str, ledger: Ledger) -> None:
        """Takes over whoever still waits in this ledger."""
        self.waiting = dict.fromkeys(sorted(slot for mark in UNFINISHED for slot in ledger.slots(mark)), (alert_id,))

    def plan(self, alert_id: str, ledger: Ledger) -> None:
        """A fresh ledger, kept whole with the next write."""
        self._changes[alert_id] = ledger.copy()
        self._plans = True
        self.waiting = dict.fromkeys(ledger.slots(Mark.PENDING), (alert_id,))
        self._give_back |= {slot for slot in self.taken if slot not in self.waiting}

    @property
    def poisonous(self) -> int | None:
        """The slot whose recipient kills its workers."""
        return self._suspects[0] if len(self._suspects) == 1 and self._deaths >= DEATHS else None

    @property
    def deaths(self) -> int:
        """How many holders, one after another, died with somebody who still waits: they may have been killed by it."""
        return self._deaths if any(slot in self.waiting for slot in self._suspects) else 0

    def is_repeat(self, slot: int) -> bool:
        """Whether a request was made for it before."""
        return slot in self.retries and self.retries[slot].attempts > 0

    def not_before(self, slot: int, moment: datetime) -> None:
        """Nothing is to be done for this slot until then."""
        self.retries[slot] = Retry(0, clock.milliseconds(moment))

    def forget_retries(self) -> None:
        """Keeps only those of slots that wait and were tried."""
        self.retries = {slot: retry for slot, retry in self.retries.items() if slot in self.waiting and retry.attempts}

    @property
    def first_retry(self) -> datetime | None:
        due = min((retry.due_ms for retry in self.retries.values()), default=None)
        return None if due is None else clock.from_milliseconds(due)

    def next_slots(self, now: datetime, most: int) -> list[int]:
        """Retries that are due, then those not tried yet; after a death only those with whom it happened, fewer."""
        now_ms = clock.milliseconds(now)
        # A repeat that is due later than any can be was noted before the clock went back.
        far_ms = now_ms + int(MOST_RETRY_SECONDS * 1000) + _CLOCKS_DIFFER_MS
        ready = [
            slot
            for slot, retry in self.retries.items()
            if retry.due_ms <= now_ms or (retry.attempts and retry.due_ms > far_ms)
        ]
        if suspects := [slot for slot in self._suspects if slot in self.waiting]:
            due = set(ready)
            tried = [slot for slot in suspects if slot not in self.retries or slot in due]
            if tried:
                return tried[: min(most, self._narrow)]
        ready = ready[:most]
        for slot in self.waiting:
            if len(ready) >= most:
                break
            if slot not in self.retries:
                ready.append(slot)
        return ready

    def mark(self, slot: int, mark: Mark, alert_ids: Iterable[str] | None = None) -> None:
        """Settles a slot, for all alerts that it waits for or for these. Marks that leave it waiting do not settle."""
        ids = self.waiting.get(slot, ()) if alert_ids is None else tuple(alert_ids)
        for alert_id in ids:
            self._changes.setdefault(alert_id, {})[slot] = mark
        if mark in UNFINISHED:
            return
        if slot in self.taken:
            (self._give_back if mark in GIVEN_BACK or mark is Mark.DEFERRED else self._spent).add(slot)
        left = tuple(alert_id for alert_id in self.waiting.get(slot, ()) if alert_id not in ids)
        if left:
            self.waiting[slot] = left
            return
        self.waiting.pop(slot, None)
        self.retries.pop(slot, None)

    def leave_to_another(self, slot: int, alert_id: str) -> None:
        """Not ours to settle any more: nothing is written of it."""
        left = tuple(each for each in self.waiting.get(slot, ()) if each != alert_id)
        if left:
            self.waiting[slot] = left
        else:
            self.waiting.pop(slot, None)
            self.retries.pop(slot, None)
            if slot in self.taken:
                self._give_back.add(slot)

    def took(self, days: Mapping[int, int]) -> None:
        """These count under their readers' caps, by slot the day: for what goes now, whatever was settled before."""
        self.taken |= days
        self._give_back -= days.keys()

    def settle_all(self, mark: Mark) -> None:
        for slot in list(self.waiting):
            self.mark(slot, mark)

    def replaced(self, alert_id: str, ledger: Ledger) -> None:
        """A follow-up takes over whoever waits for the alert before it."""
        for slot in list(ledger.slots(Mark.DEFERRED)):
            self._changes.setdefault(alert_id, {})[slot] = Mark.CORRECTED

    def retry_later(self, slot: int, now: datetime, first_seconds: float) -> None:
        """With full jitter: a push service that comes back is not met by all retries at once."""
        attempts = self.retries[slot].attempts + 1 if slot in self.retries else 1
        most = min(MOST_RETRY_SECONDS, first_seconds * 2 ** (attempts - 1))
        due = now + timedelta(seconds=random.uniform(0, most))  # noqa: S311 (no secret)
        self.retries[slot] = Retry(attempts, clock.milliseconds(due))

    def first_request(self, now: datetime) -> None:
        if self._times.first_request_ms is None:
            self._times = replace(self._times, first_request_ms=clock.milliseconds(now))

    def accepted(self, sent_at: datetime, begins_at: datetime, seconds: Sequence[float]) -> Counter[int]:
        """Notes when these were accepted, each so long after `sent_at`; gives the buckets of seconds since the alert
        could be sent."""
        waited = (sent_at - begins_at).total_seconds()
        buckets = Counter(time_bucket(waited + each) for each in seconds)
        if seconds:
            first_ms = clock.milliseconds(sent_at + timedelta(seconds=min(seconds)))
            before = self._times
            self._times = replace(
                before,
                buckets=Counter(before.buckets) + buckets,
                within=before.within + sum(waited + each <= WITHIN for each in seconds),
                first_ms=first_ms if before.first_ms is None else min(first_ms, before.first_ms),
            )
        return buckets

    @property
    def is_changed(self) -> bool:
        """Whether there are marks that are not written yet."""
        return bool(self._changes)

    def window(self, gone: Sequence[tuple[int, bytes]] = ()) -> Window:
        """What there is to write; `written` forgets it."""
        if not self.deaths:
            self._suspects, self._deaths = [], 0
        return Window(
            changes={alert_id: marks.copy() for alert_id, marks in self._changes.items()},
            times=self._times,
            retries=self.retries,
            deaths=self._deaths,
            gone=gone,
            give_back=sorted(self._give_back),
            spent=sorted(self._spent),
            plans=self._plans,
            number=self._windows + 1,
        )

    def written(self) -> None:
        self._windows += 1
        self._plans = False
        for slot in self._give_back | self._spent:
            self.taken.pop(slot, None)
        self._changes, self._give_back, self._spent = {}, set(), set()
