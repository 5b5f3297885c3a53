"""The estimate over a million subscriptions, and what each of them takes of the store.

A real store, no other part. The readers draw from 1,500 sets of preferences: half of them have quiet hours (in eight
time zones), a tenth a cap; a twentieth have something personal. All follow a topic of the alert, so that each has to be
decided for. See README.md beside this file.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import million

from crowd import NIGHTS, ZONES
from samples import an_alert
from tocsin import clock
from tocsin.cli.embedded import embedded_parts
from tocsin.cli.supervisor import supervised
from tocsin.domain.alerts import Alert, AlertState
from tocsin.domain.deliveries import Ledger, Mark
from tocsin.domain.hours import DailyCap, QuietHours
from tocsin.domain.preferences import Preferences
from tocsin.domain.progress import Times
from tocsin.estimating import Expected, estimate
from tocsin.planning import Planner
from tocsin.settings import Settings, load
from tocsin.store.alerts import KEEP_LEDGERS, PREFIX
from tocsin.store.ledgers import dump_times, ledger_key, run_key
from tocsin.store.numbers import shards_below
from tocsin.store.packing import REST_MS
from tocsin.store.shards import shard_key
from tocsin.store.store import Store
from tocsin_workers.trim import pack

NOW = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
TODAY = (NOW - datetime(1970, 1, 1, tzinfo=UTC)).days
TOPICS = tuple(f"topic-{number}" for number in range(30))
ALERTS: dict[str, dict[str, Any]] = {
    "everybody": {"topics": TOPICS[:10], "level": "breaking"},
    "everybody, of a story": {"topics": TOPICS[:10], "level": "breaking", "story": "aleppo"},
    "few": {"topics": [TOPICS[20]], "level": "breaking"},
}
_STALL_TICK_SECONDS = 0.001
_SENT = bytes.maketrans(b"pd", b"aa")


def sets(chance: random.Random) -> list[Preferences]:
    found = []
    for _ in range(1_500):
        topics = [chance.choice(TOPICS[:10]), *chance.sample(TOPICS[10:], 2)]
        found.append(
            Preferences(
                topics=tuple(sorted(topics)),
                time_zone=chance.choice(ZONES),
                quiet_hours=_quiet_hours(chance) if chance.random() < 0.5 else None,
                daily_cap=DailyCap(count=chance.choice([1, 2, 3, 5])) if chance.random() < 0.1 else None,
            )
        )
    return found


def _quiet_hours(chance: random.Random) -> QuietHours:
    start, end = chance.choice(NIGHTS)
    return QuietHours(start=start, end=end)


def personal(chance: random.Random) -> str:
    if chance.random() >= 0.05:
        return ""
    moment = f"2026-03-0{chance.randint(1, 9)}T{chance.randint(10, 23)}:00:{chance.randint(10, 59)}Z"
    return chance.choice(
        [
            f'{{"snoozed_until":"{moment}"}}',
            f'{{"muted_stories":["aleppo",{{"story":"budget","until":"{moment}"}}]}}',
            f'{{"followed_stories":[{{"story":"aleppo","until":"{moment}"}}]}}',
        ]
    )


async def count_under_caps(store: Store, bounds: dict[str, int], capped: set[int], chance: random.Random) -> int:
    """Four of five readers under a cap had something, today or the day before; gives how many have a cap."""
    whole = 0
    async with store.server.redis.pipeline(transaction=False) as pipe:
        for service, bound in bounds.items():
            for shard in shards_below(service, bound):
                numbers = await store.profiles.of_shard(shard, million.SHARD_SIZE)
                slots = [slot for slot, number in enumerate(numbers) if number & 0x7FFFFFFF in capped]
                whole += len(slots)
                rows = {
                    str(slot): f"{TODAY - (chance.random() < 0.3)} {chance.randint(1, 5)}"
                    for slot in slots
                    if chance.random() < 0.8
                }
                pipe.hset(shard_key(shard, "caps"), mapping=rows)
        await pipe.execute()
    return whole


async def send_to_nobody(store: Store, alert: Alert, bounds: dict[str, int], chance: random.Random) -> None:
    """What an alert leaves behind that was sent to all who were to get it: of a hundred one was gone, of a thousand
    three expired. Written as windows write it, without the windows."""
    now_ms = clock.milliseconds(clock.now())
    await store.alerts.queue(alert, f"a-key-of-sixteen-{alert.id}")
    await store.runs.begin(alert.id, bounds, clock.now(), clock.now())
    planner, times = Planner(store.profiles, store.readers, alert.audience("UTC")), _times(chance)
    for service, bound in bounds.items():
        async with store.server.redis.pipeline(transaction=False) as pipe:
            sizes = dict.fromkeys(shards_below(service, bound), million.SHARD_SIZE)
            for shard, numbers in zip(sizes, await store.profiles.of_shards(sizes), strict=True):
                plan = await planner.plan(shard, numbers, NOW)
                ledger = Ledger(bytes(plan.ledger).translate(_SENT))
                for mark in (*[Mark.GONE] * 10, *[Mark.EXPIRED] * 3):
                    slot = chance.randrange(million.SHARD_SIZE)
                    ledger[slot] = mark if ledger[slot] is Mark.ACCEPTED else ledger[slot]
                pipe.set(ledger_key(shard, alert.id), bytes(ledger))
                run = {"epoch": 1, "written": 12, "times": times, "retries": "", "deaths": 0, "trying": ""}
                pipe.hset(run_key(shard, alert.id), mapping={**run, "eligible": ledger.eligible})
            await pipe.execute()
        await store.server.redis.delete(f"{PREFIX}due:{alert.id}:{service}")
    await store.alerts.close(alert.id, AlertState.SENT, {"deferred": 0, "set_aside": 0}, now_ms, None)


def _times(chance: random.Random) -> str:
    """A shard takes some seconds, which is that many buckets."""
    first = chance.randint(300, 500)
    buckets = {first + at: chance.randint(1, 60) for at in range(30)}
    return dump_times(Times(buckets, 1_000, 1_772_366_400_000, 1_772_366_400_000))


async def measure_ledgers(store: Store, bounds: dict[str, int], count: int) -> dict[str, float]:
    """Bytes a subscription of so many alerts that are over, as they were at work and as they are kept."""
    chance, readers, before = random.Random(4), sum(bounds.values()), await used_memory(store)
    for number in range(count):
        topics = chance.sample(TOPICS, chance.choice([1, 1, 2, 3, 10]))
        alert = an_alert(now=NOW + timedelta(seconds=number), topics=topics, level="breaking")
        await send_to_nobody(store, alert, bounds, chance)
    plain = await used_memory(store)
    took = time.perf_counter()
    later = clock.milliseconds(clock.now()) + REST_MS
    while await store.packing.due(later):
        await pack(store, later)
    took = time.perf_counter() - took
    return {
        "ledgers": count,
        "bytes_a_subscription_at_work": round((plain - before) / readers, 1),
        "bytes_a_subscription_packed": round((await used_memory(store) - before) / readers, 1),
        "seconds_to_pack_an_alert": round(took / count, 2),
    }


async def used_memory(store: Store) -> int:
    return int((await store.server.redis.info("memory"))["used_memory"])


async def longest_stall(ended: asyncio.Event) -> float:
    """How long the event loop served nobody else, at most."""
    longest = 0.0
    while not ended.is_set():
        before = time.perf_counter()
        await asyncio.sleep(_STALL_TICK_SECONDS)
        longest = max(longest, time.perf_counter() - before)
    return longest


async def measure(store: Store, settings: Settings, rounds: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, draft in ALERTS.items():
        alert, times, cpu = an_alert(now=NOW, **draft), [], []
        for _ in range(rounds + 1):
            before, cpu_before = time.perf_counter(), time.process_time()
            found = await estimate(store, settings, alert, NOW)
            times.append(time.perf_counter() - before)
            cpu.append(time.process_time() - cpu_before)
        ended = asyncio.Event()
        stall = asyncio.create_task(longest_stall(ended))
        await estimate(store, settings, alert, NOW)
        ended.set()
        figures[name] = {
            "median_ms": round(sorted(times[1:])[rounds // 2] * 1e3, 1),
            "median_cpu_ms": round(sorted(cpu[1:])[rounds // 2] * 1e3, 1),
            "first_ms": round(times[0] * 1e3, 1),
            "longest_stall_ms": round(await stall * 1e3, 1),
            **told(found.whole),
        }
    return figures


def told(whole: Expected) -> dict[str, Any]:
    return {"audience": whole.audience, "now": whole.now, "deferred": whole.deferred, "skipped": dict(whole.skipped)}


async def run(options: argparse.Namespace) -> None:
    chance = random.Random(2)
    with tempfile.TemporaryDirectory() as folder:
        settings = load(data_dir=Path(folder))
        async with supervised({}, lambda *_: None, Path(folder)) as supervisor, Store(settings) as store:
            await supervisor.start(embedded_parts(settings))
            empty, all_sets = await used_memory(store), sets(chance)
            before = time.perf_counter()
            bounds = await million.fill(store, options.readers, all_sets, b"keyd", personal=lambda _: "")
            plain = await used_memory(store)
            print(f"  filled in {time.perf_counter() - before:.0f} s", file=sys.stderr)
            await store.server.redis.flushall()
            store.profiles._numbers.clear()
            bounds = await million.fill(store, options.readers, all_sets, b"keyd", personal=personal)
            capped = {await store.profiles.number(each) for each in all_sets if each.daily_cap}
            under_caps = await count_under_caps(store, bounds, capped, chance)
            figures = {
                "readers": options.readers,
                "under_caps": under_caps,
                "plain_bytes_a_subscription": round((plain - empty) / options.readers, 1),
                "bytes_with_personal_and_caps": round((await used_memory(store) - empty) / options.readers, 1),
                "estimates": await measure(store, settings, options.rounds),
                "kept": await measure_ledgers(store, bounds, options.ledgers),
            }
    print(json.dumps(figures, indent=2))
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ledgers", type=int, default=KEEP_LEDGERS)
    parser.add_argument("--json", metavar="FILE")
    asyncio.run(run(parser.parse_args()))
