"""Caps, personal preferences, times and chains on the real way, with exact accounts."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.simulator.faults import DelayFault
from town import ALERT, Town


async def estimate(town: Town, **changes: Any) -> dict[str, Any]:
    status, answer = await town.call("POST", "/v1/alerts/estimate", {**ALERT, **changes}, town.editor)
    assert status == 200, answer
    return answer


async def follow_up(town: Town, alert_id: str, kind: str, **words: str) -> dict[str, Any]:
    status, answer = await town.call("POST", f"/v1/alerts/{alert_id}/{kind}", words, town.editor)
    assert status == 202, answer
    return answer


async def test_two_alerts_at_once_do_not_overrun_a_cap(town: Town) -> None:
    views = await town.subscribe(150, {"topics": ["world"], "daily_cap": {"count": 1}})

    alerts = await asyncio.gather(town.send(headline="One"), town.send(headline="Two"))

    ended = [await town.ended(alert["id"]) for alert in alerts]
    got = [await town.got(alert["id"], views) for alert in alerts]
    assert [one + other for one, other in zip(*got, strict=True)] == [1] * 150
    had = [alert["progress"]["accepted"] + alert["progress"]["skipped"].get("daily_cap", 0) for alert in ended]
    assert had == [150, 150]
    assert (await estimate(town))["skipped"] == {"daily_cap": 150}


async def test_flash_may_be_left_out_of_a_cap(town: Town) -> None:
    await town.subscribe(1, {"topics": ["world"], "daily_cap": {"count": 0, "flash_exempt": True}})
    await town.subscribe(1, {"topics": ["world"], "daily_cap": {"count": 0}})

    alert = await town.ended((await town.send(level="flash"))["id"])

    assert (alert["progress"]["accepted"], alert["progress"]["skipped"]) == (1, {"daily_cap": 1})


async def test_what_is_refused_is_given_back_to_the_cap(town: Town) -> None:
    from tocsin.simulator.faults import StatusFault  # noqa: PLC0415

    await town.subscribe(1, {"topics": ["world"], "daily_cap": {"count": 1}})
    await town.simulator.set_faults("fcm", StatusFault(status=413, count=1))
    refused = await town.ended((await town.send())["id"])
    assert refused["progress"]["rejected"] == 1

    again = await town.ended((await town.send(headline="Again"))["id"])

    assert again["progress"]["accepted"] == 1


KINDS: dict[str, dict[str, Any]] = {
    "plain": {"topics": ["world"]},
    "sport": {"topics": ["sport"]},
    "flash only": {"topics": ["world"], "min_level": "flash"},
    "german": {"topics": ["world"], "language": "de"},
    "british": {"topics": ["world"], "language": "en-GB"},
    "snoozed": {"topics": ["world"], "snoozed_until": "2999-01-01T00:00:00Z"},
    "snoozed once": {"topics": ["world"], "snoozed_until": "2020-01-01T00:00:00Z"},
    "muted": {"topics": ["world"], "muted_stories": ["aleppo"]},
    "muted once": {"topics": ["world"], "muted_stories": [{"story": "aleppo", "until": "2020-01-01T00:00:00Z"}]},
    "follower": {"topics": [], "min_level": "flash", "followed_stories": ["aleppo"]},
    "other story": {"topics": [], "followed_stories": ["budget"]},
}


async def test_each_kind_of_reader_and_the_estimate_beforehand(town: Town) -> None:
    views = {kind: await town.subscribe(4, preferences) for kind, preferences in KINDS.items()}
    asked = {"story": "aleppo", "language": "en"}

    expected = await estimate(town, **asked)
    alert = await town.ended((await town.send(**asked))["id"])

    progress = alert["progress"]
    wanted = {"plain", "british", "snoozed once", "muted once", "follower"}
    for kind, browsers in views.items():
        assert await town.got(alert["id"], browsers) == [int(kind in wanted)] * 4, kind
    assert progress["skipped"] == {"level": 4, "language": 4, "snoozed": 4, "muted_story": 4}
    assert (progress["eligible"], progress["accepted"]) == (20, 20)
    assert (expected["audience"], expected["now"], expected["deferred"]) == (36, 20, 0)
    assert expected["skipped"] == progress["skipped"]
    assert expected["by_push_service"]["fcm"]["now"] == 20
    assert 0 < expected["bytes"] <= 2_700


async def test_an_alert_can_be_taken_back_before_it_goes(town: Town) -> None:
    views = await town.subscribe(3)
    alert = await town.send(undo_seconds=15)
    assert alert["state"] == "undo_window"

    status, stopped = await town.call("POST", f"/v1/alerts/{alert['id']}/stop", headers=town.editor)

    assert (status, stopped["state"], stopped["progress"]["eligible"]) == (200, "stopped", 0)
    assert await town.got(alert["id"], views) == [0, 0, 0]


async def test_an_alert_goes_when_its_time_has_come(town: Town) -> None:
    views = await town.subscribe(3)
    send_at = datetime.now(UTC) + timedelta(seconds=1.5)
    scheduled = await town.send(send_at=send_at.isoformat(), headline="Scheduled")
    undoable = await town.send(undo_seconds=1, headline="Undoable")
    assert scheduled["state"] == "scheduled"

    ended = [await town.ended(alert["id"]) for alert in (scheduled, undoable)]

    for alert in ended:
        assert (alert["state"], alert["progress"]["accepted"]) == ("sent", 3)
        assert await town.got(alert["id"], views) == [1, 1, 1]
    assert datetime.fromisoformat(ended[0]["began_at"]) >= send_at.replace(microsecond=0)
    assert ended[0]["progress"]["p50_seconds"] < 30  # from its time on, not from the 202


@pytest.mark.parametrize("changes", [{"send_at": "2020-01-01T00:00:00Z"}, {"send_at": "2999-01-01T00:00:00Z"}])
async def test_a_time_that_cannot_be_is_refused(town: Town, changes: dict[str, str]) -> None:
    headers = {**town.editor, "Idempotency-Key": secrets.token_urlsafe(16)}

    status, problem = await town.call("POST", "/v1/alerts", {**ALERT, **changes}, headers)

    assert (status, problem["errors"][0]["field"]) == (422, "send_at")


async def test_a_correction_goes_to_those_who_had_the_alert(town: Town) -> None:
    had = await town.subscribe(4)
    quiet = await town.subscribe(2, {"topics": ["world"], "min_level": "flash"})
    alert = await town.ended((await town.send())["id"])
    await town.subscribe(2)  # too late for the first, so nothing is to be corrected for them
    left = await town.register(had[0])
    headers = {"Authorization": f"Bearer {left['token']}"}
    await town.call("DELETE", f"/v1/subscriptions/{left['id']}", headers=headers)

    correction = await follow_up(town, alert["id"], "correction", headline="Aid convoy turned back before Aleppo")
    ended = await town.ended(correction["id"])

    assert (ended["kind"], ended["corrects"], ended["url"]) == ("correction", alert["id"], alert["url"])
    assert (ended["progress"]["eligible"], ended["progress"]["accepted"]) == (3, 3)
    assert await town.got(correction["id"], [*had, *quiet]) == [0, 1, 1, 1, 0, 0]
    first, second = (await town.simulator.browser(had[1].id)).messages
    assert first.topic == second.topic
    assert first.payload["notification"]["tag"] == second.payload["notification"]["tag"]
    assert (await town.read(alert["id"]))["corrected_by"] == correction["id"]

    retraction = await follow_up(town, correction["id"], "retraction", reason="There was no convoy.")
    ended = await town.ended(retraction["id"])
    assert ended["headline"] == "Retracted: Aid convoy turned back before Aleppo"
    assert ended["progress"]["accepted"] == 3
    status, problem = await town.call(
        "POST", f"/v1/alerts/{alert['id']}/correction", {"headline": "Once more"}, town.editor
    )
    assert (status, problem["code"]) == (409, "conflict")


async def test_who_still_waits_gets_the_corrected_text_instead(town: Town) -> None:
    views = await town.subscribe(300)
    await town.simulator.set_faults("fcm", DelayFault(milliseconds=300))
    alert_id = (await town.send())["id"]
    await town.progress_until(alert_id, lambda progress: 0 < progress["accepted"] < 300)

    correction = await follow_up(town, alert_id, "correction", headline="Corrected")

    await town.simulator.clear_faults()
    ended, alert = await town.ended(correction["id"]), await town.ended(alert_id)
    had = alert["progress"]["accepted"]
    assert alert["progress"]["stopped"] == 300 - had > 0
    assert ended["progress"]["accepted"] == 300
    assert await town.got(correction["id"], views) == [1] * 300
    assert sum(await town.got(alert_id, views)) == had


async def test_a_correction_may_be_quicker_than_what_it_corrects(town: Town) -> None:
    views = await town.subscribe(60)
    for _ in range(3):
        alert = await town.send()
        correction = await follow_up(town, alert["id"], "correction", headline="Corrected")
        ended = await town.ended(correction["id"])
        assert ended["progress"]["accepted"] == 60
        assert await town.got(correction["id"], views) == [1] * 60
        first = await town.ended(alert["id"])
        assert first["progress"]["accepted"] + first["progress"]["stopped"] == 60


async def test_what_was_taken_back_cannot_be_corrected(town: Town) -> None:
    await town.subscribe(1)
    alert = await town.send(undo_seconds=15)
    await town.call("POST", f"/v1/alerts/{alert['id']}/stop", headers=town.editor)

    status, problem = await town.call(
        "POST", f"/v1/alerts/{alert['id']}/correction", {"headline": "Corrected"}, town.editor
    )

    assert (status, problem["code"]) == (409, "conflict")


async def test_the_same_correction_twice_is_one(town: Town) -> None:
    await town.subscribe(1)
    alert = await town.ended((await town.send())["id"])

    first = await follow_up(town, alert["id"], "correction", headline="Corrected")
    second = await follow_up(town, alert["id"], "correction", headline="Corrected")

    assert first["id"] == second["id"]
    await town.ended(first["id"])


async def test_a_pace_of_its_own(town: Town) -> None:
    views = await town.subscribe(30)

    alert = await town.ended((await town.send(max_per_second=20))["id"])

    assert await town.got(alert["id"], views) == [1] * 30
    took = datetime.fromisoformat(alert["ended_at"]) - datetime.fromisoformat(alert["began_at"])
    assert took > timedelta(seconds=1)  # a quarter of a second's worth goes at once, the rest at 20 a second
