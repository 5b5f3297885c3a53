"""One API and one Chromium for the tests of the SDK; each test has a profile of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from api.api_served import Served, serve, served_settings
from browsers import chromium
from tocsin.settings import Settings

TOPICS = "world:World,politics:Politics,sport:Sport"


@pytest.fixture(scope="session")
async def sdk_api(servers: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder: Path = tmp_path_factory.mktemp("sdk")
    async with serve(served_settings(servers, folder, topics=TOPICS)) as served:
        yield served


@pytest.fixture(scope="session")
async def shared_chromium() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser
