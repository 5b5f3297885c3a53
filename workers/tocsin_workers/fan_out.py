"""An alert becomes a run: every shard that has subscriptions at this moment is due."""

from tocsin import clock
from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin_workers.close import close_if_done
from tocsin_workers.deliver import deliver
from tocsin_workers.runtime import Runtime


async def fan_out(runtime: Runtime, alert_id: str) -> None:
    """Makes the run, wakes the others, and goes on here at once: the first request should not wait for a message."""
    alert = await runtime.alert(alert_id)
    bounds = await runtime.store.numbers.bounds()
    await runtime.store.runs.begin(alert_id, bounds, alert.attempts_end(clock.now()))
    shards = sum(-(-bound // SHARD_SIZE) for bound in bounds.values())
    if shards == 0:
        await close_if_done(runtime, alert_id)
        return
    if shards > 1:
        await runtime.wake_ups.deliver(alert.queue, shards - 1)
    await deliver(runtime, alert.queue)
