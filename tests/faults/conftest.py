"""Two towns for all faults: opened once, and healthy again after each."""

from collections.abc import AsyncIterator

import pytest

from faults.population import Population
from faults.towns import Kind, town_of


@pytest.fixture(scope="session")
async def fault_town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Population]:
    async with town_of(Kind(), tmp_path_factory.mktemp("faults")) as town:
        yield await Population.settle(town)


@pytest.fixture(scope="session")
async def clock_town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Population]:
    async with town_of(Kind(clock=True), tmp_path_factory.mktemp("clock")) as town:
        yield await Population.settle(town)
