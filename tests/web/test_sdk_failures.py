"""After a failure, what a reader is told is what holds."""

from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect
from sdk_page import SdkPage, sdk_page

from api.api_served import Served, bearer
from browsers import needs_chromium
from samples import POINT, base64url

pytestmark = [pytest.mark.browser, needs_chromium]

OTHER_KEY = f"played.change({{ current: {{ ...played.read().current, key: '{base64url(POINT)}' }} }})"
REFUSED = """PushManager.prototype.subscribe = async () => { throw new DOMException("", "AbortError"); };"""


async def run(reader: SdkPage, code: str) -> Any:
    """`tocsin` is the page's connection; an error is told by its code."""
    connect = "const tocsin = await (await import('/tocsin.js')).Tocsin.connect();"
    return await reader.page.evaluate(f"async () => {{ {connect} return {code}; }}")


async def unavailable(route: Route) -> None:
    await route.fulfill(status=503, json={"title": "The store is away"})


async def test_whose_old_subscription_is_gone_and_new_one_refused_has_no_alerts(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    """The site's key changed, and the push service is out of reach."""
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("")
        await reader.subscribe({"topics": ["sport"]})
        await reader.page.evaluate(OTHER_KEY)
        await reader.context.add_init_script(REFUSED)
        await reader.page.reload()
        assert await run(reader, "tocsin.state") == "unsubscribed"
        assert await run(reader, "tocsin.problem.name") == "AbortError"
        assert await run(reader, "tocsin.isKnown")


async def test_who_was_told_that_it_failed_is_not_subscribed_by_the_next_visit(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    """With the topics that they had taken away."""
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("")
        await reader.page.route("**/v1/subscriptions", unavailable)
        assert await run(reader, "tocsin.subscribe({ topics: ['sport'] }).catch((error) => error.status)") == 503
        await reader.page.unroute("**/v1/subscriptions")
        await reader.page.reload()
        assert await run(reader, "tocsin.state") == "unsubscribed"
        assert (await reader.played())["current"] is None
        assert await reader.record() is None


async def test_of_what_fails_again_the_last_reason_stands(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await reader.subscribe({"topics": ["sport"]})
        await page.get_by_role("button", name="Turn alerts off").click()
        again = page.get_by_role("button", name="Turn on again")
        await page.route("**/v1/subscriptions", unavailable)
        for _ in range(2):
            async with page.expect_response("**/v1/subscriptions"):
                await again.click()
            await expect(again).not_to_have_attribute("aria-disabled", "true")
        await expect(page.get_by_text("Something went wrong.")).to_have_count(1)
        await page.unroute("**/v1/subscriptions")
        await again.click()
        await expect(page.get_by_text("Alerts are on")).to_be_visible()
        assert (await reader.stored())["topics"] == ["sport"]


async def test_a_reader_whose_worker_heard_that_it_is_over_is_told_on_coming_back(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    """The worker, to which a browser gave a new subscription, leaves a mark in the cache."""
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await reader.subscribe({"topics": ["sport"]})
        await reader.page.evaluate(
            """async () => {
              const cache = await caches.open("tocsin");
              const place = new URL("./_tocsin/subscription", location.href);
              const { endpoint } = await (await cache.match(place)).json();
              await cache.put(place, Response.json({ ended: true, endpoint }));
              played.change({ current: null });
              document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )
        await expect(reader.page.get_by_role("button", name="Get alerts")).to_be_visible()
        assert await reader.record() is None


async def test_a_page_that_the_reader_comes_back_to_sees_that_alerts_were_turned_on_elsewhere(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    """By the back button: what a browser keeps for that hears of nothing meanwhile."""
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await reader.page.evaluate("addEventListener('storage', (event) => event.stopImmediatePropagation(), true)")
        await expect(reader.page.get_by_role("button", name="Get alerts")).to_be_visible()
        other = SdkPage(sdk_api, reader.context, await reader.context.new_page())
        await other.show("")
        await other.subscribe({"topics": ["sport"]})
        await reader.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(reader.page.get_by_text("Alerts are on")).to_be_visible()


async def test_a_choice_that_is_saved_turns_nothing_on(sdk_api: Served, shared_chromium: Browser) -> None:
    """Made by a script of the site, for who has blocked notifications since."""
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("")
        await reader.subscribe({"topics": ["sport"]})
        await reader.page.evaluate("played.change({ permission: 'denied', current: null })")
        await reader.page.reload()
        await run(reader, "tocsin.update({ min_level: 'flash' })")
        assert await run(reader, "tocsin.state") == "denied"
        assert (await reader.stored())["min_level"] == "flash"


async def test_leaving_is_told_to_the_service_also_after_notifications_were_blocked(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("")
        await reader.subscribe({"topics": ["sport"]})
        record = await reader.record()
        assert record is not None
        await reader.page.evaluate("played.change({ refuses: 'rejects' })")
        await reader.page.route("**/v1/subscriptions/**", unavailable)
        await run(reader, "tocsin.unsubscribe()")
        await reader.page.unroute("**/v1/subscriptions/**")
        await reader.page.evaluate("played.change({ permission: 'denied', current: null })")
        await reader.page.reload()
        assert await run(reader, "tocsin.state") == "denied"
        assert await reader.record() is None
        known = await sdk_api.call("GET", f"/v1/subscriptions/{record['id']}", headers=bearer(record["token"]))
        assert known.status == 404


async def test_a_service_that_is_down_throws_nothing_into_the_page(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        for pattern in ("**/v1/site", "**/words-*"):
            await reader.page.route(pattern, lambda route: route.abort())
        async with reader.page.expect_event("requestfailed", lambda request: "/words-" in request.url):
            await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await reader.page.evaluate("new Promise((resolve) => setTimeout(resolve))")  # what is thrown comes before that
