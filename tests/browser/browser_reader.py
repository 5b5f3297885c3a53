"""A reader: a person with a real browser and a desktop, who uses the pages by what they see."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from browser_machines import Machine
from playwright.async_api import BrowserContext, Page, expect

from browsers import Permission
from desktop import Desktop
from tocsin.simulator.models import BrowserView
from town import Town

expect.set_options(timeout=20_000)


class Reader:
    """`page` is the tab they look at; `desktop` is where alerts show."""

    def __init__(self, context: BrowserContext, page: Page, desktop: Desktop, town: Town) -> None:
        self.context = context
        self.page = page
        self.desktop = desktop
        self.town = town

    async def visits(self, url: str) -> None:
        await self.page.goto(url)

    async def at_its_push_service(self) -> BrowserView:
        """This browser's subscription as the push service knows it: the only real one that has not ended."""
        (view,) = [
            view
            for view in await self.town.simulator.browsers()
            if view.subscription.keys is None and not view.unsubscribed
        ]
        return view


@asynccontextmanager
async def open_reader(
    machine: Machine, town: Town, permission: Permission = "granted", *more_origins: str
) -> AsyncIterator[Reader]:
    """What goes wrong in a page's script fails the test."""
    errors: list[str] = []
    async with machine.session(permission, town.settings.url, *more_origins) as context:
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield Reader(context, page, machine.desktop, town)
    assert not errors
