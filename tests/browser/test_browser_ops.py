"""What an operator can do on the ops page, in a real Chromium on a whole Tocsin."""

from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from browsers import chromium, needs_chromium
from tocsin import clock
from tocsin.clock import milliseconds
from tocsin.domain.pace import WindowReport
from tocsin.domain.queues import PRIORITY
from tocsin.domain.subscriptions import endpoint_digest
from town import ADMIN_KEY, Town

pytestmark = [pytest.mark.browser, needs_chromium, pytest.mark.timeout(180)]


async def quarantine(town: Town, push_service: str, count: int) -> None:
    """So many of its readers are called gone."""
    for view in await town.subscribe(count, push_services=push_service):
        kept = await town.store.subscriptions.get(endpoint_digest(view.subscription.endpoint))
        assert kept is not None
        assert await town.store.quarantine.add(kept.address, kept.packed, milliseconds(clock.now()))


async def trouble(town: Town) -> None:
    """Every state that a push service can be in."""
    pace = town.store.pace
    await quarantine(town, "fcm", 12)
    await town.subscribe(30, push_services={"fcm": 0.6, "mozilla": 0.4})
    await pace.grant("fcm", "an-alert", None, 10, 0)
    await pace.report("fcm", WindowReport(accepted=20, gone=200))
    await pace.report("mozilla", WindowReport(refused=20))
    await pace.grant("apple", "an-alert", None, 10, 0)
    await pace.report("apple", WindowReport(failed=20))
    await pace.report("wns", WindowReport(throttled=1, retry_after=600))


async def opened(page: Page, town: Town) -> None:
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    await page.goto(f"{town.settings.url}/ops#key={ADMIN_KEY}")


def panel(page: Page, push_service: str) -> Locator:
    return page.locator(f"[data-push-service={push_service}]")


async def test_every_trouble_is_told_with_what_can_be_done(town: Town, pictures: Path | None) -> None:
    await trouble(town)
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 1400})
        await opened(page, town)
        await expect(panel(page, "fcm")).to_contain_text("12 subscriptions in quarantine")
        await expect(panel(page, "apple")).to_contain_text("failed again and again")
        await expect(panel(page, "wns")).to_contain_text("Held until")
        await expect(panel(page, "wns").get_by_role("button")).to_have_count(0)
        if pictures:
            await page.screenshot(path=pictures / "ops-trouble.png")

        await panel(page, "mozilla").get_by_role("button", name="Resume").click()
        await expect(panel(page, "mozilla")).not_to_contain_text("refused our VAPID key")
        await panel(page, "apple").get_by_role("button", name="Close the breaker").click()
        await expect(panel(page, "apple").get_by_role("button")).to_have_count(0)
        states = await town.store.pace.states()
        assert not any(states[name].is_shut for name in ("mozilla", "apple"))


@pytest.mark.parametrize(("button", "sure", "left"), [("Restore all", "Restore all", 12), ("Delete", "Delete", 0)])
async def test_a_storm_is_ended_after_a_question(
    town: Town, button: str, sure: str, left: int, pictures: Path | None
) -> None:
    await quarantine(town, "fcm", 12)
    await town.store.pace.report("fcm", WindowReport(gone=200))
    async with chromium() as browser:
        page = await browser.new_page()
        await opened(page, town)
        await panel(page, "fcm").get_by_role("button", name=button).click()
        await expect(page.locator("#confirm")).to_contain_text("12 subscriptions")
        if pictures:
            await page.screenshot(path=pictures / f"ops-{button.partition(' ')[0].lower()}.png")
        await page.locator("#confirm-no").click()
        assert await town.store.pace.storms() == {"fcm"}

        await panel(page, "fcm").get_by_role("button", name=button).click()
        await page.locator("#confirm").get_by_role("button", name=sure).click()
        await expect(page.locator("#confirm")).to_be_hidden()
        await expect(panel(page, "fcm")).to_contain_text(f"{left} subscriptions")
        await expect(panel(page, "fcm")).not_to_contain_text("quarantine")
        assert await town.store.pace.storms() == set()
        assert (await town.store.numbers.counts())["fcm"] == left


async def test_a_queue_is_paused_after_a_question_and_goes_on(town: Town, pictures: Path | None) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await opened(page, town)
        card = page.locator("#queues article").filter(has_text="Priority")
        await card.get_by_role("button", name="Pause").click()
        await expect(page.locator("#confirm")).to_contain_text("No flash")
        await page.locator("#confirm-yes").click()
        await expect(card.get_by_text("Paused", exact=True)).to_be_visible()
        assert await town.store.pauses.paused() == {PRIORITY}
        if pictures:
            await page.screenshot(path=pictures / "ops-paused.png")

        await card.get_by_role("button", name="Resume").focus()
        await page.keyboard.press("Enter")
        await expect(card.get_by_role("button", name="Pause")).to_be_focused()
        assert await town.store.pauses.paused() == set()


async def test_what_fails_is_said_beside_its_button(town: Town) -> None:
    await town.store.pace.report("apple", WindowReport(refused=20))
    async with chromium() as browser:
        page = await browser.new_page()
        await opened(page, town)
        await page.route("**/resume", lambda route: route.fulfill(status=503, json={"title": "Not now"}))
        await panel(page, "apple").get_by_role("button", name="Resume").click()
        await expect(panel(page, "apple").get_by_role("alert")).to_contain_text("Not now")


async def test_queues_are_watched_while_the_prekey_server_hangs(town: Town) -> None:
    async with chromium() as browser:
        page = await browser.new_page()
        await page.route("**/v1/ops/prekeys", lambda _: None)  # never answered
        await opened(page, town)
        await expect(page.locator("#queues article").filter(has_text="Priority")).to_be_visible()
        await expect(page.locator("#asked")).to_contain_text("Last answer")
