"""A worker without push services: the steps of one shard, one at a time, so that a test may come between any two."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from samples import an_alert
from tocsin import clock
from tocsin.domain.alerts import Alert
from tocsin.domain.deliveries import Ledger, Mark
from tocsin.domain.progress import Times
from tocsin.domain.queues import PRIORITY, STANDARD
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.planning import Planner, ShardPlan
from tocsin.store.alerts import HELD, PREFIX
from tocsin.store.ledgers import Kept, Recipient, Retry, Window
from tocsin.store.runs import ROUND, Claim, Unbegun
from tocsin.store.shards import shard_key
from tocsin.store.store import Store

ALL = (PRIORITY, STANDARD)
NOW_MS = 1_772_366_400_000
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
    await begin_run(store, alert.id, bounds)
    return alert


async def begin_run(store: Store, alert_id: str, bounds: Mapping[str, int], ends_at: datetime | None = None) -> bool:
    began_at = await store.runs.now()
    return await store.runs.begin(alert_id, bounds, began_at, ends_at or began_at + timedelta(hours=1))


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


async def claimed(store: Store, busy: Collection[tuple[str, str]] = (), queues: Sequence[str] = ALL) -> Claim:
    claim = await next_claim(store, busy, queues)
    assert claim is not None
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
class Hand:
    """What one worker knows of one shard."""

    store: Store
    claim: Claim
    kept: Kept
    plan: ShardPlan | None = None
    windows: int = 0

    @property
    def alert_id(self) -> str:
        return self.claim.alert_id

    async def write(self, marks: Mapping[int, Mark] | None = None, **parts: object) -> list[int] | None:
        """A window with these marks of its own alert, and with `parts` of a Window besides."""
        whole = {"changes": {self.alert_id: marks} if marks else {}, "times": Times(), "retries": {}, **parts}
        self.windows += 1
        whole = {"number": self.windows, **whole}
        return await self.store.ledgers.write(self.claim, Window(**whole), NOW_MS)  # type: ignore[arg-type]

    async def read(self, slots: Sequence[int]) -> dict[int, Recipient] | None:
        rows = await self.store.ledgers.try_window(self.claim, slots)
        return None if rows is None else {row.slot: row for row in rows}

    async def ledger(self) -> bytes:
        """What is kept, without those who are nobody at its end."""
        return bytes(await ledger_of(self.store, self.claim)).rstrip(b"\0")


async def had_today(store: Store, shard: str, days: Mapping[int, int]) -> dict[int, int]:
    """How many alerts are counted under the caps of the readers in these slots, of whom anything is counted."""
    rows = await store.server.redis.hgetall(shard_key(shard, "caps"))
    counts = {int(slot): tuple(map(int, row.split())) for slot, row in rows.items()}
    return {slot: count if day == days[slot] else 0 for slot, (day, count) in counts.items() if slot in days}


async def ledger_of(store: Store, claim: Claim) -> Ledger:
    return (await store.ledgers.ledgers(claim.shard, [claim.alert_id]))[claim.alert_id]


async def take_up(store: Store, claim: Claim) -> Hand:
    kept = await store.ledgers.begin(claim)
    assert kept is not None
    return Hand(store, claim, kept)


async def hand(store: Store, alert: Alert, now: datetime | None = None) -> Hand:
    """A worker with the next shard of this alert, planned as a worker plans it, caps aside."""
    claim = await next_claim(store)
    assert claim is not None
    assert claim.alert_id == alert.id
    worker = await take_up(store, claim)
    if worker.kept.ledger is None:
        first = int(claim.shard.rpartition(".")[2]) * SHARD_SIZE
        numbers = worker.kept.profile_numbers[: max(0, claim.bound - first)]
        planner = Planner(store.profiles, store.readers, alert.audience("UTC"))
        worker.plan = await planner.plan(claim.shard, numbers, now or clock.now())
        assert await worker.write(changes={alert.id: worker.plan.ledger}, plans=True) is not None
    return worker


async def round_claim(store: Store) -> Claim | None:
    """The next shard of the round, where one is due."""
    claim = await next_claim(store)
    assert claim is None or claim.alert_id == ROUND
    return claim


def a_retry(attempts: int = 1, due_ms: int = PAST) -> Retry:
    return Retry(attempts, due_ms)
