"""Several towns side by side, since most of a fault is waiting: each takes the next that its town is right for."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from faults.catalogue import Fault
from faults.population import Population
from faults.run import Result, run
from faults.towns import town_of


@dataclass(frozen=True)
class Job:
    fault: Fault
    seed: int
    production: bool = False


Done = Callable[[Job, Result | Exception], None]


class Lanes:
    """`done` is told of each job once, with its result or with what broke the town."""

    def __init__(self, jobs: Sequence[Job], done: Done, *, full: bool) -> None:
        self._left = list(jobs)
        self._done = done
        self._full = full

    async def work(self, lanes: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(lanes, len(self._left))):
                group.create_task(self._lane())

    async def _lane(self) -> None:
        while self._left:
            with tempfile.TemporaryDirectory(prefix="tocsin-faults-") as folder:
                await self._in_town(Path(folder), production=self._left[0].production)

    async def _in_town(self, folder: Path, *, production: bool) -> None:
        """Until nothing is left for it, or a fault left it broken: then the rest goes on in another."""
        async with town_of(folder, production=production) as town:
            population = await Population.settle(town)
            while job := next((each for each in self._left if each.production == production), None):
                self._left.remove(job)
                try:
                    result = await run(job.fault, job.seed, town, population, full=self._full, production=production)
                except Exception as error:  # noqa: BLE001 (told to whoever asked for it)
                    self._done(job, error)
                    return
                self._done(job, result)
