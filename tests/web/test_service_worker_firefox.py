"""Both set-ups in a real Firefox, from another origin, the whole way: subscribed by hand, pushed by the workers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from newsstand import site_of, subscribe
from playwright.async_api import Page

from browsers import firefox, needs_firefox
from town import Town, free_port, open_town

pytestmark = [pytest.mark.browser, needs_firefox, pytest.mark.timeout(180)]

ON_SCREEN = """async () => {
  const [registration] = await navigator.serviceWorker.getRegistrations();
  return (await registration.getNotifications()).map(({ title, tag, actions }) => ({ title, tag, actions }));
}"""


class Sites:
    def __init__(self, town: Town, urls: dict[str, str]) -> None:
        self.town, self.urls = town, urls


@pytest.fixture(scope="module")
async def sites(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sites]:
    ports = {example: free_port() for example in ("plain-site", "own-worker")}
    urls = {example: f"http://127.0.0.1:{port}" for example, port in ports.items()}
    async with open_town(tmp_path_factory.mktemp("sites"), allowed_origins=",".join(urls.values())) as town:
        runners = {each: web.AppRunner(site_of(each, town.settings.url), access_log=None) for each in ports}
        for example, runner in runners.items():
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", ports[example]).start()
        yield Sites(town, urls)
        for runner in runners.values():
            await runner.cleanup()


async def shows(page: Page, title: str) -> list[dict[str, Any]]:
    """Everything on the screen, as soon as this is."""
    async with asyncio.timeout(30):
        while True:
            found: list[dict[str, Any]] = await page.evaluate(ON_SCREEN)
            if any(notification["title"] == title for notification in found):
                return found
            await asyncio.sleep(0.05)


async def test_an_alert_and_its_retraction_reach_another_origin(sites: Sites) -> None:
    town = sites.town
    async with firefox(town.ready["autopush_url"]) as browser:
        pages = []
        for url in sites.urls.values():
            page = await browser.new_page()
            await page.goto(url)
            await subscribe(page)
            pages.append(page)
        alert = await town.ended((await town.send(headline="Ceasefire signed", story="geneva"))["id"])
        assert alert["progress"]["accepted"] == 2
        for page in pages:
            [shown] = await shows(page, "Ceasefire signed")
            assert [button["title"] for button in shown["actions"]] == ["Read", "Mute this story"]
        path = f"/v1/alerts/{alert['id']}/retraction"
        headers = {**town.editor, "Idempotency-Key": "a-key-of-this-retraction"}
        status, _ = await town.call("POST", path, {"reason": "It was not."}, headers=headers)
        assert status == 202
        for page in pages:
            [shown] = await shows(page, "Retracted: Ceasefire signed")
            assert shown["tag"]
