"""A real Firefox and a real Chromium subscribe at the simulator and get pushes through it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Page, async_playwright

from browsers import chromium_with_push, firefox, needs_chromium, needs_firefox, trusted_home
from simulator_sender import Sender
from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.models import BrowserView
from tocsin.simulator.server import Simulator

PAGE = "<!doctype html><meta charset=utf-8><title>Newsroom</title>"
WORKER = """
addEventListener("push", event => event.waitUntil(
  fetch("/pushed", {method: "POST", body: event.data.text()})
    .then(() => registration.showNotification("shown"))));
"""
SUBSCRIBE = """async key => {
  await navigator.serviceWorker.register("/sw.js");
  const registration = await navigator.serviceWorker.ready;
  const options = {userVisibleOnly: true, applicationServerKey: key};
  return (await registration.pushManager.subscribe(options)).toJSON();
}"""
UNSUBSCRIBE = """async () => {
  const registration = await navigator.serviceWorker.ready;
  return (await registration.pushManager.getSubscription()).unsubscribe();
}"""


@dataclass
class Site:
    """A page with a worker on http://localhost, which the browser takes for secure."""

    url: str
    pushed: asyncio.Queue[str]


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[Site]:
    pushed: asyncio.Queue[str] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        pushed.put_nowait(await request.text())
        return web.Response(status=204)

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def worker(_: web.Request) -> web.Response:
        return web.Response(text=WORKER, content_type="text/javascript")

    application = web.Application()
    application.add_routes([web.get("/", page), web.get("/sw.js", worker), web.post("/pushed", take)])
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "localhost", 0).start()
    yield Site(f"http://localhost:{runner.addresses[0][1]}/", pushed)
    await runner.cleanup()


async def subscribe_push_unsubscribe(page: Page, site: Site, client: SimulatorClient, sender: Sender) -> None:
    await page.goto(site.url)
    subscription = await page.evaluate(SUBSCRIBE, sender.key)
    [view] = await client.browsers()
    assert view.subscription.endpoint == subscription["endpoint"]
    await until(client, view, lambda browser: browser.online)

    known_to_page = BrowserView.model_validate(view.model_dump() | {"subscription": subscription})
    assert (await sender.push(known_to_page, b"Flood in the valley")).status == 201
    async with asyncio.timeout(20):
        assert await site.pushed.get() == "Flood in the valley"
    await until(client, view, lambda browser: browser.received == 1)

    assert await page.evaluate(UNSUBSCRIBE)
    await until(client, view, lambda browser: browser.unsubscribed)
    assert (await sender.push(known_to_page)).status == 410


async def until(client: SimulatorClient, view: BrowserView, wanted: Callable[[BrowserView], bool]) -> None:
    async with asyncio.timeout(20):
        while not wanted(await client.browser(view.id)):
            await asyncio.sleep(0.05)


@pytest.mark.browser
@needs_firefox
async def test_real_firefox(simulator: Simulator, client: SimulatorClient, sender: Sender, site: Site) -> None:
    async with firefox(simulator.autopush_url) as browser:
        await subscribe_push_unsubscribe(await browser.new_page(), site, client, sender)


@pytest.mark.browser
@needs_chromium
async def test_real_chromium(
    simulator: Simulator, client: SimulatorClient, sender: Sender, site: Site, tmp_path: Path
) -> None:
    home = await trusted_home(tmp_path, simulator.ca_file)
    async with (
        async_playwright() as playwright,
        chromium_with_push(playwright, home, simulator.chromium_switches) as context,
    ):
        await context.grant_permissions(["notifications"], origin=site.url.rstrip("/"))
        await subscribe_push_unsubscribe(await context.new_page(), site, client, sender)
