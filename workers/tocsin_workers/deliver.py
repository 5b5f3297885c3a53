"""Works off whatever is due: shards of each alert at each push service side by side, so that none holds up another."""

import asyncio
import time
from collections import Counter

import structlog

from tocsin.domain.errors import Unavailable
from tocsin.domain.queues import PRIORITY, STANDARD
from tocsin.store.runs import Claim, Unbegun
from tocsin_workers.begin import begin
from tocsin_workers.close import close_if_done
from tocsin_workers.permits import Lane
from tocsin_workers.round_run import RoundRun
from tocsin_workers.runtime import Runtime
from tocsin_workers.shard_run import ShardRun
from tocsin_workers.work import Work

log = structlog.get_logger()

# What a process is at work on, and at which push service for which alert.
AtWork = dict[asyncio.Task[None], Lane]

# Of a narrow topic a shard has few readers, and many shards fit into what may be in flight at once.
_MOST_SHARDS = 8

# A task that never ended would keep Celery from recycling the process; the next wake-up goes on from the store.
_SLICE_SECONDS = 60.0

# Meanwhile new alerts may come, or other push services be due: a wake-up cannot reach a process that is busy.
_LOOK_SECONDS = 0.1

# What a worker of each queue may claim: those of `standard` lend a hand with priority work, never the other way.
_SERVES = {PRIORITY: (PRIORITY,), STANDARD: (PRIORITY, STANDARD)}


async def deliver(runtime: Runtime, queue: str) -> None:
    """Returns when nothing is due that this process is not at work on already."""
    runtime.slice_ends = time.monotonic() + _SLICE_SECONDS
    at_work: AtWork = {}
    unreadable: set[str] = set()
    has_room, look_at = True, 0.0
    try:
        while True:
            # When the time is over, those at work hand back what they hold after their window, as at a stop: one that
            # is slow must not keep this process from what is quick.
            handing_back = runtime.hands_back()
            claim = None
            if not handing_back and (has_room or time.monotonic() > look_at):
                claim, has_room = await _next(runtime, queue, at_work, unreadable), False
                if claim is None:
                    look_at = time.monotonic() + _LOOK_SECONDS
            if claim is not None:
                at_work[asyncio.create_task(_work(runtime, claim))] = claim.lane
            elif at_work:
                has_room = await _wait(runtime, at_work)
            else:
                break
    finally:
        # Whatever went wrong here, requests under way are recorded: nobody else would know of them.
        await asyncio.gather(*at_work)
    await runtime.counting.write()
    if handing_back and not runtime.stopping():
        await runtime.wake_ups.deliver(queue, 1)


async def _next(runtime: Runtime, queue: str, at_work: AtWork, unreadable: set[str]) -> Claim | None:
    """The next shard; runs that are yet to be made are made on the way. Raises nothing while others are at work."""
    while True:
        try:
            busy = [*_full(runtime, at_work), *((alert_id, "") for alert_id in unreadable)]
            claim = await runtime.store.runs.claim(_SERVES[queue], busy)
            if not isinstance(claim, Unbegun):
                return claim
            try:
                await begin(runtime, claim.alert_id)
            except Unavailable:
                raise
            except Exception:
                # Written by a newer version, perhaps: left for a worker that can read it, and no others held up.
                log.exception("alert not begun", alert=claim.alert_id)
                unreadable.add(claim.alert_id)
        except Unavailable as error:
            if not at_work:
                raise
            log.warning("no claim", error=error.detail)
            return None


def _full(runtime: Runtime, at_work: AtWork) -> list[Lane]:
    """The lanes that another shard would have to wait in."""
    shards = Counter(at_work.values())
    return [lane for lane in shards if shards[lane] >= _MOST_SHARDS or not runtime.permits.has_room(lane, shards[lane])]


async def _wait(runtime: Runtime, at_work: AtWork) -> bool:
    """Until a shard is done, there is room beside those at work (then True), or it is time to look for new work."""
    room = asyncio.ensure_future(runtime.permits.room.wait())
    done, _ = await asyncio.wait({*at_work, room}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    room.cancel()
    runtime.permits.room.clear()
    for task in [task for task in at_work if task in done]:
        del at_work[task]
    return bool(done)


async def _work(runtime: Runtime, claim: Claim) -> None:
    """One shard, or a handful. What goes wrong in it must not end the others' requests: its leases lapse, and it is
    tried again."""
    try:
        if claim.is_round:
            await Work(runtime, RoundRun(runtime, claim)).work()
        elif await Work(runtime, ShardRun(runtime, claim, await runtime.alert(claim.alert_id))).work():
            await close_if_done(runtime, claim.alert_id)
    except Unavailable as error:
        log.warning("shard given up", alert=claim.alert_id, shard=claim.shard, error=error.detail)
    except Exception:
        log.exception("shard given up", alert=claim.alert_id, shard=claim.shard)
