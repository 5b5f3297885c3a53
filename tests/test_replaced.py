"""A browser whose subscription changes while an alert is on its way has it once: at the new endpoint, or at the old."""

from typing import Any

from tocsin.simulator.faults import StatusFault
from tocsin.simulator.models import BrowserView
from town import Town


async def register(town: Town, view: BrowserView, **more: Any) -> dict[str, Any]:
    body = {"subscription": view.subscription.model_dump(mode="json"), **more}
    status, registered = await town.call("POST", "/v1/subscriptions", body)
    assert status == 201, registered
    return {"id": registered["id"], "token": registered["token"]}


async def two_of_one(town: Town) -> list[BrowserView]:
    """The endpoints that a browser has one after the other."""
    _, site = await town.call("GET", "/v1/site")
    return await town.simulator.create_browsers(2, "fcm", site["application_server_key"])


async def test_what_still_waits_reaches_the_new_endpoint(town: Town) -> None:
    old, new = await two_of_one(town)
    named = await register(town, old, preferences={"topics": ["world"]})
    await town.simulator.set_faults("fcm", StatusFault(status=503))
    alert = await town.send()
    await town.progress_until(alert["id"], lambda progress: progress["retrying"] == 1)

    await register(town, new, replaces=named)
    await town.simulator.clear_faults()

    ended = await town.ended(alert["id"])
    assert (ended["progress"]["eligible"], ended["progress"]["accepted"]) == (1, 1)
    assert await town.got(alert["id"], [old, new]) == [0, 1]


async def test_what_was_had_is_not_sent_again_and_its_correction_follows(town: Town) -> None:
    old, new = await two_of_one(town)
    named = await register(town, old, preferences={"topics": ["world"]})
    alert = await town.ended((await town.send())["id"])

    moved = await register(town, new, replaces=named)

    words = {
        "headline": "Aid convoy turns back",
        "body": "It will try again.",
        "url": "https://news.example.com/aleppo",
    }
    headers = {**town.editor, "Idempotency-Key": f"correction-of-{alert['id']}"}
    status, correction = await town.call("POST", f"/v1/alerts/{alert['id']}/correction", words, headers)
    assert status == 202, correction
    await town.ended(correction["id"])
    assert await town.got(alert["id"], [old, new]) == [1, 0]
    assert await town.got(correction["id"], [old, new]) == [0, 1]
    token = {"Authorization": f"Bearer {moved['token']}"}
    _, history = await town.call("GET", f"/v1/subscriptions/{moved['id']}/history", headers=token)
    assert [entry["outcome"] for entry in history["alerts"]] == ["accepted", "accepted"]
