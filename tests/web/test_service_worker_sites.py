"""Both set-ups on a newsroom's own site, from another origin than ours and under a strict policy, in a real Chromium.

The sites are those of `examples/`, as they are shipped.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from newsstand import EXAMPLES, HASTE, STORY, SUBSCRIBING, WRITTEN, Newsstand, open_newsstand, push, reading, subscribe
from playwright.async_api import BrowserContext, Page, expect

from browsers import needs_chromium
from samples import an_alert
from tocsin import clock
from tocsin.domain.subscriptions import parse_public_id
from tocsin.push import vapid_keys
from tocsin.push.vapid import read_private
from tocsin.push.vapid_files import install, rotate
from tocsin.settings import Settings
from tocsin.store.store import Store
from tocsin.store.subscriptions import Kept
from tocsin.web import asset, service_worker
from tocsin.web.assets import JOINED

pytestmark = [pytest.mark.browser, needs_chromium]

ALERT = f"0199{1:018x}"
POLICY = (
    "default-src 'none'; script-src 'self' {alerts}; worker-src 'self'; connect-src {alerts}; img-src {alerts}; "
    "manifest-src 'self'"
)
# Where the push manager is the browser's own, it gives the subscription; the page's was made up.
SUBSCRIBED = "(endpoint) => { PushManager.prototype.getSubscription = async () => ({ endpoint }); }"
ALWAYS_AT_ONCE = "() => { Math.random = () => 0; }"
# Each event that asks for time, and whether it has had it; and the next receipt is due in about a second.
EVENTS = """() => {
  self.events = [];
  const { prototype } = ExtendableEvent;
  const ask = prototype.waitUntil;
  prototype.waitUntil = function (work) {
    const noted = [this.type, false];
    self.events.push(noted);
    ask.call(this, Promise.resolve(work).finally(() => { noted[1] = true; }));
  };
  Math.random = () => 0.01;
}"""
ALL_DONE = "self.events.length > 0 && self.events.every(([, done]) => done) && self.events.splice(0)"
JOURNAL = """async () => {
  const cache = await caches.open("tocsin");
  const { url } = (await cache.keys()).find((each) => each.url.endsWith("_tocsin/journal"));
  return (await cache.match(url)).text();
}"""
RENEWED = """async () => {
  const work = [];
  ExtendableEvent.prototype.waitUntil = (promise) => { work.push(promise); };
  const event = new ExtendableEvent("pushsubscriptionchange");
  Object.defineProperty(event, "newSubscription", { value: self.renewed });
  self.dispatchEvent(event);
  await Promise.all(work);
}"""
UNSUBSCRIBED = """async () => {
  const cache = await caches.open("tocsin");
  const { url } = (await cache.keys()).find((each) => each.url.endsWith("_tocsin/subscription"));
  localStorage.clear();
  await cache.delete(url);
}"""
VIOLATIONS = """() => {
  self.refused = [];
  self.addEventListener("securitypolicyviolation", (event) => self.refused.push(event.blockedURI));
}"""


@pytest.fixture
async def plain(servers: Settings, store: Store, tmp_path: Path) -> AsyncIterator[Newsstand]:
    async with open_newsstand(servers, tmp_path, "plain-site", POLICY) as opened:
        yield opened


@pytest.fixture
async def own(servers: Settings, store: Store, tmp_path: Path) -> AsyncIterator[Newsstand]:
    async with open_newsstand(servers, tmp_path, "own-worker", POLICY) as opened:
        yield opened


async def test_a_site_without_a_worker_serves_one_line(browser: BrowserContext, plain: Newsstand) -> None:
    async with reading(browser, plain.site, subscribe) as reader:
        assert reader.worker.url == f"{plain.site}/tocsin/sw.js"
        assert plain.asked.count("POST /v1/subscriptions 201") == 1
        await reader.worker.evaluate(VIOLATIONS)
        shown = await reader.pushed(push(ALERT, about={"story": "aleppo"}))
        assert (shown["title"], shown["icon"]) == ("Rates up", f"{plain.settings.url}/assets/icon-192.png")
        assert [button["title"] for button in shown["actions"]] == ["Read", "Mute this story"]
        assert await reader.happens("notificationclick", shown) == [STORY]
        await plain.services.store.alerts.queue(an_alert(headline="Aid convoy", now=clock.now()), "a-key-for-this-one")
        await reader.worker.evaluate(SUBSCRIBED, (await reader.kept())["endpoint"])
        await reader.worker.evaluate(HASTE)
        assert (await reader.pushed())["title"] == "Aid convoy"
        assert await reader.worker.evaluate("self.refused") == []


async def test_a_sites_own_worker_goes_on_as_before(browser: BrowserContext, own: Newsstand) -> None:
    async with reading(browser, own.site, subscribe) as reader:
        assert reader.worker.url == f"{own.site}/sw.js"
        ours = await reader.pushed(push(ALERT))
        assert (ours["title"], ours["data"]["tocsin"]["alert"]) == ("Rates up", ALERT)
        theirs = await reader.pushed({"title": "Cup final", "url": "https://herald.example/cup"})
        assert (theirs["title"], theirs["data"]) == ("Cup final", {"url": "https://herald.example/cup"})
        assert await reader.happens("notificationclick", theirs) == ["https://herald.example/cup"]
        assert await reader.happens("notificationclick", ours) == [STORY]
        # Theirs shows something for a push without a payload, so ours does not; and where theirs fails, ours does.
        await reader.worker.evaluate(SUBSCRIBED, (await reader.kept())["endpoint"])
        await reader.worker.evaluate(EVENTS)
        await reader.worker.evaluate(HASTE)
        for data, title in (("", "The Example"), ("not json", "Tocsin: there is news")):
            await reader.push(data)
            async with asyncio.timeout(20):
                while not await reader.worker.evaluate(ALL_DONE):
                    await asyncio.sleep(0.02)
            assert [shown["title"] for shown in await reader.shown()] == [title]


async def test_a_copy_of_all_on_the_site_itself_does_too(
    browser: BrowserContext, servers: Settings, store: Store, tmp_path: Path
) -> None:
    page = (EXAMPLES / "plain-site" / "index.html").read_text().replace(' preferences="/alerts"', "")
    scripts = {name: found.body.decode() for name in JOINED if (found := asset(name))}
    copies = {
        "index.html": page.replace(f"{WRITTEN}/tocsin.js", "/js/tocsin.js"),
        **{f"js/{name}": script for name, script in scripts.items()},
        "tocsin/sw.js": service_worker(f"{WRITTEN}/").body.decode(),
    }
    for name, text in copies.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    policy = "default-src 'none'; script-src 'self'; connect-src 'self' {alerts}; img-src {alerts}"
    async with (
        open_newsstand(servers, tmp_path / "data", str(tmp_path / "site"), policy) as copied,
        reading(browser, copied.site, subscribe) as reader,
    ):
        assert (await reader.pushed(push(ALERT)))["icon"] == f"{copied.settings.url}/assets/icon-192.png"
        assert [line for line in copied.asked if ".js " in line] == []
        assert copied.asked.count("POST /v1/subscriptions 201") == 1
        await takes_along_and_erases(reader.page)
        assert [line for line in copied.asked if ".js " in line] == []


async def takes_along_and_erases(page: Page) -> None:
    """All that a reader may ask for, on the site itself: it is another origin than the service's own pages."""
    await page.get_by_role("button", name="Change").click()
    await expect(page.get_by_label("Quiet at set hours")).to_be_visible()
    await page.get_by_role("button", name="History and your data").click()
    panel = page.get_by_role("dialog", name="History and your data")
    await expect(panel.get_by_text("No alert has gone out since you subscribed.")).to_be_visible()
    async with page.expect_download() as download:
        await panel.get_by_role("button", name="Download my data").click()
    held = json.loads((await (await download.value).path()).read_text())
    assert held["endpoint"].startswith("https://fcm.googleapis.com/send/")
    await panel.get_by_role("button", name="Erase everything…").click()
    sure = page.get_by_role("dialog", name="Erase everything?")
    await sure.get_by_role("button", name="Erase everything").click()
    await expect(page.get_by_role("region", name="Everything is being erased")).to_be_focused()
    assert await page.evaluate("async () => [...Object.keys(localStorage), ...(await caches.keys())]") == []


