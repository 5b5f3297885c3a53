"""Readers with quiet hours get what waited for them when these end, decided again, as one notification."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.simulator.models import BrowserView
from town import Town


def quiet_now(**more: Any) -> dict[str, Any]:
    """Quiet hours from an hour ago until in an hour."""
    now = datetime.now(UTC)
    start, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-1, 1))
    return {"topics": ["world"], "time_zone": "UTC", "quiet_hours": {"start": start, "end": end, **more}}


async def sleepers(town: Town, count: int, **more: Any) -> tuple[list[BrowserView], list[dict[str, Any]]]:
    """Browsers with quiet hours, and what they got when they registered."""
    views = await town.subscribe(count, {"topics": []})
    return views, [await town.register(view, quiet_now(**more)) for view in views]


async def wake(town: Town, registered: dict[str, Any], **changes: Any) -> None:
    """The reader has no quiet hours any more: nothing need be waited for."""
    headers = {"Authorization": f"Bearer {registered['token']}"}
    path = f"/v1/subscriptions/{registered['id']}/preferences"
    status, answer = await town.call("PATCH", path, {"quiet_hours": None, **changes}, headers)
    assert status == 200, answer


async def test_who_sleeps_gets_it_afterwards_and_several_alerts_as_one(town: Town) -> None:
    views, registered = await sleepers(town, 3)
    awake = await town.subscribe(2)
    first = await town.ended((await town.send(headline="First"))["id"])
    second = await town.ended((await town.send(headline="Second", url="https://news.example.com/second"))["id"])
    assert (first["state"], first["progress"]["eligible"], first["progress"]["deferred"]) == ("sent", 5, 3)
    assert await town.got(first["id"], awake) == [1, 1]
    assert await town.got(second["id"], views) == [0, 0, 0]

    for one in registered:
        await wake(town, one)

    await town.progress_until(first["id"], lambda progress: progress["deferred"] == 0)
    progress = await town.progress_until(second["id"], lambda progress: progress["deferred"] == 0)
    assert (progress["accepted"], progress["eligible"]) == (5, 5)
    for view in views:
        (message,) = (await town.simulator.browser(view.id)).messages
        shown = message.payload["notification"]
        assert shown["title"] == "Tocsin: 2 alerts while it was quiet"
        assert shown["body"] == "Second · First"
        assert shown["navigate"] == "https://news.example.com/second"
        assert shown["data"]["tocsin"]["alerts"] == [second["id"], first["id"]]


async def test_a_summary_is_in_its_readers_language_where_the_alerts_name_none(town: Town) -> None:
    views, registered = await sleepers(town, 2)
    headers = {"Authorization": f"Bearer {registered[0]['token']}"}
    path = f"/v1/subscriptions/{registered[0]['id']}/preferences"
    assert (await town.call("PATCH", path, {"language": "ar"}, headers))[0] == 200
    alerts = [await town.ended((await town.send(headline=headline))["id"]) for headline in ("First", "Second")]

    for one in registered:
        await wake(town, one)

    for alert in alerts:
        await town.progress_until(alert["id"], lambda progress: progress["accepted"] == 2)
    told = [(await town.simulator.browser(view.id)).messages[0].payload["notification"] for view in views]
    assert [(each["title"], each["lang"], each["dir"]) for each in told] == [
        ("Tocsin: تنبيهات ساعات الهدوء (2)", "ar", "rtl"),
        ("Tocsin: 2 alerts while it was quiet", "en", "auto"),
    ]


async def test_a_single_alert_that_waited_is_itself(town: Town) -> None:
    (view,), (registered,) = await sleepers(town, 1)
    alert = await town.ended((await town.send())["id"])

    await wake(town, registered)

    await town.progress_until(alert["id"], lambda progress: progress["accepted"] == 1)
    (message,) = (await town.simulator.browser(view.id)).messages
    assert message.payload["notification"]["title"] == alert["headline"]


async def test_what_is_not_wanted_any_more_is_not_sent(town: Town) -> None:
    (view,), (registered,) = await sleepers(town, 1)
    alert = await town.ended((await town.send())["id"])

    await wake(town, registered, min_level="flash")

    await town.progress_until(alert["id"], lambda progress: progress["opted_out"] == 1)
    assert await town.got(alert["id"], [view]) == [0]
    headers = {"Authorization": f"Bearer {registered['token']}"}
    _, history = await town.call("GET", f"/v1/subscriptions/{registered['id']}/history", headers=headers)
    (entry,) = history["alerts"]
    assert (entry["alert"], entry["outcome"], entry["reason"]) == (alert["id"], "opted_out", "level")


async def test_flash_wakes_whom_it_may_and_drop_is_never(town: Town) -> None:
    light, _ = await sleepers(town, 2, wake_for="flash")
    deaf, _ = await sleepers(town, 2, then="drop")

    alert = await town.ended((await town.send(level="flash"))["id"])

    assert alert["progress"]["skipped"] == {"quiet_hours": 2}
    assert await town.got(alert["id"], light) == [1, 1]
    assert await town.got(alert["id"], deaf) == [0, 0]


async def test_a_stop_reaches_those_who_wait(town: Town) -> None:
    (view,), (registered,) = await sleepers(town, 1)
    alert = await town.ended((await town.send())["id"])

    status, stopped = await town.call("POST", f"/v1/alerts/{alert['id']}/stop", headers=town.editor)
    assert (status, stopped["state"]) == (200, "stopped")
    await town.progress_until(alert["id"], lambda progress: progress["stopped"] == 1)

    await wake(town, registered)
    control = await town.ended((await town.send(headline="Control"))["id"])
    assert await town.got(control["id"], [view]) == [1]
    assert await town.got(alert["id"], [view]) == [0]


async def test_a_summary_counts_once_under_a_cap(town: Town) -> None:
    views = await town.subscribe(1, {"topics": []})
    registered = await town.register(views[0], {**quiet_now(), "daily_cap": {"count": 2}})
    alerts = [await town.ended((await town.send(headline=f"Night {number}"))["id"]) for number in range(3)]
    await wake(town, registered)
    for alert in alerts:
        await town.progress_until(alert["id"], lambda progress: progress["accepted"] == 1)

    second = await town.ended((await town.send(headline="Second of the day"))["id"])
    third = await town.ended((await town.send(headline="Third of the day"))["id"])

    assert second["progress"]["accepted"] == 1
    assert (third["progress"]["eligible"], third["progress"]["skipped"]) == (0, {"daily_cap": 1})


async def test_the_end_of_the_alert_is_the_end_of_waiting(town: Town) -> None:
    (view,), (registered,) = await sleepers(town, 1)
    expires_at = (datetime.now(UTC) + timedelta(seconds=2.5)).isoformat()
    alert = await town.ended((await town.send(expires_at=expires_at))["id"])
    assert alert["progress"]["deferred"] == 1

    await town.progress_until(alert["id"], lambda progress: progress["expired"] == 1)
    await wake(town, registered)
    assert await town.got(alert["id"], [view]) == [0]
