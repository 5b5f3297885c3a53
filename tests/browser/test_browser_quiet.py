"""A night without a sound and one summary in the morning, in both browsers; the service's clock is set forward."""

from datetime import UTC, datetime, timedelta

import pytest
from browser_reader import Reader
from playwright.async_api import expect

from faults.towns import set_clock
from town import Town

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


async def test_what_came_in_quiet_hours_is_one_summary_at_their_end(reader: Reader, readers_town: Town) -> None:
    await reader.subscribes(world="All")
    await reader.visits("/preferences")
    quiet = reader.page.get_by_role("group", name="Quiet hours")
    # The reader's clock stays, the service's moves: an hour from now the night begins, and it lasts an hour.
    begins = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(hours=1)
    ends = begins + timedelta(hours=1)
    async with reader.saves():
        await quiet.get_by_role("checkbox").first.check()
    async with reader.saves():
        await quiet.get_by_label("From").fill(f"{begins:%H:%M}")
    async with reader.saves():
        await quiet.get_by_label("To", exact=True).fill(f"{ends:%H:%M}")
    await expect(reader.page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    await expect(quiet.get_by_role("combobox")).to_have_value("defer")

    set_clock(readers_town, 3_600 + 60)
    for headline in ("First of the night", "Second of the night"):
        alert = await readers_town.send(headline=headline)
        await readers_town.progress_until(alert["id"], lambda progress: progress["deferred"] == 1)
    assert not reader.desktop.history

    set_clock(readers_town, 2 * 3_600 + 60)
    await reader.desktop.shows("Tocsin: 2 alerts while it was quiet", "Second of the night · First of the night")
    assert len(reader.desktop.history) == 1
