"""The last windows of a shard are small, and what they do not need is free while they are on their way."""

from collections.abc import Sequence

from bulk import a_browser, fill, preferences
from hands import a_runtime, accept_all
from samples import an_alert
from tocsin import clock
from tocsin.domain.deliveries import Answer
from tocsin.domain.queues import PRIORITY
from tocsin.domain.topics import Topic
from tocsin.push.sender import Envelope, OnAnswer
from tocsin.settings import Settings, load
from tocsin_workers.deliver import deliver
from tocsin_workers.permits import Permits

READERS, WINDOW = 100, 100


class Watches:
    """Takes all; notes for each window its size, and whether another shard would find room beside it."""

    def __init__(self, lane: tuple[str, str]) -> None:
        self.permits: Permits
        self.seen: list[tuple[int, bool]] = []
        self._lane = lane

    async def send(self, envelopes: Sequence[Envelope], on_answer: OnAnswer | None = None) -> list[Answer]:
        self.seen.append((len(envelopes), self.permits.has_room(self._lane)))
        return accept_all(envelopes, on_answer)

    async def close(self) -> None:
        pass


async def test_a_small_last_window_leaves_room(servers: Settings) -> None:
    alert = an_alert(now=clock.now())
    sender = Watches((alert.id, "fcm"))
    settings = load(data_dir=servers.data_dir, window=WINDOW, start_per_second=100_000)
    runtime = await a_runtime(settings, sender)
    sender.permits = runtime.permits
    store, wants = runtime.store, preferences({"topics": ["world"]})
    await store.server.redis.flushall()
    await store.topics.replace([Topic(id="world", name="World")])
    readers = ((a_browser(number, "fcm.googleapis.com"), wants) for number in range(READERS))
    await fill(store, readers, runtime.application_server.key_id, 0)
    await store.alerts.queue(alert, "the alert with a small last window")

    await deliver(runtime, PRIORITY)

    await runtime.close()
    assert sum(size for size, _ in sender.seen) == READERS
    assert sender.seen[-2:] == [(50, False), (40, True)]
