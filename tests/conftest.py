"""What every test may use. Real servers and processes; free ports; nothing mocked above the wire."""

from collections.abc import AsyncIterator

import pytest

from newsroom import Newsroom, open_newsroom
from tocsin.cli.embedded import embedded_parts
from tocsin.cli.supervisor import supervised
from tocsin.settings import Settings, load
from tocsin.store.store import Store
from town import Town, open_town


@pytest.fixture(scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Settings]:
    """Two real embedded servers, and settings that lead to them."""
    folder = tmp_path_factory.mktemp("servers")
    settings = load(data_dir=folder, subscribe_rate="off", alert_rate="off")
    async with supervised({}, _silent, folder) as supervisor:
        await supervisor.start(embedded_parts(settings))
        yield settings


@pytest.fixture
async def store(servers: Settings) -> AsyncIterator[Store]:
    """An empty store."""
    async with Store(servers) as opened:
        await opened.server.redis.flushall()
        opened.runs.grace_ms = 0  # tests that lapse a lease claim the shard at once
        yield opened


@pytest.fixture(scope="session")
async def shared_town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with open_town(tmp_path_factory.mktemp("town")) as opened:
        yield opened


@pytest.fixture
async def town(shared_town: Town) -> AsyncIterator[Town]:
    """A whole Tocsin in real processes with simulated push services; what one test did is gone for the next."""
    await shared_town.clear()
    yield shared_town
    await shared_town.settle()


@pytest.fixture(scope="session")
async def shared_mortal_town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with open_town(tmp_path_factory.mktemp("mortal")) as opened:
        yield opened


@pytest.fixture
async def mortal_town(shared_mortal_town: Town) -> Town:
    """One for tests that kill its parts, so that no other test meets a town that is still getting up."""
    await shared_mortal_town.until_back()
    await shared_mortal_town.clear()
    return shared_mortal_town


@pytest.fixture(scope="session")
async def shared_newsroom(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Newsroom]:
    async with open_newsroom(tmp_path_factory.mktemp("newsroom")) as opened:
        yield opened


@pytest.fixture
def newsroom(shared_newsroom: Newsroom) -> Newsroom:
    """The website that alerts link to; nobody has asked it for anything."""
    shared_newsroom.asked.clear()
    shared_newsroom.answer.clear()
    return shared_newsroom


def _silent(_: str) -> None:
    """Parts that a test kills need no telling."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", help="a folder for pictures of the pages, taken by the browser tests")
