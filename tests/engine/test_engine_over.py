"""An alert that is over while its readers wait to be tried again: settled at once, whatever those moments are."""

import asyncio
from collections.abc import Sequence

from bulk import a_browser, fill, preferences
from hands import a_runtime
from samples import an_alert
from tocsin import clock
from tocsin.domain.deliveries import Answer
from tocsin.domain.queues import PRIORITY
from tocsin.domain.topics import Topic
from tocsin.publishing import account
from tocsin.push.sender import Envelope, OnAnswer
from tocsin.settings import Settings, load
from tocsin_workers.deliver import deliver

WAIT_SECONDS = 10


class Away:
    async def send(self, envelopes: Sequence[Envelope], on_answer: OnAnswer | None = None) -> list[Answer]:
        return [Answer(503)] * len(envelopes)

    async def close(self) -> None:
        pass


async def test_a_stop_settles_those_who_wait_to_be_tried_again(servers: Settings) -> None:
    runtime = await a_runtime(load(data_dir=servers.data_dir, retry_seconds=300), Away())
    store, wants = runtime.store, preferences({"topics": ["world"]})
    await store.server.redis.flushall()
    await store.topics.replace([Topic(id="world", name="World")])
    readers = ((a_browser(number, "fcm.googleapis.com"), wants) for number in range(1))
    await fill(store, readers, runtime.application_server.key_id, 0)
    alert = an_alert(now=clock.now())
    await store.alerts.queue(alert, "the alert that is stopped")
    await deliver(runtime, PRIORITY)
    before = await account(store, await store.alerts.get(alert.id))
    await store.alerts.stop(alert.id, clock.milliseconds(clock.now()))

    async with asyncio.timeout(WAIT_SECONDS):
        await deliver(runtime, PRIORITY)

    after = await account(store, await store.alerts.get(alert.id))
    await runtime.close()
    assert before.whole.outcomes["retrying"] == 1
    assert after.whole.outcomes["stopped"] == 1
