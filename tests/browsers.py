"""Debian's own browsers, driven by Playwright. Where one is missing a test is skipped, but never in CI."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

import pytest
from playwright.async_api import Browser, BrowserContext, Playwright, async_playwright

Permission = Literal["ask", "granted", "denied"]


def found(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


FIREFOX = found("firefox-esr", "firefox")
CHROMIUM = found("chromium", "chromium-browser")

needs_firefox = pytest.mark.skipif(FIREFOX is None and "CI" not in os.environ, reason="no Firefox on this machine")
needs_chromium = pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium on this machine")
needs_desktop = pytest.mark.skipif(found("dbus-daemon") is None and "CI" not in os.environ, reason="no D-Bus here")


def firefox_preferences(autopush_url: str, permission: Permission) -> dict[str, str | float | bool]:
    """Automation turns push off, and Firefox wants wss: both are for tests alone."""
    return {
        "dom.push.serverURL": autopush_url,
        "dom.push.testing.allowInsecureServerURL": True,
        "dom.push.connection.enabled": True,
        "permissions.default.desktop-notification": {"ask": 0, "granted": 1, "denied": 2}[permission],
        "remote.prefs.recommended": False,
    }


@asynccontextmanager
async def firefox(autopush_url: str, *, bus: str = "", permission: Permission = "granted") -> AsyncIterator[Browser]:
    """A real Firefox, headless, whose push service is the simulator's; `bus` leads to the desktop."""
    preferences = firefox_preferences(autopush_url, permission)
    async with async_playwright() as playwright:
        browser = await playwright.firefox.launch(
            channel="moz-firefox",
            executable_path=FIREFOX or "firefox-esr",
            firefox_user_prefs={**preferences, "alerts.useSystemBackend": bool(bus)},
            env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": bus},
        )
        try:
            yield browser
        finally:
            await browser.close()


CHROMIUM_SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A real Chromium, headless; it looks up no host but ours."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM or "chromium", args=CHROMIUM_SWITCHES)
        try:
            yield browser
        finally:
            await browser.close()


async def trusted_home(folder: Path, ca_file: Path) -> Path:
    """A home whose NSS database trusts the simulator's authority, as Chromium's connection for pushes needs it to."""
    database = folder / ".pki" / "nssdb"
    database.mkdir(parents=True)
    await certutil(database, "-N", "--empty-password")
    await certutil(database, "-A", "-t", "C,,", "-n", "simulator", "-i", str(ca_file))
    return folder


@asynccontextmanager
async def chromium_with_push(
    playwright: Playwright, home: Path, switches: Sequence[str], *, bus: str = ""
) -> AsyncIterator[BrowserContext]:
    """A real Chromium whose push service is the simulator's, with a new profile: a private window has no push."""
    context = await playwright.chromium.launch_persistent_context(
        mkdtemp(prefix="profile", dir=home),
        executable_path=CHROMIUM or "chromium",
        args=[*CHROMIUM_SWITCHES, *switches],
        env={**os.environ, "HOME": str(home), "DBUS_SESSION_BUS_ADDRESS": bus},
    )
    try:
        yield context
    finally:
        await context.close()


async def certutil(database: Path, *words: str) -> None:
    process = await asyncio.create_subprocess_exec("certutil", "-d", f"sql:{database}", *words)
    assert await process.wait() == 0
