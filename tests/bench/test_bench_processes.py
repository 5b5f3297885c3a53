"""What the benchmark reads of its processes."""

import asyncio
import os
import sys

import pytest

from tocsin.bench.peers import _ask
from tocsin.bench.processes import cpu_seconds


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
async def test_of_a_process_that_is_gone_there_is_no_time() -> None:
    """Not 0: less than it had before, so that its messages would have cost less than nothing."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await process.wait()
    assert cpu_seconds(process.pid) is None
    assert cpu_seconds(os.getpid()) is not None


async def test_a_warning_is_no_part_of_what_a_peer_says() -> None:
    says = "import sys; print('1.0 v20'); print('a warning', file=sys.stderr); sys.exit({})"
    assert await _ask([sys.executable, "-c", says.format(0)], {}) == (0, "1.0 v20\n")
    assert await _ask([sys.executable, "-c", says.format(3)], {}) == (3, "a warning\n")
