"""The elements in quick hands, and what is left of a visit: nothing typed is lost, nothing read is kept."""

import json

import pytest
from playwright.async_api import Browser, expect
from sdk_page import sdk_page

from api.api_served import Served
from browsers import needs_chromium

pytestmark = [pytest.mark.browser, needs_chromium]

STORY = '<tocsin-follow story="harbour-bridge" name="The harbour bridge"></tocsin-follow>'
# All but the played push service's own.
KEPT = "Object.entries(localStorage).filter(([key]) => key.startsWith('tocsin'))"


async def test_both_ends_of_quiet_hours_are_saved_however_quickly_they_are_set(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.show("<tocsin-preferences></tocsin-preferences>")
        await reader.subscribe({"quiet_hours": {"start": "22:00", "end": "07:00"}})
        start = page.get_by_label("From", exact=True)
        await expect(start).to_have_value("22:00")
        await page.evaluate(
            """() => {
              const { shadowRoot } = document.querySelector("tocsin-preferences");
              const [start, end] = shadowRoot.querySelectorAll("[type=time]");
              for (const [input, value] of [[start, "23:30"], [end, "06:15"]]) {
                input.value = value;
                input.dispatchEvent(new Event("change", { bubbles: true }));
              }
            }"""
        )
        await expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        hours = (await reader.stored())["quiet_hours"]
        assert (hours["start"], hours["end"]) == ("23:30", "06:15")
        await expect(start).to_have_value("23:30")


# What a click there would meet.
UNDER = """([x, y]) => {
  const met = document.querySelector("tocsin-preferences").shadowRoot.elementFromPoint(x, y);
  return met.getAttribute("part") ?? met.tagName;
}"""


async def test_what_is_saved_is_said_for_a_moment_and_is_in_nobodys_way(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    phone = {"width": 390, "height": 844}
    async with sdk_page(shared_chromium, sdk_api, viewport=phone) as reader:
        page = reader.page
        await page.clock.install()
        await reader.show("<tocsin-preferences></tocsin-preferences>")
        await reader.subscribe({"muted_stories": ["budget-2026"]})
        saved = page.get_by_text("Saved", exact=True)
        politics = page.get_by_role("radiogroup", name="Politics")
        await politics.get_by_role("radio", name="All").check()
        await expect(saved).to_be_visible()
        box = await saved.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] / 2 > phone["width"] / 2
        middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        assert await page.evaluate(UNDER, middle) not in {"status", None}
        await page.clock.run_for(4_000)
        await expect(saved).to_have_count(0)
        # Who was at a button that is gone keeps their place, also when the word goes.
        await page.get_by_role("button", name="Remove budget 2026").press("Enter")
        await expect(saved).to_be_visible()
        await page.clock.run_for(4_000)
        await expect(saved).to_have_count(0)
        assert await page.evaluate("document.activeElement.localName") == "tocsin-preferences"
        # A failure stays until the next change.
        await page.route("**/preferences", lambda route: route.abort())
        await politics.get_by_role("radio", name="Off").check()
        failed = page.get_by_text("Not saved; your choices are as before.")
        await expect(failed).to_be_visible()
        await page.clock.run_for(30_000)
        await expect(failed).to_be_visible()
        # An element that was taken off the page has no timer left.
        await page.unroute("**/preferences")
        await politics.get_by_role("radio", name="Off").check()
        await expect(saved).to_be_visible()
        status = await saved.element_handle()
        await page.evaluate("document.querySelector('tocsin-preferences').remove()")
        await page.clock.run_for(30_000)
        assert await status.text_content() == "Saved"


async def test_a_click_between_the_edge_of_the_panel_and_its_content_keeps_it_open(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api, "default") as reader:
        page = reader.page
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await page.get_by_role("button", name="Get alerts").click()
        panel = page.get_by_role("dialog", name="What should we send you?")
        box = await panel.bounding_box()
        assert box is not None
        await page.mouse.click(box["x"] + 8, box["y"] + box["height"] / 2)
        await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] - 6)
        await expect(panel).to_be_visible()
        await page.mouse.click(box["x"] - 12, box["y"] + box["height"] / 2)
        await expect(panel).to_have_count(0)


async def test_of_stories_that_were_only_read_about_nothing_is_kept(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.show(STORY)
        follow = page.get_by_role("group", name="Alerts on The harbour bridge").get_by_role("button", name="Follow")
        await expect(follow).to_be_visible()
        assert await page.evaluate(KEPT) == []
        await follow.click()
        await page.get_by_role("button", name="Turn on alerts").click()
        await expect(follow).to_have_attribute("aria-pressed", "true")
        # Other pages of the site: one names another story, one shows what is followed.
        await reader.show('<tocsin-follow story="budget" name="The budget"></tocsin-follow>')
        await expect(page.get_by_role("group", name="Alerts on The budget")).to_be_visible()
        await reader.show("<tocsin-preferences></tocsin-preferences>")
        await expect(page.get_by_role("button", name="Remove The harbour bridge")).to_be_visible()
        assert "budget" not in json.dumps(await page.evaluate(KEPT))
        await page.evaluate("async () => (await (await import('/tocsin.js')).Tocsin.connect()).unsubscribe()")
        assert await page.evaluate(KEPT) == []


async def test_a_story_may_have_the_name_of_something_of_the_language(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show('<tocsin-follow story="constructor"></tocsin-follow>')
        await expect(reader.page.get_by_role("group", name="Alerts on constructor", exact=True)).to_be_visible()


async def test_a_connection_that_the_site_gives_goes_before_one_that_is_still_being_made(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    script = """import { Tocsin } from "/tocsin.js";
      const own = await Tocsin.connect({ texts: { "subscribe.button": "Ours" } });
      const element = document.createElement("tocsin-subscribe");
      element.setAttribute("service", `${location.origin}/?other`);
      document.querySelector("main").append(element);
      await new Promise((resolve) => setTimeout(resolve));
      element.tocsin = own;
      const other = await Tocsin.connect({ base: "/?other" });
      await new Promise((resolve) => setTimeout(resolve));
      document.title = other !== own && element.tocsin === own;"""
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("", script=script)
        await expect(reader.page).to_have_title("true")
        await expect(reader.page.get_by_role("button", name="Ours")).to_be_visible()


async def test_on_a_phone_the_button_of_the_panel_is_in_sight_from_the_start(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api, "default", viewport={"width": 390, "height": 480}) as reader:
        page = reader.page
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await page.get_by_role("button", name="Get alerts").click()
        panel = page.get_by_role("dialog", name="What should we send you?")
        await expect(panel.get_by_role("button", name="Turn on alerts")).to_be_in_viewport(ratio=1)
        await panel.get_by_role("radiogroup", name="World").get_by_role("radio", name="Off").check()
        await panel.get_by_role("button", name="Turn on alerts").click()
        await expect(panel.get_by_text("Choose at least one topic.")).to_be_in_viewport(ratio=1)
        # What has the focus is not below the buttons either.
        await panel.get_by_role("radiogroup", name="World").get_by_role("radio", name="Off").focus()
        for _ in range(2):
            await page.keyboard.press("Tab")
        sport = panel.get_by_role("radiogroup", name="Sport").get_by_role("radio", name="Off")
        await expect(sport).to_be_focused()
        focused, buttons = (
            await sport.bounding_box(),
            await panel.get_by_text("Choose at least one topic.").bounding_box(),
        )
        assert focused
        assert buttons
        assert focused["y"] + focused["height"] <= buttons["y"]
