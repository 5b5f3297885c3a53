"""Several real workers, and everything that can come between any two of their commands, on the real store.

Hypothesis chooses who does what next: workers that go on, stop, die or lose an answer, leases that lapse, stops,
corrections, hours that pass, readers who change their minds, leave, come again and are called gone. Whatever it
chooses, every account is exact, nobody is sent to twice, against the own wish or over the own cap, and all has an end.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from store_hands import ALL, NOW_MS, PAST
from store_sound import NONE_KEPT, SPORT, WORLD, assert_sound
from store_workers import FreePace, Loud, Out, PlayedRuntime, Sent, Silent, Worker, an_application_server, at_free_pace

from samples import a_subscription, an_alert
from tocsin import clock
from tocsin.domain.alerts import Alert, AlertState, Correction
from tocsin.domain.decisions import Verdict, decide
from tocsin.domain.deliveries import OUTCOMES, SKIPPED, UNFINISHED, Ledger, Mark
from tocsin.domain.errors import Conflict
from tocsin.domain.hours import DailyCap, QuietHours
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import SHARD_SIZE, Address, Subscription
from tocsin.publishing import Publishing
from tocsin.settings import Settings, load
from tocsin.store.alerts import PREFIX
from tocsin.store.client import Argument
from tocsin.store.runs import ROUND, Claim
from tocsin.store.shards import shard_key
from tocsin.store.store import Store
from tocsin_workers import handful, patience, work
from tocsin_workers.close import close_if_done, settle_deferred
from tocsin_workers.mend import find_deferred

T = TypeVar("T")
Part = tuple[str, str, int]  # an alert, a shard and a slot

WORKERS, MOST_ALERTS, CAP = 3, 5, 1
SHARDS = ("fcm.0", "fcm.1", "apple.0")
HOSTS = {"fcm": "fcm.googleapis.com", "apple": "web.push.apple.com"}
SERVER = an_application_server()
SETTLED = {*(mark for marks in OUTCOMES.values() for mark in marks), *SKIPPED.values(), Mark.NOBODY, Mark.OUTSIDE}
SETTLED -= {*UNFINISHED, Mark.DEFERRED, Mark.SET_ASIDE}

some_worker = st.integers(0, WORKERS - 1)
some = st.integers(0, 5)
some_answers = st.sampled_from([[201], [201, 410, 429], [500, 201], [413, 201, 429, 410], [410, 201]])


def sets_of(now: datetime) -> list[Preferences]:
    """What readers may wish for; the quiet hours are around this moment."""
    start, end = ((now + timedelta(hours=hours)).strftime("%H:00") for hours in (-1, 2))
    quiet = {"quiet_hours": QuietHours(start=start, end=end)}
    capped = {"daily_cap": DailyCap(count=CAP)}
    asleep = {"snoozed_until": now + timedelta(hours=1)}
    changes: list[dict[str, Any]] = [{}, quiet, capped, quiet | capped, asleep]
    return [*(WORLD.model_copy(update=change) for change in changes), SPORT]


@dataclass
class Reader:
    subscription: Subscription
    address: Address
    preferences: Preferences
    here: bool = True
    changed: int = 0  # when the preferences last did


class Engine(RuleBasedStateMachine):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.patch = pytest.MonkeyPatch()
        self.settings = load(store_url=url)
        self.store = Store(self.settings)
        self.passed = timedelta()
        self.steps = count(1)
        self.step = 0
        self.statuses: list[int] = [201]
        self.workers: list[Worker] = []
        self.paces: list[FreePace] = []
        self.is_sound = True
        self.alerts: list[Alert] = []
        self.readers: list[Reader] = []
        self.tried: dict[tuple[int, str], int] = {}  # when a worker looked at its recipients in a shard
        self.gone: set[bytes] = set()  # whom a push service called gone
        self.accepted: Counter[Part] = Counter()
        self.unrecorded: Counter[Part] = Counter()
        self.spent: Counter[tuple[str, int, int]] = Counter()  # of a shard and a slot, on a day
        self.settled: dict[Part, Mark] = {}
        self.eligible: dict[tuple[str, str], int] = {}

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        """What goes wrong here is what is to be told, not what follows from it at the end."""
        try:
            return self.runner.run(step)
        except BaseException:
            self.is_sound = False
            raise

    # -- how it begins

    @initialize(recheck=st.booleans())
    def open(self, recheck: bool) -> None:
        """With `recheck` a worker looks again right before its requests, as it does when the store was slow."""
        self.recheck = recheck
        self.patch.setattr(work, "_CHECK_HOLDS_SECONDS", -1.0 if recheck else 3_600.0)
        self.patch.setattr(patience, "_PAUSE_SECONDS", 0.0)
        self.patch.setattr(handful, "log", Loud())
        now = clock.now
        self.patch.setattr(clock, "now", lambda: now() + self.passed)
        self.sets = sets_of(clock.now())
        self.run(self._open())

    async def _open(self) -> None:
        await self.store.server.redis.flushall()
        self.runtime = PlayedRuntime(self.settings, self.store, SERVER)
        silent: Any = Silent()
        self.publishing = Publishing(self.store, silent, self.settings, silent)
        self.workers = [self._worker(number) for number in range(WORKERS)]
        for name, wish in zip("abc", (0, 1, 2), strict=True):
            await self._register("fcm", name, wish)
        # The next are in another shard, as if those between had left just now.
        await self.store.server.redis.set("{numbers:fcm}:next", SHARD_SIZE)
        await self.store.server.redis.zadd("{numbers:fcm}:freed", dict.fromkeys(map(str, range(3, SHARD_SIZE)), NOW_MS))
        for name, wish in zip("de", (1, 3), strict=True):
            await self._register("fcm", name, wish)
        await self._register("apple", "f", 3)
        for level in ("flash", "update"):
            await self._queue(level)

    def _worker(self, number: int) -> Worker:
        store = Store(self.settings)
        store.runs.grace_ms, store.runs.part = 0, 1
        self.paces.append(at_free_pace(store))
        runtime = PlayedRuntime(self.settings, store, SERVER)

        async def look(script: str, keys: Sequence[str], words: Sequence[Argument]) -> Callable[[Any], None]:
            return await self._look(number, script, keys, words)

        return Worker(runtime, ALL, iter(self._next_status, None), self._sends, look)

    def _next_status(self) -> int:
        self.statuses.append(self.statuses.pop(0))
        return self.statuses[-1]

    async def _register(self, service: str, name: str, wish: int) -> None:
        subscription = a_subscription(f"{service}-{name}", HOSTS[service])
        preferences = self.sets[wish]
        kept = await self.store.subscriptions.add(subscription, preferences, SERVER.key_id, NOW_MS, NONE_KEPT)
        self.readers.append(Reader(subscription, kept.address, preferences))

    async def _queue(self, level: str) -> None:
        # Each in a millisecond of its own: of two in one, chance says which is the older.
        alert = an_alert(now=clock.now() + timedelta(milliseconds=len(self.alerts)), level=level)
        await self.store.alerts.queue(alert, f"{len(self.alerts):016d}")
        self.alerts.append(alert)

    # -- what workers do

    @rule(which=some_worker, commands=st.integers(1, 6))
    def go_a_little(self, which: int, commands: int) -> None:
        self.run(self._go(self.workers[which], commands))

    @rule(which=some_worker, commands=st.integers(8, 40), answers=some_answers)
    def go_on(self, which: int, commands: int, answers: list[int]) -> None:
        self.statuses = list(answers)
        self.run(self._go(self.workers[which], commands))

    @rule(which=some_worker, answers=some_answers)
    def go_until_requests_are_out(self, which: int, answers: list[int]) -> None:
        self.statuses = list(answers)
        self.run(self._go_until_requests_are_out(self.workers[which]))

    async def _go_until_requests_are_out(self, worker: Worker) -> None:
        for _ in range(60):
            await self._go(worker, 1)
            if worker.out:
                break

    @rule(which=some_worker)
    def go_and_lose_the_answer(self, which: int) -> None:
        self.run(self._go(self.workers[which], 1, lose_answer=True))

    async def _go(self, worker: Worker, commands: int, lose_answer: bool = False) -> None:
        for _ in range(commands):
            self.step = next(self.steps)
            await worker.go(lose_answer)
            if worker.is_idle:
                break

    @rule(which=some_worker)
    def die(self, which: int) -> None:
        self._lost(self.workers[which])
        self.run(self.workers[which].kill())

    def _lost(self, worker: Worker) -> None:
        """What this worker sent will not be recorded."""
        for shard in list(worker.out):
            self._lost_of(worker, shard)

    def _lost_of(self, worker: Worker, shard: str) -> None:
        if sent := worker.out.pop(shard, None):
            for slot, alert_ids in sent.alerts.items():
                self.unrecorded.update((alert_id, shard, slot) for alert_id in alert_ids)

    async def _sends(self, _: Worker, out: Out) -> None:
        for sent in out.values():
            await self._sends_of_shard(sent)

    async def _sends_of_shard(self, sent: Sent) -> None:
        holds = await self._holds(sent.claim)
        assert holds or not self.recheck, "a request for a shard that is not ours"
        for slot, alert_ids in sent.alerts.items():
            address = Address.of(sent.claim.shard, slot)
            for alert_id in alert_ids:
                await self._sends_one(sent, holds, alert_id, address)
            if sent.answers[slot] == 410:
                self.gone.add(self._reader(address).subscription.digest)

    async def _sends_one(self, sent: Sent, holds: bool, alert_id: str, address: Address) -> None:
        status = await self.store.alerts.get(alert_id)
        if self.recheck:
            assert status.state is not AlertState.STOPPED, "a request after the stop"
            assert status.corrected_by is None, "a request after the correction"
        mark = (await self.store.ledgers.marks(address.shard, address.slot, [alert_id]))[alert_id]
        waits = (Mark.DEFERRED,) if sent.claim.is_round else UNFINISHED
        assert not holds or mark in waits, f"a request to one who is {mark.name}"
        reader = self._reader(address)
        tried = next(at for (number, shard), at in self.tried.items() if self.workers[number].out.get(shard) is sent)
        if reader.here and reader.changed < tried:
            audience = status.alert.audience(self.settings.time_zone)
            assert decide(audience, reader.preferences, clock.now()).verdict is Verdict.SEND
        if 200 <= sent.answers[address.slot] < 300:
            self.accepted[alert_id, address.shard, address.slot] += 1

    async def _holds(self, claim: Claim) -> bool:
        redis, name = self.store.server.redis, f"{claim.alert_id}:{claim.push_service}"
        until = await redis.zscore(f"{PREFIX}leased:{name}", claim.shard)
        epoch = await redis.hget(f"{PREFIX}epochs:{claim.alert_id}", claim.shard)
        return until is not None and until > PAST and int(epoch) == claim.epoch

    def _reader(self, address: Address) -> Reader:
        return next(reader for reader in self.readers if reader.address == address)

    async def _look(
        self, number: int, script: str, keys: Sequence[str], words: Sequence[Argument]
    ) -> Callable[[Any], None]:
        """Notes what a script does."""
        worker = self.workers[number]
        if script == "try_window":
            self.tried[number, keys[0][1:].partition("}")[0]] = self.step
        if script == "release_shard":
            await self._lets_go(words)
        if script != "write_window":
            return lambda _: None
        shard, taken = keys[0][1:].partition("}")[0], await self.store.server.redis.hgetall(keys[5])

        def written(result: Any) -> None:
            if result is None:
                self._lost_of(worker, shard)
                return
            sent = worker.out.pop(shard, None)
            for slot, status in sent.answers.items() if sent else ():
                if (day := taken.get(str(slot).encode())) and 200 <= status < 300:
                    self.spent[shard, slot, int(day)] += 1

        return written

    async def _lets_go(self, words: Sequence[Argument]) -> None:
        """Who lets a shard go leaves nobody suspected there."""
        for shard, epoch in zip(words[3::3], words[4::3], strict=True):
            run = shard_key(str(shard), f"run:{words[1]!s}")
            kept, trying, tried_by = await self.store.server.redis.hmget(run, "epoch", "trying", "tried_by")
            is_ours = kept == tried_by == str(epoch).encode()
            assert not (is_ours and trying), "suspected without a death"

    # -- what happens to them

    @rule(which=some_worker, times=st.integers(1, 3))
    def refuse(self, which: int, times: int) -> None:
        """The pace lets nothing go, so many times."""
        self.paces[which].refusals = times

    @rule(which=some, clock_went_back=st.booleans())
    def lapse(self, which: int, clock_went_back: bool) -> None:
        self.run(self._lapse(which, clock_went_back))

    async def _lapse(self, which: int, clock_went_back: bool) -> None:
        leases = await self._scores("leased")
        if leases:
            key, shard = sorted(leases)[which % len(leases)]
            until_ms = clock.milliseconds(clock.now()) + 10**9 if clock_went_back else PAST
            await self.store.server.redis.zadd(key, {shard: until_ms})

    async def _scores(self, name: str) -> dict[tuple[bytes, bytes], float]:
        found = {}
        async for key in self.store.server.redis.scan_iter(match=f"{PREFIX}{name}:*"):
            found |= {(key, row): at for row, at in await self.store.server.redis.zrange(key, 0, -1, withscores=True)}
        return found

    @rule(what=st.sampled_from(["queue", "correct", "stop"]), which=some)
    def ask(self, what: str, which: int) -> None:
        """What editors do."""
        asked = self.alerts[which % len(self.alerts)].id
        if what == "stop":
            with suppress(Conflict):  # it is over
                self.run(self.publishing.stop(asked))
        elif len(self.alerts) < MOST_ALERTS and what == "queue":
            self.run(self._queue(("flash", "breaking", "update")[which % 3]))
        elif len(self.alerts) < MOST_ALERTS:
            with suppress(Conflict):  # it was stopped before anybody had it
                self.run(self._correct(asked))

    async def _correct(self, asked: str) -> None:
        words = Correction(headline=f"Correction number {len(self.alerts)}")
        self.passed += timedelta(milliseconds=10)
        made = await self.publishing.correct(asked, words, "desk", f"{len(self.alerts):016d}")
        self.alerts.append(made.status.alert)

    @rule(hours=st.sampled_from([1, 3, 26]))
    def hours_pass(self, hours: int) -> None:
        self.passed += timedelta(hours=hours)
        self.run(self._make_all_due())

    async def _make_all_due(self) -> None:
        for key, shard in await self._scores("due"):
            await self.store.server.redis.zadd(key, {shard: PAST})

    @rule()
    def mend(self) -> None:
        self.run(self._mend())

    async def _mend(self) -> None:
        """What the reconciler does."""
        runtime: Any = self.runtime
        for alert_id in await self.store.alerts.open_ids():
            if (await self.store.alerts.get(alert_id)).began_at is not None:
                await close_if_done(runtime, alert_id)
        await find_deferred(runtime)
        await settle_deferred(runtime)
        await self.store.subscriptions.mend(NOW_MS)

    # -- what readers do

    @rule(which=some, wish=st.integers(0, 5))
    def prefer(self, which: int, wish: int) -> None:
        self.run(self._prefer(self.readers[which], self.sets[wish]))

    async def _prefer(self, reader: Reader, preferences: Preferences) -> None:
        if kept := await self.store.subscriptions.get(reader.subscription.digest):
            await self.store.subscriptions.set_preferences(kept, preferences)
            reader.preferences, reader.changed = preferences, next(self.steps)
            await self.store.runs.defer(reader.address.shard, clock.now())

    @rule(what=st.sampled_from(["leave", "come again", "end the quarantine"]), which=some)
    def leave_or_come_again(self, what: str, which: int) -> None:
        reader = self.readers[which]
        if what == "leave":
            self.run(self._leave(reader))
        elif what == "come again":
            if reader.here and self.run(self.store.subscriptions.come_back(reader.subscription.digest)):
                self.gone.discard(reader.subscription.digest)
        elif self.run(self.store.subscriptions.delete_quarantined(reader.address, NOW_MS)):
            assert reader.subscription.digest in self.gone
            reader.here = False

    async def _leave(self, reader: Reader) -> None:
        digest = reader.subscription.digest
        if kept := await self.store.subscriptions.get(digest):
            await self.store.subscriptions.delete(kept, NOW_MS)
        elif address := await self.store.subscriptions.find_quarantined(digest):
            await self.store.subscriptions.delete_quarantined(address, NOW_MS)
        reader.here = False

    # -- what holds whatever happened

    @invariant()
    def all_is_accounted_for(self) -> None:
        self.run(self._accounts())

    async def _accounts(self) -> None:
        places = [(alert.id, shard) for alert in self.alerts for shard in SHARDS]
        async with self.store.server.redis.pipeline(transaction=True) as pipe:
            for alert_id, shard in places:
                pipe.get(shard_key(shard, f"ledger:{alert_id}")).hget(shard_key(shard, f"run:{alert_id}"), "eligible")
            rows = await pipe.execute()
        for place, kept, eligible in zip(places, rows[::2], rows[1::2], strict=True):
            if kept:
                ledger = Ledger(kept)
                assert int(eligible) == self.eligible.setdefault(place, int(eligible)) == ledger.eligible
                self._settled(*place, ledger)
        await self._caps()
        await self._readers(self.readers[self.step % len(self.readers) :][:1])

    def _settled(self, alert_id: str, shard: str, ledger: Ledger) -> None:
        for slot in range(10):
            mark = ledger[slot]
            before = self.settled.get((alert_id, shard, slot), mark)
            assert mark is before, f"{before.name} became {mark.name}"
            if mark in SETTLED:
                self.settled[alert_id, shard, slot] = mark

    async def _ledgers(self, alert_id: str) -> list[tuple[str, Ledger]]:
        found = []
        for shard in SHARDS:
            ledgers = await self.store.ledgers.ledgers(shard, [alert_id])
            found += [(shard, ledger) for ledger in ledgers.values()]
        return found

    async def _caps(self) -> None:
        """What is counted is what was accepted, and what a run has taken and not settled yet."""
        runs = (ROUND, *(alert.id for alert in self.alerts))
        async with self.store.server.redis.pipeline(transaction=True) as pipe:
            for shard in SHARDS:
                pipe.hgetall(shard_key(shard, "caps"))
                for run in runs:
                    pipe.hgetall(shard_key(shard, f"taken:{run}"))
            rows = iter(await pipe.execute())
        for shard in SHARDS:
            caps = next(rows)
            held = Counter((int(slot), int(day)) for _ in runs for slot, day in next(rows).items())
            for name, row in caps.items():
                slot, (day, counted) = int(name), map(int, row.split())
                assert counted == self.spent[shard, slot, day] + held[slot, day]
                assert counted <= CAP, "over the cap"

    async def _readers(self, readers: Sequence[Reader]) -> None:
        for reader in readers:
            digest = reader.subscription.digest
            kept = await self.store.subscriptions.get(digest)
            away = await self.store.subscriptions.find_quarantined(digest)
            assert reader.here is bool(kept or away), "deleted without a reason"
            assert not away or digest in self.gone
            assert not kept or kept.preferences == reader.preferences

    def teardown(self) -> None:
        try:
            if self.alerts and self.is_sound:
                self.run(self._end())
        finally:
            self.patch.undo()  # first, so that whatever else fails no other test meets our clock
            self.run(self._close())
            self.runner.close()

    async def _close(self) -> None:
        for worker in self.workers:
            await worker.kill()
            await worker.runtime.store.server.close()
        await self.store.server.close()

    async def _end(self) -> None:
        """All workers die; one that comes after them finishes everything."""
        for worker in self.workers:
            self._lost(worker)
            await worker.kill()
        self.statuses = [201]
        last = self.workers[0]
        for key, shard in await self._scores("leased"):
            await self.store.server.redis.zadd(key, {shard: PAST})
        for _ in range(200):
            await self._go(last, 1_000)
            await self._accounts()
            # Our clock may be a day ahead of the store's, which then gives out at once what waits for a repeat.
            self.passed += timedelta(seconds=3)
            if last.found_nothing:
                await self._mend()
                if await self._is_over():
                    break
                self.passed += timedelta(hours=3)  # until everybody's quiet hours are over
                await self._make_all_due()
        await self._all_is_over()

    async def _is_over(self) -> bool:
        left = [await self._scores("due"), await self._scores("leased")]
        return not any([*left, await self.store.alerts.open_ids(), await self.store.alerts.deferring()])

    async def _all_is_over(self) -> None:
        assert await self._is_over()
        await self._readers(self.readers)
        for alert in self.alerts:
            status = await self.store.alerts.get(alert.id)
            assert status.state.is_terminal
            assert status.totals is not None
            assert status.totals["unaccounted"] == 0
            assert status.totals["eligible"] == sum(self.eligible.get((alert.id, shard), 0) for shard in SHARDS)
            for shard, ledger in await self._ledgers(alert.id):
                assert not any(ledger.count(mark) for mark in (*UNFINISHED, Mark.DEFERRED))
                for slot in range(10):
                    part = (alert.id, shard, slot)
                    assert self.accepted[part] <= 1 + self.unrecorded[part], "sent to twice"
                    assert ledger[slot] is not Mark.ACCEPTED or self.accepted[part]
        await assert_sound(self.store)


@pytest.mark.timeout(480)  # a failure is made small before it is told, with the seed to repeat it
def test_whatever_happens_nobody_is_lost_or_sent_to_twice(servers: Settings) -> None:
    run_state_machine_as_test(
        lambda: Engine(servers.broker),  # the same server without a disk to wait for
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
