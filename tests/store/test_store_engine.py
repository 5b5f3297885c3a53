"""Several workers, two alerts, and everything that can come between two steps, on the real store.

Hypothesis chooses who does what next: claims, windows, deaths, leases that lapse, clocks that go back, stops, holds and
readers who leave. Whatever it chooses, nobody is lost, nobody is sent to twice without one of those reasons, and the
run ends.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from store_hands import PAST, Hand, Window, begin, lapse, next_claim, store_ms, unhold
from store_sound import SPORT, add, assert_sound

from samples import a_subscription
from tocsin import clock
from tocsin.domain.alerts import Alert, AlertState
from tocsin.domain.deliveries import OUTCOMES, UNFINISHED, Mark
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin.settings import Settings, load
from tocsin.store.alerts import PREFIX
from tocsin.store.runs import Claim, Go
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept

T = TypeVar("T")
Shard = tuple[str, str]  # of an alert: its id and the shard

WORKERS = 3
HOSTS = {"fcm": "fcm.googleapis.com", "apple": "web.push.apple.com"}
workers = st.integers(0, WORKERS - 1)
alerts = st.integers(0, 1)
outcomes = st.sampled_from([Mark.ACCEPTED, Mark.ACCEPTED, Mark.RETRYING, Mark.GONE, Mark.REJECTED])


class Engine(RuleBasedStateMachine):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.store = self.run(self._open(url))
        self.alerts: list[Alert] = []
        self.readers: list[Kept] = []
        self.hands: list[Hand | None] = [None] * WORKERS
        self.claims: dict[Shard, Claim] = {}  # who holds what, by what the store said
        self.doubtful: set[Claim] = set()  # claims that we made lapse
        self.attempts: Counter[tuple[Shard, int]] = Counter()
        self.excuses: Counter[tuple[Shard, int]] = Counter()
        self.final: dict[tuple[Shard, int], Mark] = {}
        self.eligible: dict[Shard, int] = {}
        self.stopped: set[str] = set()
        self.closed: set[str] = set()
        self.held: set[str] = set()

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(step)

    async def _open(self, url: str) -> Store:
        store = Store(load(store_url=url))
        store.runs.grace_ms = 0
        await store.server.redis.flushall()
        return store

    @initialize()
    def two_alerts(self) -> None:
        self.run(self._two_alerts())

    async def _two_alerts(self) -> None:
        store = self.store
        for name in ("a", "b", "c", "d"):
            self.readers.append(await add(store.subscriptions, a_subscription(f"fcm-{name}")))
        await add(store.subscriptions, a_subscription("sporty"), SPORT)
        await store.server.redis.set("{numbers:fcm}:next", SHARD_SIZE)  # as if the first shard were full
        for service, names in (("fcm", "ef"), ("apple", "ghi")):
            for name in names:
                self.readers.append(await add(store.subscriptions, a_subscription(f"{service}-{name}", HOSTS[service])))
        bounds = await store.numbers.bounds()
        self.alerts = [await begin(store, bounds, level, level=level) for level in ("flash", "breaking")]

    # -- what workers do

    @rule(worker=workers)
    def claim(self, worker: int) -> None:
        if self.hands[worker] is None:
            self.run(self._claim(worker))

    async def _claim(self, worker: int) -> None:
        claim = await next_claim(self.store)
        if claim is None:
            return
        shard = (claim.alert_id, claim.shard)
        before = self.claims.get(shard)
        assert before is None or before in self.doubtful, "a shard that somebody holds was given to another"
        assert before is None or claim.epoch > before.epoch
        assert claim.alert_id not in self.closed
        self.claims[shard] = claim
        alert = next(alert for alert in self.alerts if alert.id == claim.alert_id)
        self.hands[worker] = Hand(self.store, claim, alert)

    @rule(worker=workers)
    def begin(self, worker: int) -> None:
        hand = self.hands[worker]
        if hand is not None and not hand.begun and not self.run(hand.begin()):
            assert not self._is_current(hand)
            self.hands[worker] = None

    @rule(worker=workers, most=st.integers(1, 4), outcomes=st.lists(outcomes, min_size=4, max_size=4))
    def send(self, worker: int, most: int, outcomes: list[Mark]) -> None:
        hand = self.hands[worker]
        if hand is not None and hand.begun and hand.window is None:
            self.run(self._send(worker, hand, most, outcomes))

    async def _send(self, worker: int, hand: Hand, most: int, outcomes: list[Mark]) -> None:
        shard = (hand.claim.alert_id, hand.claim.shard)
        go, until = await self.store.runs.check(hand.claim)
        if go is Go.LOST:
            assert hand.claim in self.doubtful
            self.hands[worker] = None
            return
        assert self._is_current(hand), "two workers were told to go on"
        self.doubtful.discard(hand.claim)  # it came in time to mend a clock that went back
        assert (go is Go.STOPPED) is (hand.claim.alert_id in self.stopped)
        if go is Go.STOPPED:
            await hand.end_all(Mark.STOPPED)
            self._released(worker, shard)
        elif go is Go.HELD:
            assert hand.claim.push_service in self.held
            await self.store.runs.hand_back(hand.claim, until)
            self._released(worker, shard)
        elif slots := hand.slots(most):
            await self._attempt(hand, shard, slots, outcomes)
        else:
            await self.store.runs.finish(hand.claim)
            self._released(worker, shard)

    async def _attempt(self, hand: Hand, shard: Shard, slots: list[int], outcomes: list[Mark]) -> None:
        recipients = await hand.read(slots)
        assert recipients is not None, "who holds the shard may read it"
        window = Window({}, recipients)
        for slot, outcome in zip(slots, outcomes, strict=False):
            if recipients[slot].packed is None:
                window.outcomes[slot] = Mark.OPTED_OUT
                continue
            window.outcomes[slot] = outcome
            self.attempts[shard, slot] += 1
            assert (shard, slot) not in self.final, "sent again to somebody who was done"
            for other in self.hands:
                if other not in (None, hand) and other.window and other.claim.alert_id == hand.claim.alert_id:
                    same = other.claim.shard == hand.claim.shard and slot in other.window.outcomes
                    assert not same or not self._is_current(other)
        hand.window = window

    @rule(worker=workers)
    def record(self, worker: int) -> None:
        hand = self.hands[worker]
        if hand is not None and hand.window is not None:
            self.run(self._record(worker, hand, hand.window))

    async def _record(self, worker: int, hand: Hand, window: Window) -> None:
        shard = (hand.claim.alert_id, hand.claim.shard)
        if not await hand.record():
            assert not self._is_current(hand), "what the holder of a shard did was refused"
            self._excuse(shard, window)
            self.hands[worker] = None
            return
        for slot, mark in window.outcomes.items():
            if mark in UNFINISHED:
                self.excuses[shard, slot] += 1
            else:
                self.final[shard, slot] = mark

    def _is_current(self, hand: Hand) -> bool:
        return self.claims.get((hand.claim.alert_id, hand.claim.shard)) == hand.claim

    def _released(self, worker: int, shard: Shard) -> None:
        del self.claims[shard]
        self.hands[worker] = None

    def _excuse(self, shard: Shard, window: Window) -> None:
        for slot in window.outcomes:
            self.excuses[shard, slot] += 1

    # -- what happens to them

    @rule(worker=workers)
    def die(self, worker: int) -> None:
        hand = self.hands[worker]
        if hand is not None and hand.window is not None:
            self._excuse((hand.claim.alert_id, hand.claim.shard), hand.window)
        self.hands[worker] = None

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, 5), clock_went_back=st.booleans())
    def lapse(self, which: int, clock_went_back: bool) -> None:
        claims = list(self.claims.values())
        claim = claims[which % len(claims)]
        until_ms = self.run(store_ms(self.store)) + 3_600_000 if clock_went_back else PAST
        self.run(lapse(self.store, claim, until_ms))
        self.doubtful.add(claim)

    @rule(which=alerts)
    def stop(self, which: int) -> None:
        alert_id = self.alerts[which].id
        if alert_id not in self.closed:
            assert self.run(self.store.alerts.stop(alert_id, 1)) in (AlertState.SENDING, AlertState.STOPPED)
            self.stopped.add(alert_id)

    @rule(service=st.sampled_from(list(HOSTS)))
    def hold(self, service: str) -> None:
        self.run(self.store.runs.hold(service, clock.now() + timedelta(hours=1)))
        self.held.add(service)

    @rule()
    def unhold(self) -> None:
        self.run(unhold(self.store))
        self.run(self._make_all_due())
        self.held.clear()

    async def _make_all_due(self) -> None:
        for alert in self.alerts:
            for service in HOSTS:
                due = f"{PREFIX}due:{alert.id}:{service}"
                for shard in await self.store.server.redis.zrange(due, 0, -1):
                    await self.store.server.redis.zadd(due, {shard: PAST})

    @rule(which=st.integers(0, 8))
    def leave(self, which: int) -> None:
        reader = self.readers[which % len(self.readers)]
        if found := self.run(self.store.subscriptions.get(reader.record.digest)):
            self.run(self.store.subscriptions.delete(found, clock.milliseconds(clock.now())))

    @rule(which=alerts)
    def close(self, which: int) -> None:
        self.run(self._close(self.alerts[which].id))

    async def _close(self, alert_id: str) -> None:
        left = await self.store.runs.left(alert_id)
        closed = await self.store.alerts.close(alert_id, AlertState.SENT, {}, 1, None)
        assert closed is (left == 0 and alert_id not in self.closed)
        if closed:
            self.closed.add(alert_id)

    # -- what holds whatever happened

    @invariant()
    def every_account_adds_up(self) -> None:
        self.run(self._accounts())

    async def _accounts(self) -> None:
        for alert in self.alerts:
            for name in ("fcm.0", "fcm.1", "apple.0"):
                service = name.partition(".")[0]
                ledger = await self.store.ledgers.ledger(alert.id, name)
                if ledger is None:
                    continue
                shard = (alert.id, name)
                assert self.eligible.setdefault(shard, ledger.eligible) == ledger.eligible
                counts = await self.store.ledgers.counts(alert.id, {service: 2 * SHARD_SIZE})
                assert sum(part.eligible for part in counts[service]) == sum(
                    sum(part.outcomes.values()) for part in counts[service]
                )
                for (at, slot), mark in self.final.items():
                    assert at != shard or ledger[slot] is mark, "what was recorded is there no more"

    def teardown(self) -> None:
        try:
            if self.alerts:
                self.run(self._end())
        finally:
            self.run(self.store.server.close())
            self.runner.close()

    async def _end(self) -> None:
        """All workers die; one that comes after them finishes everything."""
        for worker in range(WORKERS):
            self.die(worker)
        for claim in self.claims.values():
            await lapse(self.store, claim)
            self.doubtful.add(claim)
        await unhold(self.store)
        await self._make_all_due()
        for _ in range(200):
            await self._claim(0)
            hand = self.hands[0]
            if hand is None:
                break
            assert await hand.begin()
            while self.hands[0] is hand:
                await self._send(0, hand, 4, [Mark.ACCEPTED] * 4)
                if hand.window is not None:
                    await self._record(0, hand, hand.window)
        await self._accounts()
        for alert in self.alerts:
            await self._close(alert.id)
            for name in ("fcm.0", "fcm.1", "apple.0"):
                await self._nobody_is_lost((alert.id, name))
        assert await self.store.alerts.open_ids() == []
        await self.store.subscriptions.mend(clock.milliseconds(clock.now()))
        kept = {reader.record.digest for reader in self.readers}
        assert set(await assert_sound_but_for_the_gap(self.store)) - kept <= {a_subscription("sporty").digest}

    async def _nobody_is_lost(self, shard: Shard) -> None:
        ledger = await self.store.ledgers.ledger(*shard)
        assert ledger is not None
        assert not any(ledger.count(mark) for mark in UNFINISHED)
        for slot in range(SHARD_SIZE):
            mark = ledger[slot]
            if mark not in OUTCOMES.values():
                assert self.attempts[shard, slot] == 0
                continue
            assert self.attempts[shard, slot] <= 1 + self.excuses[shard, slot]
            untouched = mark in (Mark.OPTED_OUT, Mark.STOPPED)
            assert untouched or self.attempts[shard, slot] >= 1


async def assert_sound_but_for_the_gap(store: Store) -> dict[bytes, Any]:
    """The numbers that we skipped, to begin a second shard, are taken for free ones."""
    skipped = {str(number): 1 for number in range(5, SHARD_SIZE)}
    await store.server.redis.zadd("{numbers:fcm}:freed", skipped)
    return await assert_sound(store)


def test_whatever_happens_nobody_is_lost_or_sent_to_twice(servers: Settings) -> None:
    run_state_machine_as_test(
        lambda: Engine(servers.broker),  # the same server without a disk to wait for
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
