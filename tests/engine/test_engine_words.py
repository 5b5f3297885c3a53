"""An editor's word reaches readers wherever they are: in a run, in a round, waiting, or with the wrong text shown."""

import asyncio
import time
from typing import Any

import pytest
from test_engine_deferral import quiet_now, sleepers, wake

from api.api_served import changed, serve
from tocsin import clock
from tocsin.domain.alerts import AlertState, Correction
from tocsin.simulator.faults import DelayFault, StatusFault
from tocsin.simulator.models import BrowserView
from town import Town


async def follow_up(town: Town, alert_id: str, kind: str, key: str = "", **words: str) -> tuple[int, dict[str, Any]]:
    headers = {**town.editor, **({"Idempotency-Key": key} if key else {})}
    return await town.call("POST", f"/v1/alerts/{alert_id}/{kind}", words, headers)


async def titles(town: Town, view: BrowserView) -> list[str]:
    return [message.payload["notification"]["title"] for message in (await town.simulator.browser(view.id)).messages]


async def round_at_work(town: Town, count: int) -> tuple[str, list[BrowserView]]:
    """So many readers whose quiet hours are over at once, and a round that has most of its way before it."""
    views, registered = await sleepers(town, count)
    alert = await town.ended((await town.send(headline="Original", level="update"))["id"])
    await town.store.pauses.pause("standard")
    await asyncio.gather(*(wake(town, one) for one in registered))
    await town.simulator.set_faults("fcm", DelayFault(milliseconds=500))
    await town.store.pauses.resume("standard")
    async with asyncio.timeout(30):
        while not any(await town.got(alert["id"], views)):
            await asyncio.sleep(0.02)
    return alert["id"], views


async def test_a_stop_reaches_a_round_at_work(town: Town) -> None:
    alert_id, _ = await round_at_work(town, 150)

    status, _ = await town.call("POST", f"/v1/alerts/{alert_id}/stop", headers=town.editor)
    answered_at = time.time()

    assert status == 200
    progress = await town.progress_until(alert_id, lambda progress: progress["deferred"] == 0)
    assert progress["stopped"] > 0
    lines = await town.simulator.log(alert=alert_id)
    assert max(line.at for line in lines) < answered_at + 2 + 0.5


async def test_a_correction_takes_over_from_a_round_at_work(town: Town) -> None:
    alert_id, views = await round_at_work(town, 150)

    status, correction = await follow_up(town, alert_id, "correction", headline="Corrected")

    assert status == 202
    await town.simulator.clear_faults()
    ended = await town.ended(correction["id"])
    progress = await town.progress_until(alert_id, lambda progress: progress["deferred"] == 0)
    assert ended["progress"]["accepted"] == 150
    assert progress["accepted"] + progress["stopped"] == 150
    assert progress["stopped"] > 0
    got = [await titles(town, view) for view in views]
    assert all(one[-1] == "Corrected" for one in got)
    assert sum(len(one) == 2 for one in got) == progress["accepted"]


async def test_a_repeat_is_one_and_the_same_words_later_are_another(town: Town) -> None:
    (view,) = await town.subscribe(1)
    alert = await town.ended((await town.send(headline="11 dead"))["id"])

    sent = []
    for headline in ("12 dead", "12 dead", "13 dead", "12 dead"):
        status, answer = await follow_up(town, alert["id"], "correction", headline=headline)
        assert status == 202
        sent.append((await town.ended(answer["id"]))["id"])
    retracted = [await follow_up(town, alert["id"], "retraction", key, reason="Wrong.") for key in ("k" * 16, "k" * 16)]
    silent = await follow_up(town, alert["id"], "retraction", reason="Wrong.")

    assert (sent[0] == sent[1], len(set(sent))) == (True, 3)
    assert [status for status, _ in (*retracted, silent)] == [202] * 3
    assert len({answer["id"] for _, answer in (*retracted, silent)}) == 1
    await town.ended(silent[1]["id"])
    assert await titles(town, view) == ["11 dead", "12 dead", "13 dead", "12 dead", "Retracted: 12 dead"]


async def test_a_correction_that_waited_does_not_follow_a_retraction(town: Town) -> None:
    (view,) = await town.subscribe(1)
    alert = await town.ended((await town.send(headline="Original"))["id"])
    status = await town.store.alerts.get(alert["id"])
    waits = status.alert.correction(Correction(headline="Corrected"), "somebody", clock.now())
    await town.store.alerts.queue(waits, "q" * 20, AlertState.AWAITING_APPROVAL)  # as a level in APPROVAL has it
    _, retraction = await follow_up(town, alert["id"], "retraction", reason="Never happened.")
    await town.ended(retraction["id"])

    answered, problem = await town.call("POST", f"/v1/alerts/{waits.id}/approve", {}, town.editor)

    assert (answered, problem["code"]) == (409, "conflict")
    assert await titles(town, view) == ["Original", "Retracted: Original"]


