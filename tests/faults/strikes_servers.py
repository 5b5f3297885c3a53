"""The store and the broker: wiped, away, killed, paused, full, cut short."""

import asyncio
import os
import resource
import signal
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiohttp

from faults.catalogue import after_restart, after_wipe, fault
from faults.scene import Scene, ended
from tocsin.store.client import Server


@fault("broker wiped (FLUSHALL)", after_wipe)
async def broker_wiped(scene: Scene) -> None:
    await scene.under_way()
    broker = Server(scene.town.settings.prekey_server)
    # The second one's wake-up is among what is lost, where the seed has it so.
    await scene.send()
    await asyncio.sleep(scene.rng.uniform(0, 0.02))  # the fault is this moment itself
    scene.strike()
    await broker.redis.flushall()
    await broker.close()


@fault("broker away for 20 s", after_restart)
async def broker_away(scene: Scene) -> None:
    await scene.under_way()
    async with scene.away("cache"):
        await scene.send()
        await asyncio.sleep(20 if scene.full else 2)  # the fault is this time itself


@fault("store killed", after_restart)
async def store_killed(scene: Scene) -> None:
    await scene.under_way()
    scene.strike()
    await ended(scene.town.part("store"))


@fault("store paused for 5 s (SIGSTOP)", after_restart)
async def store_paused(scene: Scene) -> None:
    await scene.under_way()
    async with scene.paused("store"):
        await asyncio.sleep(5 if scene.full else 1.5)  # the fault is this time itself


@fault("store paused for 30 s (SIGSTOP)", after_restart)
async def store_paused_long(scene: Scene) -> None:
    """Longer than a lease, and than every time-out towards the store."""
    await scene.under_way()
    async with scene.paused("store"):
        await asyncio.sleep(max(30, scene.lease + 2) if scene.full else scene.lease + 1)  # as above


@fault("store full (maxmemory)", after_restart)
async def store_full(scene: Scene) -> None:
    await scene.under_way()
    redis = scene.town.store.server.redis
    scene.strike()
    await redis.config_set("maxmemory", 1)
    refused = scene.draft()
    status, _ = await scene.post(refused)
    scene.require(status == 503, f"an alert that cannot be kept was answered with {status}")
    await asyncio.sleep(scene.rng.uniform(0.5, 3 if scene.full else 1))  # the fault is this time itself
    await redis.config_set("maxmemory", 0)
    scene.over()
    await scene.post_until_taken(refused)


@fault("store's log cut short", after_restart)
async def log_cut(scene: Scene) -> None:
    """The file system kept less than it had said. What the cut takes was written last: results of windows, which are
    sent again. An alert whose own record was cut would be gone, so the seed cuts less than all since the 202."""
    sent = await scene.under_way()
    await scene.until_requests(300)
    scene.strike()
    os.kill(scene.pid("store"), signal.SIGSTOP)  # so that nothing is written between the cut and the kill
    log = _log(scene)
    text = log.read_bytes()
    least = text.index(sent.id.encode()) + 8_192
    cut = scene.rng.randint(1, max(1, min(20_000, len(text) - least)))
    os.truncate(log, len(text) - cut)
    # A window is recorded in one transaction; what was in flight when the record was lost may repeat as well.
    lost = text.count(b"MULTI", len(text) - cut) + 1
    scene.may_repeat += (lost + len(scene.senders())) * scene.window
    await ended(scene.town.part("store"))


@fault("disk full under the store", after_restart)
async def disk_full(scene: Scene) -> None:
    """A limit on the size of its files, which stops a write in its midst as a full disk does."""
    await scene.under_way()
    running = scene.town.part("store")
    limit = _log(scene).stat().st_size + scene.rng.randint(0, 3_000)
    part = running.part
    # The successors ignore the signal that goes with the limit, and so see the error that a full disk gives.
    limited = ["/bin/sh", "-c", f'trap "" XFSZ; ulimit -f {limit // 512}; exec "$@"', "sh", *part.argv]
    running.part = replace(part, argv=limited)
    scene.strike()
    deaths = running.deaths
    resource.prlimit(scene.pid("store"), resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        refused = scene.draft()
        async with asyncio.timeout(30):
            while running.deaths == deaths:
                with suppress(aiohttp.ClientError):
                    await scene.post(refused)
                await asyncio.sleep(0.05)
        await asyncio.sleep(scene.rng.uniform(1, 5 if scene.full else 1.5))  # the fault is this time itself
    finally:
        running.part = part
        await ended(running)
        scene.over()
    await scene.post_until_taken(refused)


def _log(scene: Scene) -> Path:
    """The file that the store appends to."""
    folder = scene.town.settings.data_dir / "store" / "appendonlydir"
    return max(folder.glob("*.incr.aof"), key=lambda file: file.stat().st_mtime)
