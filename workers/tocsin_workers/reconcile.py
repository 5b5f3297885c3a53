"""Wakes again whatever is due, and mends what crashes left half done. Any number may run at once."""

from tocsin import clock
from tocsin.domain.queues import MAINTENANCE, STANDARD
from tocsin_workers.close import close_if_done, settle_deferred
from tocsin_workers.mend import end_quarantines, find_deferred
from tocsin_workers.runtime import Runtime
from tocsin_workers.trim import trim

# Mending looks at every shard, so it is not done at each tick.
_MEND_EVERY_MS = 60_000


async def reconcile(runtime: Runtime) -> None:
    now_ms = clock.milliseconds(clock.now())
    store = runtime.store
    for status in await store.alerts.open():
        alert_id, queue = status.alert.id, status.alert.queue
        if status.began_at is None:
            await runtime.wake_ups.deliver(queue, 1)
        elif not (left := await store.runs.left(alert_id)):
            await close_if_done(runtime, alert_id)
        elif status.state.is_terminal or await store.runs.has_due(alert_id, now_ms):
            await runtime.wake_ups.deliver(queue, left)
    if await store.runs.round_due(now_ms):
        await runtime.wake_ups.deliver(STANDARD, 1)
    for alert_id, due in (await store.alerts.timed()).items():
        if clock.milliseconds(due) <= now_ms:
            await runtime.wake_ups.deliver((await store.alerts.get(alert_id)).alert.queue, 1)
    # Only the mending is paused with its queue: what wakes the others must go on.
    if now_ms - runtime.mended_ms >= _MEND_EVERY_MS and not await store.pauses.is_paused(MAINTENANCE):
        runtime.mended_ms = now_ms
        await trim(store, now_ms)
        await store.subscriptions.mend(now_ms)
        await end_quarantines(runtime, now_ms)
        await find_deferred(runtime)
        await settle_deferred(runtime)
        await store.processes.fold_ended(now_ms)
