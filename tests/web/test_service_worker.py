"""The service worker on our own page, in a real Chromium: every push shows something, once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from newsstand import HASTE, STORY, SUBSCRIBING, Newsstand, Reader, open_newsstand, push, reading
from playwright.async_api import BrowserContext, Page

from browsers import needs_chromium
from samples import an_alert
from tocsin import clock
from tocsin import recent as list_of_recent
from tocsin.settings import Settings
from tocsin.store.store import Store

pytestmark = [pytest.mark.browser, needs_chromium]

FIRST, SECOND, THIRD = (f"0199{count:018x}" for count in (1, 2, 3))


async def registered(page: Page) -> None:
    await page.evaluate("navigator.serviceWorker.ready.then(() => null)")


@pytest.fixture(autouse=True)
def _hasty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has asked for the list; the service keeps it for less than a hasty worker waits."""
    monkeypatch.setattr(list_of_recent, "KEEP_SECONDS", 0.3)


@pytest.fixture
async def newsstand(servers: Settings, store: Store, tmp_path: Path) -> AsyncIterator[Newsstand]:
    async with open_newsstand(servers, tmp_path, "plain-site", base_path="/alerts", site_name="The Herald") as opened:
        yield opened


@pytest.fixture
async def reader(browser: BrowserContext, newsstand: Newsstand) -> AsyncIterator[Reader]:
    async with reading(browser, f"{newsstand.settings.url}/", registered) as opened:
        yield opened


async def test_a_push_shows_its_words_unaltered_and_carries_its_data(reader: Reader) -> None:
    live = {"action": "live", "title": "Live", "navigate": f"{STORY}/live"}
    shown = await reader.pushed(push(FIRST, "Rates up 👩‍👩‍👧 <b>5 %</b>", body="  Two lines & more ", actions=[live]))
    assert (shown["title"], shown["body"], shown["tag"]) == ("Rates up 👩‍👩‍👧 <b>5 %</b>", "  Two lines & more ", "a1")
    assert shown["data"]["tocsin"] == {"alert": FIRST, "level": "breaking", "topics": ["world"]}
    assert shown["data"]["navigate"] == STORY
    assert shown["data"]["actions"] == {"live": f"{STORY}/live"}
    assert [button["title"] for button in shown["actions"]] == ["Live", "Read"]
    refused = await reader.pushed({"notification": {"title": "Words first", "body": "B", "dir": "sideways"}})
    assert (refused["title"], refused["body"]) == ("Words first", "B")


async def test_a_push_that_cannot_be_read_shows_the_newest_alert_and_then_a_notice(
    reader: Reader, newsstand: Newsstand
) -> None:
    await reader.worker.evaluate(HASTE)
    alert = an_alert(headline="Aid convoy reaches Aleppo", now=clock.now())
    await newsstand.services.store.alerts.queue(alert, "a-key-for-this-one-alert")
    shown = await reader.pushed()
    assert (shown["title"], shown["data"]["navigate"]) == (alert.draft.headline, alert.draft.url)
    for data in ("not json", "null", "{}", '{"notification": {"title": ""}}', '{"notification": {"title": {}}}'):
        notice = await reader.pushed(data)
        assert (notice["title"], notice["data"]["navigate"]) == (
            "The Herald: there is news",
            f"{newsstand.settings.url}/",
        )


async def test_a_chain_shows_its_newest_once_and_all_else_in_silence(reader: Reader) -> None:
    retraction = push(THIRD, "Retracted: Rates up", {"kind": "retraction", "corrects": FIRST})
    told = []
    for data in (
        push(FIRST),
        push(FIRST),
        push(SECOND, "Rates down", {"kind": "correction", "corrects": FIRST}),
        push(FIRST),
        retraction,
        push(SECOND, "Rates down", {"kind": "correction", "corrects": FIRST}),
    ):
        shown = await reader.pushed(data)
        told.append((shown["title"], shown["silent"]))
    assert told == [
        ("Rates up", False),
        ("Rates up", True),
        ("Rates down", False),
        ("Rates down", True),
        ("Retracted: Rates up", False),
        ("Retracted: Rates up", True),
    ]
    await reader.on_screen("Retracted: Rates up")


