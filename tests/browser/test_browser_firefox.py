"""A real Firefox on the readers' page: subscribed by the button, alerted, heard when it changes its mind."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page, expect

from browsers import firefox, needs_firefox
from town import Town

pytestmark = [pytest.mark.browser, needs_firefox, pytest.mark.timeout(180)]

SHOWN = """async () => {
  const registration = await navigator.serviceWorker.ready;
  return (await registration.getNotifications()).map(
    ({title, body, tag, data}) => ({title, body, tag, data}));
}"""


async def shown_until(page: Page, tag: str) -> dict[str, Any]:
    """The notification with this tag, when the browser shows it."""
    async with asyncio.timeout(30):
        while True:
            for notification in await page.evaluate(SHOWN):
                if notification["tag"] == tag:
                    found: dict[str, Any] = notification
                    return found
            await asyncio.sleep(0.1)


async def choose(page: Page, topic: str, choice: str) -> None:
    """By hand: a topic to Off, Biggest or All."""
    await page.get_by_role("radiogroup", name=topic).get_by_role("radio", name=choice).check()


async def subscribe(page: Page, topics: set[str]) -> None:
    """By hand: the button, the panel, these topics alone, and the browser's prompt in the same click."""
    await page.get_by_role("button", name="Get alerts").click()
    for topic in ("World", "Politics", "Business", "Sport", "Culture"):
        await choose(page, topic, "All" if topic in topics else "Off")
    await page.get_by_role("button", name="Turn on alerts").click()
    await expect(page.get_by_text("Alerts are on")).to_be_visible(timeout=30_000)


async def saved(page: Page, topic: str, choice: str) -> None:
    """The same on the page with the preferences, which saves at once."""
    async with page.expect_response(lambda response: response.request.method == "PATCH") as answer:
        await choose(page, topic, choice)
    assert (await answer.value).ok


async def test_a_reader_subscribes_gets_the_alert_and_is_left_alone_when_they_say_so(town: Town) -> None:
    async with firefox(town.ready["autopush_url"]) as browser:
        page = await browser.new_page()
        await page.goto(f"{town.settings.url}/")
        await subscribe(page, {"World"})

        alert = await town.ended(
            (await town.send(headline="Ceasefire signed in Geneva", body="Talks went on all night."))["id"]
        )

        assert alert["progress"]["accepted"] == 1
        (view,) = [view for view in await town.simulator.browsers() if view.push_service == "mozilla"]
        (line,) = await town.simulator.log(browser=view.id)
        notification = await shown_until(page, line.topic or "")
        assert notification["title"] == "Ceasefire signed in Geneva"
        assert notification["body"] == "Talks went on all night."
        assert notification["data"]["tocsin"]["alert"] == alert["id"]

        # The topic is switched off on the page, which saves at once: the next alert does not come.
        await page.get_by_role("link", name="Change").click()
        await saved(page, "Sport", "All")
        await saved(page, "World", "Off")
        second = await town.ended((await town.send(headline="Another one for the world"))["id"])
        assert second["progress"]["eligible"] == 0
        assert len(await town.simulator.log(browser=view.id)) == 1
        # A third one that it does want comes after: whatever the second had sent would be there by now.
        third = await town.ended((await town.send(headline="Cup final goes to penalties", topics=["sport"]))["id"])
        assert third["progress"]["accepted"] == 1
        last = (await town.simulator.log(browser=view.id))[-1]
        await shown_until(page, last.topic or "")
        titles = {one["title"] for one in await page.evaluate(SHOWN)}
        assert titles == {"Ceasefire signed in Geneva", "Cup final goes to penalties"}


async def test_a_reader_sends_themselves_a_test_and_unsubscribes(town: Town) -> None:
    async with firefox(town.ready["autopush_url"]) as browser:
        page = await browser.new_page()
        await page.goto(f"{town.settings.url}/")
        await subscribe(page, {"World", "Culture"})

        await page.get_by_role("link", name="Change").click()
        await page.get_by_role("button", name="Send me a test").click()
        notification = await shown_until(page, "tocsin-test")
        assert notification["title"] == town.settings.site_name

        await page.get_by_role("button", name="Unsubscribe").click()
        await expect(page.get_by_role("heading", name="Alerts are off", exact=True)).to_be_visible()
        await expect(page.get_by_role("button", name="Get alerts")).to_be_visible()
        assert (await town.store.numbers.counts())["mozilla"] == 0
        alert = await town.ended((await town.send())["id"])
        assert alert["progress"]["eligible"] == 0


async def test_a_reader_who_comes_back_finds_their_choices(town: Town) -> None:
    async with firefox(town.ready["autopush_url"]) as browser:
        page = await browser.new_page()
        await page.goto(f"{town.settings.url}/")
        await subscribe(page, {"Sport"})

        await page.goto(f"{town.settings.url}/preferences")

        for topic, choice in (("Sport", "All"), ("World", "Off")):
            radio = page.get_by_role("radiogroup", name=topic).get_by_role("radio", name=choice)
            await expect(radio).to_be_checked(timeout=30_000)
        assert (await town.store.numbers.counts())["mozilla"] == 1
