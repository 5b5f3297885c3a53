"""Our own processes are killed, ended, paused, and met by too many of their kind."""

import asyncio
import os
import signal

from faults.catalogue import after_lease, fault
from faults.scene import SENDING, Scene, has_children
from tocsin import jobs
from tocsin.cli.parts import Running, tocsin_part
from town import WAIT_SECONDS

PARTS = ("api", "worker-priority", "worker-standard", "worker-maintenance", "beat", "store", "cache")


@fault("worker process killed", after_lease)
async def child_killed(scene: Scene) -> None:
    await scene.under_way()
    scene.kill(scene.rng.choice(scene.senders()))


@fault("worker group killed", after_lease)
async def group_killed(scene: Scene) -> None:
    await scene.under_way()
    scene.kill_workers(scene.rng.choice(SENDING))


@fault("all workers killed", after_lease)
async def workers_killed(scene: Scene) -> None:
    await scene.under_way()
    scene.kill_workers(*SENDING, "worker-maintenance")


@fault("everything killed at once", lambda lease: after_lease(lease) + 5)
async def everything_killed(scene: Scene) -> None:
    await scene.under_way()
    scene.count_dead(len(scene.senders()))
    scene.strike()
    for name in PARTS:
        scene.town.part(name).kill_session()


@fault("API killed before an alert is queued")
async def api_killed_before(scene: Scene) -> None:
    await scene.under_way()
    scene.strike()
    scene.town.part("api").signal(signal.SIGKILL)
    await scene.post_until_taken(scene.draft())


@fault("API killed while it queues an alert")
async def api_killed_inside(scene: Scene) -> None:
    sent = scene.draft()
    posting = asyncio.create_task(scene.post_until_taken(sent))
    await asyncio.sleep(scene.rng.uniform(0, 0.02))  # the fault is this moment itself
    scene.strike()
    scene.town.part("api").signal(signal.SIGKILL)
    await posting
    await scene.town.until_back()
    await scene.post_until_taken(sent)


@fault("API killed right after a 202")
async def api_killed_after(scene: Scene) -> None:
    await scene.send()
    scene.strike()
    scene.town.part("api").signal(signal.SIGKILL)


@fault("workers ended one after another (SIGTERM)", after_lease)
async def workers_ended(scene: Scene) -> None:
    await scene.under_way()
    names = [*SENDING, "worker-maintenance"]
    scene.rng.shuffle(names)
    scene.strike()
    for name in names:
        await _replaced(scene.town.part(name))


@fault("worker process paused past its lease (SIGSTOP)", after_lease)
async def child_paused(scene: Scene) -> None:
    await scene.under_way()
    child = scene.rng.choice(scene.senders())
    # To all others it is as good as dead: what it had in flight may be sent again.
    scene.count_dead(1)
    scene.strike()
    os.kill(child, signal.SIGSTOP)
    await asyncio.sleep(scene.lease + scene.rng.uniform(1.2, 2.5))  # the fault is this time itself
    os.kill(child, signal.SIGCONT)


@fault("three reconcilers at once", after_lease)
async def three_reconcilers(scene: Scene) -> None:
    town = scene.town
    more = [
        Running(tocsin_part(f"reconciler-{number}", "worker", "--queues", "maintenance", "--processes", "1"),
                town.environment, town.folder)
        for number in (2, 3)
    ]  # fmt: skip
    for each in more:
        await each.start()
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not all(map(has_children, more)):
                await asyncio.sleep(0.02)
        await scene.under_way()
        scene.kill(scene.rng.choice(scene.senders()))
        await _reconcile(scene, 30)
        await scene.send()
        await _reconcile(scene, 30)
    finally:
        for each in more:
            each.signal(signal.SIGTERM)
        await asyncio.gather(*(each.ended() for each in more))


async def _reconcile(scene: Scene, times: int) -> None:
    """Wakes whatever reconcilers there are, all at the same moment."""
    with jobs.celery_app(scene.town.settings) as app:
        for _ in range(times):
            await asyncio.to_thread(app.send_task, jobs.RECONCILE, queue="maintenance", ignore_result=True)


@fault("50 posts with one key")
async def fifty_posts(scene: Scene) -> None:
    sent = scene.draft()
    answers = await asyncio.gather(*(scene.post(sent) for _ in range(50)))
    scene.require({status for status, _ in answers} == {202}, f"not all 50 were taken: {answers}")
    scene.require(len(scene.alerts) == 1, "50 posts made more than one alert")


async def _replaced(running: Running) -> None:
    """Asks a worker to end and waits until its successor has processes."""
    before = running.pid
    running.signal(signal.SIGTERM)
    async with asyncio.timeout(WAIT_SECONDS):
        while running.pid == before or not has_children(running):
            await asyncio.sleep(0.02)
