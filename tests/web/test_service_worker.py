"""The service worker in a real Chromium: every push shows something, and a click opens nothing but the web."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, Worker, async_playwright

from browsers import CHROMIUM, CHROMIUM_SWITCHES, needs_chromium
from tocsin.web import ROOT_ASSETS, asset, render

pytestmark = [pytest.mark.browser, needs_chromium]

BASE = "/alerts"
SITE = {"name": "The Herald", "application_server_key": "", "topics": [], "levels": [], "default_preferences": {}}

# What the browser took from the worker. Its own list, getNotifications(), now and then forgets one just shown.
WRITE_DOWN = """() => {
  self.shown = [];
  const { prototype } = ServiceWorkerRegistration;
  const show = prototype.showNotification;
  prototype.showNotification = async function (title, options) {
    await show.call(this, title, options);
    self.shown.push({ title, ...options });
  };
}"""

# A script cannot make a trusted click, so the event is our own and what it would open is written down.
CLICK = """async ([data, action]) => {
  const opened = [];
  let work = null;
  ExtendableEvent.prototype.waitUntil = (promise) => { work = promise; };
  Object.defineProperty(self, "clients", { configurable: true, value: {
    matchAll: async () => [{ url: "https://herald.example/open", focus: async () => opened.push("focused") }],
    openWindow: async (url) => opened.push(url),
  } });
  const event = new ExtendableEvent("notificationclick");
  Object.defineProperty(event, "notification", { value: { data, close() {} } });
  Object.defineProperty(event, "action", { value: action });
  self.dispatchEvent(event);
  await work;
  return opened;
}"""


def service() -> web.Application:
    async def page(_: web.Request) -> web.Response:
        text = render("reader.html", base_path=BASE, site_name="The Herald", version="1.2.3")
        return web.Response(text=text, content_type="text/html")

    async def site(_: web.Request) -> web.Response:
        return web.json_response(SITE)

    async def file(request: web.Request) -> web.Response:
        found = asset(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=found.body, headers={**found.headers, "Content-Type": found.content_type})

    app = web.Application()
    app.router.add_get(f"{BASE}/", page)
    app.router.add_get(f"{BASE}/v1/site", site)
    app.router.add_get(f"{BASE}/{{name:{'|'.join(ROOT_ASSETS)}}}", file)
    app.router.add_get(f"{BASE}/assets/{{name}}", file)
    return app


class Browser:
    def __init__(self, page: Page, worker: Worker, cdp: Any, registration: str) -> None:
        self._page, self._worker, self._cdp, self._registration = page, worker, cdp, registration

    async def push(self, data: str) -> dict[str, Any]:
        origin = self._page.url.removesuffix(f"{BASE}/")
        message = {"origin": origin, "registrationId": self._registration, "data": data}
        await self._cdp.send("ServiceWorker.deliverPushMessage", message)
        async with asyncio.timeout(20):
            while not (shown := await self._worker.evaluate("self.shown.splice(0)")):
                await asyncio.sleep(0.02)
        [notification] = shown
        return dict(notification)

    async def click(self, navigate: object, action: str = "", actions: dict[str, str] | None = None) -> list[str]:
        opened: list[str] = await self._worker.evaluate(CLICK, [{"navigate": navigate, "actions": actions}, action])
        return opened


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with TestServer(service()) as server, async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=CHROMIUM, args=CHROMIUM_SWITCHES
        )
        await context.grant_permissions(["notifications"], origin=str(server.make_url("/")).rstrip("/"))
        page = await context.new_page()
        registrations: list[dict[str, Any]] = []
        cdp = await context.new_cdp_session(page)
        cdp.on("ServiceWorker.workerRegistrationUpdated", lambda event: registrations.extend(event["registrations"]))
        await cdp.send("ServiceWorker.enable")
        await page.goto(str(server.make_url(f"{BASE}/")))
        await page.wait_for_selector("tocsin-subscribe")
        await page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        worker = context.service_workers[0]
        await worker.evaluate(WRITE_DOWN)
        yield Browser(page, worker, cdp, registrations[0]["registrationId"])
        await context.close()


async def test_a_push_shows_its_words_unaltered_and_carries_its_data(browser: Browser) -> None:
    notification = {
        "title": "Rates up 👩‍👩‍👧 <b>5 %</b>",
        "body": "  Two lines & more ",
        "navigate": "https://herald.example/a",
        "tag": "a1",
        "data": {"tocsin": {"alert": "a1", "level": "flash", "topics": ["world"]}},
        "actions": [{"action": "live", "title": "Live", "navigate": "https://herald.example/live"}],
    }
    shown = await browser.push(json.dumps({"web_push": 8030, "notification": notification}))
    assert (shown["title"], shown["body"], shown["tag"]) == (notification["title"], notification["body"], "a1")
    assert shown["data"]["tocsin"] == {"alert": "a1", "level": "flash", "topics": ["world"]}
    assert shown["data"]["navigate"] == "https://herald.example/a"
    assert shown["data"]["actions"] == {"live": "https://herald.example/live"}


async def test_a_broken_push_still_shows_a_notice(browser: Browser) -> None:
    for data in ("", "not json", "null", "{}", '{"notification": {"title": ""}}', '{"notification": {"title": {}}}'):
        assert (await browser.push(data))["title"] == "The Herald: there is news"
    refused = {"notification": {"title": "Words first", "body": "B", "dir": "sideways"}}
    shown = await browser.push(json.dumps(refused))
    assert (shown["title"], shown["body"]) == ("Words first", "B")


async def test_a_click_opens_only_the_webs_own_addresses(browser: Browser) -> None:
    story, live = "https://herald.example/a", "https://herald.example/live"
    assert await browser.click(story) == [story]
    assert await browser.click("https://herald.example/open") == ["focused"]
    assert await browser.click(story, "live", {"live": live}) == [live]
    assert await browser.click(story, "unknown", {"live": live}) == [story]
    for bad in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "/relative", "", None, 7):
        assert await browser.click(bad) == []
    assert await browser.click(story, "live", {"live": "javascript:alert(1)"}) == []
