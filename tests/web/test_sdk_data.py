"""What is held on a browser, on a site's own page: found wherever a record is kept, and ended as easily as begun."""

import json

import pytest
from playwright.async_api import Browser, Route, expect
from sdk_page import sdk_page

from api.api_served import Served
from browsers import needs_chromium
from tocsin.domain.subscriptions import parse_public_id
from tocsin.web.assets import asset

pytestmark = [pytest.mark.browser, needs_chromium]

ALERTS_ON = "Alerts are on"


@pytest.mark.parametrize(("permission", "state"), [("denied", "denied"), ("default", "unsubscribed")])
async def test_who_takes_the_permission_back_still_sees_and_erases_what_is_held(
    sdk_api: Served, shared_chromium: Browser, permission: str, state: str
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await reader.subscribe({"topics": ["sport"]})
        record = await reader.record()
        assert record
        await page.evaluate(f"played.change({{ permission: '{permission}', current: null }})")
        await page.reload()
        await page.get_by_role("button", name="History and your data").click()
        panel = page.get_by_role("dialog", name="History and your data")
        async with page.expect_download() as download:
            await panel.get_by_role("button", name="Download my data").click()
        assert json.loads((await (await download.value).path()).read_text())["id"] == record["id"]
        await panel.get_by_role("button", name="Erase everything…").click()
        await (
            page.get_by_role("dialog", name="Erase everything?").get_by_role("button", name="Erase everything").click()
        )
        await expect(page.get_by_role("region", name="Everything is being erased")).to_be_focused()
        await expect(page.get_by_role("button", name="History and your data")).to_have_count(0)
        assert await page.evaluate("async () => (await (await import('/tocsin.js')).Tocsin.connect()).state") == state
        digest = parse_public_id(record["id"])
        assert digest
        assert await sdk_api.services.store.subscriptions.get(digest) is None


async def test_our_own_front_page_offers_what_is_held_as_the_other_page_shows_it(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    """To who has blocked notifications since."""
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.show("")
        await reader.subscribe({"topics": ["sport"]})
        await page.evaluate("played.change({ permission: 'denied', current: null })")
        offer = page.get_by_role("button", name="History and your data")
        await page.goto(f"{sdk_api.origin}/")
        await expect(offer).to_be_visible()
        await page.goto(f"{sdk_api.origin}/preferences")
        await expect(page.get_by_role("heading", name="Why did I (not) get this?")).to_be_visible()
        await expect(offer).to_have_count(0)


async def test_nothing_more_is_fetched_before_somebody_looks_and_a_failure_is_tried_again(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await reader.subscribe({"topics": ["sport"]})
        await page.get_by_role("button", name="Change").click()
        await expect(page.get_by_role("button", name="Send me a test")).to_be_visible()
        assert [request for request in reader.requests if "data" in request] == []
        await page.route("**/tocsin-data.js*", lambda route: route.abort())
        await page.get_by_role("button", name="History and your data").click()
        again = page.get_by_role("button", name="Try again")
        await expect(again).to_be_visible()
        await page.unroute("**/tocsin-data.js*")
        await again.click()
        await expect(page.get_by_role("heading", name="Why did I (not) get this?")).to_be_visible()
        await page.get_by_role("button", name="Back").click()
        await expect(page.get_by_role("dialog", name="Your alerts")).to_be_visible()


async def test_one_click_turns_alerts_off_and_one_brings_them_back_as_they_were(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await reader.subscribe({"topics": ["sport"], "muted_stories": ["budget"]})
        before = await reader.stored()
        await page.get_by_role("button", name="Turn alerts off").click()
        again = page.get_by_role("button", name="Turn on again")
        await expect(again).to_be_focused()
        await expect(page.get_by_text("Alerts are off.")).to_be_visible()
        assert await reader.record() is None
        await again.click()
        await expect(page.get_by_text(ALERTS_ON)).to_be_visible()
        assert await reader.stored() == before
        assert await reader.asked() == [False, True]


async def test_a_copy_of_the_script_whose_worker_is_missing_says_so(sdk_api: Served, shared_chromium: Browser) -> None:
    script = asset("tocsin.js")
    assert script
    copied = script.body

    async def answer(route: Route) -> None:
        if route.request.url.endswith("/js/tocsin.js"):
            await route.fulfill(body=copied, content_type="text/javascript")
        elif "/here/" in route.request.url:
            page = f"""<!doctype html><script type="module" src="/js/tocsin.js"></script>
              <tocsin-subscribe service="{sdk_api.origin}" service-worker="/here/missing.js"></tocsin-subscribe>"""
            missing = route.request.url.endswith("missing.js")
            await route.fulfill(body=page, content_type="text/html", status=404 if missing else 200)
        else:
            await route.continue_()

    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await page.route("**/*", answer)
        await page.goto(f"{sdk_api.origin}/here/")
        await expect(page.get_by_text("Something went wrong. Try again in a minute.")).to_be_visible()
        await expect(page.get_by_role("button", name="Try again")).to_be_visible()


async def test_the_text_that_a_reader_agrees_to_runs_in_its_own_direction(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    text = "أوافق على أن يُحفظ ما أفتحه."

    async def asks(route: Route) -> None:
        site = await (await route.fetch()).json()
        await route.fulfill(json={**site, "consent": {"text_version": "1", "text": text}})

    async with sdk_page(shared_chromium, sdk_api, "default") as reader:
        await reader.page.route("**/v1/site", asks)
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await reader.page.get_by_role("button", name="Get alerts").click()
        consent = reader.page.get_by_text(text)
        assert await consent.evaluate("(one) => getComputedStyle(one).direction") == "rtl"
