"""An alert becomes a run: every shard that has subscriptions at this moment is due."""

from tocsin.domain.subscriptions import SHARD_SIZE
from tocsin_workers.close import close_if_done
from tocsin_workers.runtime import Runtime


async def begin(runtime: Runtime, alert_id: str) -> None:
    """Makes the run and wakes others to help. Any number may call this at once: one makes it."""
    alert, store = await runtime.alert(alert_id), runtime.store
    if alert.root is not None and (await store.alerts.get(alert.root)).began_at is None:
        await begin(runtime, alert.root)  # a correction can be quicker than what it corrects
    # A follow-up goes to nobody who registered after the first alert of its chain.
    bounds = await store.runs.bounds(alert.root) if alert.root else await store.numbers.bounds()
    began_at = await store.runs.now()
    if not await store.runs.begin(alert_id, bounds, began_at, alert.attempts_end(began_at)):
        return
    shards = sum(-(-bound // SHARD_SIZE) for bound in bounds.values())
    if shards == 0:
        await close_if_done(runtime, alert_id)
    elif shards > 1:
        await runtime.wake_ups.deliver(alert.queue, shards - 1)
