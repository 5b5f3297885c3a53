"""Computers with a real browser and a desktop, each of which one test after another may use."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from playwright.async_api import Browser, BrowserContext

from browsers import Permission, chromium_with_push, firefox
from desktop import Desktop, open_desktop
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
        try:
            yield context
        finally:
            await context.close()
            await self.desktop.clear()


class ChromiumMachine:
    """Readers use one profile, one after another: in a private window Chromium has no push, and clicks lead nowhere."""

    kind = "chromium"

    def __init__(self, context: BrowserContext, desktop: Desktop) -> None:
        self.desktop = desktop
        self._context = context

    @asynccontextmanager
    async def session(self, permission: Permission, *origins: str) -> AsyncIterator[BrowserContext]:
        devtools = await self._context.new_cdp_session(self._context.pages[0])
        setting = {"ask": "prompt"}.get(permission, permission)
        for origin in origins:
            wanted = {"permission": {"name": "notifications"}, "setting": setting, "origin": origin}
            await devtools.send("Browser.setPermission", wanted)
        try:
            yield self._context
        finally:
            for page in self._context.pages[1:]:
                await page.close()
            for origin in origins:
                await devtools.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
            await devtools.send("Browser.resetPermissions")
            await devtools.detach()
            await self.desktop.clear()


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
            opened = chromium_with_push(folder, ready["chromium_switches"], Path(ready["ca_file"]), bus=desktop.address)
            return ChromiumMachine(await self._stack.enter_async_context(opened), desktop)
        permission: Permission = "denied" if name == "firefox-denied" else "granted"
        browser = firefox(ready["autopush_url"], bus=desktop.address, permission=permission)
        return FirefoxMachine(await self._stack.enter_async_context(browser), desktop)
