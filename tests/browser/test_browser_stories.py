"""What a reader lives through: from the button to the last alert, on the product's own pages, in both browsers."""

import pytest
from browser_reader import Reader
from playwright.async_api import expect

from town import Town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


async def subscribe(reader: Reader, town: Town, *topics: str) -> None:
    page = reader.page
    await reader.visits(f"{town.settings.url}/")
    await page.locator("#open-panel").click()
    for box in await page.locator("#topics input[type=checkbox]").all():
        await box.set_checked(await box.get_attribute("value") in topics)
    await page.locator("#subscribe").click()
    await expect(page.locator("#on-heading")).to_be_visible(timeout=30_000)


async def test_an_alert_is_shown_corrected_and_retracted(reader: Reader, readers_town: Town) -> None:
    await subscribe(reader, readers_town, "world")

    alert = await readers_town.send(headline="Dam breaks above Ada", body="The valley is being cleared.")
    await reader.desktop.shows("Dam breaks above Ada", "The valley is being cleared.")

    body = {"headline": "Dam above Ada holds", "body": "Nobody has to leave.", "url": alert["url"]}
    status, corrected = await readers_town.call(
        "POST", f"/v1/alerts/{alert['id']}/correction", body, {**readers_town.editor, "Idempotency-Key": "a" * 16}
    )
    assert status == 202, corrected
    await reader.desktop.shows("Dam above Ada holds", "Nobody has to leave.")
    assert len(reader.desktop.shown) == 1
