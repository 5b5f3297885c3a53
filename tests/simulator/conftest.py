"""One simulator for all of these tests; each begins without browsers, faults and log."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from simulator_sender import Sender
from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.server import Simulator


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def simulator(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Simulator]:
    async with Simulator(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def client(simulator: Simulator) -> AsyncIterator[SimulatorClient]:
    async with SimulatorClient(simulator.control_url) as connected:
        yield connected
        await connected.clear_faults()
        await connected.delete_browsers()
        await connected.clear_log()


@pytest.fixture(scope="session")
def sender(simulator: Simulator) -> Sender:
    return Sender(simulator.ca_file, simulator.connect_to)
