"""Queues as a person sees them, and how often somebody may call."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from store_hands import ALL, begin, queue

from tocsin import clock
from tocsin.clock import milliseconds
from tocsin.domain.errors import TooMany
from tocsin.domain.queues import MAINTENANCE, PRIORITY, QUEUES, STANDARD
from tocsin.settings import Settings
from tocsin.store.client import Server
from tocsin.store.processes import Counted
from tocsin.store.queues import Queues
from tocsin.store.rates import Rates
from tocsin.store.store import Store


@pytest.fixture
async def queues(store: Store, servers: Settings) -> AsyncIterator[Queues]:
    """On an empty broker: the wake-ups of other tests' alerts may still wait there."""
    opened = Queues(store, servers.broker)
    await opened._broker.redis.flushall()
    yield opened
    await opened._broker.redis.flushall()
    await opened.close()


async def test_nothing_waits_at_first(queues: Queues) -> None:
    states = await queues.states()
    assert [state.queue for state in states] == list(QUEUES)
    for state in states:
        assert (state.waiting, state.in_work, state.wake_ups) == (0, 0, 0)
        assert (state.oldest_age_seconds, state.throughput_per_second) == (None, 0.0)


async def test_what_waits_is_in_its_queue(store: Store, queues: Queues) -> None:
    await begin(store, {"fcm": 3_000}, "1", level="flash")
    await store.runs.claim(ALL, ())
    await queue(store, "2", level="update")
    now_ms = milliseconds(clock.now())
    await store.processes.write("a", Counted(at_ms=now_ms, rates={PRIORITY: 250.0}))
    await queues._broker.redis.rpush(MAINTENANCE, "one", "two")

    priority, standard, maintenance = await queues.states()

    assert (priority.waiting, priority.in_work, priority.throughput_per_second) == (2, 1, 250.0)
    assert (standard.queue, standard.waiting, standard.in_work) == (STANDARD, 1, 0)
    assert (maintenance.waiting, maintenance.wake_ups) == (2, 2)
    for state in (priority, standard):
        assert state.oldest_age_seconds is not None
        assert state.oldest_age_seconds >= 0


async def test_a_broker_that_is_away_is_told_apart_from_an_empty_one(store: Store) -> None:
    queues = Queues(store, "unix:///nonexistent/cache.sock?db=0")
    await begin(store, {"fcm": 1_000})
    states = await queues.states()
    assert [state.wake_ups for state in states] == [None] * 3
    assert states[0].waiting == 1
    await queues.close()


async def test_a_rate_lets_as_many_through_as_it_says(store: Store, servers: Settings) -> None:
    processes = [Server(servers.store) for _ in range(4)]
    rates = [Rates(server) for server in processes]

    async def hit(number: int) -> str:
        try:
            await rates[number % 4].hit("5/hour", "subscribe", "192.0.2.1")
        except TooMany as refusal:
            return "refused" if 1 <= refusal.retry_after <= 3_600 else "refused for ever"
        return "passed"

    assert Counter(await asyncio.gather(*(hit(number) for number in range(20)))) == {"passed": 5, "refused": 15}
    await rates[0].hit("5/hour", "subscribe", "192.0.2.2")
    await rates[0].hit("5/hour", "alert", "192.0.2.1")
    for server in processes:
        await server.close()


async def test_off_lets_everything_through(store: Store) -> None:
    rates = Rates(store.server)
    for _ in range(50):
        await rates.hit("off", "subscribe", "192.0.2.1")
    assert await store.server.redis.dbsize() == 0
