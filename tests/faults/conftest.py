"""All faults that were asked for, in two towns side by side; each test waits for its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from faults.catalogue import FAULTS
from faults.lanes import Job, Lanes
from faults.run import Result
from faults.towns import clocks_can_move

SEED = 1
LANES = 2

Outcomes = dict[str, asyncio.Future[Result]]


@pytest.fixture(scope="session")
async def outcomes(request: pytest.FixtureRequest) -> AsyncIterator[Outcomes]:
    """By the fault's name. They are begun in the order in which their tests come."""
    asked = [item.callspec.params["fault"] for item in request.session.items if "outcomes" in item.fixturenames]
    jobs = [Job(FAULTS[name], SEED) for name in asked if clocks_can_move() or not FAULTS[name].clock]
    loop = asyncio.get_running_loop()
    futures: Outcomes = {job.fault.name: loop.create_future() for job in jobs}

    def done(job: Job, result: Result | Exception) -> None:
        future = futures[job.fault.name]
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    working = asyncio.create_task(Lanes(jobs, done, full=False).work(LANES))
    yield futures
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