async def test_where_a_browser_knows_no_tags_the_older_of_a_chain_is_closed(reader: Reader) -> None:
    await reader.pushed(push(FIRST))
    await reader.pushed(push(SECOND, "Rates down", {"kind": "correction", "corrects": FIRST}, tag="as-if-it-were-none"))
    await reader.pushed(push(THIRD, "Another", tag="other"))
    await reader.on_screen("Another", "Rates down")


async def test_the_console_says_whose_word_receipts_are(reader: Reader) -> None:
    script = """async (receipts) => {
      const { drawProgress } = await import("/alerts/assets/progress.js");
      const element = document.createElement("div");
      drawProgress(element, { state: "sent", progress: { eligible: 9, accepted: 9, receipts } });
      return [...element.querySelectorAll("section")].map((each) => each.textContent);
    }"""
    told = {"shown": 7, "clicked": 2, "closed": 0}
    assert await reader.page.evaluate(script, told) == ["By the browsers that tell us7shown2clicked"]
    assert await reader.page.evaluate(script, dict.fromkeys(told, 0)) == []


async def test_a_click_opens_only_the_webs_own_addresses(reader: Reader) -> None:
    async def click(navigate: object, action: str = "", actions: dict[str, str] | None = None) -> list[str]:
        data = {"tocsin": {}, "navigate": navigate, "actions": actions or {}}
        return await reader.happens("notificationclick", {"data": data}, action)

    live = f"{STORY}/live"
    assert await click(STORY) == [STORY]
    assert await click("https://herald.example/open") == ["focused"]
    assert await click(STORY, "live", {"live": live}) == [live]
    assert await click(STORY, "tocsin:read", {"live": live}) == [STORY]
    assert await click(STORY, "unknown", {"live": live}) == [STORY]
    for bad in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "/relative", "", None, 7):
        assert await click(bad) == []
    assert await click(STORY, "live", {"live": "javascript:alert(1)"}) == []


async def test_a_reader_who_left_is_not_subscribed_again(reader: Reader, newsstand: Newsstand) -> None:
    """Whoever has no record here may have left; a browser that lost it is healed by the next visit."""
    await reader.worker.evaluate(SUBSCRIBING)
    await reader.happens("pushsubscriptionchange", {})
    assert not await reader.worker.evaluate("self.registration.pushManager.getSubscription()")
    assert newsstand.times("POST /v1/subscriptions") == 0


async def test_a_notice_is_in_the_readers_language_and_leads_to_the_newsrooms_own_page(
    browser: BrowserContext, servers: Settings, store: Store, tmp_path: Path
) -> None:
    given = {
        "language": "ar",
        "site_name": "The Herald",
        "reader_url": "https://herald.example/alerts",
        "texts": {"en": {"worker.news_body": "Read on our own site."}},
    }
    language = """async (language) => {
      const cache = await caches.open("tocsin");
      const record = { id: "x", token: "y", preferences: { topics: ["none"], language } };
      await cache.put(new URL("_tocsin/subscription", location.href), new Response(JSON.stringify(record)));
    }"""
    async with (
        open_newsstand(servers, tmp_path, "plain-site", **given) as stand,
        reading(browser, f"{stand.settings.url}/", registered) as reader,
    ):
        await reader.worker.evaluate(HASTE)
        for wanted, title, body, lang, way in (
            ("de", "The Herald: لديك أخبار جديدة", "افتح الإشعار لقراءة آخر التنبيهات.", "ar", "rtl"),
            ("en-GB", "The Herald: there is news", "Read on our own site.", "en", "auto"),
        ):
            await reader.worker.evaluate(language, wanted)
            notice = await reader.pushed()
            assert (notice["title"], notice["body"], notice["lang"], notice["dir"]) == (title, body, lang, way)
            assert notice["data"]["navigate"] == "https://herald.example/alerts"
