"""What an alert costs the store, counted: no time is measured, so a busy machine changes nothing."""

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
from tocsin_workers.runtime import Runtime

READERS, WINDOW = 2_000, 100
# A message's share of the store's commands, those inside scripts too, and of the scripts' calls: a little over what it
# takes today. Whoever makes it cheaper lowers them; whoever needs more says why.
COMMANDS_A_MESSAGE = 0.9
SCRIPTS_A_MESSAGE = 0.15


class TakesAll:
    def __init__(self) -> None:
        self.taken = 0

    async def send(self, envelopes: Sequence[Envelope], on_answer: OnAnswer | None = None) -> list[Answer]:
        self.taken += len(envelopes)
        return accept_all(envelopes, on_answer)

    async def close(self) -> None:
        pass


async def commands(runtime: Runtime) -> dict[str, int]:
    stats = await runtime.store.server.redis.info("commandstats")
    return {name.removeprefix("cmdstat_"): counts["calls"] for name, counts in stats.items()}


async def test_store_commands_of_an_alert(servers: Settings) -> None:
    settings, sender = load(data_dir=servers.data_dir, window=WINDOW, start_per_second=100_000), TakesAll()
    runtime = await a_runtime(settings, sender)
    store = runtime.store
    await store.server.redis.flushall()
    await store.topics.replace([Topic(id="world", name="World")])
    wants = preferences({"topics": ["world"]})
    readers = ((a_browser(number, "fcm.googleapis.com"), wants) for number in range(READERS))
    await fill(store, readers, runtime.application_server.key_id, 0)
    await store.alerts.queue(an_alert(now=clock.now()), "the alert that is counted")
    await store.server.redis.config_resetstat()

    await deliver(runtime, PRIORITY)

    counted = await commands(runtime)
    await runtime.close()
    assert sender.taken == READERS
    assert sum(counted.values()) / READERS < COMMANDS_A_MESSAGE, counted
    assert counted["evalsha"] / READERS < SCRIPTS_A_MESSAGE, counted