async def test_a_story_is_muted_and_unmuted_and_failure_is_told(browser: BrowserContext, plain: Newsstand) -> None:
    async with reading(browser, plain.site, subscribe) as reader:
        record = await reader.kept()
        shown = await reader.pushed(push(ALERT, about={"story": "aleppo"}))

        async def press(action: str) -> tuple[str, str, bool, list[str]]:
            await reader.happens("notificationclick", shown, action)
            [said] = await reader.shown()
            return (
                said["title"],
                said["body"].split(".")[0],
                said["silent"],
                [each["title"] for each in said["actions"]],
            )

        async def kept() -> Kept:
            found = await plain.services.store.subscriptions.get(parse_public_id(record["id"]) or b"")
            assert found is not None
            return found

        async def muted() -> list[str]:
            return [choice.story for choice in (await kept()).preferences.muted_stories]

        assert await press("tocsin:mute") == ("Rates up", "Muted", True, ["Undo"])
        assert await muted() == ["aleppo"]
        assert (await reader.kept())["preferences"]["muted_stories"] == ["aleppo"]
        assert await press("tocsin:unmute") == ("Rates up", "No longer muted", True, ["Mute this story"])
        assert await muted() == []
        await plain.services.store.subscriptions.delete(await kept(), 0)
        assert await press("tocsin:mute") == (
            "Rates up",
            "Not muted: the service could not be reached",
            True,
            ["Try again"],
        )


