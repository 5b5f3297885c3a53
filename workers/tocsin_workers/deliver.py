"""Works off whatever shards are due, one at a time for each push service, so that a slow one holds up no other."""

import asyncio
import time
from collections.abc import Mapping

import structlog

from tocsin.domain.errors import Unavailable
from tocsin.domain.queues import PRIORITY, STANDARD
from tocsin.store.runs import Claim
from tocsin_workers.close import close_if_done
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_run import ShardRun

log = structlog.get_logger()

# A task that never ended would keep Celery from recycling the process; the next wake-up goes on from the store.
_SLICE_SECONDS = 60.0

# While one push service is slow, work for the others may come: a wake-up cannot reach a process that is busy.
_LOOK_SECONDS = 0.1

# What a worker of each queue may claim: those of `standard` lend a hand with priority work, never the other way.
_SERVES = {PRIORITY: (PRIORITY,), STANDARD: (PRIORITY, STANDARD)}


async def deliver(runtime: Runtime, queue: str) -> None:
    """Returns when nothing is due that this process is not at work on already."""
    started = time.monotonic()
    at_work: dict[str, asyncio.Task[None]] = {}
    while True:
        in_time = time.monotonic() - started < _SLICE_SECONDS and not runtime.stopping()
        claim = await _claim(runtime, queue, at_work) if in_time else None
        if claim is not None:
            at_work[claim.push_service] = asyncio.create_task(_work(runtime, claim))
        elif at_work:
            await _wait(at_work)
        else:
            break
    await runtime.counting.write()
    if not in_time and not runtime.stopping():
        await runtime.wake_ups.deliver(queue, 1)


async def _claim(runtime: Runtime, queue: str, at_work: Mapping[str, object]) -> Claim | None:
    try:
        return await runtime.store.runs.claim(_SERVES[queue], at_work.keys())
    except Unavailable as error:
        if not at_work:
            raise
        log.warning("no claim", error=error.detail)
        return None


async def _wait(at_work: dict[str, asyncio.Task[None]]) -> None:
    """Until a push service's shard is done, or it is time to look for new work of the others."""
    done, _ = await asyncio.wait(at_work.values(), timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for push_service in [name for name, task in at_work.items() if task in done]:
        del at_work[push_service]


async def _work(runtime: Runtime, claim: Claim) -> None:
    """One shard. What goes wrong in it must not end the others' requests: its lease lapses, and it is tried again."""
    runtime.permits.join()
    try:
        alert = await runtime.alert(claim.alert_id)
        if await ShardRun(runtime, claim, alert).work():
            await close_if_done(runtime, claim.alert_id)
    except Unavailable as error:
        log.warning("shard given up", alert=claim.alert_id, shard=claim.shard, error=error.detail)
    except Exception:
        log.exception("shard given up", alert=claim.alert_id, shard=claim.shard)
    finally:
        runtime.permits.leave()
