"""The record of a subscription, which the worker and the pages both change."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from newsstand import SUBSCRIBING, Newsstand, Reader, open_newsstand, push, reading, subscribe
from playwright.async_api import BrowserContext, expect

from browsers import needs_chromium
from tocsin.domain.subscriptions import parse_public_id
from tocsin.settings import Settings
from tocsin.store.store import Store

pytestmark = [pytest.mark.browser, needs_chromium]

HOLD = """(service) => {
  const held = new Promise((resolve) => { self.release = resolve; });
  return new Promise((resolve) => {
    navigator.locks.request(`tocsin:${service}`, () => { resolve(); return held; });
  });
}"""
WAITING = "async () => (await navigator.locks.query()).pending.length"


@pytest.fixture
async def site(servers: Settings, store: Store, tmp_path: Path) -> AsyncIterator[Newsstand]:
    async with open_newsstand(servers, tmp_path, "plain-site") as opened:
        yield opened


async def another_endpoint(reader: Reader) -> None:
    """The browser gave the subscription up for another one."""
    await reader.worker.evaluate("self.tocsinRound = 2")
    await reader.worker.evaluate(SUBSCRIBING)
    await reader.happens("pushsubscriptionchange", {})


@pytest.mark.parametrize("deed", ["a story is muted", "a subscription is renewed"])
async def test_the_worker_waits_for_what_a_page_has_begun(browser: BrowserContext, site: Newsstand, deed: str) -> None:
    async with reading(browser, site.site, subscribe) as reader:
        record = await reader.kept()
        await reader.page.evaluate(HOLD, f"{site.settings.url}/")
        asked = len(site.asked)
        if deed == "a story is muted":
            shown = await reader.pushed(push(f"0199{1:018x}", about={"story": "aleppo"}))
            doing = asyncio.create_task(reader.happens("notificationclick", shown, "tocsin:mute"))
        else:
            doing = asyncio.create_task(another_endpoint(reader))
        async with asyncio.timeout(10):
            while not await reader.page.evaluate(WAITING):
                await asyncio.sleep(0.02)
        assert [line for line in site.asked[asked:] if "/v1/subscriptions" in line] == []
        await reader.page.evaluate("self.release()")
        await doing
        assert await reader.kept() != record


LEFT = """async (patch) => {
  const cache = await caches.open("tocsin");
  const { url } = (await cache.keys()).find((each) => each.url.endsWith("_tocsin/subscription"));
  const { endpoint } = await (await cache.match(url)).json();
  await cache.put(url, Response.json({ endpoint, ended: true, ...patch }));
}"""


@pytest.mark.parametrize("mark", [{}, {"endpoint": None}], ids=["left", "told that it failed"])
async def test_a_reader_who_left_gets_one_alert_more_at_most(
    browser: BrowserContext, site: Newsstand, mark: dict[str, None]
) -> None:
    """Their page was closed before it could give the subscription up."""
    async with reading(browser, site.site, subscribe) as reader:
        await reader.worker.evaluate(SUBSCRIBING)
        key = site.services.keys.present.public_key
        await reader.worker.evaluate(f"self.registration.pushManager.subscribe({{ applicationServerKey: '{key}' }})")
        await reader.page.evaluate(LEFT, mark)
        await reader.pushed(push(f"0199{1:018x}"))
        async with asyncio.timeout(10):
            while await reader.worker.evaluate("self.registration.pushManager.getSubscription().then(Boolean)"):
                await asyncio.sleep(0.02)


async def test_who_was_erased_on_request_is_not_renewed(browser: BrowserContext, site: Newsstand) -> None:
    async with reading(browser, site.site, subscribe) as reader:
        digest = parse_public_id((await reader.kept())["id"])
        assert digest
        assert await site.services.store.subscriptions.erase(digest, 1)
        await another_endpoint(reader)
        assert site.times("POST /v1/subscriptions 410") == 1
        assert not await reader.worker.evaluate("self.registration.pushManager.getSubscription()")
        await another_endpoint(reader)
        await reader.page.reload()
        await expect(reader.page.get_by_role("button", name="Get alerts")).to_be_visible(timeout=20_000)
        assert site.times("POST /v1/subscriptions") == 2
        assert await reader.page.evaluate("localStorage.length") == 0
