"""Parts are killed at work: nobody is lost, and at most a window repeats for each process that died."""

import asyncio
import os
import signal

from faults.scene import children
from faults.strikes_processes import PARTS
from tocsin.simulator.faults import DelayFault
from town import ALERT, WAIT_SECONDS, Town

COUNT = 600
# One push service at work has half of the process's window, which is 100: the rest is for whoever comes next.
IN_FLIGHT = 50


async def _half_way(town: Town) -> tuple[str, list[str]]:
    """An alert that has begun and has most of its way before it."""
    views = await town.subscribe(COUNT)
    await town.simulator.set_faults("fcm", DelayFault(milliseconds=150))
    alert_id = (await town.send())["id"]
    await town.progress_until(alert_id, lambda progress: 0 < progress["accepted"] < COUNT)
    return alert_id, [view.id for view in views]


async def test_nobody_is_lost_with_every_process_that_sends(mortal_town: Town) -> None:
    """`tests/faults` kills every other part, and pauses the store for longer than a lease."""
    alert_id, browsers = await _half_way(mortal_town)
    killed = 0
    for name in ("worker-priority", "worker-standard"):
        for child in children(_pid(mortal_town, name)):
            os.kill(child, signal.SIGKILL)
            killed += 1

    await mortal_town.until_back()
    await mortal_town.simulator.clear_faults()
    alert = await mortal_town.ended(alert_id)
    progress = alert["progress"]
    assert (alert["state"], progress["eligible"], progress["accepted"]) == ("sent", COUNT, COUNT)
    received = await mortal_town.simulator.received(alert_id)
    counts = [received.get(browser, 0) for browser in browsers]
    assert min(counts) >= 1
    assert killed > 0
    assert sum(counts) - COUNT <= killed * IN_FLIGHT
    assert (await mortal_town.store.numbers.counts())["fcm"] == COUNT


async def test_an_alert_outlives_the_loss_of_its_wake_up(mortal_town: Town) -> None:
    """The broker is away when the alert is queued, and comes back empty."""
    views = await mortal_town.subscribe(20)
    os.kill(_pid(mortal_town, "cache"), signal.SIGSTOP)

    alert_id = (await mortal_town.send())["id"]

    mortal_town.part("cache").signal(signal.SIGKILL)
    alert = await mortal_town.ended(alert_id)
    assert alert["progress"]["accepted"] == 20
    assert await mortal_town.got(alert_id, views) == [1] * 20


async def test_what_was_kept_is_there_after_a_restart_of_everything(mortal_town: Town) -> None:
    views = await mortal_town.subscribe(5)
    _, site = await mortal_town.call("GET", "/v1/site")
    alert = await mortal_town.ended((await mortal_town.send())["id"])
    registered = await mortal_town.register(views[0])

    before = {name: _pid(mortal_town, name) for name in PARTS}
    for name in PARTS:
        mortal_town.part(name).kill_session()
    async with asyncio.timeout(WAIT_SECONDS):
        while any(mortal_town.part(name).pid == pid for name, pid in before.items()):
            await asyncio.sleep(0.02)
    await mortal_town.until_back()

    assert (await mortal_town.call("GET", "/v1/site"))[1] == site
    assert await mortal_town.read(alert["id"]) == alert
    headers = {"Authorization": f"Bearer {registered['token']}"}
    status, kept = await mortal_town.call("GET", f"/v1/subscriptions/{registered['id']}", headers=headers)
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
