"""Computers with a real browser and a desktop, each of which one test after another may use."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from playwright.async_api import Browser, BrowserContext, Playwright, Route, async_playwright

from browsers import Permission, chromium_with_push, firefox, trusted_home
from desktop import Desktop, open_desktop
from newsroom import HOST, SITE, open_newsroom
from town import Town


class Machine(Protocol):
    kind: str
    desktop: Desktop

    def session(self, permission: Permission, *origins: str) -> "AsyncContext":
        """A browser that knows nothing of earlier tests; the origins may show notifications, or may not."""


class AsyncContext(Protocol):
    async def __aenter__(self) -> BrowserContext: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...


class FirefoxMachine:
    """Readers are contexts of one Firefox; `permission` holds for all sites (playwright cannot take it away)."""

    kind = "firefox"

    def __init__(self, browser: Browser, desktop: Desktop) -> None:
        self.desktop = desktop
        self._browser = browser

    @asynccontextmanager
    async def session(self, *_: str) -> AsyncIterator[BrowserContext]:
        context = await self._browser.new_context()
        await context.route(f"{SITE}/**", newsroom_answers)
        try:
            yield context
        finally:
            await context.close()
            self.desktop.forget()


async def newsroom_answers(route: Route) -> None:
    """Playwright gives Firefox no authority to trust, so that it cannot go to the newsroom's site itself."""
    await route.fulfill(content_type="text/html", body="<h1>The story</h1>")


class ChromiumMachine:
    """Each reader has a Chromium of their own: in a private window it has no push, and clicks lead nowhere."""

    kind = "chromium"

    def __init__(self, playwright: Playwright, home: Path, switches: list[str], desktop: Desktop) -> None:
        self.desktop = desktop
        self._playwright = playwright
        self._home = home
        self._switches = switches

    @asynccontextmanager
    async def session(self, permission: Permission, *origins: str) -> AsyncIterator[BrowserContext]:
        opened = chromium_with_push(self._playwright, self._home, self._switches, bus=self.desktop.address)
        async with opened as context:
            devtools = await context.new_cdp_session(context.pages[0])
            setting = {"ask": "prompt"}.get(permission, permission)
            for origin in origins:
                wanted = {"permission": {"name": "notifications"}, "setting": setting, "origin": origin}
                await devtools.send("Browser.setPermission", wanted)
            yield context
        self.desktop.forget()


class Machines:
    """`firefox`, `chromium`, and `firefox-denied`, whose reader said no to all sites."""

    def __init__(self, town: Town, folder: Path) -> None:
        self._town = town
        self._folder = folder
        self._stack = AsyncExitStack()
        self._opened: dict[str, Machine] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def get(self, name: str) -> Machine:
        if name not in self._opened:
            self._opened[name] = await self._open(name)
        return self._opened[name]

    async def _open(self, name: str) -> Machine:
        folder = self._folder / name
        folder.mkdir()
        desktop = await self._stack.enter_async_context(open_desktop(folder))
        ready = self._town.ready
        if name == "chromium":
            # The simulator's authority, which Chromium trusts, is that of the newsroom's site as well.
            newsroom = await self._stack.enter_async_context(open_newsroom(Path(ready["ca_file"]).parent))
            switches = [*ready["chromium_switches"], f"--host-resolver-rules=MAP {HOST} 127.0.0.1:{newsroom.port}"]
            playwright = await self._stack.enter_async_context(async_playwright())
            home = await trusted_home(folder, Path(ready["ca_file"]))
            return ChromiumMachine(playwright, home, switches, desktop)
        permission: Permission = "denied" if name == "firefox-denied" else "granted"
        browser = firefox(ready["autopush_url"], bus=desktop.address, permission=permission)
        return FirefoxMachine(await self._stack.enter_async_context(browser), desktop)
