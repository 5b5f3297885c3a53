"""A reader: a person with a real browser and a desktop, who uses the pages by what they see and hear."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from browser_machines import Machine
from playwright.async_api import BrowserContext, Locator, Page, expect

from browsers import Permission
from desktop import Desktop
from tocsin.simulator.models import BrowserView
from town import Town

expect.set_options(timeout=20_000)


class Reader:
    """`page` is the tab they look at; `desktop` is where alerts show."""

    def __init__(self, machine: Machine, context: BrowserContext, page: Page, town: Town) -> None:
        self.browser = machine.kind
        self.context = context
        self.page = page
        self.desktop: Desktop = machine.desktop
        self.town = town

    async def visits(self, path: str) -> None:
        await self.page.goto(f"{self.town.settings.url}{path}")

    async def subscribes(self, **topics: str) -> None:
        """By the button, our panel and the browser's question in the same click: `world="All", sport="Biggest"`."""
        await self.visits("/")
        await self.fills_in_the_panel(**topics)

    async def fills_in_the_panel(self, **topics: str) -> None:
        await self.page.get_by_role("button", name="Get alerts").click()
        panel = self.page.get_by_role("dialog")
        for topic in await panel.get_by_role("radiogroup").all():
            await choice(topic, topics.get((await name_of(topic)).lower(), "Off")).check()
        await panel.get_by_role("button", name="Turn on alerts").click()
        await expect(panel).to_be_hidden()
        await expect(self.page.get_by_text("Alerts are on").first).to_be_visible()

    async def chooses(self, topic: str, level: str) -> None:
        """On the page of preferences, which saves at once."""
        async with self.saves():
            await choice(self.page.get_by_role("radiogroup", name=topic), level).check()

    @asynccontextmanager
    async def saves(self) -> AsyncIterator[None]:
        """What is done meanwhile is one change, and the service has taken it."""
        async with self.page.expect_response(lambda response: response.request.method == "PATCH") as saving:
            yield
        assert (await saving.value).ok

    async def at_its_push_service(self) -> BrowserView:
        """This browser's subscription as the push service knows it: the only real one that has not ended."""
        (view,) = [
            view
            for view in await self.town.simulator.browsers()
            if view.subscription.keys is None and not view.unsubscribed
        ]
        return view


def choice(topic: Locator, level: str) -> Locator:
    """Off, Biggest or All; how often that is stands behind it."""
    return topic.get_by_role("radio", name=re.compile(rf"^{level}\b"))


async def name_of(topic: Locator) -> str:
    """Its heading, which labels it."""
    return (await topic.locator("b").first.inner_text()).strip()


LEAVE = """async () => {
  for (const registration of await navigator.serviceWorker.getRegistrations()) {
    await (await registration.pushManager.getSubscription())?.unsubscribe();
    await registration.unregister();
  }
}"""


async def leave(context: BrowserContext, *origins: str) -> None:
    """When a Firefox context is closed, its worker may subscribe once more: here it has nothing left to renew."""
    for page in context.pages:
        if page.url.startswith(origins):
            await page.evaluate(LEAVE)


@asynccontextmanager
async def open_reader(
    machine: Machine, town: Town, permission: Permission = "granted", *more_origins: str
) -> AsyncIterator[Reader]:
    """What goes wrong in a page's script fails the test."""
    errors: list[str] = []
    async with machine.session(permission, town.settings.url, *more_origins) as context:
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield Reader(machine, context, page, town)
        await leave(context, town.settings.url, *more_origins)
    assert errors == []
