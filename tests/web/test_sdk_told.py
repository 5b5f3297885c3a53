"""What the elements say when something does not work, and that they let a reader try again."""

import asyncio
import json
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect
from sdk_page import sdk_page

from api.api_served import Served
from browsers import needs_chromium

pytestmark = [pytest.mark.browser, needs_chromium]

# As the SDK rejects where the browser waits for its push service in vain; the second time it answers.
OUT_OF_REACH_ONCE = """(() => {
  const { subscribe } = PushManager.prototype;
  let asked = 0;
  PushManager.prototype.subscribe = function (options) {
    const none = { name: "ProblemError", status: 0, code: "push_service_unreachable", isNetwork: false };
    return asked++ ? subscribe.call(this, options) : Promise.reject(Object.assign(new Error("no answer"), none));
  };
})()"""
ZONE = """((zone) => {
  const { resolvedOptions } = Intl.DateTimeFormat.prototype;
  Intl.DateTimeFormat.prototype.resolvedOptions = function () {
    return { ...resolvedOptions.call(this), timeZone: zone };
  };
})"""
CONNECT = "async (options) => { (await import('/tocsin.js')).Tocsin.connect(options); }"


async def test_a_push_service_out_of_reach_is_told_and_asked_again(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api, "default") as reader:
        page = reader.page
        await reader.context.add_init_script(OUT_OF_REACH_ONCE)
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await page.get_by_role("button", name="Get alerts").click()
        panel = page.get_by_role("dialog")
        await panel.get_by_role("button", name="Turn on alerts").click()
        await expect(panel.get_by_role("alert")).to_contain_text("This browser’s push service did not answer")
        await expect(panel.get_by_text("Now answer your browser’s question.")).to_have_count(0)
        await panel.get_by_role("button", name="Try again").click()
        await expect(page.get_by_text("Alerts are on")).to_be_visible()


