"""Who has left, or was erased on request, stays away until the reader asks anew; and nothing waits without end."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser
from sdk_page import SdkPage, sdk_page

from api.api_served import Served
from browsers import needs_chromium
from samples import POINT, base64url
from tocsin.domain.subscriptions import parse_public_id

pytestmark = [pytest.mark.browser, needs_chromium]

STORY = "<title>A story</title>"


async def run(reader: SdkPage, code: str) -> Any:
    """`tocsin` is the page's connection; an error is told by its code."""
    connect = "const tocsin = await (await import('/tocsin.js')).Tocsin.connect();"
    return await reader.page.evaluate(f"async () => {{ {connect} return {code}; }}")


CODE = ".then(() => 'done', (error) => error.code)"


async def subscribed(reader: SdkPage) -> dict[str, Any]:
    await reader.show("")
    await reader.subscribe({"topics": ["sport"]})
    record = await reader.record()
    assert record is not None
    return record


async def visit(reader: SdkPage) -> str:
    await reader.page.reload()
    state: str = await run(reader, "tocsin.state")
    return state


async def change(reader: SdkPage, patch: str) -> None:
    await reader.page.evaluate(f"played.change({patch})")


async def until(reader: SdkPage, code: str) -> None:
    async with asyncio.timeout(10):
        while not await reader.page.evaluate(f"Boolean({code})"):
            await asyncio.sleep(0.02)


async def erased_by_its_operator(reader: SdkPage, record: dict[str, Any]) -> None:
    digest = parse_public_id(record["id"])
    assert digest
    assert await reader.api.services.store.subscriptions.erase(digest, 1)


async def is_known(reader: SdkPage, record: dict[str, Any]) -> bool:
    return await reader.api.services.store.subscriptions.get(parse_public_id(record["id"]) or b"") is not None


async def nothing_is_left(reader: SdkPage) -> None:
    assert await reader.record() is None
    assert (await reader.played())["current"] is None


