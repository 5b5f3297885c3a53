"""One fault with one seed, from a healthy town to a healthy town, and what came of it."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp

from faults import strikes_answers, strikes_machine, strikes_prekeys, strikes_processes, strikes_servers
from faults.account import account
from faults.catalogue import Fault
from faults.population import Population
from faults.scene import SENDING, Scene, has_children
from tocsin.domain.errors import Unavailable
from town import WAIT_SECONDS, Town, assert_account

STRIKES = (strikes_processes, strikes_servers, strikes_answers, strikes_machine, strikes_prekeys)
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Result:
    """A line of the record. `allowed` are the duplicates that G4 allows here; `wrong` says what did not hold."""

    fault: str
    seed: int
    production: bool
    full: bool
    eligible: int
    missed: int
    unaccounted: int
    wrongly_deleted: int
    against: int
    duplicates: int
    allowed: int
    died: int
    recovery: float | None
    bound: float | None
    seconds: float
    keys_reused: int = 0
    wrong: list[str] = field(default_factory=list)


async def run(fault: Fault, seed: int, town: Town, population: Population, *, full: bool, production: bool) -> Result:
    await town.simulator.clear_log()
    scene = Scene(town, population, Random(f"{fault.name} {seed}"), full)
    watching = _Watch(scene)
    watcher = asyncio.create_task(watching.watch())
    started = time.monotonic()
    try:
        await _strike(fault, scene)
    finally:
        seconds = time.monotonic() - started
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
    found = await account(scene)
    result = Result(
        fault=fault.name,
        seed=seed,
        production=production,
        full=full,
        eligible=found.eligible,
        missed=found.missed,
        unaccounted=watching.unaccounted,
        wrongly_deleted=found.wrongly_deleted,
        against=found.against,
        keys_reused=found.keys_reused,
        duplicates=found.duplicates,
        allowed=scene.may_repeat,
        died=scene.died,
        recovery=found.recovery,
        bound=fault.bound(scene.lease) if fault.bound else None,
        seconds=round(seconds, 1),
        wrong=[*scene.wrong, *watching.wrong],
    )
    await _heal(scene)
    return result


def failures(result: Result, slack: float = 1.0) -> list[str]:
    """What the guarantees do not allow; `slack` stretches the bounds of recovery on a machine that is busy."""
    found = [f"{name} {value}" for name, value in _nones(result).items() if value]
    if result.duplicates > result.allowed:
        found.append(f"duplicates {result.duplicates}, allowed {result.allowed}")
    if result.bound is not None and result.recovery is not None and result.recovery > result.bound * slack:
        found.append(f"recovered after {result.recovery} s, bound {result.bound} s")
    return found + result.wrong


def _nones(result: Result) -> dict[str, int]:
    return {
        "missed": result.missed,
        "unaccounted": result.unaccounted,
        "wrongly deleted": result.wrongly_deleted,
        "sent against preferences": result.against,
        "message keys used twice": result.keys_reused,
    }


async def _strike(fault: Fault, scene: Scene) -> None:
    """Until all alerts have ended, of themselves or stopped by us because they did not."""
    try:
        async with asyncio.timeout(scene.lease * 20 + 60):
            await fault.strike(scene)
            await _finish(scene)
    except (AssertionError, TimeoutError, aiohttp.ClientError, Unavailable, OSError, ValueError) as error:
        scene.wrong.append(f"{type(error).__name__}: {error}"[:500])
        await scene.town.until_back()
        scene.wrong += await _left(scene)
        await scene.town.simulator.clear_faults()
        await scene.town.settle()


async def _left(scene: Scene) -> list[str]:
    """What an alert that did not end was waiting for."""
    store, found = scene.town.store, []
    for alert_id in await store.alerts.open_ids():
        progress = (await scene.town.read(alert_id))["progress"]
        parts = {name: {**counts} for name, counts in progress["by_push_service"].items()}
        waits = {name: {key: part[key] for key in ("pending", "retrying")} for name, part in parts.items()}
        runs = {}
        async for key in store.server.redis.scan_iter(match=f"*:{alert_id}:*"):
            if key.startswith((b"{alerts}:due:", b"{alerts}:leased:")):
                runs[key.decode()] = await store.server.redis.zrange(key, 0, -1, withscores=True)
        states = {name: vars(state) for name, state in (await store.pace.states()).items()}
        found.append(f"{alert_id} waits: {waits}; {runs}; at {await store.runs.now()}; {states}"[:3000])
    return found


async def _finish(scene: Scene) -> None:
    """Everything is well again, and so every alert ends."""
    await scene.town.until_back()
    await scene.hasten()
    for sent in scene.alerts:
        await scene.town.ended(sent.id, seconds=scene.lease * 5 + WAIT_SECONDS)


async def _heal(scene: Scene) -> None:
    """For the next fault: all workers have processes, and who was deleted is back."""
    town, population = scene.town, scene.population
    async with asyncio.timeout(WAIT_SECONDS):
        while not all(has_children(town.part(name)) for name in (*SENDING, "worker-maintenance")):
            await asyncio.sleep(0.02)
    counts = await town.store.numbers.counts()
    if any(counts.get(name) != count for name, count in population.counts().items()):
        await population.mend(await population.missing())


class _Watch:
    """Looks at the account of every alert all the time: it has to hold at every moment."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.unaccounted = 0
        self.wrong: list[str] = []

    async def watch(self) -> None:
        while True:
            for sent in list(self._scene.alerts):
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    path = f"/v1/alerts/{sent.id}"
                    status, alert = await self._scene.town.call("GET", path, headers=self._scene.town.editor)
                    if status == 200:
                        self._look(alert["progress"])
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self, progress: dict[str, Any]) -> None:
        self.unaccounted = max(self.unaccounted, progress["unaccounted"])
        try:
            assert_account(progress)
        except AssertionError as error:
            if not self.wrong:
                self.wrong.append(f"the account does not add up: {error}"[:500])
