"""The console and the ops page in a real Chromium, on a whole Tocsin; and the pictures of the pages for the README."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from reader_scene import served

from browsers import chromium, needs_chromium
from tocsin.simulator.faults import DelayFault, StatusFault
from town import ADMIN_KEY, Town

pytestmark = [pytest.mark.browser, needs_chromium, pytest.mark.timeout(180)]

# What is on each page when it has all that it asks for.
READY = {
    "/": "tocsin-subscribe",
    "/preferences": "tocsin-subscribe",
    "/console": "#topics label",
    "/ops": "#queues .card, #queues > *",
    "/docs": "rapi-doc",
}
SHARES = {"fcm": 0.6, "mozilla": 0.2, "apple": 0.2}


async def opened(browser: Browser, town: Town, path: str, width: int = 1280, height: int = 900) -> Page:
    """A page that fails the test when anything goes wrong in it."""
    page = await browser.new_page(viewport={"width": width, "height": height})
    page.on("pageerror", lambda error: pytest.fail(f"{path}: {error}"))
    await page.goto(town.settings.url + path)
    return page


async def write(page: Page, headline: str) -> None:
    await page.locator("input[name=level][value=breaking]").check()
    await page.locator("#headline").fill(headline)
    await page.locator("#body").fill("Trams 3 and 7 stop; the school on the hill takes people in.")
    await page.locator("#url").fill("https://news.example.com/flood")
    await page.locator("#topics").get_by_text("World").click()


async def test_an_editor_sends_an_alert_and_watches_it_go(town: Town, pictures: Path | None) -> None:
    await town.subscribe(300, {"topics": ["world"]}, SHARES)
    await town.subscribe(40, {"topics": ["world"], "min_level": "flash"}, SHARES)
    for name in SHARES:
        await town.simulator.set_faults(name, DelayFault(milliseconds=400))
    async with chromium() as browser:
        page = await opened(browser, town, "/console")
        await page.locator("#key").fill("not-a-key")
        await page.locator("#key").press("Enter")
        await expect(page.locator("#key-error")).not_to_be_empty()
        await page.locator("#key").fill(ADMIN_KEY)
        await page.locator("#key").press("Enter")
        await write(page, "River bursts its banks: old town is being evacuated")

        await page.locator("#compose button[type=submit]").click()
        await expect(page.locator("#confirm")).to_contain_text("River bursts its banks")
        await page.locator("#confirm-yes").click()

        # Moving: answers take a while, so for some seconds there are those who have it and those who wait.
        moving = page.locator("#alert")
        await expect(moving).to_contain_text("Sending")
        await expect(moving).to_contain_text(re.compile(r"\b(?!0\b|300\b)\d+\s*of 300 accepted"))
        if pictures:
            await page.screenshot(path=pictures / "console.png")
        await expect(moving).to_contain_text("Sent", timeout=30_000)
        (alert,) = (await town.call("GET", "/v1/alerts", headers=town.editor))[1]["alerts"]
        assert (alert["progress"]["accepted"], alert["progress"]["skipped"]) == (300, {"level": 40})
        await expect(page.locator("#recent")).to_contain_text("River bursts its banks")


async def test_the_preview_names_the_site_that_readers_subscribed_on(town: Town) -> None:
    async with served(town, reader_url="https://www.herald.example/alerts") as url, chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{url}/console#key={ADMIN_KEY}")

        hosts = page.locator("#preview [data-show=host]")
        await expect(hosts).to_have_text(["www.herald.example", "www.herald.example"])


async def test_a_refusal_stands_at_its_field_and_nothing_is_sent(town: Town) -> None:
    async with chromium() as browser:
        page = await opened(browser, town, f"/console#key={ADMIN_KEY}")
        assert "key=" not in page.url
        await write(page, "A link that must not be")
        await page.locator("#url").fill("https://user:secret@news.example.com/")
        await page.locator("#compose button[type=submit]").click()
        if await page.locator("#confirm-yes").is_visible():
            await page.locator("#confirm-yes").click()

        await expect(page.locator("#url-error")).not_to_be_empty()
        assert await town.store.alerts.count() == 0


async def test_ops_sees_the_queues_and_what_the_push_services_answer(town: Town, pictures: Path | None) -> None:
    await town.subscribe(200, None, SHARES)
    await town.simulator.set_faults("mozilla", StatusFault(status=410, count=3))
    await town.simulator.set_faults("apple", StatusFault(status=503, share=0.4, count=9))
    await town.ended((await town.send())["id"])
    async with chromium() as browser:
        page = await opened(browser, town, f"/ops#key={ADMIN_KEY}", height=1040)

        await expect(page.locator("#unaccounted-count")).to_have_text("0")
        await expect(page.locator("#health")).to_contain_text("Ready")
        await expect(page.locator("#queues")).to_contain_text("Priority")
        await expect(page.locator("#push")).to_contain_text("120 subscriptions")
        await expect(page.locator("#push")).to_contain_text("410")
        await expect(page.locator("#push")).to_contain_text("503")
        if pictures:
            await page.screenshot(path=pictures / "ops.png")


@pytest.mark.parametrize("path", ["/", "/preferences", f"/console#key={ADMIN_KEY}", f"/ops#key={ADMIN_KEY}", "/docs"])
async def test_no_page_asks_another_host_or_breaks_its_own_policy(town: Town, path: str) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(town.settings.url + path)
        await expect(page.locator(READY[path.partition("#")[0]]).first).to_be_visible(timeout=30_000)

        assert all(url.startswith((town.settings.origin, "data:", "blob:")) for url in asked)
        assert said == []