NAMED = """async (names) => {
  const cache = await caches.open("tocsin");
  const key = (await cache.keys()).find(({ url }) => url.endsWith("_tocsin/subscription"));
  await cache.put(key, Response.json({ ...(await (await cache.match(key)).json()), names }));
}"""


async def test_a_subscription_that_the_browser_changed_keeps_its_preferences(
    browser: BrowserContext, plain: Newsstand
) -> None:
    async with reading(browser, plain.site, subscribe) as reader:
        record = await reader.kept()
        shown = await reader.pushed(push(ALERT, about={"story": "aleppo"}))
        await reader.happens("notificationclick", shown, "tocsin:mute")
        muted = await reader.kept()
        await reader.page.evaluate(NAMED, [["aleppo", "The road to Aleppo"]])
        await reader.worker.evaluate("self.tocsinRound = 2")
        await reader.worker.evaluate(SUBSCRIBING)
        await reader.happens("pushsubscriptionchange", {})
        renewed = await reader.kept()
        assert renewed["id"] != record["id"]
        assert renewed["endpoint"] != record["endpoint"]
        assert muted["preferences"]["muted_stories"] == ["aleppo"]
        assert renewed["preferences"] == muted["preferences"]
        assert renewed["names"] == [["aleppo", "The road to Aleppo"]]


async def test_an_alert_that_its_correction_replaces_was_not_closed_by_its_reader(
    browser: BrowserContext, plain: Newsstand
) -> None:
    """Firefox says so of each that it replaces."""
    async with reading(browser, plain.site, subscribe) as reader:
        first, second = f"0199{1:018x}", f"0199{2:018x}"
        shown = await reader.pushed(push(first, tag="a1", about={"receipts": 1}))
        corrected = await reader.pushed(push(second, tag="a1", about={"receipts": 1, "corrects": first}))
        await reader.happens("notificationclose", shown)
        await reader.happens("notificationclose", corrected)
        told = await reader.page.evaluate(JOURNAL)
        assert f"{first} closed" not in told
        assert f"{second} closed" in told


async def test_a_subscription_that_the_browser_renewed_by_itself_has_the_key_of_the_one_before(
    browser: BrowserContext, plain: Newsstand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vapid_keys, "LOOK_SECONDS", 0)
    settings, before = plain.services.settings, plain.services.keys.present
    pem = read_private(settings.vapid_file)
    async with reading(browser, plain.site, subscribe) as reader:
        try:
            rotate(settings.vapid_file, settings.vapid_subject)
            await reader.worker.evaluate("self.tocsinRound = 3")
            await reader.worker.evaluate(SUBSCRIBING)
            made = f"self.registration.pushManager.subscribe({{ applicationServerKey: '{before.public_key}' }})"
            await reader.worker.evaluate(f"(async () => {{ self.renewed = await {made}; }})()")
            await reader.worker.evaluate(
                "() => { PushManager.prototype.subscribe = async () => { throw new Error('it has one'); }; }"
            )
            await reader.worker.evaluate(RENEWED)
            found = await plain.services.store.subscriptions.get(parse_public_id((await reader.kept())["id"]) or b"")
            assert found is not None
            assert found.record.endpoint.endswith("-3")
            assert found.record.vapid_key_id == before.key_id
        finally:
            install(pem, settings.vapid_file, settings.vapid_subject)


