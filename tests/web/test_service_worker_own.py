"""A site's own worker takes Tocsin in while an older one is active, in a scope or of a kind of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from newsstand import WRITTEN, Newsstand, open_newsstand, push, reading, subscribe
from playwright.async_api import BrowserContext, Page, expect

from browsers import needs_chromium
from tocsin.settings import Settings
from tocsin.store.store import Store

pytestmark = [pytest.mark.browser, needs_chromium]

ALERT = f"0199{1:018x}"
OURS = f'importScripts("{WRITTEN}/sw.js");\n'
# Of the site itself, or of the provider that it moves from.
OTHERS = """self.addEventListener("push", (event) => {
  event.waitUntil(self.registration.showNotification(`${event.data.json().title}`));
});
"""
BEFORE = "<!doctype html><title>The Example</title><h1>The Example</h1>"
PAGE = f"""{BEFORE}<script type="module" src="{WRITTEN}/tocsin.js"></script>
<tocsin-subscribe service="{WRITTEN}" service-worker="/sw.js"></tocsin-subscribe>"""
REGISTER = """async ([script, options]) => {
  const { installing, active } = await navigator.serviceWorker.register(script, options);
  const worker = installing ?? active;
  while (worker.state !== "activated") await new Promise((resolve) => { worker.onstatechange = resolve; });
}"""
REGISTRATIONS = """async () => (await navigator.serviceWorker.getRegistrations())
  .map(({ scope, active, waiting, installing }) => [scope, (installing ?? waiting ?? active).scriptURL])"""
HASTE = "() => { const wait = setTimeout; self.setTimeout = (work, time) => wait(work, time / 20); }"


class Site:
    def __init__(self, newsstand: Newsstand, folder: Path) -> None:
        self.newsstand, self.origin = newsstand, newsstand.site
        self._folder = folder

    def becomes(self, name: str, text: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
async def site(servers: Settings, store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    """As it was before Tocsin."""
    folder = tmp_path / "site"
    async with open_newsstand(servers, tmp_path / "data", str(folder)) as newsstand:
        opened = Site(newsstand, folder)
        opened.becomes("before.html", BEFORE)
        opened.becomes("index.html", PAGE)
        opened.becomes("sw.js", OTHERS)
        yield opened


@asynccontextmanager
async def old_tab(browser: BrowserContext, site: Site) -> AsyncIterator[None]:
    """Open since before: as long as it is there, a newer worker waits."""
    page = await browser.new_page()
    try:
        await page.goto(f"{site.origin}/before.html")
        await page.evaluate(REGISTER, ["/sw.js", {}])
        await page.reload()
        assert await page.evaluate("navigator.serviceWorker.controller !== null")
        yield
    finally:
        await page.close()


async def test_alerts_are_on_only_when_the_worker_that_is_active_shows_them(
    browser: BrowserContext, site: Site
) -> None:
    async with old_tab(browser, site):
        site.becomes("sw.js", OURS + OTHERS)
        async with reading(browser, site.origin, subscribe) as reader:
            shown = await reader.pushed(push(ALERT))
            assert (shown["title"], shown["data"]["tocsin"]["alert"]) == ("Rates up", ALERT)
            assert (await reader.pushed({"title": "Cup final"}))["title"] == "Cup final"


async def test_who_comes_from_another_provider_gets_alerts_from_the_first_visit_on(
    browser: BrowserContext, site: Site
) -> None:
    """With its key, which is ours now, and its subscription; nobody is asked anything."""
    key = site.newsstand.services.keys.present.public_key

    async def visit(page: Page) -> None:
        await page.add_init_script(f"PushManager.prototype.subscribe({{ applicationServerKey: '{key}' }})")
        await page.goto(site.origin)
        await expect(page.get_by_text("Alerts are on")).to_be_visible(timeout=20_000)

    async with old_tab(browser, site):
        site.becomes("sw.js", OURS)
        async with reading(browser, f"{site.origin}/before.html", visit) as reader:
            assert (await reader.pushed(push(ALERT)))["title"] == "Rates up"


@pytest.mark.parametrize("worker", [OTHERS, f"{OURS}self.tocsinWaits = true;\n"], ids=["has no Tocsin", "is to wait"])
async def test_no_reader_is_told_that_alerts_are_on_while_nothing_would_show_them(
    browser: BrowserContext, site: Site, worker: str
) -> None:
    async def try_to_subscribe(page: Page) -> None:
        await page.evaluate(HASTE)
        await page.get_by_role("button", name="Get alerts").click()
        await page.get_by_role("button", name="Turn on alerts").click()
        await expect(page.get_by_text("Something went wrong")).to_be_visible(timeout=20_000)

    async with old_tab(browser, site):
        site.becomes("sw.js", worker)
        async with reading(browser, site.origin, try_to_subscribe) as reader:
            await expect(reader.page.get_by_text("Alerts are on")).to_have_count(0)
            assert site.newsstand.times("POST /v1/subscriptions") == 0


async def test_a_worker_that_the_site_registered_is_taken_as_it_is(browser: BrowserContext, site: Site) -> None:
    """Here a module, of a scope and with a version of its own."""
    site.becomes("news/before.html", BEFORE)
    site.becomes("news/index.html", PAGE)
    site.becomes("sw.js", f'import "{WRITTEN}/sw.js";\n{OTHERS}')
    registered = ["/sw.js?v=3", {"scope": "/news/", "type": "module"}]

    async def go(page: Page) -> None:
        await page.evaluate(REGISTER, registered)
        await page.goto(f"{site.origin}/news/index.html")
        await subscribe(page)

    async with reading(browser, f"{site.origin}/news/before.html", go) as reader:
        ours = [[f"{site.origin}/news/", f"{site.origin}/sw.js?v=3"]]
        assert await reader.page.evaluate(REGISTRATIONS) == ours
        assert (await reader.pushed(push(ALERT)))["title"] == "Rates up"
        site.becomes("news/index.html", PAGE.replace('"/sw.js"', '"/sw.js?v=3"'))
        await reader.page.reload()
        await expect(reader.page.get_by_text("Alerts are on")).to_be_visible(timeout=20_000)
        assert await reader.page.evaluate(REGISTRATIONS) == ours


async def test_a_site_may_name_the_scope_of_a_worker_that_it_registers_later(
    browser: BrowserContext, site: Site
) -> None:
    site.becomes("sw.js", OURS)
    scoped = PAGE.replace(' service-worker="', ' service-worker-scope="/news/" service-worker="')
    site.becomes("news/index.html", scoped)
    async with reading(browser, f"{site.origin}/news/index.html", subscribe) as reader:
        assert await reader.page.evaluate(REGISTRATIONS) == [[f"{site.origin}/news/", f"{site.origin}/sw.js"]]


async def test_a_view_asks_for_little_and_a_cache_can_answer_most_of_it(browser: BrowserContext, site: Site) -> None:
    site.becomes("sw.js", OURS)
    async with reading(browser, site.origin, subscribe) as reader:
        asked = site.newsstand.asked
        asked.clear()
        for _ in range(3):
            await reader.page.goto(site.origin)
            await expect(reader.page.get_by_text("Alerts are on")).to_be_visible(timeout=20_000)
        own = [line for line in asked if line.startswith("GET /v1/subscriptions/")]
        sdk = [line for line in asked if line.startswith("GET /tocsin.js")]
        assert (len(own), len(sdk)) == (3, 3)
        # None within ten seconds.
        assert sum(line.startswith("GET /v1/site") for line in asked) <= 1
        assert len(asked) <= len(own) + len(sdk) + 1, asked
