"""The estimate is exact: the same numbers as planning with the worker's own hands, and as the contract read plainly.

3,000 readers of every kind in `make test`; `make estimate` does the same with 200,000 (READERS=...).
"""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import pytest

import oracle
from bulk import a_browser, fill, preferences
from crowd import Crowd
from hands import a_runtime
from samples import an_alert
from tocsin import clock
from tocsin.domain.alerts import Alert
from tocsin.domain.deliveries import Mark, told
from tocsin.domain.subscriptions import Address
from tocsin.estimating import estimate
from tocsin.settings import Settings, load
from tocsin.store.alerts import PREFIX
from tocsin.store.numbers import shards_below
from tocsin.store.runs import Claim
from tocsin.store.shards import shard_key
from tocsin.store.store import Store
from tocsin_workers.begin import begin
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_run import ShardRun
from tocsin_workers.work import Work

READERS = int(os.environ.get("READERS", "3000"))
SITE_ZONE = "Europe/London"
# In London, clocks change in this night.
NOW = datetime.fromisoformat("2031-03-30T00:40:00+00:00")
MOMENTS = ["2031-03-30T00:39:59Z", "2031-03-30T00:40:00Z", "2031-03-30T00:40:01Z", "2031-04-02T00:00:00Z"]
ALERTS: list[dict[str, Any]] = [
    {"topics": ["world", "science"], "level": "breaking", "story": "aleppo", "language": "en"},
    {"topics": ["sport"], "level": "update"},
    {"topics": ["politics", "business"], "level": "flash", "story": "budget", "language": "de"},
    {"topics": ["world", "politics", "business", "sport", "culture"], "level": "update", "story": "flood"},
    {"topics": ["world"], "level": "flash"},
]


class Reader(NamedTuple):
    wants: dict[str, Any]
    address: Address


