"""The mending: however much there is to look at, and whatever cannot be read, waking goes on and the rest is mended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from hands import a_runtime
from samples import a_subscription, an_alert
from tocsin import clock
from tocsin.domain.alerts import Alert
from tocsin.domain.deliveries import Mark
from tocsin.domain.preferences import Preferences
from tocsin.domain.progress import Times
from tocsin.domain.queues import QUEUES
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.settings import Settings
from tocsin.store.activity import day_of
from tocsin.store.alerts import alert_key
from tocsin.store.ledgers import Window
from tocsin.store.runs import Claim
from tocsin.store.shards import shard_key
from tocsin.store.store import Store
from tocsin_workers import mend, reconcile
from tocsin_workers.close import close_if_done
from tocsin_workers.runtime import Runtime

SHARDS = 30


@pytest.fixture
async def runtime(store: Store, servers: Settings) -> AsyncIterator[Runtime]:
    runtime = await a_runtime(servers.model_copy(update={"reconcile_seconds": 0.2}))
    yield runtime
    await runtime.close()


async def deferring(runtime: Runtime, shards: int = 1, waiting: int = 1) -> Alert:
    """An alert that ended but for those who wait in each of its shards; nobody has said so to the round."""
    store = runtime.store
    alert = an_alert(now=clock.now())
    await store.alerts.queue(alert, f"a-key-of-sixteen-{alert.id}")
    now = await store.runs.now()
    await store.runs.begin(alert.id, {"fcm": shards * SHARD_SIZE}, now, now + timedelta(hours=1))
    await store.alerts.defers(alert.id)
    for _ in range(shards):
        claim = await store.runs.claim(QUEUES, [])
        assert isinstance(claim, Claim)
        await store.ledgers.begin(claim)
        marks = dict.fromkeys(range(waiting), Mark.DEFERRED)
        await store.ledgers.write(claim, Window({alert.id: marks}, Times(), {}, plans=True, number=1), 0)
        await store.runs.finish(claim)
    await close_if_done(runtime, alert.id)
    assert (await store.alerts.get(alert.id)).ended_at is not None
    return alert


async def became(runtime: Runtime, marks: dict[int, Mark]) -> None:
    """An alert that was over in one window."""
    store, alert, now = runtime.store, an_alert(now=clock.now()), await runtime.store.runs.now()
    await store.alerts.queue(alert, f"a-key-of-sixteen-{alert.id}")
    await store.runs.begin(alert.id, {"fcm": SHARD_SIZE}, now, now + timedelta(hours=1))
    claim = await store.runs.claim(QUEUES, [])
    assert isinstance(claim, Claim)
    await store.ledgers.begin(claim)
    await store.ledgers.write(claim, Window({alert.id: marks}, Times(), {}, plans=True, number=1), 0)
    await store.runs.finish(claim)


async def settle_one(runtime: Runtime, alert: Alert, shard: str = "fcm.0", slot: int = 0) -> None:
    """As a round writes it."""
    key = shard_key(shard, f"ledger:{alert.id}")
    await runtime.store.server.redis.setrange(key, slot, Mark.ACCEPTED.encode())


async def write_as_a_newer_program(runtime: Runtime, alert: Alert) -> None:
    text = alert.model_dump_json()
    await runtime.store.server.redis.hset(alert_key(alert.id), "alert", text[:-1] + ', "of_the_future": 1}')


async def commands(runtime: Runtime, work: Callable[[], Awaitable[object]]) -> int:
    """How many the store ran for this, each of those in a pipeline counted."""
    redis = runtime.store.server.redis
    before = (await redis.info("stats"))["total_commands_processed"]
    await work()
    return int((await redis.info("stats"))["total_commands_processed"]) - int(before)


async def test_whoever_waits_is_found_in_a_few_commands(runtime: Runtime) -> None:
    alerts = [await deferring(runtime, SHARDS, waiting=2) for _ in range(4)]

    found = await mend.find_deferred(runtime)

    assert found == {alert.id: 2 * SHARDS for alert in alerts}
    assert len(await runtime.store.runs.shards_of_round("fcm")) == SHARDS
    again = await commands(runtime, lambda: mend.find_deferred(runtime))
    assert again < SHARDS + 20  # each shard once, for all alerts together


async def test_only_those_with_fewer_who_wait_are_counted_again(runtime: Runtime) -> None:
    still, fewer, done = [await deferring(runtime, SHARDS, waiting=2) for _ in range(3)]
    await settle_one(runtime, fewer)
    for number in range(SHARDS):
        for slot in range(2):
            await settle_one(runtime, done, f"fcm.{number}", slot)
    await mend.find_deferred(runtime)

    spent = await commands(runtime, lambda: mend.mend(runtime))

    get = runtime.store.alerts.get
    for alert, left in ((still, 2 * SHARDS), (fewer, 2 * SHARDS - 1)):
        status = await get(alert.id)
        assert (status.totals, status.interim and status.interim["deferred"]) == (None, left)
    status = await get(done.id)
    assert status.totals is not None
    assert (status.totals["deferred"], status.totals["accepted"], status.interim) == (0, 2 * SHARDS, None)
    assert await runtime.store.alerts.deferring() == sorted([still.id, fewer.id])
    assert await commands(runtime, lambda: mend.mend(runtime)) < spent - 2 * 2 * SHARDS


async def test_waking_goes_on_while_it_mends(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    woken, hung, goes_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def deliver(*_: object) -> None:
        woken.set()

    async def hang(_: Runtime) -> None:
        hung.set()
        await goes_on.wait()

    monkeypatch.setattr(runtime.wake_ups, "deliver", deliver)
    monkeypatch.setattr(reconcile, "mend", hang)
    reconciling = asyncio.create_task(reconcile.reconcile(runtime))
    async with asyncio.timeout(10):
        await hung.wait()
        assert not woken.is_set()
        timed = an_alert(now=clock.now(), send_at=clock.now() + timedelta(milliseconds=50))
        await runtime.store.alerts.queue(timed, "a-key-of-sixteen")
        await woken.wait()
        assert not reconciling.done()
        goes_on.set()
        await reconciling
        await reconcile.reconcile(runtime)  # it was mended a moment ago: this one only wakes


async def test_a_stop_does_not_wait_for_it(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(_: Runtime) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(reconcile, "mend", hang)
    runtime.stopping = lambda: True
    async with asyncio.timeout(10):
        await reconcile.reconcile(runtime)


async def test_a_clock_that_goes_back_does_not_put_it_off(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    mended = []

    async def note(_: Runtime) -> None:
        mended.append(1)

    monkeypatch.setattr(reconcile, "mend", note)
    now = clock.now()
    for hours, seconds in ((0, 0.0), (-5, 59.0), (-5, 61.0), (9, 62.0)):
        monkeypatch.setattr(clock, "now", lambda at=now + timedelta(hours=hours): at)
        monkeypatch.setattr(reconcile.time, "monotonic", lambda at=1_000 + seconds: at)
        await reconcile.reconcile(runtime)
    assert len(mended) == 2


async def test_a_step_that_fails_keeps_none_of_the_others(runtime: Runtime) -> None:
    alert = await deferring(runtime)
    await settle_one(runtime, alert)
    redis = runtime.store.server.redis
    await redis.set("{alerts}:ledgers", "no list of ledgers")

    with capture_logs() as lines:
        await mend.mend(runtime)

    assert [(line["event"], line["step"]) for line in lines if "step" in line] == [
        ("not mended", "trim"),
        ("not mended", "pack"),
        ("not mended", "inactive"),
    ]
    assert (await runtime.store.alerts.get(alert.id)).totals is not None


async def test_an_alert_of_a_newer_form_costs_no_other(runtime: Runtime) -> None:
    unknown, known = await deferring(runtime), await deferring(runtime)
    await settle_one(runtime, known)
    await write_as_a_newer_program(runtime, unknown)
    alerts = runtime.store.alerts
    for timed in (an_alert(now=clock.now(), send_at=clock.now()), an_alert(now=clock.now(), send_at=clock.now())):
        await alerts.queue(timed, f"a-key-of-sixteen-{timed.id}")
    await write_as_a_newer_program(runtime, timed)
    woken: list[str] = []

    async def deliver(queue: str, _: int) -> None:
        woken.append(queue)

    wake_ups: Any = runtime.wake_ups
    wake_ups.deliver = deliver

    with capture_logs() as lines:
        await reconcile.reconcile(runtime)

    assert {line["event"] for line in lines if line["log_level"] == "error"} == {"alert in an unknown form"}
    assert "priority" in woken
    assert (await alerts.get(known.id)).totals is not None
    assert await alerts.deferring() == [unknown.id]
    assert await runtime.store.runs.shards_of_round("fcm") == {"fcm.0"}  # its readers are not forgotten


async def test_whoever_goes_takes_the_prekeys_along(runtime: Runtime) -> None:
    """One is called gone, one is inactive, one stays."""
    store, now = runtime.store, await runtime.store.runs.now()
    gone, _, stays = [
        await store.subscriptions.add(a_subscription(name), Preferences(topics=("world",)), b"kkkk", 1, 0)
        for name in ("gone", "inactive", "stays")
    ]
    await runtime.stock.fill(20)
    assert await runtime.prekeys.stock(["fcm.0"]) == [3 * runtime.prekeys.layers]
    await store.quarantine.add(gone.address, gone.packed, 1)
    await store.server.redis.delete("{fcm.0}:seen")
    await store.activity.not_reached("fcm.0", [1], day_of(clock.milliseconds(now)) - 200)
    await became(runtime, {1: Mark.REJECTED, 2: Mark.ACCEPTED})

    await mend.mend(runtime)

    assert await store.subscriptions.records("fcm.0") == {2: stays.packed}
    assert await runtime.prekeys.stock(["fcm.0"]) == [runtime.prekeys.layers]


async def test_a_move_in_a_newer_form_costs_no_deletion(runtime: Runtime) -> None:
    redis, digest = runtime.store.server.redis, a_subscription("gone").digest
    await runtime.store.numbers.reserve("fcm", digest, 1, 0)
    await redis.hset(shard_key("fcm.0", "moves"), "0", digest + b"\xff?")
    await redis.hset(shard_key("fcm.0", "gone"), "1", digest)

    with capture_logs() as lines:
        await mend.mend(runtime)

    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["record in an unknown form"]
    assert await redis.hkeys(shard_key("fcm.0", "moves")) == [b"0"]
    assert not await redis.exists(shard_key("fcm.0", "gone"))


@pytest.mark.parametrize("where", ["reserved", "quarantine"])
async def test_a_record_of_a_newer_form_costs_no_other(runtime: Runtime, where: str) -> None:
    """Reservations are completed and the gone deleted, but for the one that nobody can read."""
    store, long_ago = runtime.store, 1
    addresses = []
    for number in range(3):
        subscription = a_subscription(f"browser-{number}")
        kept = await store.subscriptions.add(subscription, Preferences(topics=("world",)), b"kkkk", long_ago, 0)
        addresses.append(kept.address)
        if where == "quarantine":
            await store.quarantine.add(kept.address, kept.packed, long_ago)
        else:
            await store.server.redis.hset(
                "{numbers:fcm}:reserved", str(kept.address.number), f"{long_ago}:{subscription.digest.hex()}"
            )
    unknown = addresses[0]
    if where == "quarantine":
        await store.server.redis.hset(shard_key(unknown.shard, "quarantine"), "0", b"\0" * 4 + b"1" * 13 + b"\xff?")
    else:
        await store.server.redis.hset(shard_key(unknown.shard, "records"), "0", b"\xff?")

    with capture_logs() as lines:
        await mend.mend(runtime)

    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["record in an unknown form"]
    if where == "quarantine":
        assert [gone.address for gone in await store.quarantine.of("fcm.0")] == [unknown]
    else:
        assert await store.server.redis.hkeys("{numbers:fcm}:reserved") == [b"0"]
