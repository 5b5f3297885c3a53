"""A worker without push services: the steps of one shard, one at a time, so that a test may come between any two."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from samples import NOW, an_alert
from tocsin import clock
from tocsin.domain.alerts import Alert
from tocsin.domain.decisions import decide
from tocsin.domain.deliveries import Ledger, Mark, planned
from tocsin.domain.progress import ShardCounts
from tocsin.domain.queues import PRIORITY, STANDARD
from tocsin.domain.subscriptions import SHARD_SIZE, Address, Record
from tocsin.store.alerts import HELD, PREFIX
from tocsin.store.ledgers import Recipient, Retry
from tocsin.store.profiles import NOBODY
from tocsin.store.runs import Claim, Go, Unbegun
from tocsin.store.store import Store

ALL = (PRIORITY, STANDARD)
PAST = 1


_LATER = itertools.count()


async def queue(store: Store, key: str = "key", **changes: object) -> Alert:
    """An alert that was asked for now, so that its attempts go on."""
    # Each in a millisecond of its own: of two in one, chance says which is the older.
    alert = an_alert(now=clock.now() + timedelta(milliseconds=next(_LATER)), **changes)
    await store.alerts.queue(alert, key.ljust(16, "-"))
    return alert


async def begin(store: Store, bounds: dict[str, int], key: str = "key", **changes: object) -> Alert:
    alert = await queue(store, key, **changes)
    await store.runs.begin(alert.id, bounds, alert.attempts_end(clock.now()))
    return alert


async def lapse(store: Store, claim: Claim, until_ms: int = PAST) -> None:
    """The lease ends at this moment, without anybody waiting for it."""
    leased = f"{PREFIX}leased:{claim.alert_id}:{claim.push_service}"
    await store.server.redis.zadd(leased, {claim.shard: until_ms}, xx=True)


async def lease_left_ms(store: Store, claim: Claim) -> float | None:
    score = await store.server.redis.zscore(f"{PREFIX}leased:{claim.alert_id}:{claim.push_service}", claim.shard)
    return None if score is None else score - await store_ms(store)


async def due_at(store: Store, claim: Claim) -> float | None:
    score: float | None = await store.server.redis.zscore(
        f"{PREFIX}due:{claim.alert_id}:{claim.push_service}", claim.shard
    )
    return score


async def store_ms(store: Store) -> int:
    seconds, microseconds = await store.server.redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


async def unhold(store: Store) -> None:
    await store.server.redis.delete(HELD)


async def next_claim(store: Store, busy: Collection[tuple[str, str]] = (), queues: Sequence[str] = ALL) -> Claim | None:
    """The next shard; that an alert waits for its run is not looked for."""
    claim = await store.runs.claim(queues, busy)
    assert not isinstance(claim, Unbegun)
    return claim


async def work_off(store: Store, limit: int = 1_000) -> list[tuple[str, str]]:
    """Claims and finishes whatever is due, without sending; in the order in which the store chose."""
    done = []
    for _ in range(limit):
        claim = await next_claim(store)
        if claim is None:
            break
        await store.runs.finish(claim)
        done.append((claim.alert_id, claim.shard))
    return done


@dataclass
class Window:
    """Sent and not yet recorded."""

    outcomes: dict[int, Mark]
    recipients: dict[int, Recipient]


@dataclass
class Hand:
    """What one worker knows of one shard. `window` is what it sent and has not recorded yet."""

    store: Store
    claim: Claim
    alert: Alert
    ledger: Ledger = field(default_factory=lambda: Ledger(b""))
    counts: ShardCounts = field(default_factory=lambda: ShardCounts(0, {}, {}))
    retries: dict[int, Retry] = field(default_factory=dict)
    begun: bool = False
    window: Window | None = None

    async def begin(self) -> bool:
        """Plans where nobody did; False when a later claim was here."""
        kept = await self.store.ledgers.begin(self.claim)
        if kept is None:
            return False
        self.begun = True
        self.retries = kept.retries
        if kept.ledger is not None and kept.counts is not None:
            self.ledger, self.counts = kept.ledger, kept.counts
            return True
        bound = await self.store.runs.bound(self.claim)
        first = int(self.claim.shard.rpartition(".")[2]) * SHARD_SIZE
        numbers = kept.profile_numbers[: max(0, bound - first)]
        profiles = await self.store.profiles.get(set(numbers))
        marks = [
            Mark.NOBODY if number == NOBODY else planned(decide(self.alert.audience, profiles[number], NOW))
            for number in numbers
        ]
        self.ledger = Ledger("".join(marks).encode("latin-1").ljust(SHARD_SIZE, b"\0"))
        self.counts = ShardCounts.of(self.ledger, self.ledger.eligible)
        return await self.write()

    async def check(self) -> Go:
        return (await self.store.runs.check(self.claim))[0]

    def slots(self, most: int) -> list[int]:
        return [*self.ledger.slots(Mark.RETRYING), *self.ledger.slots(Mark.PENDING)][:most]

    async def read(self, slots: list[int]) -> dict[int, Recipient] | None:
        rows = await self.store.ledgers.read(self.claim, slots)
        return None if rows is None else {row.slot: row for row in rows}

    async def record(self) -> bool:
        """Writes what became of the window; False when the shard is not ours any more."""
        assert self.window is not None
        window, self.window = self.window, None
        gone = []
        for slot, mark in window.outcomes.items():
            self.ledger[slot] = mark
            self.retries.pop(slot, None)
            if mark is Mark.RETRYING:
                self.retries[slot] = Retry(1, 0)
            packed = window.recipients[slot].packed
            if mark is Mark.GONE and packed is not None:
                gone.append((slot, packed, Record.unpack(packed).endpoint))
        return await self.write(gone)

    async def end_all(self, mark: Mark) -> bool:
        for slot in self.slots(SHARD_SIZE):
            self.ledger[slot] = mark
        self.retries = {}
        return await self.write() and await self.store.runs.finish(self.claim)

    async def write(self, gone: list[tuple[int, bytes, str]] | None = None) -> bool:
        self.counts = ShardCounts.of(self.ledger, self.counts.eligible, self.counts)
        dropped = await self.store.ledgers.write(self.claim, self.ledger, self.counts, self.retries, gone or ())
        first = int(self.claim.shard.rpartition(".")[2]) * SHARD_SIZE
        for slot, packed, _ in gone or ():
            if dropped is not None and slot in dropped:
                digest = Record.unpack(packed).digest
                address = Address(self.claim.push_service, first + slot)
                await self.store.subscriptions.forget(address, digest, clock.milliseconds(clock.now()))
        return dropped is not None


async def hand(store: Store, alert: Alert) -> Hand:
    """A worker with the next shard, begun."""
    claim = await next_claim(store)
    assert claim is not None
    assert claim.alert_id == alert.id
    worker = Hand(store, claim, alert)
    assert await worker.begin()
    return worker
