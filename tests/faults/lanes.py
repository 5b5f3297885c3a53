"""Several towns side by side, since most of a fault is waiting: each takes the next that its town is right for."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from faults.catalogue import Fault
from faults.population import Population
from faults.run import Result, run
from faults.towns import Kind, town_of


@dataclass(frozen=True)
class Job:
    fault: Fault
    seed: int
    production: bool = False

    @property
    def kind(self) -> Kind:
        return Kind(production=self.production, clock=self.fault.clock)


Done = Callable[[Job, Result | Exception], None]


class Lanes:
    """`done` is told of each job once, with its result or with what broke the town."""

    def __init__(self, jobs: Sequence[Job], done: Done, *, full: bool) -> None:
        self._left = list(jobs)
        self._done = done
        self._full = full
        self._taken: list[Kind] = []

    async def work(self, lanes: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(lanes, len(self._left))):
                group.create_task(self._lane())

    async def _lane(self) -> None:
        while self._left:
            kinds = [job.kind for job in self._left]
            # One that no other lane is at, so that few towns are opened in all.
            kind = next((each for each in kinds if each not in self._taken), kinds[0])
            self._taken.append(kind)
            try:
                with tempfile.TemporaryDirectory(prefix="tocsin-faults-") as folder:
                    await self._in_town(kind, Path(folder))
            finally:
                self._taken.remove(kind)

    async def _in_town(self, kind: Kind, folder: Path) -> None:
        """Until nothing is left for it, or a fault left it broken: then the rest goes on in another."""
        async with town_of(kind, folder) as town:
            population = await Population.settle(town)
            while job := next((each for each in self._left if each.kind == kind), None):
                self._left.remove(job)
                try:
                    result = await run(
                        job.fault, job.seed, town, population, full=self._full, production=job.production
                    )
                except Exception as error:  # noqa: BLE001 (told to whoever asked for it)
                    self._done(job, error)
                    return
                self._done(job, result)
