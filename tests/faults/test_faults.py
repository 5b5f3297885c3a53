"""Every fault once, with one seed and shortened outages; `make faults` runs them in full."""

import os

import pytest

from faults.background import Background
from faults.catalogue import FAULTS
from faults.run import failures
from faults.towns import clocks_can_move

# A machine that is busy with other things starts a process more slowly; `make faults` judges the bounds themselves.
SLACK = 3.0


@pytest.mark.timeout(300)  # the first to be asked for may not be the first to be done
@pytest.mark.parametrize("fault", FAULTS)
def test_nobody_is_missed_or_sent_to_twice(fault: str, begun: Background) -> None:
    if FAULTS[fault].clock and not clocks_can_move() and "CI" not in os.environ:
        pytest.skip("no libfaketime on this machine")
    result = begun.result(fault)
    assert failures(result, SLACK) == [], result
