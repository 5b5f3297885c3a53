"""Shards in which few follow an alert are worked on together: in fewer trips, and with nothing less promised."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from bulk import Shard, a_browser, browser_number, first_number, preferences, write
from hands import a_runtime, accept_all
from samples import an_alert
from tocsin import clock
from tocsin.domain.alerts import Alert
from tocsin.domain.deliveries import Answer, Mark
from tocsin.domain.queues import PRIORITY
from tocsin.domain.subscriptions import SHARD_SIZE, Record
from tocsin.domain.topics import Topic
from tocsin.push.sender import Envelope, OnAnswer
from tocsin.settings import Settings, load
from tocsin.store.alerts import HELD, PREFIX
from tocsin.store.runs import Claim
from tocsin.store.shards import shard_key
from tocsin_workers.begin import begin
from tocsin_workers.deliver import deliver
from tocsin_workers.permits import Lane
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_run import ShardRun
from tocsin_workers.work import Work

# What a shard of ten readers takes of scripts' calls and of trips: a little over what it does. Without the looks for
# new work, of which there are more where the machine is busy.
SCRIPTS_A_SHARD, TRIPS_A_SHARD = 6.5, 2.5


class Watches:
    """Takes all; notes of which shards each window was, and how many shards were leased meanwhile."""

    def __init__(self, leased: str) -> None:
        self.got: list[str] = []
        self.windows: list[set[int]] = []
        self.most_leased = 0
        self.runtime: Runtime
        self.leased = leased

    async def send(self, envelopes: Sequence[Envelope], on_answer: OnAnswer | None = None) -> list[Answer]:
        self.got += [envelope.url for envelope in envelopes]
        self.windows.append({browser_number(envelope.url) // SHARD_SIZE for envelope in envelopes})
        leased = await self.runtime.store.server.redis.zcard(self.leased)
        self.most_leased = max(self.most_leased, leased)
        return accept_all(envelopes, on_answer)

    async def close(self) -> None:
        pass


class Scene:
    """A runtime, an alert, and shards with so many followers each."""

    def __init__(self, runtime: Runtime, sender: Watches, alert: Alert) -> None:
        self.runtime, self.store, self.sender, self.alert = runtime, runtime.store, sender, alert

    async def fill(self, followers: Sequence[int]) -> None:
        wants = await self.store.profiles.number(preferences({"topics": ["world"]}))
        shards: dict[str, Shard] = {}
        for place, count in enumerate(followers):
            shard = shards[f"fcm.{place}"] = Shard()
            for slot in range(count):
                browser = a_browser(place * SHARD_SIZE + slot, "fcm.googleapis.com")
                key_id = self.runtime.application_server.key_id
                record = Record(browser.endpoint.url, browser.p256dh, browser.auth, key_id, 0)
                shard.records[str(slot)], shard.numbers[slot] = record.pack(), wants
        await write(self.store, shards, {}, {"fcm": len(followers) * SHARD_SIZE})
        await self.store.alerts.queue(self.alert, "the alert that few follow")

    async def deliver(self) -> None:
        await deliver(self.runtime, PRIORITY)

    async def accepted(self, shard: str) -> int:
        return (await self.store.ledgers.ledgers(shard, [self.alert.id]))[self.alert.id].count(Mark.ACCEPTED)


@pytest.fixture
async def scene(servers: Settings) -> AsyncIterator[Scene]:
    alert = an_alert(now=clock.now())
    sender = Watches(f"{PREFIX}leased:{alert.id}:fcm")
    settings = load(data_dir=servers.data_dir, window=100, start_per_second=100_000)
    runtime = sender.runtime = await a_runtime(settings, sender)
    await runtime.store.server.redis.flushall()
    await runtime.store.topics.replace([Topic(id="world", name="World")])
    yield Scene(runtime, sender, alert)
    await runtime.close()


async def test_shards_of_few_readers_share_their_trips(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    shards, trips, looks = 60, 0, 0
    await scene.fill([10] * shards)
    server = scene.store.server
    run, together = server.run, server.together

    async def counted_run(*words: object) -> object:
        nonlocal trips, looks
        if words[0] == "claim_shard":
            looks += 1
        else:
            trips += 1
        return await run(*words)  # type: ignore[arg-type]

    async def counted_together(*scripts: object) -> object:
        nonlocal trips
        trips += 1
        return await together(*scripts)  # type: ignore[arg-type]

    monkeypatch.setattr(server, "run", counted_run)
    monkeypatch.setattr(server, "together", counted_together)
    await server.redis.config_resetstat()

    await scene.deliver()

    assert len(scene.sender.got) == len(set(scene.sender.got)) == 10 * shards
    assert (await scene.store.alerts.get(scene.alert.id)).totals is not None
    calls = (await server.redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert (calls - looks) / shards < SCRIPTS_A_SHARD
    assert trips / shards < TRIPS_A_SHARD


async def test_a_first_shard_that_was_an_exception_claims_no_crowd(scene: Scene) -> None:
    """Who waits in the others is known only when they are planned; those too many go back to whoever has room."""
    await scene.fill([3, *[300] * 40])

    await scene.deliver()

    assert len(set(scene.sender.got)) == len(scene.sender.got) == 3 + 300 * 40
    assert scene.sender.most_leased < 10  # of which a quarter were claimed beside the first


def _ledger_is_none(scene: Scene, _: pytest.MonkeyPatch) -> Awaitable[object]:
    return scene.store.server.redis.hset(shard_key("fcm.7", f"ledger:{scene.alert.id}"), "not", "a ledger")


def _records_are_none(scene: Scene, _: pytest.MonkeyPatch) -> Awaitable[object]:
    return scene.store.server.redis.set(shard_key("fcm.7", "records"), "no records")


def _in(method: str) -> Callable[[Scene, pytest.MonkeyPatch], Awaitable[object]]:
    async def breaks(_: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = getattr(ShardRun, method)

        async def fails(run: ShardRun, what: object) -> object:
            if run.claim.shard == "fcm.7":
                raise LookupError("one that nobody thought of")
            return await whole(run, what)

        monkeypatch.setattr(ShardRun, method, fails)

    return breaks


@pytest.mark.parametrize("breaks", [_ledger_is_none, _records_are_none, _in("open"), _in("letters_for")])
async def test_what_is_broken_in_one_shard_keeps_no_other_from_its_alert(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, breaks: Callable[[Scene, pytest.MonkeyPatch], Awaitable[object]]
) -> None:
    await scene.fill([5] * 12)
    await breaks(scene, monkeypatch)
    scene.store.runs.part = 1  # all that are due

    await scene.deliver()

    assert len(set(scene.sender.got)) == len(scene.sender.got) == 5 * 11
    assert [await scene.accepted(f"fcm.{place}") for place in range(12) if place != 7] == [5] * 11
    assert await scene.store.server.redis.zrange(scene.sender.leased, 0, -1) == [b"fcm.7"]


async def test_shards_whose_holder_died_go_last_and_alone(scene: Scene) -> None:
    """In one window with others, or before them, these would be suspected with whoever killed it, or wait again."""
    await scene.fill([3] * 12)
    await begin(scene.runtime, scene.alert.id)
    redis, run = scene.store.server.redis, f"{scene.alert.id}:fcm"

    async def dies() -> str:
        claim = await scene.store.runs.claim([PRIORITY], ())
        assert isinstance(claim, Claim)
        await scene.store.ledgers.begin(claim)
        await scene.store.ledgers.try_window(claim, [0, 1, 2])
        return claim.shard

    async def is_due_again(shard: str, due_ms: int) -> None:
        await redis.zrem(f"{PREFIX}leased:{run}", shard)
        await redis.zadd(f"{PREFIX}due:{run}", {shard: due_ms})

    twice = await dies()
    await is_due_again(twice, 1)
    assert await dies() == twice
    once = await dies()
    await is_due_again(twice, 1)
    await is_due_again(once, 2)
    scene.store.runs.part = 1  # all that are due

    await scene.deliver()

    assert len(set(scene.sender.got)) == len(scene.sender.got) == 3 * 12
    assert max(map(len, scene.sender.windows)) > 1
    last = [first_number(shard) // SHARD_SIZE for shard in (once, twice)]
    assert scene.sender.windows[-6:] == [{place} for place in last for _ in range(3)]


async def test_who_was_asked_for_and_not_sent_to_is_not_suspected(scene: Scene) -> None:
    """The plan is written in the trip that asks for the first window, and that may not go."""
    await scene.fill([3] * 12)
    await begin(scene.runtime, scene.alert.id)
    redis = scene.store.server.redis
    claim = await scene.store.runs.claim([PRIORITY], ())
    assert isinstance(claim, Claim)
    await redis.hset(HELD, "fcm", clock.milliseconds(clock.now()) + 60_000)

    await Work(scene.runtime, ShardRun(scene.runtime, claim, scene.alert)).work()

    assert scene.sender.got == []
    await redis.delete(HELD)
    later = await scene.store.ledgers.begin(replace(claim, epoch=claim.epoch + 1))
    assert later is not None
    assert (later.trying, later.deaths) == ((), 0)


async def test_what_is_done_with_is_let_go_while_something_urgent_is_at_work(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease is not renewed, and would count as that of one who died."""
    await scene.fill([3] * 8)
    scene.store.runs.part = 1  # all that are due
    permits, take, leased = scene.runtime.permits, scene.runtime.permits.take, []

    async def take_none_once(lane: Lane, wanted: int, urgent: bool = False) -> int:
        if scene.sender.got:
            leased.append(await scene.store.server.redis.zrange(scene.sender.leased, 0, -1))
        return 0 if len(leased) == 1 else await take(lane, wanted, urgent)

    monkeypatch.setattr(permits, "take", take_none_once)

    await scene.deliver()

    assert len(scene.sender.got) == 3 * 8
    before, meanwhile = map(set, leased[:2])
    assert len(before) == 8
    assert meanwhile < before
