"""How deep the queues are: shards that wait, from the store, and wake-ups that wait, from the broker."""

import asyncio
from dataclasses import dataclass

from tocsin import clock
from tocsin.domain.errors import Unavailable
from tocsin.domain.queues import MAINTENANCE, QUEUES
from tocsin.store.client import Server, answering
from tocsin.store.store import Store


@dataclass(frozen=True)
class QueueState:
    """`waiting` and `in_work` count shards, or for `maintenance` jobs; `oldest_age_seconds` is None where none waits.

    `wake_ups` is None where the broker does not answer. What is `paused` takes alerts and sends none.
    """

    queue: str
    waiting: int
    in_work: int
    oldest_age_seconds: float | None
    throughput_per_second: float
    wake_ups: int | None
    paused: bool


class Queues:
    def __init__(self, store: Store, broker_url: str) -> None:
        self._store = store
        self._broker = Server(broker_url, timeout=1.0)

    async def states(self) -> list[QueueState]:
        now_ms = clock.milliseconds(clock.now())
        rates = (await self._store.processes.total(now_ms)).rates
        open_alerts = await self._store.alerts.open()
        # All at once: a broker that hangs costs its time-out once.
        wake_ups = dict(zip(QUEUES, await asyncio.gather(*map(self._wake_ups, QUEUES)), strict=True))
        paused = await self._store.pauses.paused()
        states = []
        for queue in QUEUES:
            queued_ms = {
                status.alert.id: clock.milliseconds(status.alert.queued_at)
                for status in open_alerts
                if status.alert.queue == queue
            }
            depth = await self._store.runs.depth(list(queued_ms), queued_ms)
            waiting = (wake_ups[queue] or 0) if queue == MAINTENANCE else depth.waiting
            age = None if depth.oldest_ms is None else max(0.0, (now_ms - depth.oldest_ms) / 1000)
            rate = rates.get(queue, 0.0)
            states.append(QueueState(queue, waiting, depth.in_work, age, rate, wake_ups[queue], paused=queue in paused))
        return states

    async def _wake_ups(self, queue: str) -> int | None:
        try:
            async with answering():
                return int(await self._broker.redis.llen(queue))
        except Unavailable:
            return None

    async def ping(self) -> None:
        """Raises Unavailable when the broker does not answer."""
        await self._broker.ping()

    async def close(self) -> None:
        await self._broker.close()
