"""The round, by whose hand deferred readers get what waited, hears what happens to its alerts while it is at work."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import pytest

from bulk import a_browser, fill, preferences
from hands import a_runtime, accept_all
from samples import an_alert
from simulated_clock import SimClock
from tocsin import clock
from tocsin.domain.alerts import Alert, Correction
from tocsin.domain.deliveries import Answer, Mark
from tocsin.domain.queues import STANDARD
from tocsin.domain.topics import Topic
from tocsin.push.sender import Envelope, OnAnswer
from tocsin.settings import Settings, load
from tocsin.store.alerts import Stand
from tocsin_workers.deliver import deliver
from tocsin_workers.runtime import Runtime

EVENING = datetime.fromisoformat("2026-10-20T23:00:00+00:00")
MORNING = EVENING + timedelta(hours=8)
READERS, WINDOW = 24, 4
SLEEPER = {"topics": ["world"], "quiet_hours": {"start": "22:00", "end": "07:00"}}
EARLY = {"topics": ["world"], "quiet_hours": {"start": "22:00", "end": "03:00"}}
PAUSED = {**SLEEPER, "snoozed_until": "2026-10-21T05:00:00Z"}


class SlowPushService:
    """`meanwhile` happens during a window; that one and three after it take 0.6 s each, in which it should be heard."""

    def __init__(self) -> None:
        self.began: list[datetime] = []
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        self._slow = 0

    async def send(self, envelopes: Sequence[Envelope], on_answer: OnAnswer | None = None) -> list[Answer]:
        self.began += [clock.now()] * len(envelopes)
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            await happens()
            self._slow = 4
        if self._slow:
            self._slow -= 1
            await asyncio.sleep(0.6)
        return accept_all(envelopes, on_answer)

    async def close(self) -> None:
        pass


@pytest.fixture
async def night(servers: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Runtime, SimClock, Alert]]:
    """An alert has come in the evening, and all who follow it sleep."""
    sim_clock = SimClock()
    sim_clock.install(monkeypatch)
    runtime = await a_runtime(load(data_dir=servers.data_dir, window=WINDOW), SlowPushService())
    store = runtime.store
    await store.server.redis.flushall()
    await sim_clock.begin(store, EVENING)
    await store.topics.replace([Topic(id="world", name="World")])
    readers = ((a_browser(number, "fcm.googleapis.com"), preferences(SLEEPER)) for number in range(READERS))
    await fill(store, readers, runtime.application_server.key_id, 0)
    alert = an_alert(now=clock.now())
    await store.alerts.queue(alert, "the first alert of all")
    await deliver(runtime, STANDARD)
    yield runtime, sim_clock, alert
    await runtime.close()


async def marks(runtime: Runtime, alert: Alert) -> list[Mark]:
    ledger = (await runtime.store.ledgers.ledgers("fcm.0", [alert.id]))[alert.id]
    return [ledger[slot] for slot in range(READERS)]


async def prefer(runtime: Runtime, number: int, wants: dict[str, object]) -> None:
    kept = await runtime.store.subscriptions.get(a_browser(number, "fcm.googleapis.com").digest)
    assert kept is not None
    await runtime.store.subscriptions.set_preferences(kept, preferences(wants))
    await runtime.store.runs.defer(kept.address.shard, clock.now())


async def test_who_sleeps_on_is_not_settled_by_anothers_round(night: tuple[Runtime, SimClock, Alert]) -> None:
    """A pause that is over before the quiet hours are costs nobody the alert, whoever else wakes in the same shard."""
    runtime, sim_clock, alert = night
    await prefer(runtime, 0, EARLY)
    await prefer(runtime, 1, PAUSED)
    for hours, expected in ((1, Mark.DEFERRED), (4, Mark.ACCEPTED)):
        await sim_clock.set_forward(runtime.store, EVENING + timedelta(hours=hours, seconds=1))
        await deliver(runtime, STANDARD)
        assert await marks(runtime, alert) == [expected] + [Mark.DEFERRED] * (READERS - 1)

    await sim_clock.set_forward(runtime.store, MORNING)
    await deliver(runtime, STANDARD)

    assert await marks(runtime, alert) == [Mark.ACCEPTED] * READERS


async def test_a_stop_is_heard_while_a_round_is_at_work(night: tuple[Runtime, SimClock, Alert]) -> None:
    runtime, sim_clock, alert = night
    push_service = runtime.sender
    assert isinstance(push_service, SlowPushService)
    assert await marks(runtime, alert) == [Mark.DEFERRED] * READERS
    stopped: list[datetime] = []

    async def stop() -> None:
        await runtime.store.alerts.stop(alert.id, clock.milliseconds(clock.now()))
        stopped.append(clock.now())

    push_service.meanwhile = stop
    await sim_clock.set_forward(runtime.store, MORNING)
    await deliver(runtime, STANDARD)

    assert max(push_service.began) < stopped[0] + timedelta(seconds=2)
    sent = len(push_service.began)
    assert sorted(await marks(runtime, alert)) == [Mark.ACCEPTED] * sent + [Mark.STOPPED] * (READERS - sent)


async def test_a_stop_is_heard_while_the_store_is_slow_to_say_how_an_alert_stands(
    night: tuple[Runtime, SimClock, Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, sim_clock, alert = night
    push_service, alerts = runtime.sender, runtime.store.alerts
    assert isinstance(push_service, SlowPushService)
    stands = alerts.stands

    async def answer_late(alert_ids: Sequence[str]) -> dict[str, Stand]:
        monkeypatch.setattr(alerts, "stands", stands)
        found = await stands(alert_ids)
        await alerts.stop(alert.id, clock.milliseconds(clock.now()))
        await asyncio.sleep(0.6)
        return found

    await sim_clock.set_forward(runtime.store, MORNING)
    monkeypatch.setattr(alerts, "stands", answer_late)
    await deliver(runtime, STANDARD)

    assert push_service.began == []
    assert await marks(runtime, alert) == [Mark.STOPPED] * READERS


async def test_a_correction_is_heard_while_a_round_is_at_work(night: tuple[Runtime, SimClock, Alert]) -> None:
    """Whoever still waits gets the corrected text instead."""
    runtime, sim_clock, alert = night
    push_service, store = runtime.sender, runtime.store
    assert isinstance(push_service, SlowPushService)
    correction: list[Alert] = []

    async def correct() -> None:
        correction.append(alert.correction(Correction(headline="Not so"), "desk", clock.now()))
        await store.alerts.queue(correction[0], "the second alert of all")

    push_service.meanwhile = correct
    await sim_clock.set_forward(store, MORNING)
    await deliver(runtime, STANDARD)
    while await store.runs.left(correction[0].id):  # it waits until the round has let go
        await deliver(runtime, STANDARD)

    first = await marks(runtime, alert)
    assert set(first) == {Mark.ACCEPTED, Mark.CORRECTED}
    assert first.count(Mark.ACCEPTED) <= 3 * WINDOW
    assert await marks(runtime, correction[0]) == [Mark.ACCEPTED] * READERS
