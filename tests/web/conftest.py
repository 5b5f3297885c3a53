"""One Chromium for all tests of the worker: each site has an origin of its own in it."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserContext, async_playwright

from browsers import CHROMIUM, CHROMIUM_SWITCHES


@pytest.fixture(scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserContext]:
    """With a profile: a browser without one refuses to subscribe."""
    folder = tmp_path_factory.mktemp("chromium")
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder, executable_path=CHROMIUM, args=CHROMIUM_SWITCHES
        )
        yield context
        await context.close()