REFUSALS: dict[str, tuple[int, dict[str, Any], str]] = {
    "too often": (429, {"code": "too_many_requests"}, "That was too often. Try again in 40 seconds."),
    "a list that is full": (
        422,
        {"code": "invalid", "errors": [{"field": "followed_stories", "message": "at most 100 items"}]},
        "That list of stories is full. Remove one first.",
    ),
    "a field": (
        422,
        {"code": "invalid", "errors": [{"field": "topics[0]", "message": "there is no topic 'world'"}]},
        "The service refused this: topics[0]: there is no topic 'world'",
    ),
    "ended": (410, {"code": "ended"}, "This subscription has ended. Turn alerts on again."),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_why_a_choice_was_not_saved_is_told(sdk_api: Served, shared_chromium: Browser, case: str) -> None:
    status, problem, told = REFUSALS[case]

    async def refuse(route: Route) -> None:
        headers = {"Retry-After": "40"} if status == 429 else {}
        await route.fulfill(status=status, headers=headers, json={"title": "Refused", **problem})

    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show('<tocsin-follow story="budget"></tocsin-follow>')
        await reader.subscribe({"topics": ["world"]})
        await reader.page.route("**/preferences", refuse)
        await reader.page.get_by_role("button", name="Follow").click()
        await expect(reader.page.get_by_role("status")).to_have_text(f"Not saved; your choices are as before. {told}")


async def test_who_is_offline_is_told_so(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show('<tocsin-follow story="budget"></tocsin-follow>')
        await reader.subscribe({"topics": ["world"]})
        await reader.context.set_offline(True)
        await reader.page.get_by_role("button", name="Follow").click()
        await expect(reader.page.get_by_role("status")).to_contain_text("You are offline.")


@pytest.mark.parametrize("zone", ["Etc/Unknown", "Mars/Olympus"])
async def test_a_time_zone_that_nobody_knows_leaves_the_sites_and_a_choice(
    sdk_api: Served, shared_chromium: Browser, zone: str
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.context.add_init_script(f"{ZONE}({json.dumps(zone)})")
        await reader.show("<tocsin-preferences></tocsin-preferences>")
        await reader.subscribe({"topics": ["world"]})
        await page.get_by_label("Quiet at set hours").check()
        await expect(page.get_by_text("Saved", exact=True)).to_be_visible()
        stored = await reader.stored()
        assert (stored["quiet_hours"]["start"], stored["time_zone"]) == ("22:00", None)
        choice = page.get_by_label("Time zone (this device tells none)")
        await expect(choice).to_have_value(sdk_api.settings.time_zone)
        async with page.expect_response(lambda response: response.request.method == "PATCH") as saving:
            await choice.select_option("Asia/Tokyo")
        assert (await saving.value).ok
        assert (await reader.stored())["time_zone"] == "Asia/Tokyo"
        await page.get_by_label("Alerts a day, at most").select_option("5")
        await expect(page.get_by_label("The very biggest news comes on top")).to_be_checked()


async def test_of_two_languages_the_one_asked_for_last_is_spoken(sdk_api: Served, shared_chromium: Browser) -> None:
    late: asyncio.Queue[Route] = asyncio.Queue()

    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await expect(page.get_by_role("button", name="Get alerts")).to_be_visible()
        await page.route("**/words-ar.*", late.put)
        # The second element waits for the same words as the first did, and after it.
        await page.evaluate(
            """() => {
              const [first] = document.getElementsByTagName("tocsin-subscribe");
              first.lang = "ar";
              first.lang = "en";
              const second = document.createElement("tocsin-follow");
              second.lang = "ar";
              second.setAttribute("story", "budget");
              first.after(second);
            }"""
        )
        await (await asyncio.wait_for(late.get(), 10)).continue_()
        await expect(page.get_by_role("button", name="متابعة")).to_be_visible()
        await expect(page.get_by_role("button", name="Get alerts")).to_be_visible()


async def test_an_open_panel_stays_when_the_site_gives_words(sdk_api: Served, shared_chromium: Browser) -> None:
    async with sdk_page(shared_chromium, sdk_api, "default") as reader:
        page = reader.page
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await page.get_by_role("button", name="Get alerts").click()
        sport = page.get_by_role("dialog").get_by_role("radiogroup", name="Sport")
        await sport.get_by_role("radio", name="All").check()
        await page.evaluate(CONNECT, {"texts": {"subscribe.button": "Ours"}})
        await expect(page.get_by_text("Ours", exact=True)).to_be_attached()
        await expect(sport.get_by_role("radio", name="All")).to_be_checked()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Ours")).to_be_focused()


async def test_a_topic_may_have_the_name_of_something_of_the_language(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async def one_more(route: Route) -> None:
        answer = await route.fetch()
        site = await answer.json()
        rates = {"flash": 0, "breaking": 1, "update": 2}
        site["topics"].append({"id": "constructor", "name": "Builders", "default": False, "per_day": rates})
        await route.fulfill(response=answer, json=site)

    async with sdk_page(shared_chromium, sdk_api, "default") as reader:
        page = reader.page
        await page.route("**/v1/site", one_more)
        await reader.show("<tocsin-subscribe></tocsin-subscribe>")
        await page.get_by_role("button", name="Get alerts").click()
        builders = page.get_by_role("dialog").get_by_role("radiogroup", name="Builders")
        await expect(builders.get_by_role("radio", name="Off")).to_be_checked()
        await builders.get_by_role("radio", name="All").check()
        await page.get_by_role("dialog").get_by_role("radiogroup", name="World").get_by_role("radio").first.check()
        await expect(page.get_by_text("Altogether about 3 a day.")).to_be_visible()


async def colours(page: Page) -> list[str]:
    """Of the choices of the first topic, then the system's own for what is chosen."""
    found: list[str] = await page.evaluate(
        """() => {
          const { shadowRoot } = document.querySelector("tocsin-preferences");
          const system = document.createElement("i");
          system.setAttribute("part", "");
          system.style.cssText = "forced-color-adjust: none; background: Highlight";
          shadowRoot.append(system);
          const all = [...shadowRoot.querySelector(".choices").children].filter((one) => !one.hidden);
          return [...all, system].map((one) => getComputedStyle(one).backgroundColor);
        }"""
    )
    return found


async def test_with_forced_colours_what_is_chosen_has_the_systems_own(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api, forced_colors="active") as reader:
        page = reader.page
        await reader.show("<tocsin-preferences></tocsin-preferences>")
        await reader.subscribe({"topics": ["world"]})
        world = page.get_by_role("radiogroup", name="World")
        for place, name in enumerate(("Off", "Biggest", "All")):
            await world.get_by_role("radio", name=name).check()
            *choices, chosen = await colours(page)
            assert [colour == chosen for colour in choices] == [each == place for each in range(3)], (name, choices)
