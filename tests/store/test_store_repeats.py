"""A script whose answer is lost on the way is run again by the client: the second time nothing in the store changes."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest
from store_hands import a_retry, begin, begin_run, claimed, hand, lapse, queue, store_ms, take_up
from store_sound import AFTER_REST_MS, NOW_MS, SPORT, WORLD, add, add_some

from samples import NOW, a_subscription, an_alert
from store_version_1 import an_old_alert
from tocsin import clock
from tocsin.domain.alerts import AlertState
from tocsin.domain.consent import Consent
from tocsin.domain.decisions import Limit
from tocsin.domain.deliveries import Mark
from tocsin.domain.progress import Times
from tocsin.domain.receipts import Event
from tocsin.domain.subscriptions import Address
from tocsin.domain.topics import Topic
from tocsin.store.activity import pack_day
from tocsin.store.client import Argument, Script
from tocsin.store.packing import REST_MS
from tocsin.store.processes import Counted
from tocsin.store.shards import shard_key
from tocsin.store.store import Store

SCRIPTS = files("tocsin.store") / "scripts"
BROWSER = a_subscription("one")
ASLEEP = WORLD.model_copy(update={"snoozed_until": NOW + timedelta(days=1)})

# Scripts that a repeat does change something by, and why that is harmless.
COUNTED_TWICE = {
    "claim_beside": "as claim_shard",
    "claim_shard": "a second claim has no worker: its lease lapses, and the shard comes back with a later epoch",
    "reserve_number": "a second number is a reservation that nobody completes: it is taken back after a minute",
    "count_receipts": "receipts are no part of an account: a browser says them, and nobody can prove them",
    "grant_requests": "permits for requests that are never made: the bucket is full again within a second",
    "report_window": "a breaker opens a little sooner; no account depends on what is counted there",
}

# In a server of their own, whose client repeats nothing; test_store_prekeys.py repeats them all the same.
ELSEWHERE = {"claim_prekeys", "put_prekeys", "take_prekeys"}


def is_a_write(script: str) -> bool:
    writes = "SET|SETNX|SETRANGE|HSET|HSETNX|HDEL|HINCRBY|INCR|ZADD|ZREM|SADD|SREM|RPUSH|DEL|UNLINK|EXPIRE"
    return re.search(rf"redis\.call\('({writes})'", (SCRIPTS / f"{script}.lua").read_text()) is not None


def scripts() -> list[str]:
    return sorted(entry.name.removesuffix(".lua") for entry in SCRIPTS.iterdir() if entry.name.endswith(".lua"))


async def everything(store: Store) -> dict[bytes, Any]:
    """The whole keyspace."""
    redis, kept = store.server.redis, {}
    async for key in redis.scan_iter(count=1_000):
        match (await redis.type(key)).decode():
            case "string":
                kept[key] = await redis.get(key)
            case "hash":
                kept[key] = await redis.hgetall(key)
            case "list":
                kept[key] = await redis.lrange(key, 0, -1)
            case "set":
                kept[key] = await redis.smembers(key)
            case _:
                kept[key] = await redis.zrange(key, 0, -1, withscores=True)
        kept[key + b" expires"] = await redis.ttl(key) >= 0
    return kept


class Repeated:
    """Runs one script twice, each time that it is called, and sees that the first time is the only one that counts."""

    def __init__(self, store: Store, name: str) -> None:
        self.changes = 0
        self._store = store
        self._name = name
        self._run = store.server.run
        store.server.run = self.run  # type: ignore[method-assign]
        store.server.run_after = self.run_after  # type: ignore[method-assign]
        store.server.together = self.together  # type: ignore[method-assign]

    async def run(self, script: str, keys: Sequence[str], *arguments: Argument) -> Any:
        if script != self._name:
            return await self._run(script, keys, *arguments)
        before = await everything(self._store)
        result = await self._run(script, keys, *arguments)
        after = await everything(self._store)
        self.changes += before != after
        await self._run(script, keys, *arguments)
        assert await everything(self._store) == after
        return result

    async def run_after(
        self, before: Sequence[Argument], script: str, keys: Sequence[str], *arguments: Argument
    ) -> Any:
        await self._store.server.redis.execute_command(*before)
        return await self.run(script, keys, *arguments)

    async def together(self, *scripts: Script[Any]) -> list[Any]:
        return [await self._store.server.call(script) for script in scripts]


async def register_and_leave(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER, ASLEEP)
    kept = await store.subscriptions.set_preferences(kept, SPORT)
    kept = await store.subscriptions.set_preferences(kept, ASLEEP)
    kept = await store.subscriptions.set_keys(kept, replace(BROWSER, auth=b"a" * 16), b"new!")
    await store.subscriptions.delete(kept, NOW_MS)
    await add(store.subscriptions, a_subscription("next"), ASLEEP, AFTER_REST_MS)


async def be_heard_of(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER, ASLEEP)
    await store.server.redis.set(shard_key("fcm.0", "seen"), pack_day(1))
    assert await store.activity.seen(kept.address, kept.packed)
    for day in (30_000, 30_010):
        await store.activity.reached("fcm.0", [0, 1], day)
        await store.activity.not_reached("fcm.0", [0, 1], day + 5)


async def erase(store: Store) -> None:
    await tell(store)
    kept = await store.subscriptions.get(a_subscription("browser-0").digest)
    assert kept
    await store.subscriptions.delete(kept, NOW_MS)
    assert await store.log.tend(NOW_MS, 0)


async def move(store: Store) -> None:
    """To another endpoint, and then to another push service."""
    kept = await add(store.subscriptions, BROWSER, ASLEEP)
    kept = await store.subscriptions.set_consent(kept, Consent(1, "1"))
    kept = await store.subscriptions.set_consent(kept, None)
    kept = await store.subscriptions.set_consent(kept, Consent(2, "1"))
    moved = await store.subscriptions.move(kept, a_subscription("next"), b"new!")
    assert moved
    far = await add(store.subscriptions, a_subscription("far", "push.example.com"))
    await store.server.redis.hset("{fcm.0}:caps", "0", "20510 1")
    await store.subscriptions.carry_over(moved, far)


async def be_called_gone(store: Store) -> None:
    kept = await add(store.subscriptions, BROWSER, ASLEEP)
    await store.quarantine.add(kept.address, kept.packed, NOW_MS)
    await store.quarantine.restore(kept.address)
    await store.quarantine.add(kept.address, kept.packed, NOW_MS)
    await store.subscriptions.delete_quarantined(kept.address, NOW_MS)
    other = await add(store.subscriptions, a_subscription("two"), ASLEEP)
    await store.quarantine.add(other.address, other.packed, NOW_MS)
    await store.subscriptions.delete(other, NOW_MS)


async def tell(store: Store) -> None:
    await add_some(store, 1)
    alert = await begin(store, await store.numbers.bounds())
    worker = await hand(store, alert)
    await worker.write({0: Mark.ACCEPTED})
    for event in Event:
        assert await store.receipts.record(Address("fcm", 0), alert.id, event)


async def pack(store: Store) -> None:
    await add_some(store, 2)
    alert = await begin(store, await store.numbers.bounds())
    worker = await hand(store, alert)
    await worker.write({0: Mark.ACCEPTED, 1: Mark.ACCEPTED})
    await store.runs.finish(worker.claim)
    await store.alerts.close(alert.id, AlertState.SENT, {"deferred": 0, "set_aside": 0}, NOW_MS, None)
    assert await store.packing.due(NOW_MS + REST_MS) == [alert.id]
    await store.packing.pack(alert.id, await store.runs.bounds(alert.id))


async def send(store: Store) -> None:
    """A run from its claim to its end, with whatever a window can hold."""
    kept = await add_some(store, 4)
    alert = await begin(store, await store.numbers.bounds())
    await store.alerts.defers(alert.id)
    worker = await hand(store, alert)
    assert await worker.store.ledgers.take_caps(worker.claim, dict.fromkeys(range(4), Limit(20_500, 1))) == set()
    await worker.read([0, 1, 2, 3])
    marks = {0: Mark.ACCEPTED, 1: Mark.RETRYING, 2: Mark.GONE, 3: Mark.DEFERRED}
    parts = {"retries": {1: a_retry()}, "gone": [(2, kept[2].packed)], "give_back": [2, 3], "spent": [0]}
    await worker.write(marks, times=Times({7: 1}, 1, 2, 3), deaths=1, **parts)
    await store.runs.hand_back(worker.claim, clock.now() - timedelta(seconds=1))
    claim = await claimed(store)
    await lapse(store, claim, await store_ms(store) + 10_000)
    await store.runs.check(claim)
    worker = await take_up(store, claim)
    await worker.read([1])
    await lapse(store, claim)
    worker = await take_up(store, await claimed(store))  # the one before died
    assert await worker.store.ledgers.take_caps(worker.claim, {1: Limit(20_500, 0)}) == {1}  # the cap was lowered
    await worker.write({1: Mark.SET_ASIDE})
    await store.runs.reopen(alert.id, worker.claim.shard)
    await store.runs.finish(worker.claim)
    await store.runs.finish(await claimed(store))
    await store.alerts.close(alert.id, AlertState.SENT, {"deferred": 1}, NOW_MS, 7)
    await store.ledgers.pend_again(alert.id, Address("fcm", 1))
    await store.runs.reopen(alert.id, "fcm.0")
    await store.runs.finish(await claimed(store))
    await store.alerts.close(alert.id, AlertState.SENT, {"deferred": 1}, NOW_MS, 7)
    await store.alerts.settle(alert.id, {"deferred": 0})


async def defer(store: Store) -> None:
    await store.runs.defer("fcm.0", clock.now() + timedelta(hours=1))
    await store.runs.defer("fcm.0", clock.now() - timedelta(hours=1))
    await store.runs.defer("apple.0", clock.now() + timedelta(hours=1))
    claim = await claimed(store)
    await store.runs.defer("fcm.0", clock.now() + timedelta(hours=2))
    await store.runs.defer("fcm.0", clock.now() + timedelta(hours=1))
    await store.runs.finish(claim)


async def ask(store: Store) -> None:
    """Alerts of every kind, put out, followed up and stopped."""
    root = await begin(store, {"fcm": 1_000})
    for number in range(2):
        follow_up = root.retraction(f"Reason {number}", "desk", NOW + timedelta(seconds=number))
        await store.alerts.queue(follow_up, f"follow-up-{number:06d}")
    await store.alerts.stop(root.id, NOW_MS)
    for changes in ({"undo_seconds": 9}, {"send_at": NOW + timedelta(hours=1)}):
        timed = an_alert(**changes)
        await store.alerts.queue(timed, f"timed-{timed.id}")
        await store.alerts.stop(timed.id, NOW_MS)
    done = await begin(store, {}, "done")
    await store.alerts.defers(done.id)
    await store.alerts.close(done.id, AlertState.SENT, {"deferred": 1}, NOW_MS, None)
    await store.alerts.stop(done.id, NOW_MS)


async def draft(store: Store) -> None:
    for number, state in enumerate((AlertState.SENDING, AlertState.SCHEDULED, AlertState.REJECTED)):
        alert = an_alert()
        await store.alerts.queue(alert, f"draft-{number:010d}", AlertState.DRAFT)
        for wanted in (AlertState.AWAITING_APPROVAL, state):
            seen = await store.alerts.get(alert.id)
            assert await store.drafts.change(seen, alert, wanted, NOW_MS, writers=["desk"])
    root, follow_up = an_alert(), an_alert().model_copy(update={"root": "0" * 22})
    await store.alerts.queue(follow_up, f"follow-up-{root.id}", AlertState.AWAITING_APPROVAL)
    seen = await store.alerts.get(follow_up.id)
    assert await store.drafts.change(seen, follow_up, AlertState.SENDING, NOW_MS, writers=["desk"], approved_by="chief")


async def begin_twice(store: Store) -> None:
    alert = await queue(store)
    assert await begin_run(store, alert.id, {"fcm": 2_500, "apple": 1})
    assert not await begin_run(store, alert.id, {"wns": 1})


async def count(store: Store) -> None:
    await store.processes.write("a", Counted(at_ms=1))
    await store.processes.write("b", Counted(at_ms=1))
    await store.processes.fold_ended(NOW_MS)
    await store.processes.write("a", Counted(at_ms=NOW_MS))


async def pace(store: Store) -> None:
    for hours in (1, 2):
        await store.pace.hold("fcm", clock.now() + timedelta(hours=hours))
    await store.server.redis.hset("{alerts}:pace:fcm", mapping={"stopped": "1", "breaker": "1"})
    await store.pace.resume("fcm")


async def topics(store: Store) -> None:
    for name in ("world", "sport"):
        await store.topics.change(lambda seen, name=name: (*seen, Topic(id=name, name=name)))  # type: ignore[misc]


async def migrate(store: Store) -> None:
    await an_old_alert(store, {"fcm.0": "ap", "fcm.1": "l"})
    await store.schema.migrate(lambda _: None)


SCENES: dict[str, Callable[[Store], Awaitable[None]]] = {
    "begin_move": move,
    "begin_rewrite": erase,
    "begin_run": begin_twice,
    "begin_shard": send,
    "carry_over": move,
    "change_alert": draft,
    "check_lease": send,
    "clear_receipts": erase,
    "close_alert": send,
    "defer_shard": defer,
    "drop_quarantined": be_called_gone,
    "drop_record": register_and_leave,
    "end_move": move,
    "fold_process": count,
    "hold_service": pace,
    "intern_profile": register_and_leave,
    "move_ledger": migrate,
    "move_record": move,
    "note_seen": be_heard_of,
    "note_unreached": be_heard_of,
    "pack_ledger": pack,
    "put_record": register_and_leave,
    "quarantine_record": be_called_gone,
    "queue_alert": ask,
    "raise_seen": be_heard_of,
    "record_receipt": tell,
    "release_shard": send,
    "reopen_alert": send,
    "restore_record": be_called_gone,
    "resume_service": pace,
    "set_consent": move,
    "set_profile": register_and_leave,
    "settle_alert": send,
    "start_packing": pack,
    "stop_alert": ask,
    "swap_index": register_and_leave,
    "swap_mark": send,
    "swap_record": register_and_leave,
    "swap_topics": topics,
    "take_caps": send,
    "try_window": send,
    "write_process": count,
    "write_window": send,
}
MORE = [("release_shard", defer), ("drop_record", be_called_gone), ("queue_alert", draft)]


def test_every_script_that_writes_is_repeated_or_has_its_reason() -> None:
    assert not SCENES.keys() & COUNTED_TWICE.keys()
    known = SCENES.keys() | COUNTED_TWICE.keys() | ELSEWHERE
    assert sorted(known) == [script for script in scripts() if is_a_write(script)]


@pytest.mark.parametrize(
    ("script", "scene"), [*SCENES.items(), *MORE], ids=lambda each: each if isinstance(each, str) else each.__name__
)
async def test_the_second_time_nothing_changes(
    store: Store, script: str, scene: Callable[[Store], Awaitable[None]]
) -> None:
    repeated = Repeated(store, script)
    await scene(store)
    assert repeated.changes, "the scene does not show what this script does"


async def test_a_claim_that_was_made_twice_comes_back(store: Store) -> None:
    alert = await begin(store, {"fcm": 1_000, "apple": 1_000})
    first, lost = await claimed(store), await claimed(store)  # its answer did not come: the client asked again
    await lapse(store, lost)
    again = await claimed(store)
    assert (again.shard, again.epoch) == (lost.shard, 2)
    assert [await store.runs.finish(claim) for claim in (lost, first, again)] == [False, False, True]
    assert await store.runs.left(alert.id) == 0


async def test_a_number_that_was_reserved_twice_is_taken_back(store: Store) -> None:
    lost = await store.numbers.reserve("fcm", BROWSER.digest, NOW_MS, NOW_MS)
    kept = await add(store.subscriptions, BROWSER)
    assert (lost, kept.address.number) == (0, 1)
    assert await store.subscriptions.mend(AFTER_REST_MS) == 1
    assert await store.subscriptions.get(BROWSER.digest) == kept
    assert await store.numbers.counts() == {"fcm": 1}
