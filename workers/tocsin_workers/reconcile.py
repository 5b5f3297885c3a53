"""Wakes again whatever is due, and mends what crashes left half done. Any number may run at once."""

import asyncio
import time

import structlog

from tocsin import clock
from tocsin.domain.errors import Unavailable
from tocsin.domain.queues import MAINTENANCE, STANDARD
from tocsin.store.alerts import AlertStatus
from tocsin_workers.close import close_if_done
from tocsin_workers.mend import mend
from tocsin_workers.runtime import Runtime

log = structlog.get_logger()

# Mending looks at every shard, so it is not done at each tick.
_MEND_EVERY_SECONDS = 60.0
# While it goes on a stop is seen within this.
_LOOK_SECONDS = 2.0
# Of the time between two ticks.
_STOCK_SHARE = 0.8


async def reconcile(runtime: Runtime) -> None:
    """Waking goes on beside the mending, which may take its time: there may be no other process that does it."""
    await wake(runtime)
    # Only the rest is paused with the queue: what wakes the others must go on.
    if await runtime.store.pauses.is_paused(MAINTENANCE):
        return
    if time.monotonic() - runtime.mended_at >= _MEND_EVERY_SECONDS:
        await _mend(runtime)
    await _tend_log(runtime)
    # The next tick finds this process free.
    await runtime.stock.fill(runtime.settings.reconcile_seconds * _STOCK_SHARE)


async def _tend_log(runtime: Runtime) -> None:
    """Nothing that waits for news may wait for the store's log."""
    after_ms = int(runtime.settings.erase_hours * 3_600_000)
    try:
        await runtime.store.log.tend(clock.milliseconds(clock.now()), after_ms)
    except Unavailable as error:
        log.warning("the store's log is not looked after", error=error.detail)


async def _mend(runtime: Runtime) -> None:
    runtime.mended_at = time.monotonic()
    mending = asyncio.create_task(mend(runtime))
    try:
        every = min(runtime.settings.reconcile_seconds, _LOOK_SECONDS)
        while not (await asyncio.wait({mending}, timeout=every))[0] and not runtime.stopping():
            await wake(runtime)
    finally:
        mending.cancel()
        await asyncio.gather(mending, return_exceptions=True)


async def wake(runtime: Runtime) -> None:
    """Whoever can work on what is due, and ends what is done."""
    now_ms, store = clock.milliseconds(clock.now()), runtime.store
    for status in await store.alerts.open():
        try:
            await _look_after(runtime, status, now_ms)
        except Unavailable:
            raise
        except Exception:
            log.exception("alert not looked after", alert=status.alert.id)  # the others wait for nothing
    if await store.runs.round_due(now_ms):
        await runtime.wake_ups.deliver(STANDARD, 1)
    due = [alert_id for alert_id, at in (await store.alerts.timed()).items() if clock.milliseconds(at) <= now_ms]
    for status in await store.alerts.readable(due):
        await runtime.wake_ups.deliver(status.alert.queue, 1)


async def _look_after(runtime: Runtime, status: AlertStatus, now_ms: int) -> None:
    alert_id, queue, runs = status.alert.id, status.alert.queue, runtime.store.runs
    if status.began_at is None:
        await runtime.wake_ups.deliver(queue, 1)
    elif not (left := await runs.left(alert_id)):
        await close_if_done(runtime, alert_id)
    elif status.state.is_terminal or await runs.has_due(alert_id, now_ms):
        await runtime.wake_ups.deliver(queue, left)
