"""Debian's own browsers, driven by Playwright. Where one is missing a test is skipped, but never in CI."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright


def found(*names: str) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


FIREFOX = found("firefox-esr", "firefox")
CHROMIUM = found("chromium", "chromium-browser")

needs_firefox = pytest.mark.skipif(FIREFOX is None and "CI" not in os.environ, reason="no Firefox on this machine")
needs_chromium = pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium on this machine")


def firefox_preferences(autopush_url: str) -> dict[str, str | float | bool]:
    """Automation turns push off, and Firefox wants wss: both are for tests alone."""
    return {
        "dom.push.serverURL": autopush_url,
        "dom.push.testing.allowInsecureServerURL": True,
        "dom.push.connection.enabled": True,
        "dom.push.testing.ignorePermission": True,
        "permissions.default.desktop-notification": 1,
        "alerts.useSystemBackend": False,
        "remote.prefs.recommended": False,
    }


@asynccontextmanager
async def firefox(autopush_url: str) -> AsyncIterator[Browser]:
    """A real Firefox, headless, whose push service is the simulator's."""
    async with async_playwright() as playwright:
        browser = await playwright.firefox.launch(
            channel="moz-firefox",
            executable_path=FIREFOX or "firefox-esr",
            firefox_user_prefs=firefox_preferences(autopush_url),
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
