"""What the SDK repairs on a visit, and what it leaves alone."""

import asyncio
import secrets
from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect
from sdk_page import SdkPage, sdk_page

from api.api_served import Served, bearer
from browsers import needs_chromium
from samples import POINT, base64url
from tocsin.push import vapid_keys
from tocsin.push.vapid import read_private
from tocsin.push.vapid_files import install, rotate

pytestmark = [pytest.mark.browser, needs_chromium]

STATE = "async () => (await (await import('/tocsin.js')).Tocsin.connect()).state"
CHOSEN: dict[str, Any] = {"topics": ["sport"], "muted_stories": ["budget"], "daily_cap": {"count": 3}}


async def subscribed(reader: SdkPage) -> dict[str, Any]:
    """The record of a reader who has made choices, some of them not known to this page."""
    await reader.show("")
    await reader.subscribe(CHOSEN)
    record = await reader.record()
    assert record is not None
    return record


async def visit(reader: SdkPage) -> str:
    await reader.page.reload()
    state: str = await reader.page.evaluate(STATE)
    return state


OTHER_KEY = f"played.change({{ current: {{ ...played.read().current, key: '{base64url(POINT)}' }} }})"


@pytest.mark.parametrize("fault", [OTHER_KEY, "played.change({ current: null })"], ids=["another key", "dropped"])
async def test_a_subscription_that_changed_is_made_anew_with_all_its_preferences(
    sdk_api: Served, shared_chromium: Browser, fault: str
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        before = await subscribed(reader)
        stored = await reader.stored()
        await reader.page.evaluate(fault)
        assert await visit(reader) == "subscribed"
        after = await reader.record()
        assert after is not None
        assert after["endpoint"] != before["endpoint"]
        assert await reader.stored() == stored
        made = (await reader.played())["made"]
        assert await visit(reader) == "subscribed"
        assert (await reader.played())["made"] == made
        assert len(await reader.asked()) == 1


async def test_a_page_that_is_open_over_a_rotation_names_the_key_it_subscribed_with(
    sdk_api: Served, shared_chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the present key the push service would refuse each alert until the next visit."""
    monkeypatch.setattr(vapid_keys, "LOOK_SECONDS", 0)
    settings, before = sdk_api.settings, sdk_api.services.keys.present
    pem = read_private(settings.vapid_file)
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("")
        assert await reader.page.evaluate(STATE) == "unsubscribed"
        try:
            assert rotate(settings.vapid_file, settings.vapid_subject).key_id != before.key_id
            await reader.subscribe(CHOSEN)
            record = await reader.record()
            assert record is not None
            export = f"/v1/subscriptions/{record['id']}/export"
            told = await sdk_api.call("GET", export, headers={"Authorization": f"Bearer {record['token']}"})
            assert told.json["vapid_key_id"] == base64url(before.key_id)
        finally:
            install(pem, settings.vapid_file, settings.vapid_subject)
            assert sdk_api.services.keys.present.key_id == before.key_id


async def test_a_subscription_that_was_imported_is_known_by_any_key_in_force_and_keeps_its_choices(
    sdk_api: Served, shared_chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a worker of the site's own, made with the key that came with it, which was rotated since."""
    monkeypatch.setattr(vapid_keys, "LOOK_SECONDS", 0)
    settings, before = sdk_api.settings, sdk_api.services.keys.present
    pem = read_private(settings.vapid_file)
    theirs = {"endpoint": f"https://fcm.googleapis.com/send/{secrets.token_hex(8)}", "key": before.public_key}
    auth = base64url(secrets.token_bytes(16))
    subscription = {"endpoint": theirs["endpoint"], "keys": {"p256dh": base64url(POINT), "auth": auth}}
    imported = await sdk_api.register(subscription, CHOSEN)
    own = STATE.replace("connect()", "connect({ serviceWorker: '/sw.js' })")
    try:
        present = rotate(settings.vapid_file, settings.vapid_subject)
        async with sdk_page(shared_chromium, sdk_api) as reader:
            await reader.show("")
            await reader.page.evaluate("(current) => played.change({ current })", {**theirs, "auth": auth})
            assert await reader.page.evaluate(own) == "subscribed"
            assert (await reader.played())["current"]["key"] == present.public_key
            assert await reader.stored() == imported.json["preferences"]
            assert len(await reader.asked()) == 0
    finally:
        install(pem, settings.vapid_file, settings.vapid_subject)
    gone = await sdk_api.call("GET", f"/v1/subscriptions/{imported.json['id']}", headers=bearer(imported.json["token"]))
    assert gone.status == 404


async def test_a_service_that_forgot_a_browser_is_told_again(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        record = await subscribed(reader)
        stored = await reader.stored()
        gone = await sdk_api.call(
            "DELETE", f"/v1/subscriptions/{record['id']}", headers={"Authorization": f"Bearer {record['token']}"}
        )
        assert gone.status == 204
        # A change that a page makes meanwhile arrives all the same.
        await reader.page.evaluate(
            "async () => (await (await import('/tocsin.js')).Tocsin.connect()).update({ min_level: 'breaking' })"
        )
        assert await reader.stored() == {**stored, "min_level": "breaking"}


async def test_who_unsubscribed_stays_so_in_every_tab(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await subscribed(reader)
        other = await reader.context.new_page()
        await other.route("**/story", lambda route: route.fulfill(body="<title>x</title>", content_type="text/html"))
        await other.goto(f"{sdk_api.origin}/story")
        assert await other.evaluate(STATE) == "subscribed"
        await other.evaluate("async () => (await (await import('/tocsin.js')).Tocsin.connect()).unsubscribe()")
        async with asyncio.timeout(10):
            while await reader.page.evaluate(STATE) != "unsubscribed":
                await asyncio.sleep(0.05)
        assert await visit(reader) == "unsubscribed"
        assert (await reader.played())["current"] is None
        assert await reader.record() is None


async def test_two_tabs_change_preferences_at_once_and_both_hold(sdk_api: Served, shared_chromium: Browser) -> None:
    change = """async (topic) => {
      const tocsin = await (await import('/tocsin.js')).Tocsin.connect();
      const mute = (story) => tocsin.update((now) => ({ muted_stories: [...now.muted_stories, story] }));
      await Promise.all([1, 2, 3].map((n) => mute(`${topic}-${n}`)));
    }"""
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await subscribed(reader)
        other = await reader.context.new_page()
        await other.route("**/story", lambda route: route.fulfill(body="<title>x</title>", content_type="text/html"))
        await other.goto(f"{sdk_api.origin}/story")
        await asyncio.gather(reader.page.evaluate(change, "here"), other.evaluate(change, "there"))
        wanted = {"budget", *(f"{topic}-{n}" for topic in ("here", "there") for n in (1, 2, 3))}
        assert set((await reader.stored())["muted_stories"]) == wanted


async def test_an_endpoint_held_for_other_keys_is_given_up(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await subscribed(reader)
        first = (await reader.played())["current"]
        # The browser made new keys for its endpoint and lost all that the page knew.
        await reader.page.evaluate(
            """async (auth) => {
              const { current } = played.read();
              localStorage.removeItem(`tocsin:${new URL("./", location.href).href}`);
              await caches.delete("tocsin");
              played.change({ current: { ...current, auth } });
            }""",
            base64url(secrets.token_bytes(16)),
        )
        assert await visit(reader) == "subscribed"
        assert (await reader.played())["current"]["endpoint"] != first["endpoint"]
        assert (await reader.ask()).status == 200


async def test_another_providers_subscription_in_the_sites_own_worker_is_left_alone(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    theirs = {"endpoint": "https://fcm.googleapis.com/send/theirs", "auth": "x", "key": base64url(POINT)}
    own = STATE.replace("connect()", "connect({ serviceWorker: '/sw.js' })")
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("")
        await reader.page.evaluate("(current) => played.change({ current })", theirs)
        assert await reader.page.evaluate(own) == "unsubscribed"
        assert (await reader.played())["current"] == theirs
        # Only who asks for our alerts has theirs ended: a browser has one subscription for a worker.
        await reader.subscribe({})
        assert (await reader.played())["current"] != theirs


async def test_storage_switched_off_is_no_reason_to_lose_a_reader(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.context.add_init_script(
            """const { getItem, setItem } = Storage.prototype;
            const ours = (name) => name.startsWith("tocsin:");
            Storage.prototype.getItem = function (name) {
              if (ours(name)) throw new DOMException("", "SecurityError");
              return getItem.call(this, name);
            };
            Storage.prototype.setItem = function (name, value) {
              if (ours(name)) throw new DOMException("", "SecurityError");
              return setItem.call(this, name, value);
            };
            CacheStorage.prototype.open = async () => { throw new DOMException("", "SecurityError"); };
            LockManager.prototype.request = async () => { throw new DOMException("", "SecurityError"); };"""
        )
        await reader.show("<tocsin-preferences></tocsin-preferences>")
        await reader.subscribe({"topics": ["sport"], "muted_stories": ["budget"]})
        await reader.page.get_by_role("radiogroup", name="World").get_by_role("radio", name="All").check()
        await expect(reader.page.get_by_text("Saved", exact=True)).to_be_visible()
        assert await visit(reader) == "subscribed"
        await expect(
            reader.page.get_by_role("radiogroup", name="World").get_by_role("radio", name="All")
        ).to_be_checked()
        await expect(reader.page.get_by_role("button", name="Remove budget")).to_be_visible()
        assert len([request for request in reader.requests if request.endswith("/v1/subscriptions")]) == 2


async def test_a_service_out_of_reach_on_a_visit_ends_nothing(sdk_api: Served, shared_chromium: Browser) -> None:
    async def fail(route: Route) -> None:
        await route.abort()

    async with sdk_page(shared_chromium, sdk_api) as reader:
        record = await subscribed(reader)
        await reader.page.route("**/v1/subscriptions/**", fail)
        assert await visit(reader) == "subscribed"
        assert await reader.record() == record
        problem = "async () => (await (await import('/tocsin.js')).Tocsin.connect()).problem.code"
        assert await reader.page.evaluate(problem) == "network"
