"""Prekeys in a whole Tocsin: made while nothing is sent, used by the alert that comes, each once, and made again."""

import asyncio

from tocsin.store.prekeys import Prekeys
from town import WAIT_SECONDS, Town

COUNT = 120


async def stock_is(town: Town, wanted: int) -> None:
    """Waits until there are so many."""
    prekeys = Prekeys(town.settings.prekey_server, town.settings.prekeys)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while sum(await prekeys.stock(await town.store.numbers.shards())) != wanted:
                await asyncio.sleep(0.05)
    finally:
        await prekeys.close()


async def figures(town: Town) -> dict[str, int]:
    status, found = await town.call("GET", "/v1/ops/prekeys", headers=town.editor)
    assert status == 200
    return found


async def test_an_alert_uses_what_was_made_before_it(town: Town) -> None:
    browsers = await town.subscribe(COUNT, None, {"fcm": 0.5, "mozilla": 0.5})
    salts = set()
    for number in (1, 2, 3):
        await stock_is(town, COUNT)
        alert_id = (await town.send())["id"]
        await town.ended(alert_id)
        assert await town.got(alert_id, browsers) == [1] * COUNT
        salts |= {line.sealed[:32] for line in await town.simulator.log(limit=COUNT * 3) if line.sealed}
        assert len(salts) == COUNT * number
    async with asyncio.timeout(WAIT_SECONDS):
        # Figures are written about once a second; the town's processes counted what other tests used, too.
        while min((found := await figures(town))["used"], found["made"]) < COUNT * 3:
            await asyncio.sleep(0.05)
    assert (found["per_subscription"], found["wanted"], found["fault"]) == (1, COUNT, None)
