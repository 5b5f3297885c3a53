"""Which worker a page's connection has."""

from functools import partial

import pytest
import sdk_page as pages
from playwright.async_api import Browser, Route, expect
from sdk_page import sdk_page

from api.api_served import Served
from browsers import needs_chromium
from tocsin.web.assets import asset

pytestmark = [pytest.mark.browser, needs_chromium]

TRUSTED = """import { Tocsin } from "/tocsin.js";
const site = trustedTypes.createPolicy("site", { createScriptURL: (url) => url });
Tocsin.connect({ serviceWorker: site.createScriptURL("/sw.js") });"""


async def test_one_page_has_one_worker_and_who_names_another_hears_of_it(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("")
        said = await reader.page.evaluate(
            """async () => {
              const { Tocsin } = await import('/tocsin.js');
              const first = Tocsin.connect();
              const named = Tocsin.connect({ serviceWorker: '/sw.js' });
              const again = Tocsin.connect({ serviceWorker: new URL('/sw.js', location.href) });
              const other = Tocsin.connect({ serviceWorker: '/other.js' }).catch(({ message }) => message);
              const all = await Promise.all([first, named, again]);
              const late = Tocsin.connect({ serviceWorker: '/late.js' }).catch(String);
              return [new Set(all).size, await other, await late];
            }"""
        )
        assert said[0] == 1
        assert "another service worker" in said[1]
        assert "/sw.js" in said[2]


async def test_a_version_that_a_site_puts_behind_the_scripts_name_changes_no_address(
    sdk_api: Served, shared_chromium: Browser
) -> None:
    """As WordPress does, here with Tocsin under a path."""
    script = asset("tocsin.js")
    assert script
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("")
        reply = partial(Route.fulfill, body=script.body, content_type="text/javascript")
        await reader.page.route("**/alerts/tocsin.js*", reply)
        async with reader.page.expect_request(f"{sdk_api.origin}/alerts/v1/site"):
            await reader.page.evaluate(
                """async () => {
                  const { Tocsin } = await import("/alerts/tocsin.js?ver=6.5");
                  await Tocsin.connect().catch(() => null);
                }"""
            )


async def test_a_site_that_requires_trusted_types_gives_the_workers_address_as_one(
    sdk_api: Served, shared_chromium: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/integrate.md has it."""
    monkeypatch.setattr(pages, "POLICY", f"{pages.POLICY}; require-trusted-types-for 'script'; trusted-types site")
    async with sdk_page(shared_chromium, sdk_api) as reader:
        await reader.show("<tocsin-subscribe></tocsin-subscribe>", script=TRUSTED)
        await reader.page.get_by_role("button", name="Get alerts").click()
        await reader.page.get_by_role("button", name="Turn on alerts").click()
        await expect(reader.page.get_by_text("Alerts are on")).to_be_visible()
