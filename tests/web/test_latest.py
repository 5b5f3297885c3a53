"""The latest alerts on the page "/", as any visitor sees them."""

from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect
from sdk_page import sdk_page

from api.api_served import Served
from browsers import needs_chromium

pytestmark = [pytest.mark.browser, needs_chromium]


def sent(kind: str, headline: str) -> dict[str, Any]:
    fields = {"id": headline, "body": "", "url": "https://x.org/", "topics": [], "level": "breaking", "story": None}
    chain = {"kind": kind, "corrects": None if kind == "alert" else "1"}
    return {**fields, **chain, "headline": headline, "sent_at": "2026-11-23T12:00:00Z"}


async def test_what_was_retracted_is_called_so_and_is_no_sample(sdk_api: Served, shared_chromium: Browser) -> None:
    alerts = [sent("retraction", "Retracted: One"), sent("correction", "Two"), sent("alert", "Three")]

    async def answer(route: Route) -> None:
        await route.fulfill(json={"alerts": alerts})

    async with sdk_page(shared_chromium, sdk_api) as reader:
        page = reader.page
        await page.route("**/v1/alerts/recent", answer)
        await page.goto(f"{sdk_api.origin}/")
        wires = page.get_by_role("region", name="The latest alerts").get_by_role("listitem")
        for place, label in enumerate(("Retracted", "Corrected")):
            await expect(wires.nth(place).get_by_text(label, exact=True)).to_be_visible()
        await expect(wires.nth(2).get_by_text("ted", exact=False)).to_have_count(0)
        await expect(page.locator("#example-title")).to_have_text("Two")
        alerts = alerts[:1]
        await page.reload()
        await expect(wires).to_have_count(1)
        await expect(page.locator("#example-title")).not_to_have_text("Retracted: One")
