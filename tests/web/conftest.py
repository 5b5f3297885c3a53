"""One Chromium for the tests of the worker, and an API and one more for those of the SDK."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, async_playwright

from api.api_served import Served, serve, served_settings
from browsers import CHROMIUM, CHROMIUM_SWITCHES, chromium
from tocsin.api import load as load_of_process
from tocsin.cli.embedded import embedded_parts
from tocsin.cli.supervisor import supervised
from tocsin.settings import load

TOPICS = "world:World,politics:Politics,sport:Sport"


@pytest.fixture(autouse=True)
def _never_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else this machine does, no receipt is shed for it."""
    monkeypatch.setattr(load_of_process, "MOST_LAG", 1e9)


@pytest.fixture(scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserContext]:
    """With a profile: without one no worker is pushed to. Each site of a test has an origin of its own in it."""
    folder = tmp_path_factory.mktemp("chromium")
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder, executable_path=CHROMIUM, args=CHROMIUM_SWITCHES
        )
        yield context
        await context.close()


@pytest.fixture(scope="session")
async def sdk_api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """On a store of its own: others empty theirs, and what a process read once must stay true."""
    folder: Path = tmp_path_factory.mktemp("sdk")
    servers = load(data_dir=folder)
    async with supervised({}, lambda _: None, folder) as supervisor:
        await supervisor.start(embedded_parts(servers))
        async with serve(served_settings(servers, folder, topics=TOPICS)) as served:
            yield served


@pytest.fixture(scope="session")
async def shared_chromium() -> AsyncIterator[Browser]:
    """Each test has a profile of its own in it."""
    async with chromium() as browser:
        yield browser
