"""Works off whatever shards are due, one at a time for each push service, so that a slow one holds up no other."""

import asyncio
import time

from tocsin.domain.queues import PRIORITY, STANDARD
from tocsin.store.runs import Claim
from tocsin_workers.close import close_if_done
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_run import ShardRun

# A task that never ended would keep Celery from recycling the process; the next wake-up goes on from the store.
_SLICE_SECONDS = 60.0

# What a worker of each queue may claim: those of `standard` lend a hand with priority work, never the other way.
_SERVES = {PRIORITY: (PRIORITY,), STANDARD: (PRIORITY, STANDARD)}


async def deliver(runtime: Runtime, queue: str) -> None:
    """Returns when nothing is due that this process is not at work on already."""
    started = time.monotonic()
    at_work: dict[str, asyncio.Task[None]] = {}
    try:
        while True:
            in_time = time.monotonic() - started < _SLICE_SECONDS and not runtime.stopping()
            claim = await runtime.store.runs.claim(_SERVES[queue], at_work.keys()) if in_time else None
            if claim is not None:
                at_work[claim.push_service] = asyncio.create_task(_work(runtime, claim))
            elif at_work:
                await _first_done(at_work)
            else:
                break
    finally:
        for task in at_work.values():
            task.cancel()
        await asyncio.gather(*at_work.values(), return_exceptions=True)
    await runtime.counting.write()
    if not in_time and not runtime.stopping():
        await runtime.wake_ups.deliver(queue, 1)


async def _first_done(at_work: dict[str, asyncio.Task[None]]) -> None:
    """Waits until a push service's shard is done; raises what it raised."""
    done, _ = await asyncio.wait(at_work.values(), return_when=asyncio.FIRST_COMPLETED)
    for push_service in [name for name, task in at_work.items() if task in done]:
        at_work.pop(push_service).result()


async def _work(runtime: Runtime, claim: Claim) -> None:
    alert = await runtime.alert(claim.alert_id)
    runtime.permits.join()
    try:
        last = await ShardRun(runtime, claim, alert).work()
    finally:
        runtime.permits.leave()
    if last:
        await close_if_done(runtime, claim.alert_id)
