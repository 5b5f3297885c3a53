"""Parts are killed at work: nobody is lost, and at most a window repeats for each process that died."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tocsin.simulator.faults import DelayFault
from town import ALERT, Town, open_town

COUNT = 600
# One push service at work has half of the process's window, which is 100: the other half is for whoever comes next.
IN_FLIGHT = 50


async def _half_way(town: Town) -> tuple[str, list[str]]:
    """An alert that has begun and has most of its way before it."""
    views = await town.subscribe(COUNT)
    await town.simulator.set_faults("fcm", DelayFault(milliseconds=150))
    alert_id = (await town.send())["id"]
    await town.progress_until(alert_id, lambda progress: 0 < progress["accepted"] < COUNT)
    return alert_id, [view.id for view in views]


async def _kill_children(town: Town) -> int:
    """Every process of the pools that send."""
    killed = 0
    for name in ("worker-priority", "worker-standard"):
        pid = town.part(name).pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
            killed += 1
    return killed


async def _kill_workers(town: Town) -> int:
    for name in ("worker-priority", "worker-standard", "worker-maintenance"):
        town.part(name).kill_session()
    return 2


async def _kill_store(town: Town) -> int:
    town.part("store").signal(signal.SIGKILL)
    return 0


async def _kill_cache(town: Town) -> int:
    town.part("cache").signal(signal.SIGKILL)
    return 0


async def _kill_api(town: Town) -> int:
    town.part("api").signal(signal.SIGKILL)
    return 0


async def _end_workers(town: Town) -> int:
    for name in ("worker-priority", "worker-standard"):
        town.part(name).signal(signal.SIGTERM)
    return 0


@pytest.mark.parametrize("strike", [_kill_children, _kill_workers, _kill_store, _kill_cache, _kill_api, _end_workers])
async def test_nobody_is_lost(mortal_town: Town, strike: Callable[[Town], Awaitable[int]]) -> None:
    alert_id, browsers = await _half_way(mortal_town)

    died = await strike(mortal_town)

    await mortal_town.until_back()
    await mortal_town.simulator.clear_faults()
    alert = await mortal_town.ended(alert_id)
    progress = alert["progress"]
    assert (alert["state"], progress["eligible"], progress["accepted"]) == ("sent", COUNT, COUNT)
    received = await mortal_town.simulator.received(alert_id)
    counts = [received.get(browser, 0) for browser in browsers]
    assert min(counts) >= 1
    assert sum(counts) - COUNT <= died * IN_FLIGHT
    assert (await mortal_town.store.numbers.counts())["fcm"] == COUNT


async def test_a_store_that_is_away_for_longer_than_a_lease_doubles_nobody(mortal_town: Town) -> None:
    """No worker died, so each records what it had sent before another may go on."""
    alert_id, browsers = await _half_way(mortal_town)
    store = _pid(mortal_town, "store")
    os.kill(store, signal.SIGSTOP)
    await asyncio.sleep(mortal_town.settings.lease_seconds + 1)  # the fault is this time itself
    os.kill(store, signal.SIGCONT)

    await mortal_town.until_back()
    await mortal_town.simulator.clear_faults()
    alert = await mortal_town.ended(alert_id)
    assert alert["progress"]["accepted"] == COUNT
    received = await mortal_town.simulator.received(alert_id)
    assert [received.get(browser, 0) for browser in browsers] == [1] * COUNT


async def test_an_alert_outlives_the_loss_of_its_wake_up(mortal_town: Town) -> None:
    """The broker is away when the alert is queued, and comes back empty."""
    views = await mortal_town.subscribe(20)
    os.kill(_pid(mortal_town, "cache"), signal.SIGSTOP)

    alert_id = (await mortal_town.send())["id"]

    mortal_town.part("cache").signal(signal.SIGKILL)
    alert = await mortal_town.ended(alert_id)
    assert alert["progress"]["accepted"] == 20
    assert await mortal_town.got(alert_id, views) == [1] * 20


async def test_what_was_kept_is_there_after_a_restart_of_everything(tmp_path: Path) -> None:
    async with open_town(tmp_path) as first:
        views = await first.subscribe(5)
        site = await first.call("GET", "/v1/site")
        alert = await first.ended((await first.send())["id"])
        registered = await first.register(views[0])

    async with open_town(tmp_path) as second:
        _, site_again = await second.call("GET", "/v1/site")
        assert site_again == site[1]
        assert await second.read(alert["id"]) == alert
        headers = {"Authorization": f"Bearer {registered['token']}"}
        status, kept = await second.call("GET", f"/v1/subscriptions/{registered['id']}", headers=headers)
        assert (status, kept["preferences"]["topics"]) == (200, ["world"])


async def test_a_second_post_with_one_key_makes_no_second_alert_whatever_died_between(mortal_town: Town) -> None:
    await mortal_town.subscribe(1)
    headers = {**mortal_town.editor, "Idempotency-Key": "one-key-for-both-calls"}
    _, first = await mortal_town.call("POST", "/v1/alerts", ALERT, headers)
    for name in ("store", "api"):
        mortal_town.part(name).signal(signal.SIGKILL)
    await mortal_town.until_back()

    status, second = await mortal_town.call("POST", "/v1/alerts", ALERT, headers)

    assert (status, second["id"]) == (202, first["id"])
    assert await mortal_town.store.alerts.count() == 1


def _pid(town: Town, name: str) -> int:
    pid = town.part(name).pid
    assert pid is not None
    return pid
