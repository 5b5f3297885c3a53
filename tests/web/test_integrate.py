"""docs/integrate.md, tried: a plain static site and Tocsin, each behind a caching proxy."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from newsstand import EXAMPLES, WRITTEN, Newsstand, open_newsstand, push, reading, subscribe
from playwright.async_api import BrowserContext, expect

from browsers import needs_chromium
from tocsin.settings import Settings
from tocsin.store.store import Store
from tocsin.web.assets import names
from town import free_port

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None and "CI" not in os.environ, reason="no nginx on this machine")
pytestmark = [pytest.mark.browser, needs_chromium, needs_nginx]


@asynccontextmanager
async def proxied(folder: Path, api: int, site: int, alerts: int) -> AsyncIterator[None]:
    """nginx with the configuration of the example, on these ports."""
    shutil.copytree(EXAMPLES / "plain-site", folder / "site")
    for path in [each for each in (folder / "site").rglob("*") if each.is_file()]:
        path.write_text(path.read_text().replace(WRITTEN, f"http://localhost:{alerts}"))
    lines = (EXAMPLES / "caching-proxy" / "nginx.conf").read_text()
    for written, port in (("8480", site), ("8481", alerts), ("8080", api)):
        lines = lines.replace(written, str(port))
    (folder / "nginx.conf").write_text(lines)
    process = await asyncio.create_subprocess_exec(NGINX or "nginx", "-e", "stderr", "-p", folder, "-c", "nginx.conf")
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def answering(url: str) -> None:
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url) as response:
                    assert response.status == 200
                    return
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)


class Fronts:
    def __init__(self, newsstand: Newsstand, site: str, alerts: str) -> None:
        self.newsstand, self.site, self.alerts = newsstand, site, alerts


@pytest.fixture
async def fronts(servers: Settings, store: Store, tmp_path: Path) -> AsyncIterator[Fronts]:
    site, alerts = free_port(), free_port()
    async with (
        open_newsstand(
            servers,
            tmp_path,
            "plain-site",
            public_url=f"http://localhost:{alerts}",
            allowed_origins=(f"http://127.0.0.1:{site}", "http://other.example"),
            trusted_proxies=("127.0.0.1",),
        ) as newsstand,
        proxied(tmp_path, newsstand.settings.port, site, alerts),
    ):
        shown = Fronts(newsstand, f"http://127.0.0.1:{site}", f"http://localhost:{alerts}")
        await answering(f"{shown.alerts}/livez")
        yield shown


async def test_a_plain_site_behind_a_cache_is_subscribed_to_and_alerted(
    browser: BrowserContext, fronts: Fronts
) -> None:
    async with reading(browser, fronts.site, subscribe) as reader:
        shown = await reader.pushed(push("0" * 22))
        assert (shown["title"], shown["icon"]) == ("Rates up", f"{fronts.alerts}/assets/icon-192.png")
        assert fronts.newsstand.times("POST /v1/subscriptions 201") == 1


async def test_the_page_of_choices_knows_who_subscribed_on_another_and_turns_alerts_off(
    browser: BrowserContext, fronts: Fronts
) -> None:
    """The very page that docs/integrate.md has."""
    written = (EXAMPLES / "plain-site" / "alerts" / "index.html").read_text()
    assert f"```html\n{written}```" in (EXAMPLES.parent / "docs" / "integrate.md").read_text()
    async with reading(browser, fronts.site, subscribe) as reader:
        page = reader.page
        await page.get_by_role("link", name="Change").click()
        await expect(page.get_by_role("heading", name="Your alerts")).to_be_visible()
        await expect(page.get_by_label("Quiet at set hours")).to_be_visible()
        await page.get_by_role("button", name="Turn alerts off").click()
        await expect(page.get_by_label("Quiet at set hours")).to_be_hidden()
        await expect(page.get_by_role("button", name="Turn on again")).to_be_visible()


async def test_a_cache_keeps_what_it_may_and_keeps_origins_apart(fronts: Fronts) -> None:
    async def asked(path: str, origin: str = "") -> tuple[str, str]:
        headers = {"Origin": origin} if origin else {}
        async with session.get(fronts.alerts + path, headers=headers) as response:
            assert response.status == 200, path
            allowed = response.headers.get("Access-Control-Allow-Origin", "")
            return response.headers["X-Cache"], allowed

    async with aiohttp.ClientSession() as session:
        for path in ("/sw.js", "/assets/base.css"):
            assert {(await asked(path))[0] for _ in range(3)} <= {"MISS", "EXPIRED", "BYPASS"}, path
        for path in ("/tocsin.js", "/v1/site", "/v1/alerts/recent"):
            for origin in (fronts.site, "http://other.example", "", fronts.site):
                assert (await asked(path, origin))[1] == origin, path
        [words] = [name for name in names() if re.fullmatch(r"words-en\.\w{8}\.json", name)]
        for path in ("/tocsin.js", "/v1/site", f"/assets/{words}", "/v1/alerts/recent"):
            await asked(path, fronts.site)
            assert (await asked(path, fronts.site))[0] == "HIT", path
