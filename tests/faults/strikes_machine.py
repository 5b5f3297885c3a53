"""The machine under it all: names, clocks, descriptors, and a reader who kills whoever touches them."""

import asyncio
import resource
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from faults.catalogue import after_lease, after_restart, fault
from faults.scene import PUSH_SERVICES, Scene
from faults.towns import movable_clock, set_clock
from tocsin.simulator.faults import RefuseFault

HOUR = 3_600


@fault("a name that does not resolve", None)
async def no_such_name(scene: Scene) -> None:
    """Some readers' push service has vanished from the DNS: they are tried until the end, and stay."""
    count = scene.rng.randint(1, 40)
    at_wns = [each for each in scene.population.readers.values() if each.push_service == "wns"]
    bodies = []
    for reader in scene.rng.sample(at_wns, count):
        subscription = reader.view.subscription.model_dump(mode="json")
        subscription["endpoint"] = f"https://gone.notify.windows.com/w/?token={reader.browser}"
        bodies.append({"subscription": subscription, "preferences": {"topics": ["world"]}})
    answers = [await scene.town.call("POST", "/v1/subscriptions", body) for body in bodies]
    sent = await scene.under_way(level="flash")
    scene.strike()
    await scene.hasten()
    progress = await scene.town.progress_until(
        # With twenty and more the breaker opens, and the last of them wait for their first try.
        sent.id,
        lambda progress: progress["retrying"] + progress["pending"] == count and progress["retrying"] > 0,
    )
    scene.require(progress["gone"] == 0, "a name that does not resolve counted as gone")
    await scene.town.call("POST", f"/v1/alerts/{sent.id}/stop", headers=scene.town.editor)
    await scene.town.ended(sent.id)
    for status, registered in answers:
        assert status == 201, registered
        headers = {"Authorization": f"Bearer {registered['token']}"}
        deleted, _ = await scene.town.call("DELETE", f"/v1/subscriptions/{registered['id']}", headers=headers)
        scene.require(deleted == 204, "a reader whose push service does not resolve was deleted")


async def jump(scene: Scene, seconds: int) -> None:
    """In the midst of an alert, and back in the midst of the next."""
    async with movable_clock(scene.town):
        await scene.under_way()
        scene.strike()
        set_clock(scene.town, seconds)
        async with asyncio.timeout(5):
            while abs((await scene.town.store.runs.now() - datetime.now(UTC)).total_seconds() - seconds) > 5:
                await asyncio.sleep(0.01)
        await finish(scene)
        await scene.under_way()
        set_clock(scene.town, 0)
        await finish(scene)
        await scene.send()
        await finish(scene)


async def finish(scene: Scene) -> None:
    await scene.hasten()
    for sent in scene.alerts:
        await scene.town.ended(sent.id)


@fault("clock an hour forward and back", after_lease, clock=True)
async def clock_forward(scene: Scene) -> None:
    await jump(scene, HOUR)


@fault("clock an hour back and forward", after_lease, clock=True)
async def clock_back(scene: Scene) -> None:
    await jump(scene, -HOUR)


@fault("file descriptors used up", after_restart)
async def no_descriptors(scene: Scene) -> None:
    """API and senders may open nothing more, while what they had open to one push service breaks."""
    await scene.under_way()
    name = scene.rng.choice(PUSH_SERVICES)
    pids = [*scene.senders(), scene.pid("api")]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in pids}
    scene.strike()
    # What was taken and whose answer was lost with its connection is asked for again.
    scene.may_repeat += len(scene.senders()) * scene.window
    for pid in pids:
        opened = [int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (max(opened) + 1, before[pid][1]))
    await scene.town.simulator.set_faults(name, RefuseFault())
    await scene.town.simulator.clear_faults(name)
    refused = scene.draft()
    with suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(2):
            await scene.post(refused)
    await asyncio.sleep(scene.rng.uniform(0.5, 3 if scene.full else 1))  # the fault is this time itself
    for pid in pids:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before[pid])
    scene.over()
    await scene.post_until_taken(refused)


@fault("a reader who kills their worker")
async def poisoned(scene: Scene) -> None:
    """Five processes die of it, then that reader is set aside, and told to the operators."""
    sent = scene.draft(level="flash")
    victim = scene.rng.choice(sorted(scene.population.eligible(sent.body)))
    file = Path(scene.town.environment["FAULTS_POISON"])
    file.write_text(scene.population.readers[victim].view.subscription.endpoint)
    sent.excused.add(victim)
    senders: set[int] = set()
    at_first = len(scene.senders())

    try:
        await scene.slow_down()
        scene.strike()
        await scene.post_until_taken(sent)
        async with asyncio.timeout(scene.lease * 15 + 60):
            while (alert := await scene.town.read(sent.id))["ended_at"] is None:
                senders.update(scene.senders())
                await asyncio.sleep(0.1)
    finally:
        file.unlink()
    scene.count_dead(len(senders) - at_first)
    scene.require(alert["progress"]["set_aside"] == 1, f"set aside: {alert['progress']['set_aside']}, not 1")
    failures = (await scene.ops("failures"))["failures"]
    scene.require(any(each["alert"] == sent.id for each in failures), "the operators were not told of it")
