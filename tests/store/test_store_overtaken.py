"""What comes while a worker is in the middle of its work, between two commands that no clock could find."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import repeat
from typing import Any

import pytest
from store_hands import ALL, PAST, begin_run
from store_sound import NONE_KEPT, NOW_MS
from store_workers import Out, PlayedRuntime, Silent, Worker, an_application_server, at_free_pace, nothing

from samples import a_subscription, an_alert
from tocsin import clock
from tocsin.clock import from_milliseconds
from tocsin.domain.alerts import Alert, Correction
from tocsin.domain.deliveries import Mark
from tocsin.domain.hours import DailyCap, QuietHours
from tocsin.domain.preferences import Preferences
from tocsin.publishing import Publishing
from tocsin.settings import Settings
from tocsin.store.profiles import NUMBER
from tocsin.store.shards import PERSONAL
from tocsin.store.store import Store
from tocsin_workers.close import close_if_done

SERVER = an_application_server()
READERS = 6


class Scene:
    """One worker, and readers of one shard whose quiet hours are over once `hours_pass` was called."""

    def __init__(self, store: Store, settings: Settings, patch: pytest.MonkeyPatch) -> None:
        silent: Any = Silent()
        self.store = store
        self.publishing = Publishing(store, silent, settings, silent)
        self.runtime = PlayedRuntime(settings, store, SERVER)
        own = Store(settings)
        at_free_pace(own)
        own.runs.grace_ms = 0
        self.statuses = [201]
        answers = (self.statuses[0] for _ in repeat(None))
        self.worker = Worker(PlayedRuntime(settings, own, SERVER), ALL, answers, self._sends, nothing)
        self.requests: list[tuple[str, ...]] = []
        self._patch = patch

    async def _sends(self, _: Worker, out: Out) -> None:
        for sent in out.values():
            self.requests += sent.alerts.values()

    async def readers(self, cap: DailyCap | None = None) -> None:
        now = clock.now()
        start, end = ((now + timedelta(hours=hours)).strftime("%H:00") for hours in (-1, 2))
        quiet = Preferences(topics=("world",), quiet_hours=QuietHours(start=start, end=end), daily_cap=cap)
        for number in range(READERS):
            await self.store.subscriptions.add(a_subscription(str(number)), quiet, SERVER.key_id, NOW_MS, NONE_KEPT)

    async def deferred(self, key: str = "one", **changes: object) -> Alert:
        """An alert that all of them wait for."""
        alert = an_alert(now=clock.now(), **changes)
        await self.store.alerts.queue(alert, key.ljust(16, "-"))
        await begin_run(self.store, alert.id, await self.store.numbers.bounds())
        await self.until_nothing_is_due()
        runtime: Any = self.runtime
        await close_if_done(runtime, alert.id)
        assert await self.store.ledgers.marks("fcm.0", 0, [alert.id]) == {alert.id: Mark.DEFERRED}
        return alert

    def hours_pass(self, hours: int = 4) -> None:
        now = clock.now
        self._patch.setattr(clock, "now", lambda: now() + timedelta(hours=hours))

    async def make_round_due(self) -> None:
        await self.store.runs.defer("fcm.0", from_milliseconds(PAST))

    async def go(self, commands: int) -> None:
        for _ in range(commands):
            await self.worker.go()

    async def until_requests(self) -> None:
        for _ in range(100):
            await self.worker.go()
            if self.requests:
                return
        raise AssertionError("nothing was sent")

    async def until_nothing_is_due(self) -> None:
        for _ in range(500):
            await self.worker.go()
            if self.worker.is_idle and self.worker.found_nothing:
                return
        raise AssertionError("it has no end")

    async def marks(self, alert_id: str) -> str:
        ledger = (await self.store.ledgers.ledgers("fcm.0", [alert_id]))[alert_id]
        return bytes(ledger).rstrip(b"\0").decode()


@pytest.fixture
async def scene(store: Store, servers: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    made = Scene(store, servers, monkeypatch)
    yield made
    await made.worker.kill()
    await made.worker.runtime.store.server.close()


async def test_a_stop_ends_a_round_that_is_at_work(scene: Scene) -> None:
    """Its readers are many windows, and the alert they wait for was closed long ago."""
    await scene.readers()
    alert = await scene.deferred()
    scene.hours_pass()
    await scene.make_round_due()
    await scene.until_requests()
    before = len(scene.requests)
    assert 0 < before < READERS

    await scene.publishing.stop(alert.id)
    await scene.until_nothing_is_due()

    assert len(scene.requests) == before
    assert await scene.marks(alert.id) == "a" * before + "s" * (READERS - before)


async def test_a_correction_ends_a_round_that_is_at_work(scene: Scene) -> None:
    """Who still waited gets the corrected text instead, not the old one a moment before."""
    await scene.readers()
    alert = await scene.deferred()
    scene.hours_pass()
    await scene.make_round_due()
    await scene.until_requests()
    before = len(scene.requests)

    made = await scene.publishing.correct(alert.id, Correction(headline="It is otherwise"), "desk", "k" * 16)
    await scene.until_nothing_is_due()

    follow_up = made.status.alert
    assert [names for names in scene.requests[before:] if alert.id in names] == []
    assert await scene.marks(alert.id) == "a" * before + "w" * (READERS - before)
    assert await scene.marks(follow_up.id) == "a" * READERS


async def test_of_two_that_are_summed_up_one_is_stopped(scene: Scene) -> None:
    await scene.readers()
    one, two = await scene.deferred("one"), await scene.deferred("two")
    scene.hours_pass()
    await scene.make_round_due()
    await scene.until_requests()
    before = len(scene.requests)
    assert {frozenset(names) for names in scene.requests} == {frozenset((one.id, two.id))}

    await scene.publishing.stop(one.id)
    await scene.until_nothing_is_due()

    assert scene.requests[before:] == [(two.id,)] * (READERS - before)
    assert await scene.marks(one.id) == "a" * before + "s" * (READERS - before)
    assert await scene.marks(two.id) == "a" * READERS


async def test_a_summary_counts_once_whatever_became_of_a_part_of_it(scene: Scene) -> None:
    """One of two alerts expires between the try that failed and the one that succeeds: the other still counts."""
    await scene.readers(DailyCap(count=1, time_zone="UTC"))
    short = await scene.deferred("short", expires_at=clock.now() + timedelta(hours=5))
    long = await scene.deferred("long")
    scene.statuses[0] = 500
    scene.hours_pass(4)
    await scene.make_round_due()
    await scene.until_requests()
    assert {frozenset(names) for names in scene.requests} == {frozenset((short.id, long.id))}
    await scene.go(3)  # the answers are recorded, and the round goes on

    scene.requests.clear()
    scene.statuses[0] = 201
    scene.hours_pass(2)
    await scene.until_nothing_is_due()
    await scene.make_round_due()
    await scene.until_nothing_is_due()

    assert scene.requests == [(long.id,)] * READERS
    assert await scene.marks(short.id) == "e" * READERS
    caps = [row.split() for row in await scene.store.server.redis.hvals("{fcm.0}:caps")]
    assert [int(count) for _, count in caps] == [1] * READERS
    assert await scene.store.server.redis.hgetall("{fcm.0}:taken:round") == {}


@pytest.mark.parametrize("what", ["record", "set of preferences", "personal preferences"])
async def test_what_a_newer_version_wrote_is_set_aside_and_stays(scene: Scene, what: str) -> None:
    """A machine that was not brought up to date yet: it must not take for nobody whom it cannot read."""
    redis = scene.store.server.redis
    await scene.readers()
    kept = await scene.store.subscriptions.get(a_subscription("2").digest)
    assert kept is not None
    if what == "record":
        await redis.hset("{fcm.0}:records", "2", b"\x02" + kept.packed[1:])
    else:
        flag = PERSONAL if what == "personal preferences" else 0
        number = (kept.profile_number | flag) if flag else 77
        await redis.setrange("{fcm.0}:profiles", 2 * NUMBER.size, NUMBER.pack(number))
        await redis.hset("{profiles}:sets", "77", '{"topics":["world"],"of_the_future":true}')
        if flag:
            await redis.hset("{fcm.0}:personal", "2", '{"of_the_future":true}')
    before = await redis.hgetall("{fcm.0}:records")
    scene.hours_pass()
    alert = an_alert(now=clock.now())
    await scene.store.alerts.queue(alert, "k" * 16)
    await begin_run(scene.store, alert.id, await scene.store.numbers.bounds())

    await scene.until_nothing_is_due()

    assert await scene.marks(alert.id) == "aakaaa"
    assert len(scene.requests) == READERS - 1
    assert await redis.hgetall("{fcm.0}:records") == before
    assert await scene.store.quarantine.of("fcm.0") == []
    status = await scene.store.alerts.get(alert.id)
    assert status.totals is not None
    assert (status.totals["set_aside"], status.totals["unaccounted"]) == (1, 0)