@pytest.mark.parametrize("current", ["played.read().current", "null"], ids=["its endpoint", "its id"])
async def test_whom_the_operator_erased_no_visit_brings_back(
    sdk_api: Served, shared_chromium: Browser, current: str
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        record = await subscribed(reader)
        await erased_by_its_operator(reader, record)
        await change(reader, f"{{ current: {current} }}")
        for _ in range(2):
            assert await visit(reader) == "unsubscribed"
            await nothing_is_left(reader)
        assert await run(reader, "tocsin.problem") is None
        assert not await is_known(reader, record)


async def test_the_reader_may_want_alerts_anew(sdk_api: Served, shared_chromium: Browser) -> None:
    """In a page that is open since before."""
    async with sdk_page(shared_chromium, sdk_api) as reader:
        record = await subscribed(reader)
        await erased_by_its_operator(reader, record)
        assert await run(reader, "tocsin.subscribe({ topics: ['world'] })") == "subscribed"
        after = await reader.record()
        assert after is not None
        assert after["endpoint"] != record["endpoint"]
        assert (await reader.stored())["topics"] == ["world"]
        assert await visit(reader) == "subscribed"


@pytest.mark.parametrize("deed", ["update({ min_level: 'flash' })", "test()", "agree(true)", "history()"])
async def test_nothing_but_that_brings_them_back(sdk_api: Served, shared_chromium: Browser, deed: str) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await erased_by_its_operator(reader, await subscribed(reader))
        assert await run(reader, f"tocsin.{deed}{CODE}") == "ended"
        assert await run(reader, "tocsin.state") == "unsubscribed"
        await nothing_is_left(reader)
        assert await run(reader, f"tocsin.{deed}{CODE}") == "not_subscribed"
        await nothing_is_left(reader)


@pytest.mark.parametrize("how", ["rejects", "says false"])
async def test_a_browser_that_will_not_unsubscribe_is_asked_again_by_the_next_visit(
    sdk_api: Served, shared_chromium: Browser, how: str
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        record = await subscribed(reader)
        await change(reader, f"{{ refuses: '{how}' }}")
        assert await run(reader, "tocsin.unsubscribe()") == "unsubscribed"
        assert await visit(reader) == "unsubscribed"
        assert (await reader.played())["current"] is not None
        assert not await is_known(reader, record)
        await change(reader, "{ refuses: null }")
        assert await visit(reader) == "unsubscribed"
        await nothing_is_left(reader)


async def test_what_a_closed_tab_left_half_done_is_done_by_the_next_visit(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    """The service could not be told either."""
    async with sdk_page(shared_chromium, sdk_api) as reader:
        record = await subscribed(reader)
        await change(reader, "{ refuses: 'hangs' }")
        await reader.page.route("**/v1/subscriptions/**", lambda route: route.abort())
        await run(reader, "void tocsin.unsubscribe()")
        await until(reader, "played.read().refused === 'hangs'")
        await reader.page.unroute("**/v1/subscriptions/**")
        await change(reader, "{ refuses: null }")
        assert await visit(reader) == "unsubscribed"
        await nothing_is_left(reader)
        assert not await is_known(reader, record)


async def test_who_left_may_come_back_at_once(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await subscribed(reader)
        await change(reader, "{ refuses: 'rejects' }")
        assert await run(reader, "tocsin.unsubscribe()") == "unsubscribed"
        assert await run(reader, "tocsin.subscribe()") == "subscribed"
        assert await visit(reader) == "subscribed"
        assert (await reader.ask()).status == 200


async def test_leaving_ends_no_subscription_of_another_provider(sdk_api: Served, shared_chromium: Browser) -> None:
    theirs = {"endpoint": "https://fcm.googleapis.com/send/theirs", "auth": "x", "key": base64url(POINT)}
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("")
        connect = "async () => { (await import('/tocsin.js')).Tocsin.connect({ serviceWorker: '/sw.js' }); }"
        await reader.page.evaluate(connect)
        await reader.subscribe({})
        await reader.page.evaluate("(current) => played.change({ current })", theirs)
        assert await run(reader, "tocsin.unsubscribe()") == "unsubscribed"
        assert (await reader.played())["current"] == theirs
        assert await reader.record() is None


async def test_erasing_is_done_only_if_the_service_has_heard(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        record = await subscribed(reader)
        await reader.page.route("**/v1/subscriptions/**", lambda route: route.fulfill(status=503, json={}))
        assert await run(reader, f"tocsin.erase(){CODE}") == "http_503"
        assert await reader.record() == record
        assert await run(reader, "tocsin.state") == "subscribed"
        await reader.page.unroute("**/v1/subscriptions/**")
        assert await run(reader, "tocsin.erase()") == "unsubscribed"
        await nothing_is_left(reader)
        assert not await is_known(reader, record)
        assert await visit(reader) == "unsubscribed"


async def given_up_after_thirty_seconds(reader: SdkPage) -> None:
    """In a click, of a reader who is new."""
    await reader.page.clock.install()
    await reader.show("")
    await change(reader, "{ outOfReach: true }")
    await run(reader, f"void (self.told = tocsin.subscribe(){CODE})")
    await until(reader, "self.reached")
    await reader.page.clock.fast_forward(30_000)
    assert await reader.page.evaluate("self.told") == "push_service_unreachable"
    assert await run(reader, "tocsin.unsubscribe()") == "unsubscribed"  # nothing holds the lock


async def late(reader: SdkPage) -> None:
    await reader.page.evaluate("self.reached()")
    await until(reader, "played.read().current")


async def test_a_push_service_out_of_reach_holds_nothing_up_and_what_comes_late_is_given_up(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await given_up_after_thirty_seconds(reader)
        assert await visit(reader) == "unsubscribed"  # there is nothing yet to give up
        await run(reader, f"void (self.told = tocsin.subscribe(){CODE})")
        await until(reader, "self.reached")
        await reader.page.clock.fast_forward(30_000)
        assert await reader.page.evaluate("self.told") == "push_service_unreachable"
        await late(reader)
        assert await visit(reader) == "unsubscribed"
        await nothing_is_left(reader)
        assert not any(request.endswith("/v1/subscriptions") for request in reader.requests)


async def test_a_second_click_takes_what_came_late(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await given_up_after_thirty_seconds(reader)
        await late(reader)
        assert await run(reader, "tocsin.subscribe()") == "subscribed"
        assert await visit(reader) == "subscribed"
        assert (await reader.played())["made"] == 1


async def test_a_tab_sees_that_another_one_cleared_all(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await subscribed(reader)
        other = await reader.context.new_page()
        await other.route("**/story", lambda route: route.fulfill(body=STORY, content_type="text/html"))
        await other.goto(f"{sdk_api.origin}/story")
        await run(reader, "void tocsin.addEventListener('change', () => { self.changed = true; })")
        await other.evaluate("async () => { await caches.delete('tocsin'); localStorage.clear(); }")
        await until(reader, "self.changed")
        assert await run(reader, "tocsin.state") == "unsubscribed"