async def test_who_waits_for_an_alert_whose_time_is_over_for_others_can_still_be_spared(town: Town) -> None:
    await town.subscribe(1)
    (view,), (registered,) = await sleepers(town, 1)
    await town.simulator.set_faults("fcm", StatusFault(status=500))
    alert_id = (await town.send())["id"]
    await town.progress_until(alert_id, lambda progress: progress["retrying"] == 1)
    key = f"{{alerts}}:alert:{alert_id}"
    await town.store.server.redis.hset(key, "ends_ms", clock.milliseconds(clock.now()))  # the attempts' end
    alert = await town.ended(alert_id)
    assert (alert["state"], alert["progress"]["expired"], alert["progress"]["deferred"]) == ("sent", 1, 1)

    status, _ = await town.call("POST", f"/v1/alerts/{alert_id}/stop", headers=town.editor)

    assert status == 200
    await town.progress_until(alert_id, lambda progress: progress["stopped"] == 1)
    await town.simulator.clear_faults()
    await wake(town, registered)
    assert await town.got(alert_id, [view]) == [0]


async def test_who_waited_for_what_was_stopped_hears_of_no_retraction(town: Town) -> None:
    (view,), (registered,) = await sleepers(town, 1)
    await town.subscribe(150)
    await town.simulator.set_faults("fcm", DelayFault(milliseconds=300))
    alert_id = (await town.send())["id"]
    await town.progress_until(alert_id, lambda progress: progress["deferred"] == 1 and progress["accepted"] > 0)
    await town.call("POST", f"/v1/alerts/{alert_id}/stop", headers=town.editor)
    await town.simulator.clear_faults()
    alert = await town.ended(alert_id)

    _, retraction = await follow_up(town, alert_id, "retraction", reason="Wrong.")
    ended = await town.ended(retraction["id"])

    assert (ended["progress"]["deferred"], ended["progress"]["accepted"]) == (0, alert["progress"]["accepted"])
    await wake(town, registered)
    await town.progress_until(alert_id, lambda progress: progress["deferred"] == 0)
    assert await titles(town, view) == []


async def test_a_retraction_is_in_the_language_of_its_alert_else_of_the_site(town: Town) -> None:
    (view,) = await town.subscribe(1)
    marked, unmarked = [
        await town.ended((await town.send(headline=headline, language=language))["id"])
        for headline, language in (("NATO: قمة طارئة", "ar"), ("قمة طارئة", None))
    ]

    _, first = await follow_up(town, marked["id"], "retraction", reason="خبر غير صحيح.")
    async with serve(changed(town.settings, language="ar")) as arabic:
        path = f"/v1/alerts/{unmarked['id']}/retraction"
        second = (await arabic.call("POST", path, {"reason": "خبر غير صحيح."}, town.editor)).json

    for retraction in (first, second):
        await town.ended(retraction["id"])
    messages = (await town.simulator.browser(view.id)).messages[2:]
    told = [message.payload["notification"] for message in messages]
    assert sorted((each["title"], each["dir"]) for each in told) == [
        ("تنبيه مسحوب: NATO: قمة طارئة", "rtl"),
        ("تنبيه مسحوب: قمة طارئة", "auto"),
    ]


async def test_a_correction_is_never_part_of_a_summary(town: Town) -> None:
    (view,) = await town.subscribe(1)
    registered = await town.register(view)
    wrong = await town.ended((await town.send(headline="Wrong"))["id"])
    headers = {"Authorization": f"Bearer {registered['token']}"}
    await town.call("PATCH", f"/v1/subscriptions/{registered['id']}/preferences", quiet_now(), headers)
    _, correction = await follow_up(town, wrong["id"], "correction", headline="Right")
    await town.ended(correction["id"])
    others = [await town.ended((await town.send(headline=headline))["id"]) for headline in ("One", "Two")]

    await wake(town, registered)

    for alert in (correction, *others):
        await town.progress_until(alert["id"], lambda progress: progress["accepted"] == 1)
    messages = (await town.simulator.browser(view.id)).messages
    assert [message.payload["notification"]["title"] for message in messages] == [
        "Wrong",
        "Right",
        "Tocsin: 2 alerts while it was quiet",
    ]
    assert messages[0].topic == messages[1].topic


@pytest.mark.timeout(100)
async def test_a_flash_with_a_pace_of_its_own_holds_nobody_up(town: Town) -> None:
    await town.subscribe(40)
    await town.subscribe(1, {"topics": ["sport"]})
    flash = await town.send(level="flash", max_per_second=1)
    await town.progress_until(flash["id"], lambda progress: progress["accepted"] > 0)

    other = await town.ended((await town.send(topics=["sport"], headline="Sport"))["id"])

    assert other["progress"]["accepted"] == 1
    assert (await town.read(flash["id"]))["progress"]["pending"] > 0
