"""The readers' pages in a real Chromium: what they show, weigh and ask; that anybody can use them; their pictures."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect
from reader_pictures import keep, keep_part, keep_view
from reader_scene import Scene, opened_scene, served

from browsers import chromium, needs_chromium
from town import Town

pytestmark = [pytest.mark.browser, needs_chromium, pytest.mark.timeout(180)]

MOST_BYTES = 60_000
MOST_REQUESTS = 25
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
# How a page can be looked at: the name of its picture's ending, and what a context is opened with.
LOOKS: dict[str, dict[str, Any]] = {
    "": {"viewport": WIDE},
    "-dark": {"viewport": WIDE, "color_scheme": "dark"},
    "-phone": {"viewport": PHONE, "is_mobile": True, "has_touch": True},
    "-phone-dark": {"viewport": PHONE, "is_mobile": True, "has_touch": True, "color_scheme": "dark"},
    "-small": {"viewport": {"width": 320, "height": 568}, "is_mobile": True, "has_touch": True},
    "-forced": {"viewport": WIDE, "forced_colors": "active"},
}


@pytest.fixture(scope="module", params=["en", "ar"])
async def scene(request: pytest.FixtureRequest, shared_town: Town) -> AsyncIterator[Scene]:
    await shared_town.clear()
    async with opened_scene(shared_town, request.param) as opened:
        yield opened
    await shared_town.settle()


# Where nobody can be asked: what the browser is, and what its reader is told.
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML) Mobile/15E148 Safari/604.1"
)
NO_PUSH = "delete globalThis.PushManager; delete globalThis.Notification;"
DENIED = "Object.defineProperty(Notification, 'permission', { get: () => 'denied' });"
STATES: dict[str, tuple[str, dict[str, Any], str]] = {
    "a tab on an iPhone": (NO_PUSH, {"user_agent": IPHONE, **LOOKS["-phone"]}, "Get alerts"),
    "no Web Push": (NO_PUSH, LOOKS[""], ""),
    "denied": (DENIED, LOOKS["-phone-dark"], "Notifications are blocked"),
}
TOLD = {
    "a tab on an iPhone": "Add to Home Screen",
    "no Web Push": "This browser cannot receive alerts",
    "denied": "we will not ask again",
}

english = pytest.mark.parametrize("scene", ["en"], indirect=True)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@asynccontextmanager
async def visited(
    scene: Scene, browser: Browser, path: str, subscribed: bool = True, script: str = "", **options: Any
) -> AsyncIterator[Page]:
    """A page that fails the test when anything goes wrong in it."""
    async with AsyncExitStack() as stack:
        context = await scene.visitor(browser, subscribed, reduced_motion="reduce", **options)
        stack.push_async_callback(context.close)
        await context.add_init_script(script)
        page = await context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        await page.goto(scene.url + path)
        await settled(page)
        yield page
        assert wrong == []


async def settled(page: Page) -> None:
    """All that the page asks for is there."""
    await page.wait_for_load_state("networkidle")
    await expect(page.locator(".loading:visible")).to_have_count(0)


async def assert_usable_by_all(page: Page) -> None:
    found = await Axe().run(page, options={"resultTypes": ["violations"]})
    faults = [
        f"{fault['id']}: {fault['help']}: {[node['target'] for node in fault['nodes']]}"
        for fault in found.response["violations"]
    ]
    assert faults == []


# What a finger is to hit, outside of running text; those that are lower than Apple's and Google's least, 44 px.
LOW = """() => {
  const roots = [document, ...[...document.querySelectorAll("main *")].map((one) => one.shadowRoot).filter(Boolean)];
  const targets = "button, select, summary, label, nav a, .row a, input:not([type=radio], [type=checkbox])";
  const all = roots.flatMap((root) => [...root.querySelectorAll(targets)]);
  const seen = all.filter((one) => one.checkVisibility({ visibilityProperty: true }));
  return seen.filter((one) => one.getBoundingClientRect().height < 44).map((one) => one.outerHTML);
}"""

SEEN = [*(("en", look) for look in LOOKS), ("ar", ""), ("ar", "-phone"), ("ar", "-small")]


@pytest.mark.parametrize(("scene", "look"), SEEN, indirect=["scene"])
async def test_axe_finds_no_fault_and_nothing_sticks_out(
    scene: Scene, browser: Browser, look: str, pictures: Path | None
) -> None:
    for path, name in (("/", "reader"), ("/preferences", "preferences")):
        for subscribed in (False, True):
            async with visited(scene, browser, path, subscribed, **LOOKS[look]) as page:
                await assert_usable_by_all(page)
                width = LOOKS[look]["viewport"]["width"]
                assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
                assert await page.evaluate(LOW) == []
                if pictures and subscribed == (name == "preferences"):
                    await keep(page, pictures, name, look, scene.language)
                    if subscribed and look == "" and scene.language == "en":
                        await keep_part(
                            page.get_by_role("region", name="Why did I (not) get this?"), pictures, "history"
                        )


async def test_all_of_both_pages_is_small_and_from_here(scene: Scene, browser: Browser) -> None:
    weights: dict[str, int] = {}
    async with AsyncExitStack() as stack:
        context = await scene.visitor(browser, True)
        stack.push_async_callback(context.close)

        async def weigh(request: Any) -> None:
            size = (await request.sizes())["responseBodySize"]
            # 0 is one that the browser had.
            weights[request.url] = max(size, weights.get(request.url, 0))

        context.on("requestfinished", weigh)
        for path in ("/", "/preferences"):
            page = await context.new_page()
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            await page.goto(scene.url + path)
            await settled(page)
            assert len(asked) <= MOST_REQUESTS, asked
            assert [url for url in asked if not url.startswith(scene.url)] == []
            await page.close()

    async with aiohttp.ClientSession(auto_decompress=False) as session, session.get(f"{scene.url}/sw.js") as worker:
        weights[str(worker.url)] = len(await worker.read())
    assert any(url.endswith("/tocsin.js") for url in weights)
    assert any(url.endswith("/history") for url in weights)
    assert sum(weights.values()) <= MOST_BYTES, weights


@english
async def test_a_visitor_sees_the_latest_alerts_and_what_they_would_get(scene: Scene, browser: Browser) -> None:
    async with visited(scene, browser, "/", subscribed=False) as page:
        latest = page.get_by_role("region", name="The latest alerts")
        await expect(latest.get_by_role("link").first).to_have_text("Ceasefire signed in Geneva")
        await expect(latest.get_by_role("listitem")).to_have_count(6)
        await expect(page.locator("#example-title")).to_have_text("Ceasefire signed in Geneva")
        await page.get_by_role("button", name="Show earlier alerts").click()
        await expect(latest.get_by_role("listitem")).to_have_count(8)
        await expect(page.get_by_role("link", name="Opera house reopens after seven years")).to_be_focused()


@english
async def test_in_a_quiet_week_a_visitor_still_sees_what_they_would_get(scene: Scene, browser: Browser) -> None:
    async with AsyncExitStack() as stack:
        context = await scene.visitor(browser, False)
        stack.push_async_callback(context.close)
        await context.route("**/v1/alerts/recent", lambda route: route.fulfill(json={"alerts": []}))
        page = await context.new_page()
        await page.goto(f"{scene.url}/")
        await expect(page.get_by_text("A quiet week")).to_be_visible()
        await expect(page.get_by_text("Here stands the headline")).to_be_visible()
        await assert_usable_by_all(page)


@english
@pytest.mark.parametrize("state", STATES)
async def test_who_cannot_be_asked_is_told_why(scene: Scene, browser: Browser, state: str) -> None:
    script, options, button = STATES[state]
    for path in ("/", "/preferences"):
        async with visited(scene, browser, path, subscribed=False, script=script, **options) as page:
            if button:
                await page.get_by_text(button).click()
            await expect(page.get_by_text(TOLD[state])).to_be_visible()
            await assert_usable_by_all(page)
            await expect(page.get_by_role("heading", level=1)).to_be_visible()


@english
@pytest.mark.parametrize("look", ["", "-phone-dark"])
async def test_subscribing_by_the_panel_shows_the_page_with_the_choices(
    scene: Scene, browser: Browser, look: str, pictures: Path | None
) -> None:
    (view,) = await scene.town.simulator.create_browsers(1, "mozilla", scene.subscription["key"])
    lent = {**scene.subscription, **view.subscription.model_dump(mode="json", include={"endpoint", "keys"})}
    other = scene._replace(subscription=lent)
    async with visited(other, browser, "/preferences", subscribed=False, **LOOKS[look]) as page:
        await page.get_by_role("button", name="Get alerts").click()
        await assert_usable_by_all(page)
        if pictures:
            await keep_view(page, pictures, f"panel{look}")
        await page.get_by_role("button", name="Turn on alerts").click()
        await expect(page.get_by_role("region", name="Your choices")).to_be_visible()
        await expect(page.get_by_role("heading", name="Your choices")).to_be_focused()
        await expect(page.get_by_text("No alert has gone out since you subscribed.")).to_be_visible()
        await page.get_by_role("button", name="Unsubscribe").click()
        await expect(page.get_by_role("region", name="Alerts are off", exact=True)).to_be_focused()
        await assert_usable_by_all(page)
        await expect(page.get_by_role("button", name="Get alerts")).to_be_visible()


@english
async def test_under_a_base_path_the_pages_find_all_that_is_theirs(scene: Scene, browser: Browser) -> None:
    async with served(scene.town, base_path="/news/alerts") as url:
        below = scene._replace(url=url)
        for path, shown in (("/", "Ceasefire signed in Geneva"), ("/preferences", "You muted its story.")):
            async with visited(below, browser, path) as page:
                await expect(page.get_by_text(shown).first).to_be_visible()
                manifest = await page.locator("link[rel=manifest]").evaluate("(link) => link.href")
                fields = await (await page.request.get(manifest)).json()
                assert (
                    await page.evaluate("([start, base]) => new URL(start, base).href", [fields["start_url"], manifest])
                    == f"{url}/"
                )
                await page.get_by_role("link", name="Your alerts").click()
                await expect(page).to_have_url(f"{url}/preferences")
                await settled(page)


@english
async def test_where_readers_subscribe_on_the_newsrooms_site_they_are_led_there(scene: Scene, browser: Browser) -> None:
    """Here they would subscribe a second time, and get everything twice."""
    its_page = "https://www.herald.example/alerts"
    async with served(scene.town, reader_url=its_page) as url:
        below = scene._replace(url=url)
        for path in ("/", "/preferences"):
            async with visited(below, browser, path, subscribed=False) as page:
                leads = page.get_by_role("link", name="Get alerts at www.herald.example")
                await expect(leads).to_have_attribute("href", its_page)
                await expect(page.get_by_role("button", name="Get alerts")).to_have_count(0)
                await assert_usable_by_all(page)
        async with visited(below, browser, "/") as page:
            await expect(page.get_by_role("button", name="Turn alerts off")).to_be_visible()


@english
async def test_each_alert_has_what_became_of_it_and_why(scene: Scene, browser: Browser) -> None:
    async with visited(scene, browser, "/preferences") as page:
        history = page.get_by_role("region", name="Why did I (not) get this?")
        told = {
            "Ceasefire signed in Geneva": "Sent to you",
            "Cup final goes to penalties": "It was not as big as the news you chose for its topics.",
            "Central bank cuts rates to 2.5 per cent": "You follow none of its topics, nor its story.",
            "Second night of talks on the harbour strike": "You muted its story.",
        }
        for headline, words in told.items():
            await expect(history.get_by_role("listitem").filter(has_text=headline)).to_contain_text(words)
        again = history.get_by_role("button", name="Look again")
        before = await again.element_handle()
        await again.click()
        await page.wait_for_function("(button) => !button.isConnected", arg=before)
        await expect(again).to_be_focused()


@english
async def test_what_is_held_can_be_taken_along_and_then_erased(scene: Scene, browser: Browser, tmp_path: Path) -> None:
    (view,) = await scene.town.subscribe(1)
    lent = {**scene.subscription, **view.subscription.model_dump(mode="json", include={"endpoint", "keys"})}
    other = scene._replace(subscription=lent)
    counted = (await scene.town.store.numbers.counts())["fcm"]
    async with visited(other, browser, "/preferences") as page:
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Download my data").click()
        await (await download.value).save_as(tmp_path / "held.json")
        held = json.loads((tmp_path / "held.json").read_text())
        assert held["endpoint"] == lent["endpoint"]

        erase = page.get_by_role("button", name="Erase everything…")
        await erase.click()
        sure = page.get_by_role("dialog", name="Erase everything?")
        await expect(sure).to_contain_text("Within 24 hours")
        await assert_usable_by_all(page)
        await sure.get_by_role("button", name="Keep my alerts").click()
        await expect(sure).to_be_hidden()
        await expect(erase).to_be_focused()
        assert (await scene.town.store.numbers.counts())["fcm"] == counted

        await erase.click()
        await sure.get_by_role("button", name="Erase everything").click()
        await expect(page.get_by_role("heading", name="Everything is being erased")).to_be_visible()
        await expect(page.get_by_role("region", name="Everything is being erased")).to_be_focused()
        assert (await scene.town.store.numbers.counts())["fcm"] == counted - 1
        assert await page.evaluate("async () => [...Object.keys(localStorage), ...(await caches.keys())]") == []
        await expect(page.get_by_role("button", name="Download my data")).to_be_hidden()


@english
async def test_a_service_that_cannot_be_reached_is_said_and_tried_again(scene: Scene, browser: Browser) -> None:
    for path in ("/", "/preferences"):
        async with AsyncExitStack() as stack:
            context = await scene.visitor(browser, True)
            stack.push_async_callback(context.close)
            page = await context.new_page()
            await context.route("**/v1/**", lambda route: route.abort())
            await page.goto(scene.url + path)
            await expect(page.get_by_role("heading", name="This page could not be set up")).to_be_visible()
            await expect(page.locator("#failed-text")).to_have_text(
                "The service cannot be reached. Check the connection and try again."
            )
            await assert_usable_by_all(page)

            await context.unroute("**/v1/**")
            again = page.get_by_role("button", name="Try again")
            for left in reversed(range(await again.count())):
                await again.first.click()
                await expect(again).to_have_count(left)
                await expect(page.locator("body")).not_to_be_focused()
            await settled(page)
            await expect(page.get_by_text("Ceasefire signed in Geneva").first).to_be_visible()


@english
async def test_a_story_that_the_address_names_can_be_followed_and_no_other_text_is_shown(
    scene: Scene, browser: Browser
) -> None:
    async with visited(scene, browser, "/preferences?story=budget") as page:
        story = page.get_by_role("region", name="The story “budget”")
        await expect(story.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")
        await assert_usable_by_all(page)
    async with visited(scene, browser, "/preferences?story=Call%20us%20now") as page:
        await expect(page.get_by_role("region", name="Your choices")).to_be_visible()
        await expect(page.get_by_text("Call us now")).to_have_count(0)
