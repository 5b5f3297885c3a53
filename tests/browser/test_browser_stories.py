"""What a reader lives through, on the product's own pages, in both browsers: from the button to the last alert."""

import asyncio
import secrets
from typing import Any

import pytest
from browser_reader import Reader
from playwright.async_api import expect

from newsroom import SITE as NEWSROOM
from town import Town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


async def follow_up(town: Town, alert: dict[str, Any], kind: str, **words: str) -> dict[str, Any]:
    headers = {**town.editor, "Idempotency-Key": secrets.token_urlsafe(16)}
    status, answer = await town.call("POST", f"/v1/alerts/{alert['id']}/{kind}", words, headers)
    assert status == 202, answer
    return answer


async def test_a_reader_subscribes_by_the_panel_and_changes_their_mind_by_hand(
    reader: Reader, readers_town: Town
) -> None:
    await reader.subscribes(world="All")
    await readers_town.send(headline="Ceasefire signed", body="Talks went on all night.", level="update")
    await reader.desktop.shows("Ceasefire signed", "Talks went on all night.")

    await reader.visits("/preferences")
    await reader.chooses("World", "Off")
    await reader.chooses("Sport", "Biggest")

    for not_wanted in ({"topics": ["world"]}, {"topics": ["sport"], "level": "update"}):
        alert = await readers_town.ended((await readers_town.send(headline="Not for them", **not_wanted))["id"])
        assert alert["progress"]["eligible"] == 0
    await readers_town.send(headline="Cup final abandoned", topics=["sport"], level="breaking")
    await reader.desktop.shows("Cup final abandoned")
    assert [shown.title for shown in reader.desktop.history] == ["Ceasefire signed", "Cup final abandoned"]

    await reader.visits("/preferences")
    await expect(reader.page.get_by_role("radiogroup", name="World").get_by_role("radio", name="Off")).to_be_checked()


async def test_an_alert_is_shown_then_corrected_then_retracted_in_its_place(reader: Reader, readers_town: Town) -> None:
    await reader.subscribes(world="All")
    alert = await readers_town.send(headline="Dam breaks above Ada", body="The valley is being cleared.")
    await reader.desktop.shows("Dam breaks above Ada", "The valley is being cleared.")

    await follow_up(readers_town, alert, "correction", headline="Dam above Ada holds", body="Nobody has to leave.")
    await reader.desktop.shows("Dam above Ada holds", "Nobody has to leave.")
    assert reader.desktop.titles() == ["Dam above Ada holds"]

    await follow_up(readers_town, alert, "retraction", reason="It was another dam.")
    await reader.desktop.shows("Retracted: Dam above Ada holds", "It was another dam.")
    assert len(reader.desktop.shown) == 1


async def test_a_click_opens_what_the_newsroom_linked(reader: Reader, readers_town: Town) -> None:
    await reader.subscribes(world="All")
    live = {"action": "live", "title": "Live", "url": f"{NEWSROOM}/202"}
    for button, leads_to in ((None, 200), ("Read", 200), ("Live", 202)):
        headline = f"Dam breaks above Ada: {button}"
        await readers_town.send(headline=headline, url=f"{NEWSROOM}/200", actions=[live])
        async with reader.context.expect_page() as opening:
            await reader.desktop.click(headline, button)
        await expect(await opening.value).to_have_url(f"{NEWSROOM}/{leads_to}")
        await reader.desktop.takes_away(headline)


async def test_a_story_is_muted_on_an_alert_and_back_again(reader: Reader, readers_town: Town) -> None:
    await reader.subscribes(world="All")
    await readers_town.send(headline="Budget: the vote is near", story="budget")

    await reader.desktop.click("Budget: the vote is near", "Mute this story")
    await reader.desktop.shows("Budget: the vote is near", "Muted. You will get no more alerts on this story.")
    alert = await readers_town.ended((await readers_town.send(headline="Budget: more", story="budget"))["id"])
    assert alert["progress"]["skipped"] == {"muted_story": 1}

    await reader.desktop.click("Budget: the vote is near", "Undo")
    await reader.desktop.shows("Budget: the vote is near", "No longer muted. You will get alerts on this story again.")
    await readers_town.send(headline="Budget: passed", story="budget")
    await reader.desktop.shows("Budget: passed")


async def test_a_story_is_followed_on_its_page(reader: Reader, readers_town: Town) -> None:
    await reader.subscribes(sport="All")
    await reader.visits("/preferences?story=aleppo")
    async with reader.saves():
        await reader.page.get_by_role("button", name="Follow").click()
    await expect(reader.page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")

    await readers_town.send(headline="Aid reaches Aleppo", topics=["world"], story="aleppo", level="update")
    await reader.desktop.shows("Aid reaches Aleppo")
    other = await readers_town.ended((await readers_town.send(topics=["world"], story="another"))["id"])
    assert other["progress"]["eligible"] == 0


async def test_who_tries_it_and_unsubscribes_hears_nothing_more(reader: Reader, readers_town: Town) -> None:
    await reader.subscribes(world="All")
    view = await reader.at_its_push_service()
    await reader.visits("/preferences")
    await reader.page.get_by_role("button", name="Send me a test").click()
    await reader.desktop.shows(readers_town.settings.site_name)
    await reader.page.get_by_role("button", name="Unsubscribe").click()
    await expect(reader.page.get_by_role("button", name="Get alerts")).to_be_visible()

    async with asyncio.timeout(20):  # the browser tells its push service, too
        while not (await readers_town.simulator.browser(view.id)).unsubscribed:
            await asyncio.sleep(0.05)
    alert = await readers_town.ended((await readers_town.send())["id"])
    assert alert["progress"]["eligible"] == 0
    assert len(reader.desktop.history) == 1
