"""Do alerts and push services share fairly? Two flash alerts a second apart, a flash during a standard run, and one
push service while another hangs; each beside the same without the other.

Everything is real: `tocsin up` with two workers, the simulated push services with an answer time of `--delay`. The
ratios come from one run, so that a slow machine slows both sides. See README.md beside this file.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from tocsin import clock
from tocsin.domain.endpoints import DEFAULT_PUSH_HOSTS
from tocsin.domain.preferences import Preferences
from tocsin.domain.subscriptions import PushSubscription, Subscription
from tocsin.push.vapid import ApplicationServer
from tocsin.simulator.faults import DelayFault, HangFault
from tocsin.simulator.models import BrowserView
from town import Town, open_town

FLASH = {"topics": ["sport"], "level": "flash"}
STANDARD = {"topics": ["world"], "level": "update"}


async def subscribe(town: Town, count: int, flash_count: int) -> None:
    """All follow `world`; every so many follow `sport` too, so that both audiences lie in the same shards."""
    _, site = await town.call("GET", "/v1/site")
    every = max(1, count // flash_count)
    views = await town.simulator.create_browsers(count, "fcm", site["application_server_key"])
    server = ApplicationServer.load(town.settings.vapid_file, town.settings.vapid_subject)
    left = iter(enumerate(views))
    told = time.monotonic()

    def checked(view: BrowserView) -> Subscription:
        subscription = PushSubscription.model_validate_json(view.subscription.model_dump_json())
        return subscription.checked(DEFAULT_PUSH_HOSTS)

    async def add_rest(left: Iterator[tuple[int, BrowserView]]) -> None:
        nonlocal told
        for number, view in left:
            topics = ("sport", "world") if number % every == 0 else ("world",)
            now_ms = clock.milliseconds(clock.now())
            await town.store.subscriptions.add(checked(view), Preferences(topics=topics), server.key_id, now_ms, 0)
            if time.monotonic() - told > 5:
                told = time.monotonic()
                print(f"  {number:,} of {count:,} browsers", file=sys.stderr)

    await asyncio.gather(*(add_rest(left) for _ in range(64)))


async def seconds_of(town: Town, alert_id: str) -> float:
    """From the 202 to the end of the alert."""
    alert = await town.ended(alert_id, 600)
    assert alert["progress"]["accepted"] == alert["progress"]["eligible"] > 0, alert["progress"]
    return (datetime.fromisoformat(alert["ended_at"]) - datetime.fromisoformat(alert["created_at"])).total_seconds()


async def flash(town: Town, headline: str) -> float:
    return await seconds_of(town, (await town.send(headline=headline, **FLASH))["id"])


async def measure(town: Town, rounds: int) -> dict[str, Any]:
    await flash(town, "Warming up")
    alone, first, second, during = [], [], [], []
    for number in range(rounds):
        alone.append(await flash(town, f"Alone {number}"))
        one = asyncio.create_task(flash(town, f"First of two {number}"))
        await asyncio.sleep(1)
        two = asyncio.create_task(flash(town, f"Second of two {number}"))
        first.append(await one)
        second.append(await two)
        standard = await town.send(headline=f"Standard {number}", **STANDARD)
        await town.progress_until(standard["id"], lambda progress: progress["accepted"] > 500)
        during.append(await flash(town, f"During it {number}"))
        left = (await town.read(standard["id"]))["progress"]["pending"]
        assert left > 0, "the standard run was over before the flash was: give more browsers"
        await town.call("POST", f"/v1/alerts/{standard['id']}/stop", headers=town.editor)
        await town.ended(standard["id"], 600)
        print(f"  round {number + 1} of {rounds}", file=sys.stderr)
    base = median(alone)
    well, hanging = await beside(town, rounds)
    return {
        "p99_beside_a_push_service_that_hangs_ratio": hanging / well,
        "flash_alone_seconds": base,
        "first_of_two_ratio": median(first) / base,
        "second_of_two_ratio": median(second) / base,
        "during_standard_ratio": median(during) / base,
    }


async def beside(town: Town, rounds: int) -> tuple[float, float]:
    """p99 seconds at one push service while another is well, and while it hangs."""
    _, site = await town.call("GET", "/v1/site")
    views = await town.simulator.create_browsers(500, "apple", site["application_server_key"])
    for view in views:
        await town.register(view, {"topics": ["sport"]})
    well, hanging = [], []
    for number in range(rounds):
        await town.simulator.set_faults("apple", DelayFault(milliseconds=30))
        well.append(await _p99_at_fcm(town, f"Both well {number}"))
        await town.simulator.set_faults("apple", HangFault())
        hanging.append(await _p99_at_fcm(town, f"One hangs {number}"))
    return median(well), median(hanging)


async def _p99_at_fcm(town: Town, headline: str) -> float:
    """By how long it takes until 99 % of that push service's readers are accepted."""
    started = time.monotonic()
    alert_id = (await town.send(headline=headline, **FLASH))["id"]

    def nearly_all(progress: dict[str, Any]) -> bool:
        fcm = progress["by_push_service"].get("fcm")
        return bool(fcm) and fcm["eligible"] > 0 and fcm["pending"] <= fcm["eligible"] // 100

    await town.progress_until(alert_id, nearly_all)
    took = time.monotonic() - started
    await town.call("POST", f"/v1/alerts/{alert_id}/stop", headers=town.editor)
    await town.ended(alert_id, 600)
    return took


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


async def run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_town(Path(folder), lease_seconds=30, request_seconds=10, reconcile_seconds=2) as town:
            await subscribe(town, options.browsers, options.flash)
            await town.simulator.set_faults("fcm", DelayFault(milliseconds=options.delay))
            figures = await measure(town, options.rounds)
    print(
        f"{options.flash:,} readers of a flash, {options.browsers:,} of a standard alert, {options.delay} ms an answer"
    )
    print(f"  a flash alone                       {figures['flash_alone_seconds']:.1f} s")
    print(f"  two, a second apart: the first      {figures['first_of_two_ratio']:.2f} times that   (limit 2.2)")
    print(f"  two, a second apart: the second     {figures['second_of_two_ratio']:.2f} times that   (limit 2.2)")
    speed = 1 / figures["during_standard_ratio"]
    print(f"  during a standard run               {speed:.0%} of its speed alone   (limit 90 %)")
    apart = figures["p99_beside_a_push_service_that_hangs_ratio"]
    print(f"  p99 beside a push service that hangs {apart:.2f} times that beside one that is well   (limit 1.1)")
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browsers", type=int, default=100_000)
    parser.add_argument("--flash", type=int, default=20_000, help="how many of them get the flash")
    parser.add_argument("--delay", type=int, default=30, help="milliseconds until a push service answers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    asyncio.run(run(parser.parse_args()))
