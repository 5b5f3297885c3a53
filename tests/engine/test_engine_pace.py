"""The pace on the real way: what stops, waits and goes on, with real workers and simulated push services."""

import asyncio
import time
from collections.abc import Callable

from tocsin.domain.pace import PaceState
from tocsin.domain.queues import PRIORITY
from tocsin.simulator.faults import StatusFault
from town import WAIT_SECONDS, Town

MANY = 400


async def state_when(town: Town, push_service: str, wanted: Callable[[PaceState], object]) -> PaceState:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            state = (await town.store.pace.states()).get(push_service, PaceState())
            if wanted(state):
                return state
            await asyncio.sleep(0.02)


async def test_a_push_service_that_refuses_our_key_is_stopped_within_a_hundred_requests(town: Town) -> None:
    views = await town.subscribe(MANY)
    others = await town.subscribe(50, push_services="mozilla")
    await town.simulator.set_faults("fcm", StatusFault(status=403))

    alert = await town.send()
    await state_when(town, "fcm", lambda state: state.stopped)
    await town.progress_until(alert["id"], lambda progress: progress["accepted"] == len(others))
    await asyncio.sleep(1)
    refused = (await town.read(alert["id"]))["progress"]["rejected"]
    assert 20 <= refused <= 100

    await town.simulator.clear_faults()
    status, view = await town.call("POST", "/v1/ops/push-services/fcm/resume", headers=town.editor)
    assert (status, view["stopped"]) == (200, None)
    progress = (await town.ended(alert["id"]))["progress"]
    assert (progress["rejected"], progress["accepted"]) == (refused, MANY - refused + len(others))
    assert sum(await town.got(alert["id"], views)) == MANY - refused
    assert (await town.store.numbers.counts())["fcm"] == MANY


async def test_a_push_service_that_is_down_gets_probes_and_everybody_has_it_when_it_is_back(town: Town) -> None:
    views = await town.subscribe(MANY)
    await town.simulator.set_faults("fcm", StatusFault(status=503))

    alert = await town.send()
    await state_when(town, "fcm", lambda state: state.is_shut)
    await asyncio.sleep(2)
    tried = (await town.simulator.summary()).requests
    assert tried < 100

    await town.simulator.clear_faults()
    ended = await town.ended(alert["id"])
    assert (ended["state"], ended["progress"]["accepted"]) == ("sent", MANY)
    assert await town.got(alert["id"], views) == [1] * MANY


async def test_an_alert_keeps_its_own_pace(town: Town) -> None:
    await town.subscribe(60)
    began = time.monotonic()
    alert = await town.ended((await town.send(max_per_second=40))["id"])
    # 10 may go at once; the other 50 at 40 a second.
    assert time.monotonic() - began > 1.2
    assert alert["progress"]["accepted"] == 60


async def test_a_storm_of_gone_deletes_nobody_until_it_is_confirmed(town: Town) -> None:
    await town.subscribe(MANY)
    await town.simulator.set_faults("fcm", StatusFault(status=410))
    alert = await town.ended((await town.send())["id"])
    assert alert["progress"]["gone"] == MANY
    await state_when(town, "fcm", lambda state: state.storm_since)
    assert (await town.store.numbers.quarantined())["fcm"] == MANY

    await town.simulator.clear_faults()
    status, view = await town.call("POST", "/v1/ops/push-services/fcm/restore", headers=town.editor)
    assert (status, view["subscriptions"], view["quarantined"], view["storm_since"]) == (200, MANY, 0, None)
    again = await town.ended((await town.send(headline="It is not gone"))["id"])
    assert again["progress"]["accepted"] == MANY


async def test_a_paused_queue_sends_nothing_and_loses_nothing(town: Town) -> None:
    await town.subscribe(20)
    await town.call("POST", f"/v1/ops/queues/{PRIORITY}/pause", headers=town.editor)
    alert = await town.send()
    await asyncio.sleep(1)
    assert (await town.read(alert["id"]))["progress"]["accepted"] == 0
    await town.call("POST", f"/v1/ops/queues/{PRIORITY}/resume", headers=town.editor)
    assert (await town.ended(alert["id"]))["progress"]["accepted"] == 20
