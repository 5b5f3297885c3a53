"""Every fault once, with one seed and shortened outages; `make faults` runs them in full."""

import os

import pytest

from faults.catalogue import FAULTS, Fault
from faults.run import failures, run
from faults.towns import clocks_can_move

SEED = 1
# A machine that is busy with other things starts a process more slowly; `make faults` judges the bounds themselves.
SLACK = 3.0

needs_faketime = pytest.mark.skipif(
    not clocks_can_move() and "CI" not in os.environ, reason="no libfaketime on this machine"
)


@pytest.mark.parametrize("fault", [each for each in FAULTS.values() if not each.clock], ids=lambda each: each.name)
async def test_nobody_is_missed_or_sent_to_twice(fault: Fault, fault_town) -> None:
    await _holds(fault, fault_town)


@needs_faketime
@pytest.mark.parametrize("fault", [each for each in FAULTS.values() if each.clock], ids=lambda each: each.name)
async def test_a_clock_that_jumps(fault: Fault, clock_town) -> None:
    await _holds(fault, clock_town)


async def _holds(fault: Fault, population) -> None:
    result = await run(fault, SEED, population.town, population, full=False, production=False)
    assert failures(result, SLACK) == [], result