async def test_a_receipt_waits_in_an_event_of_its_own(browser: BrowserContext, plain: Newsstand) -> None:
    """Else a reader who closes the notification meanwhile makes its push one that showed nothing (Chromium)."""
    async with reading(browser, plain.site, subscribe) as reader:
        await reader.worker.evaluate(EVENTS)
        await reader.pushed(push(ALERT, about={"receipts": 1}))
        both = [["push", True], ["message", False]]
        async with asyncio.timeout(10):
            while await reader.worker.evaluate("self.events") != both:
                await asyncio.sleep(0.02)
        assert plain.times("POST /v1/receipts") == 0
        await plain.until_asked("POST /v1/receipts 204")


async def visited_again(page: Page) -> None:
    """The page is loaded anew, and the SDK has looked whether all is well."""
    await page.reload()
    await expect(page.get_by_text("Alerts are on")).to_be_visible(timeout=20_000)


async def test_who_unsubscribes_leaves_no_memory_behind(browser: BrowserContext, plain: Newsstand) -> None:
    async with reading(browser, plain.site, subscribe) as reader:
        await reader.pushed(push(ALERT))
        await visited_again(reader.page)
        assert "Rates up" in await reader.page.evaluate(JOURNAL)
        await reader.page.evaluate(UNSUBSCRIBED)
        await reader.page.reload()
        async with asyncio.timeout(20):
            while "Rates up" in await reader.page.evaluate(JOURNAL):
                await asyncio.sleep(0.02)


async def test_what_was_erased_comes_back_by_no_notification_that_is_still_there(
    browser: BrowserContext, plain: Newsstand
) -> None:
    """The worker that showed it still runs, and closing it is to be told."""
    async with reading(browser, plain.site, subscribe) as reader:
        await reader.pushed(push(ALERT))
        other = await reader.pushed(push(f"0199{2:018x}", tag="a2", about={"receipts": 1}))
        script = f"{plain.settings.url}/tocsin.js"
        await reader.page.evaluate(
            "async (script) => { await (await (await import(script)).Tocsin.connect()).erase(); }", script
        )
        await reader.happens("notificationclose", other)
        assert "Rates up" not in await reader.page.evaluate(JOURNAL)


async def test_receipts_are_told_once_and_name_nobody(browser: BrowserContext, plain: Newsstand) -> None:
    async with reading(browser, plain.site, subscribe) as reader:
        await reader.worker.evaluate(ALWAYS_AT_ONCE)
        for _ in range(2):
            shown = await reader.pushed(push(ALERT, about={"receipts": 0.5}))
        await plain.until_asked("POST /v1/receipts 204")
        await reader.happens("notificationclick", shown)
        await reader.happens("notificationclose", shown)
        await plain.until_asked("POST /v1/receipts 204", 2)
        unasked = await reader.pushed(push(f"0199{2:018x}", tag="a2"))
        await reader.happens("notificationclick", unasked)
        closed = await reader.pushed(push(f"0199{3:018x}", tag="a3", about={"receipts": 1}))
        await plain.until_asked("POST /v1/receipts 204", 3)
        # What is due when the worker is gone goes with the next visit.
        await reader.worker.evaluate("() => { Math.random = () => 0.999; }")
        await reader.happens("notificationclose", closed)
        assert plain.times("POST /v1/receipts") == 3
        await reader.worker.evaluate("() => { const now = Date.now; Date.now = () => now() + 120_000; }")
        await visited_again(reader.page)
        await plain.until_asked("POST /v1/receipts 204", 4)
        assert plain.times("POST /v1/receipts") == 4
        assert plain.times("OPTIONS /v1/receipts") == 0
        assert [path for path in plain.told if path.startswith("/v1/")] == []
