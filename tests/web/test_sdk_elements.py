"""The elements, as a reader uses them: by mouse and keyboard, by their names alone."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Request, Route, expect
from sdk_page import SdkPage, sdk_page

from api.api_served import Served
from browsers import needs_chromium

pytestmark = [pytest.mark.browser, needs_chromium]


async def test_a_reader_subscribes_by_keyboard_and_the_prompt_is_in_the_very_click(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api, "default") as reader:
        page = reader.page
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        start = page.get_by_role("button", name="Get alerts")
        await expect(start).to_be_visible()
        assert await reader.asked() == []
        await page.keyboard.press("Tab")
        await expect(start).to_be_focused()
        await page.keyboard.press("Enter")
        panel = page.get_by_role("dialog", name="What should we send you?")
        await expect(panel).to_be_visible()
        world = panel.get_by_role("radiogroup", name="World")
        await expect(world.get_by_role("radio", name="All")).to_be_checked()
        await page.keyboard.press("Tab")  # the cross that closes it
        await page.keyboard.press("Tab")
        await expect(world.get_by_role("radio", name="All")).to_be_focused()
        await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("Tab")
        await page.keyboard.press("ArrowRight")
        await panel.get_by_role("button", name="Turn on alerts").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Alerts are on")).to_be_visible()
        await expect(panel).to_have_count(0)
        await expect(page.get_by_role("button", name="Change")).to_be_focused()
        assert await reader.asked() == [True]
        stored = await reader.stored()
        assert stored["topics"] == ["politics", "world"]
        assert stored["topic_levels"] == {"politics": "breaking", "world": "breaking"}


async def test_who_says_no_is_told_what_it_means_and_never_asked_again(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api, "default", "denied") as reader:
        page = reader.page
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await page.get_by_role("button", name="Get alerts").click()
        await page.get_by_role("button", name="Turn on alerts").click()
        await expect(page.get_by_role("dialog", name="Notifications are blocked")).to_be_visible()
        await page.get_by_role("button", name="Close").click()
        await expect(page.get_by_role("button")).to_have_count(0)
        # The panel goes a moment after it is closed.
        await expect(page.get_by_text("Notifications are blocked")).to_have_count(1)
        await page.get_by_text("Notifications are blocked").click()
        await expect(page.get_by_text("we will not ask again")).to_be_visible()
        assert await reader.asked() == [True]
        assert await reader.record() is None


async def test_changes_made_quickly_are_all_saved_and_a_failed_one_is_taken_back(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.show("<tocsin-preferences></tocsin-preferences>")
        await reader.subscribe({"topics": ["world"]})
        politics = page.get_by_role("radiogroup", name="Politics")
        await expect(politics.get_by_role("radio", name="Off")).to_be_checked()
        await page.evaluate(
            """() => {
              const { shadowRoot } = document.querySelector("tocsin-preferences");
              for (const [topic, level] of [["politics", "breaking"], ["sport", "update"], ["world", "off"]]) {
                shadowRoot.querySelector(`[name="${topic}"][value="${level}"]`).click();
              }
            }"""
        )
        status = page.get_by_role("status").filter(has_text=re.compile("^Saved$"))
        await expect(status).to_be_visible()
        await page.get_by_label("Quiet at set hours").check()
        await page.get_by_label("Except the very biggest").check()
        await page.get_by_label("Alerts a day, at most").select_option("5")
        await page.get_by_role("button", name="For an hour").click()
        await expect(page.get_by_text("Paused until")).to_be_visible()
        await expect(status).to_be_visible()
        stored = await reader.stored()
        assert (stored["topics"], stored["topic_levels"]) == (["politics", "sport"], {"politics": "breaking"})
        assert stored["quiet_hours"] == {
            "start": "22:00", "end": "07:00", "wake_for": "flash", "then": "defer", "time_zone": None,
        }  # fmt: skip
        assert stored["daily_cap"] == {"count": 5, "flash_exempt": True, "time_zone": None}
        assert stored["time_zone"] == "Europe/London"

        async def fail(route: Route) -> None:
            await route.abort()

        await page.route("**/preferences", fail)
        await politics.get_by_role("radio", name="All").check()
        await expect(page.get_by_text("Not saved; your choices are as before.")).to_be_visible()
        await expect(politics.get_by_role("radio", name="Biggest")).to_be_checked()
        assert await reader.stored() == stored


async def test_a_page_of_choices_has_one_button_to_turn_alerts_on_and_one_to_turn_them_off(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.show("<tocsin-preferences></tocsin-preferences>")
        await expect(page.get_by_role("button", name="Get alerts")).to_have_count(1)
        await reader.show(
            '<tocsin-subscribe preferences="#choices"></tocsin-subscribe>'
            '<tocsin-preferences id="choices"></tocsin-preferences><tocsin-data></tocsin-data>'
        )
        await expect(page.locator("tocsin-preferences button", has_text="Get alerts")).to_be_hidden()
        await expect(page.locator("tocsin-preferences button", has_text="Get alerts")).to_have_count(1)
        await expect(page.get_by_role("button", name="Get alerts")).to_have_count(1)
        await reader.subscribe({"topics": ["world"]})
        await expect(page.get_by_label("Quiet at set hours")).to_be_visible()
        await page.get_by_role("button", name="Turn alerts off").click()
        await expect(page.get_by_role("button", name="Turn on again")).to_be_visible()
        await expect(page.get_by_label("Quiet at set hours")).to_be_hidden()


async def test_what_was_chosen_elsewhere_is_shown_and_left_alone(sdk_api: Served, shared_chromium: Browser) -> None:
    elsewhere = {
        "topics": ["sport", "world"],
        "min_level": "breaking",
        "topic_levels": {"sport": "flash"},
        "time_zone": "Asia/Tokyo",
        "quiet_hours": {"start": "23:30", "end": "06:15", "wake_for": "breaking", "then": "drop"},
        "muted_stories": ["budget-2026"],
        "followed_stories": [{"story": "harbour-bridge", "until": "2099-01-01T00:00:00Z"}],
    }
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.show("<tocsin-preferences></tocsin-preferences>")
        await reader.subscribe(elsewhere)
        before = await reader.stored()
        sport = page.get_by_role("radiogroup", name="Sport")
        await expect(sport.get_by_role("radio", name="Only the very biggest")).to_be_checked()
        world = page.get_by_role("radiogroup", name="World")
        await expect(world.get_by_role("radio", name="Biggest")).to_be_checked()
        await expect(world.get_by_role("radio")).to_have_count(3)
        await expect(page.get_by_label("Except breaking news and bigger")).to_be_checked()
        await expect(page.get_by_label("Time zone")).to_have_value("Asia/Tokyo")
        assert await reader.stored() == before
        await page.get_by_role("button", name="Remove budget 2026").click()
        await expect(page.get_by_role("button", name="Remove budget 2026")).to_have_count(0)
        await expect(page.get_by_role("button", name="Remove harbour bridge")).to_be_visible()
        await expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        assert await reader.stored() == {**before, "muted_stories": []}


async def test_a_story_is_followed_by_subscribing_and_then_muted_instead(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api, "default") as reader:
        page = reader.page
        await reader.show('<tocsin-follow story="harbour-bridge" name="The harbour bridge"></tocsin-follow>')
        group = page.get_by_role("group", name="Alerts on The harbour bridge")
        follow, mute = (group.get_by_role("button", name=name) for name in ("Follow", "Mute"))
        await expect(mute).to_be_hidden()
        await follow.click()
        panel = page.get_by_role("dialog")
        await expect(panel.get_by_text("“The harbour bridge”")).to_be_visible()
        await expect(panel.get_by_role("radiogroup", name="World").get_by_role("radio", name="Off")).to_be_checked()
        await panel.get_by_role("button", name="Turn on alerts").click()
        await expect(follow).to_have_attribute("aria-pressed", "true")
        stored = await reader.stored()
        assert (stored["followed_stories"], stored["topics"]) == (["harbour-bridge"], [])
        await mute.click()
        await expect(mute).to_have_attribute("aria-pressed", "true")
        await expect(follow).to_have_attribute("aria-pressed", "false")
        stored = await reader.stored()
        assert (stored["followed_stories"], stored["muted_stories"]) == ([], ["harbour-bridge"])


async def test_the_words_are_the_sites_own_and_arabic_runs_from_the_right(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        script = """import { Tocsin } from "/tocsin.js";
          Tocsin.connect({ texts: { "subscribe.button": "Ring me <b>up</b>" } });"""
        await reader.show(
            '<tocsin-subscribe></tocsin-subscribe><div lang="ar"><tocsin-follow story="a"></tocsin-follow></div>',
            script=script,
        )
        await expect(page.get_by_role("button", name="Ring me <b>up</b>")).to_be_visible()
        follow = page.get_by_role("button", name="متابعة")
        await expect(follow).to_be_visible()
        assert await follow.evaluate("button => getComputedStyle(button).direction") == "rtl"
        await page.evaluate("document.querySelector('tocsin-follow').lang = 'en'")
        await expect(page.get_by_role("button", name="Follow")).to_be_visible()


async def site_says(reader: SdkPage, **changes: Any) -> None:
    """From now on, beside all that it says by itself."""

    async def answer(route: Route) -> None:
        site = (await reader.api.call("GET", "/v1/site")).json
        await route.fulfill(json={**site, **changes})

    await reader.page.route("**/v1/site", answer)


async def test_languages_are_offered_where_alerts_come_in_several_and_a_choice_can_be_taken_back(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        choice = page.get_by_label("Alerts in")
        for languages, wanted, offered in (
            ([], None, None),
            (["en"], None, None),
            (["ar", "en"], None, ["All languages", "Arabic", "English"]),
            (["ar", "en"], "ar", ["All languages", "Arabic", "English"]),
            (["en"], "ar", ["All languages", "Arabic", "English"]),
            ([], "pt-BR", ["All languages", "Brazilian Portuguese"]),
        ):
            await site_says(reader, languages=languages)
            await reader.show("<tocsin-preferences></tocsin-preferences>")
            await reader.subscribe({"language": wanted})
            await expect(page.get_by_label("Alerts a day, at most")).to_be_visible()
            note = page.get_by_text("alerts in other languages will not come")
            if offered is None:
                await expect(choice).to_be_hidden()
                await expect(note).to_be_hidden()
                continue
            await expect(note).to_be_visible()
            assert await choice.locator("option").all_text_contents() == offered
            await expect(choice).to_have_value(wanted or "")


async def test_the_exception_to_quiet_hours_says_how_often_it_came_or_nothing(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    topics = (await sdk_api.call("GET", "/v1/site")).json["topics"]
    async with sdk_page(shared_chromium, sdk_api) as reader:
        for rates, told in (
            (None, ""),
            ({"flash": 0.1, "breaking": 1, "update": 5}, " (about 3 a month)"),
            ({"flash": 0, "breaking": 1, "update": 5}, " (hardly ever)"),
        ):
            await site_says(reader, topics=[{**topic, "per_day": rates} for topic in topics])
            await reader.show("<tocsin-preferences></tocsin-preferences>")
            await reader.subscribe({"topics": ["world"], "quiet_hours": {"start": "22:00", "end": "07:00"}})
            await expect(reader.page.get_by_label("Except the very biggest")).to_be_visible()
            said = reader.page.locator("label", has_text="Except the very biggest")
            await expect(said).to_have_text(f"Except the very biggest{told}")


async def test_the_panel_links_to_the_privacy_policy_and_no_call_says_where_a_reader_is(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await site_says(reader, privacy_url="https://herald.example/privacy")
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 (Playwright sets an attribute)
        await reader.show('<tocsin-follow story="bridge"></tocsin-follow>')
        await page.get_by_role("button", name="Follow").click()
        link = page.get_by_role("dialog").get_by_role("link", name="Privacy")
        await expect(link).to_have_attribute("href", "https://herald.example/privacy")
        await page.get_by_role("button", name="Turn on alerts").click()
        await expect(page.get_by_role("button", name="Mute")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("button", name="Mute")).to_be_visible()
        calls = [request for request in asked if "/v1/subscriptions" in request.url]
        assert {request.method for request in calls} == {"GET", "POST"}
        assert not [request.url for request in calls if "referer" in await request.all_headers()]
