"""What goes wrong in the life of a subscription, in both browsers: a no, a loss unseen, a push without words."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser_machines import Machines
from browser_reader import Reader, open_reader
from playwright.async_api import expect
from py_vapid import Vapid02

from browsers import needs_chromium, needs_desktop, needs_firefox
from simulator_sender import Sender
from tocsin.simulator.models import BrowserView
from town import Town

pytestmark = [pytest.mark.browser, needs_desktop, pytest.mark.timeout(120)]

# Counts what a page asks of the browser, and lets it ask.
WATCH = """(() => {
  globalThis.asked = 0;
  const watched = (object, name) => {
    const original = object[name];
    object[name] = function (...words) { globalThis.asked += 1; return original.apply(this, words); };
  };
  if (!globalThis.PushManager) return; // an empty page, before there is a site
  watched(Notification, "requestPermission");
  watched(PushManager.prototype, "subscribe");
})()"""
SUBSCRIPTION = """async () => {
  const registration = await navigator.serviceWorker.ready;
  return (await registration.pushManager.getSubscription()).toJSON();
}"""
DROP = """async () => {
  const registration = await navigator.serviceWorker.ready;
  return (await registration.pushManager.getSubscription()).unsubscribe();
}"""


@pytest.fixture(
    params=[pytest.param("firefox-denied", marks=needs_firefox), pytest.param("chromium", marks=needs_chromium)]
)
async def refuser(request: pytest.FixtureRequest, machines: Machines, readers_town: Town) -> AsyncIterator[Reader]:
    """Somebody who said no to notifications from here."""
    async with open_reader(await machines.get(request.param), readers_town, "denied") as opened:
        yield opened


async def test_who_said_no_gets_an_explanation_and_no_question(refuser: Reader, readers_town: Town) -> None:
    await refuser.page.add_init_script(WATCH)
    for path in ("/", "/preferences"):
        await refuser.visits(path)
        await expect(refuser.page.get_by_text("Notifications are blocked")).to_be_visible()
        await expect(refuser.page.get_by_role("button", name="Get alerts")).to_have_count(0)
        assert await refuser.page.evaluate("asked") == 0
    assert sum((await readers_town.store.numbers.counts()).values()) == 0


async def test_nothing_is_asked_before_a_click(reader: Reader) -> None:
    await reader.page.add_init_script(WATCH)
    await reader.visits("/")
    await reader.page.get_by_role("button", name="Get alerts").click()
    await expect(reader.page.get_by_role("dialog")).to_be_visible()
    assert await reader.page.evaluate("asked") == 0
    await reader.page.get_by_role("dialog").get_by_role("button", name="Not now").click()
    await reader.visits("/preferences")
    await expect(reader.page.get_by_role("button", name="Get alerts")).to_be_visible()
    assert await reader.page.evaluate("asked") == 0


async def until_unsubscribed(town: Town, view: BrowserView) -> None:
    async with asyncio.timeout(20):
        while not (await town.simulator.browser(view.id)).unsubscribed:
            await asyncio.sleep(0.05)


async def test_a_subscription_dropped_behind_our_back_is_healed_on_the_next_visit(
    reader: Reader, readers_town: Town
) -> None:
    await reader.subscribes(world="Biggest")
    old = await reader.at_its_push_service()
    assert await reader.page.evaluate(DROP)
    await until_unsubscribed(readers_town, old)

    await reader.visits("/preferences")
    biggest = reader.page.get_by_role("radiogroup", name="World").get_by_role("radio", name="Biggest")
    await expect(biggest).to_be_checked()

    assert (await reader.at_its_push_service()).subscription.endpoint != old.subscription.endpoint
    update = await readers_town.ended((await readers_town.send(headline="Small", level="update"))["id"])
    assert update["progress"]["skipped"] == {"level": 1}  # one reader, with their choices, and nobody beside
    await readers_town.send(headline="Big")
    await reader.desktop.shows("Big")


async def test_who_was_called_gone_by_mistake_is_back_after_a_visit(reader: Reader, readers_town: Town) -> None:
    await reader.subscribes(world="All")
    view = await reader.at_its_push_service()
    await readers_town.simulator.change_browser(view.id, unsubscribed=True)
    alert = await readers_town.ended((await readers_town.send(headline="Lost"))["id"])
    assert alert["progress"]["gone"] == 1
    await readers_town.simulator.change_browser(view.id, unsubscribed=False)

    await reader.visits("/preferences")
    all_of_it = reader.page.get_by_role("radiogroup", name="World").get_by_role("radio", name="All")
    await expect(all_of_it).to_be_checked()

    await readers_town.send(headline="Found")
    await reader.desktop.shows("Found")


async def pusher(reader: Reader, town: Town) -> tuple[Sender, BrowserView]:
    """Somebody with the service's own key, who pushes to this browser whatever a test wants."""
    sender = Sender(Path(town.ready["ca_file"]), town.environment["TOCSIN_PUSH_CONNECT_TO"])
    vapid = Vapid02.from_file(str(town.settings.vapid_file))
    view = await reader.at_its_push_service()
    known = view.model_dump() | {"subscription": await reader.page.evaluate(SUBSCRIPTION)}
    return replace(sender, vapid=vapid), BrowserView.model_validate(known)


async def test_a_push_without_words_shows_what_is_new(reader: Reader, readers_town: Town) -> None:
    await readers_town.ended((await readers_town.send(headline="Sent before they came"))["id"])
    await reader.subscribes(world="All")
    sender, browser = await pusher(reader, readers_town)

    assert (await sender.push(browser, body=b"", headers={"Content-Encoding": None})).status == 201
    await reader.desktop.shows("Sent before they came", "The first in three weeks.")
    assert (await sender.push(browser, b"not json")).status == 201
    await reader.desktop.shows("Tocsin: there is news")


async def test_a_push_that_cannot_be_decrypted_shows_nothing_and_ends_nothing(
    reader: Reader, readers_town: Town
) -> None:
    await reader.subscribes(world="All")
    sender, browser = await pusher(reader, readers_town)
    body = sender.encrypt(browser, b"{}")
    assert (await sender.push(browser, body=body[:-1] + bytes([body[-1] ^ 1]))).status == 201

    await readers_town.send(headline="After it")
    await reader.desktop.shows("After it")
    assert len(reader.desktop.history) == 1
