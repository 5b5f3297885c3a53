"""The simulated newsroom and its readers: the real store, two real workers, and a clock that is set forward."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sim_news import END, SITE_ZONE, Change, News
from sim_push import Receptions, Recorder

from bulk import a_browser, fill, preferences
from crowd import Crowd, Wants
from hands import NoWakeUps, a_runtime
from simulated_clock import SimClock
from tocsin import clock
from tocsin.cautions import Cautions
from tocsin.domain.alerts import AlertDraft, Correction, Retraction
from tocsin.domain.queues import PRIORITY, STANDARD
from tocsin.domain.topics import Topic
from tocsin.jobs import celery_app
from tocsin.publishing import Publishing
from tocsin.settings import Settings, load
from tocsin.store.alerts import PREFIX
from tocsin.store.runs import ROUND
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept
from tocsin_workers.deliver import deliver
from tocsin_workers.reconcile import reconcile
from tocsin_workers.runtime import Runtime

# The reconciler looks so often for what is due, and a wake-up may have been lost.
RECONCILE = timedelta(seconds=2)
# It mends once a minute, which here would be most of the work.
MEND_EACH = timedelta(hours=6)
RESTLESS = 20
# Small, so that there is a time between planning and a reader's turn even where readers are few.
WINDOW = 50


@dataclass(frozen=True)
class Version:
    """What a reader wanted from a moment between `asked` and `kept` on; None where there is no subscription."""

    asked: datetime
    kept: datetime
    wants: Wants | None


class World:
    def __init__(self, store: Store, workers: list[Runtime], sim_clock: SimClock, receptions: Receptions) -> None:
        self.store = store
        self.receptions = receptions
        self.versions: dict[int, list[Version]] = {}
        self._workers = workers
        self._clock = sim_clock
        self._settings = workers[0].settings
        self._publishing = Publishing(
            store, NoWakeUps(celery_app(self._settings)), self._settings, Cautions(store, self._settings)
        )
        self._hosts: dict[int, str] = {}
        self._chance = random.Random(5)
        self._mended = END - timedelta(days=30)

    @classmethod
    async def open(cls, servers: Settings, sim_clock: SimClock, begin: datetime) -> "World":
        settings = load(
            data_dir=servers.data_dir, time_zone=SITE_ZONE, start_per_second=100_000, link_check=False, window=WINDOW
        )
        receptions = Receptions()
        workers = [await a_runtime(settings, Recorder(receptions)) for _ in range(2)]
        store = Store(settings, 30.0)
        await store.server.redis.flushall()
        await sim_clock.begin(store, begin)
        return cls(store, workers, sim_clock, receptions)

    async def close(self) -> None:
        for worker in self._workers:
            await worker.close()
        await self.store.server.close()

    async def settle_in(self, crowd: Crowd, count: int, topics: list[str]) -> None:
        """So many browsers subscribe."""
        await self.store.topics.replace([Topic(id=name, name=name) for name in topics])
        wanted = [crowd.wants() for _ in range(count)]
        self._hosts = {number: crowd.host() for number in range(count)}
        readers = ((a_browser(number, self._hosts[number]), preferences(wants)) for number, wants in enumerate(wanted))
        now = clock.now()
        await fill(self.store, readers, self._workers[0].application_server.key_id, clock.milliseconds(now))
        self.versions = {number: [Version(now, now, wants)] for number, wants in enumerate(wanted)}

    # -- readers

    async def change(self, change: Change, crowd: Crowd) -> None:
        """Subscribes, changes its preferences, or leaves."""
        host = self._hosts.setdefault(change.reader, crowd.host())
        browser = a_browser(change.reader, host)
        kept = await self.store.subscriptions.get(browser.digest)
        if kept is None and (change.reader in self.versions or change.wants is None):
            return  # it left before
        asked, now_ms = clock.now(), clock.milliseconds(clock.now())
        if change.wants is None:
            assert kept is not None
            await self.store.subscriptions.delete(kept, now_ms)
        elif kept is None:
            key_id = self._workers[0].application_server.key_id
            await self.store.subscriptions.add(browser, preferences(change.wants), key_id, now_ms, 0)
        else:
            await self._prefer(kept, change.wants)
        self.versions.setdefault(change.reader, []).append(Version(asked, clock.now(), change.wants))

    async def _prefer(self, kept: Kept, wants: Wants) -> None:
        """As the readers' API does it."""
        wanted = preferences(wants)
        await self.store.subscriptions.set_preferences(kept, wanted)
        before = (kept.preferences.quiet_hours, kept.preferences.time_zone)
        if kept.preferences.quiet_hours is not None and before != (wanted.quiet_hours, wanted.time_zone):
            await self.store.runs.defer(kept.address.shard, clock.now())

    async def _be_restless(self, crowd: Crowd) -> None:
        """Some change their minds while an alert is being sent; not about when they sleep, which nobody could judge."""
        for reader in self._chance.sample(range(len(self._hosts)), RESTLESS):
            now = self.versions[reader][-1].wants if reader in self.versions else None
            if now is None:
                continue
            given = crowd.wants() if self._chance.random() < 0.8 else None
            if given is not None:
                same = ("quiet_hours", "time_zone", "daily_cap")
                given = {name: given[name] for name in given if name not in same}
                given |= {name: now[name] for name in same if name in now}
            await self.change(Change(clock.now(), reader, given), crowd)
            await asyncio.sleep(0.005)

    # -- the newsroom

    async def queue(self, news: News) -> None:
        if news.root is None:
            alert = await self._publishing.check(AlertDraft.model_validate(news.draft), "desk")
            await self._publishing.queue(alert, f"{news.draft['headline']:-<16}")
            news.id = alert.id
            return
        words: Correction | Retraction = Retraction(reason="It was not so.")
        if not news.retracts:
            words = Correction(headline=news.draft["headline"])
        news.id = (await self._publishing.correct(news.root.id, words, "desk", None)).status.alert.id

    async def stop(self, news: News) -> None:
        await self._publishing.stop(news.id)
        news.stopped = clock.now()

    async def send(self, news: News, crowd: Crowd) -> None:
        """Until nothing of it is pending; meanwhile readers are restless."""
        together = [each for each in (news, news.together_with) if each is not None]
        for each in together:
            each.begun = clock.now()
            if not each.id:
                await self.queue(each)
        follow_up = next((each for each in news.follow_ups if each.in_flight), None)
        meanwhile = asyncio.create_task(self._meanwhile(news, follow_up, crowd))
        while True:
            await self.deliver()
            if meanwhile.done() and not await self.store.runs.left(news.id):
                break
            await asyncio.sleep(0.01)
        await meanwhile
        for each in [*together, *([follow_up] if follow_up else [])]:
            while await self.store.runs.left(each.id):
                await self.deliver()
                await asyncio.sleep(0.01)
            each.ended = clock.now()

    async def _meanwhile(self, news: News, follow_up: News | None, crowd: Crowd) -> None:
        sent = len(self.receptions)
        if follow_up is not None or news.stop_after == timedelta(0):
            for _ in range(2_000):
                if len(self.receptions) > sent:
                    break
                await asyncio.sleep(0.001)
        if follow_up is not None:
            follow_up.begun = clock.now()
            await self.queue(follow_up)
        elif news.stop_after == timedelta(0):
            await self.stop(news)
        await self._be_restless(crowd)

    # -- the workers

    async def deliver(self) -> None:
        one, other = self._workers
        await asyncio.gather(deliver(one, PRIORITY), deliver(other, STANDARD))

    async def mend(self) -> None:
        if clock.now() - self._mended > MEND_EACH:
            self._mended = clock.now()
            self._workers[0].mended_at = -math.inf  # it goes by a clock that is not set forward
            await reconcile(self._workers[0])

    async def due(self) -> datetime:
        """When a worker that the reconciler wakes finds anything next."""
        found = [clock.milliseconds(END) * 2]
        services = await self.store.numbers.push_services()
        runs = [ROUND, *await self.store.alerts.open_ids()]
        async with self.store.server.redis.pipeline(transaction=False) as pipe:
            for run in runs:
                for service in services:
                    pipe.zrange(f"{PREFIX}due:{run}:{service}", 0, 0, withscores=True)
            pipe.zrange(f"{PREFIX}timed", 0, 0, withscores=True)
            for rows in await pipe.execute():
                found += [int(score) for _, score in rows]
        earliest = clock.from_milliseconds(min(found))
        return earliest + RECONCILE if earliest > clock.now() else earliest

    async def live(self, events: "list[tuple[datetime, Callable[[], Awaitable[None]]]]", end: datetime) -> None:
        """Through all events, in their order, and on until the end."""
        waiting = sorted(events, key=lambda event: event[0], reverse=True)
        while True:
            due = await self.due()
            at = min(due, waiting[-1][0]) if waiting else due
            if at > end:
                break
            await self._clock.set_forward(self.store, at)
            while waiting and waiting[-1][0] <= clock.now():
                await waiting.pop()[1]()
            if due <= clock.now():
                await self.deliver()
            await self.mend()
