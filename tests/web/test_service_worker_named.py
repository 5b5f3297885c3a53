"""Receipts where the service keeps each browser's own, if its reader agrees (RECEIPTS=individual)."""

from pathlib import Path

import pytest
from newsstand import open_newsstand, push, reading, subscribe
from playwright.async_api import BrowserContext, Page, expect

from browsers import needs_chromium
from tocsin.settings import Settings
from tocsin.store.store import Store

pytestmark = [pytest.mark.browser, needs_chromium]

TEXT = "We keep which alerts you open."
ALWAYS_AT_ONCE = "() => { Math.random = () => 0; }"
SENT = """() => {
  self.sent = [];
  const ask = self.fetch;
  self.fetch = (url, options) => {
    if (String(url).endsWith("/v1/receipts")) self.sent.push(JSON.parse(options.body));
    return ask(url, options);
  };
}"""
# As if the reader had agreed once, and the setting had changed since the worker looked last.
OUTDATED = """async () => {
  const cache = await caches.open("tocsin");
  const change = async (end, more) => {
    const { url } = (await cache.keys()).find((each) => each.url.endsWith(end));
    await cache.put(url, new Response(JSON.stringify({ ...(await (await cache.match(url)).json()), ...more })));
  };
  await change("/v1/site", { receipts: "individual", consent: { text_version: "1", text: "" } });
  await change("_tocsin/subscription", { consent: "1" });
}"""


@pytest.mark.parametrize("agrees", [True, False])
async def test_a_receipt_names_a_browser_only_where_its_reader_agreed(
    browser: BrowserContext, servers: Settings, store: Store, tmp_path: Path, agrees: bool
) -> None:
    async def choose(page: Page) -> None:
        await page.get_by_role("button", name="Get alerts").click()
        await page.get_by_role("checkbox", name=TEXT).set_checked(agrees)
        await page.get_by_role("button", name="Turn on alerts").click()
        await expect(page.get_by_text("Alerts are on")).to_be_visible(timeout=20_000)

    consent = {"consent_text": TEXT, "consent_text_version": "1"}
    async with (
        open_newsstand(servers, tmp_path, "plain-site", receipts="individual", **consent) as plain,
        reading(browser, plain.site, choose) as reader,
    ):
        record = await reader.kept()
        await reader.worker.evaluate(ALWAYS_AT_ONCE)
        await reader.worker.evaluate(SENT)
        await reader.pushed(push("0" * 22, about={"receipts": 1}))
        await plain.until_asked("POST /v1/receipts 204")
        told = {"alert": "0" * 22, "event": "shown"}
        name = {"subscription": record["id"], "token": record["token"]} if agrees else {}
        assert await reader.worker.evaluate("self.sent") == [told | name]


async def test_a_receipt_that_is_refused_is_told_again_as_the_service_wants_it_now(
    browser: BrowserContext, servers: Settings, store: Store, tmp_path: Path
) -> None:
    async with (
        open_newsstand(servers, tmp_path, "plain-site") as plain,
        reading(browser, plain.site, subscribe) as reader,
    ):
        await reader.worker.evaluate(ALWAYS_AT_ONCE)
        await reader.kept()
        await reader.worker.evaluate(OUTDATED)
        await reader.pushed(push("0" * 22, about={"receipts": 1}))
        await plain.until_asked("POST /v1/receipts 204")
        assert plain.times("POST /v1/receipts 422") == 1