@pytest.fixture
async def planner(servers: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """A worker that plans at the moment NOW and sends nothing."""
    settings = load(data_dir=servers.data_dir, time_zone=SITE_ZONE)
    runtime = await a_runtime(settings, only_plans=True)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    yield runtime
    await runtime.close()


class Caps:
    """How many each reader had on the own day, kept as the store keeps it and counted on by the test."""

    def __init__(self, readers: list[Reader]) -> None:
        chance = random.Random(3)
        self.had: dict[int, tuple[date, int]] = {}
        for number, reader in enumerate(readers):
            if reader.wants.get("daily_cap") and chance.random() < 0.8:
                day = oracle.own_day(reader.wants, NOW, SITE_ZONE) - timedelta(days=chance.choice([0, 0, 0, 1]))
                self.had[number] = (day, chance.randint(1, reader.wants["daily_cap"]["count"] + 1))

    async def write(self, store: Store, readers: list[Reader]) -> None:
        async with store.server.redis.pipeline(transaction=False) as pipe:
            for number, (day, count) in self.had.items():
                address = readers[number].address
                row = f"{(day - date(1970, 1, 1)).days} {count}"
                pipe.hset(shard_key(address.shard, "caps"), str(address.slot), row)
            await pipe.execute()

    def today(self, number: int, wants: Mapping[str, Any]) -> int:
        if not wants.get("daily_cap"):
            return 0
        day, count = self.had.get(number, (None, 0))
        return count if day == oracle.own_day(wants, NOW, SITE_ZONE) else 0

    def take(self, number: int, wants: Mapping[str, Any]) -> None:
        self.had[number] = (oracle.own_day(wants, NOW, SITE_ZONE), self.today(number, wants) + 1)


@pytest.mark.timeout(900)
async def test_the_estimate_is_what_planning_gives(store: Store, planner: Runtime) -> None:
    crowd = Crowd(11, MOMENTS)
    wanted = [crowd.wants() for _ in range(READERS)]
    browsers = ((a_browser(number, crowd.host()), preferences(wants)) for number, wants in enumerate(wanted))
    addresses = await fill(store, browsers, planner.application_server.key_id, 0)
    readers = [Reader(wants, address) for wants, address in zip(wanted, addresses, strict=True)]
    caps = Caps(readers)
    await caps.write(store, readers)
    seen: Counter[str] = Counter()

    for draft in ALERTS:
        alert = an_alert(now=NOW, **draft)
        expected = await estimate(store, planner.settings, alert, NOW)
        marks = await planned(planner, alert)
        answers = [
            oracle.answer(draft, reader.wants, NOW, SITE_ZONE, caps.today(number, reader.wants))
            for number, reader in enumerate(readers)
        ]
        for number, (reader, answer) in enumerate(zip(readers, answers, strict=True)):
            assert marks[reader.address] == TOLD.get(answer.verdict, ("skipped", answer.reason)), (reader, answer)
            if answer.verdict == "send" and oracle.counts(draft, reader.wants):
                caps.take(number, reader.wants)
        counted = Counter(answer.reason or answer.verdict for answer in answers)
        ledgers = Counter(reason or outcome for outcome, reason in marks.values() if outcome == "skipped")
        deferred = sum(answer.verdict == "defer" for answer in answers)
        quiet = counted["quiet_hours"] - deferred
        skipped = {**{name: counted[name] for name in REASONS if counted[name]}, "quiet_hours": quiet}

        assert expected.whole.now == counted["send"] == sum(each == ("pending", None) for each in marks.values())
        assert expected.whole.deferred == deferred == list(marks.values()).count(("deferred", "quiet_hours"))
        assert expected.whole.skipped == Counter(skipped) == Counter({name: ledgers[name] for name in REASONS})
        assert expected.whole.audience == len(readers) - counted["outside"]
        for service, part in expected.by_push_service.items():
            mine = [
                answer
                for reader, answer in zip(readers, answers, strict=True)
                if reader.address.push_service == service
            ]
            assert part.now == sum(answer.verdict == "send" for answer in mine)
            assert part.audience == sum(answer.verdict != "outside" for answer in mine)
        seen.update({"send": counted["send"], "defer": deferred, **skipped})

    # Every rule had its readers.
    assert all(seen[name] > READERS // 1_000 for name in ("send", "defer", *REASONS)), seen


REASONS = ("language", "muted_story", "snoozed", "level", "quiet_hours", "daily_cap")
TOLD: dict[str, tuple[str, str | None]] = {
    "send": ("pending", None),
    "defer": ("deferred", "quiet_hours"),
    "outside": ("skipped", "not_followed"),
}


async def planned(runtime: Runtime, alert: Alert) -> dict[Address, tuple[str, str | None]]:
    """What the ledgers of a run say, when every shard of it is planned and nothing is sent."""
    store = runtime.store
    await store.alerts.queue(alert, alert.id)
    await begin(runtime, alert.id)
    bounds = await store.runs.bounds(alert.id)
    left = {name: set(shards_below(name, bound)) for name, bound in bounds.items()}
    while any(left.values()):
        # What is handed back in a future so far away is given out again: not of a push service that is through.
        claim = await store.runs.claim([alert.queue], [(alert.id, name) for name in left if not left[name]])
        assert isinstance(claim, Claim)
        left[claim.push_service].discard(claim.shard)
        await Work(runtime, ShardRun(runtime, claim, alert)).work()
    marks = {}
    accounts = await store.ledgers.accounts(alert.id, bounds)
    for service, shards in accounts.items():
        ledgers = b"".join(bytes(shard.ledger) for shard in shards)
        assert sum(shard.eligible for shard in shards) == sum(shard.ledger.eligible for shard in shards)
        for number in range(bounds[service]):
            marks[Address(service, number)] = MARKS[ledgers[number]]
    await store.server.redis.zrem(f"{PREFIX}open", alert.id)  # no worker is to look at it again
    return marks


MARKS = {ord(mark): told(mark) for mark in Mark}
