"""Tocsin on a newsroom's own site, which is another origin, with both set-ups and both browsers."""

import pytest
from browser_reader import Reader
from browser_site import Site
from playwright.async_api import expect
from test_browser_trouble import pusher

from town import Town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>The Example</title>
<script type="module" src="{service}/tocsin.js"></script>
<h1>The Example</h1><tocsin-subscribe service="{service}" service-worker="{worker}"></tocsin-subscribe></html>"""
OWN_HANDLERS = """
self.addEventListener("push", (event) => {
  const { title = "nothing to say" } = event.data?.json() ?? {};
  event.waitUntil(self.registration.showNotification(title, { body: "by the site's own worker" }));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow("/own-click/"));
});
"""

OPENED_BEFORE = """async () => {
  await navigator.serviceWorker.register("/sw.js");
  await navigator.serviceWorker.ready;
}"""


async def subscribe_on(site: Site, reader: Reader, worker: str, script: str) -> None:
    service = reader.town.settings.url
    imports = f'importScripts("{service}/sw.js");\n'
    site.becomes(
        {
            "/index.html": PAGE.format(service=service, worker=worker),
            worker: imports + script,
            "/own-click/index.html": "<h1>Own</h1>",
        }
    )
    await reader.page.goto(f"{site.origin}/")
    await reader.fills_in_the_panel(world="All")


async def test_a_site_without_a_worker_serves_one_line(reader: Reader, readers_town: Town, site: Site) -> None:
    await subscribe_on(site, reader, "/tocsin/sw.js", "")
    await readers_town.send(headline="Dam breaks above Ada")
    await reader.desktop.shows("Dam breaks above Ada")


async def test_a_site_whose_worker_has_a_push_handler_of_its_own_shows_each_push_once(
    reader: Reader, readers_town: Town, site: Site
) -> None:
    await subscribe_on(site, reader, "/sw.js", OWN_HANDLERS)
    await readers_town.send(headline="From Tocsin", story="ada")
    await reader.desktop.shows("From Tocsin", "The first in three weeks.")

    sender, browser = await pusher(reader, readers_town)
    assert (await sender.push(browser, b'{"title": "From the site"}')).status == 201
    await reader.desktop.shows("From the site", "by the site's own worker")
    async with reader.context.expect_page() as opening:
        await reader.desktop.click("From the site")
    await expect(await opening.value).to_have_url(f"{site.origin}/own-click/")

    await reader.desktop.click("From Tocsin", "Mute this story")
    await reader.desktop.shows("From Tocsin", "Muted. You will get no more alerts on this story.")
    assert [shown.title for shown in reader.desktop.history] == ["From Tocsin", "From the site", "From Tocsin"]


async def test_a_site_that_takes_tocsin_in_while_a_tab_with_its_old_worker_is_open(
    reader: Reader, readers_town: Town, site: Site
) -> None:
    site.becomes({"/index.html": "<h1>The Example</h1>", "/sw.js": OWN_HANDLERS})
    old = await reader.context.new_page()
    await old.goto(f"{site.origin}/")
    await old.evaluate(OPENED_BEFORE)
    await old.reload()
    assert await old.evaluate("navigator.serviceWorker.controller !== null")

    await subscribe_on(site, reader, "/sw.js", OWN_HANDLERS)
    await readers_town.send(headline="From Tocsin", story="ada")
    await reader.desktop.shows("From Tocsin", "The first in three weeks.")
    assert [shown.title for shown in reader.desktop.history] == ["From Tocsin"]
