"""What browsers tell of notifications: counted without a name, or kept for each browser, or not at all."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from api_served import Served, assert_problem, bearer, changed, serve, subscription_of

from tocsin import clock
from tocsin.api import tally
from tocsin.domain.deliveries import Ledger, Mark
from tocsin.domain.errors import Unavailable
from tocsin.domain.subscriptions import Address
from tocsin.settings import Settings
from tocsin.simulator.client import SimulatorClient
from tocsin.store.ledgers import ledger_key, run_key

UNKNOWN = "0" * 22
NONE = {"shown": 0, "clicked": 0, "closed": 0}
PATH = "/v1/receipts"


def individual(settings: Settings) -> Settings:
    return changed(settings, receipts="individual", consent_text="May we?", consent_text_version="2026-03")


async def tell(api: Served, alert: str, event: str = "shown", **more: Any) -> int:
    return (await api.call("POST", PATH, {"alert": alert, "event": event, **more})).status


async def begun(api: Served, marks: str = "aaa") -> str:
    """An alert that is sent to readers of these marks, the first numbers at FCM."""
    alert_id: str = (await api.queue()).json["id"]
    await api.store.runs.begin(alert_id, {"fcm": len(marks)}, clock.now(), clock.now() + timedelta(hours=1))
    ledger = Ledger(marks.encode())
    await api.store.server.redis.set(ledger_key("fcm.0", alert_id), bytes(ledger))
    await api.store.server.redis.hset(run_key("fcm.0", alert_id), "eligible", ledger.eligible)
    return alert_id


async def counted(api: Served, alert_id: str) -> dict[str, int]:
    """The counts once all that was taken is in the store."""
    await api.services.tally.flush()
    view = (await api.call("GET", f"/v1/alerts/{alert_id}", headers=api.editor)).json
    found: dict[str, int] = view["progress"]["receipts"]
    return found


async def test_receipts_are_counted_with_their_alert(api: Served) -> None:
    alert, other = await begun(api), await begun(api)
    assert await counted(api, alert) == NONE

    told = [await tell(api, alert, event) for event in ("shown", "shown", "shown", "clicked", "closed")]

    assert told == [204] * 5
    assert await counted(api, alert) == {"shown": 3, "clicked": 1, "closed": 1}
    assert await counted(api, other) == NONE
    assert await tell(api, alert) == 204
    assert await counted(api, alert) == {"shown": 4, "clicked": 1, "closed": 1}
    listed = (await api.call("GET", "/v1/alerts", headers=api.editor)).json["alerts"]
    assert {view["id"]: view["progress"]["receipts"]["shown"] for view in listed} == {alert: 4, other: 0}


async def test_a_beacon_is_text(api: Served) -> None:
    alert = await begun(api)
    body = json.dumps({"alert": alert, "event": "closed"})
    for content_type in ("text/plain", "text/plain;charset=UTF-8"):
        reply = await api.call("POST", PATH, data=body, headers={"Content-Type": content_type})
        assert (reply.status, reply.body) == (204, b"")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert_problem(await api.call("POST", PATH, data=body, headers=form), 415, "unsupported_media_type")
    assert await counted(api, alert) == {**NONE, "closed": 2}


async def test_no_other_call_takes_text(api: Served) -> None:
    reply = await api.call("POST", "/v1/subscriptions", data=b"{}", headers={"Content-Type": "text/plain"})
    assert_problem(reply, 415, "unsupported_media_type")


async def test_they_come_within_moments_by_themselves(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "FLUSH_SECONDS", 0.01)
    async with serve(api.settings) as quick, asyncio.timeout(20):
        alert = await begun(api)
        await tell(quick, alert)
        while (await api.store.alerts.get(alert)).receipts != {**NONE, "shown": 1}:
            await asyncio.sleep(0.01)


async def test_an_end_loses_none(api: Served) -> None:
    async with serve(api.settings) as ending:
        alert = await begun(api)
        await tell(ending, alert)
    assert await counted(api, alert) == {**NONE, "shown": 1}


async def test_an_end_amid_a_write_loses_none(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    alert, under_way, go_on = await begun(api), asyncio.Event(), asyncio.Event()
    receipts, counts = api.services.store.receipts, api.services.tally
    add = receipts.add

    async def slow(*arguments: Any) -> Any:
        under_way.set()
        await go_on.wait()
        return await add(*arguments)

    monkeypatch.setattr(receipts, "add", slow)
    await tell(api, alert)
    flushing = asyncio.create_task(counts.flush())
    await under_way.wait()
    flushing.cancel()
    closing = asyncio.create_task(counts.close())
    await asyncio.wait({flushing})
    go_on.set()
    await closing

    assert (await api.store.alerts.get(alert)).receipts == {**NONE, "shown": 1}


async def test_a_store_that_is_away_loses_none_either(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    alert, receipts = await begun(api), api.services.store.receipts
    add = receipts.add

    async def away(*_: Any) -> Any:
        await tell(api, alert)  # while that is under way
        raise Unavailable("away")

    monkeypatch.setattr(receipts, "add", away)
    await tell(api, alert)
    with pytest.raises(Unavailable):
        await api.services.tally.flush()

    monkeypatch.setattr(receipts, "add", add)
    assert await counted(api, alert) == {**NONE, "shown": 2}


async def kept_but_fates(api: Served) -> dict[bytes, Any]:
    return {key: value for key, value in (await api.kept()).items() if key != b"{alerts}:receipts"}


async def test_made_up_alerts_leave_nothing(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come, what is told of real ones is counted."""
    monkeypatch.setattr(tally, "MOST_UNKNOWN", 5)
    alert = await begun(api)
    await tell(api, alert)
    await counted(api, alert)
    before = await kept_but_fates(api)

    assert {await tell(api, f"{number:022x}") for number in range(20)} == {204}
    assert len(api.services.tally._told) == 5
    await tell(api, alert)

    assert await counted(api, alert) == {**NONE, "shown": 2}
    after = await kept_but_fates(api)
    assert {key for key in after if before.get(key) != after[key]} == {f"{{alerts}}:alert:{alert}".encode()}
    assert await api.store.receipts.fates() == {"counted": 2, "unknown": 20, "shed": 0}


async def test_what_was_never_sent_or_is_long_over_takes_none(api: Served) -> None:
    queued = (await api.queue()).json["id"]
    over = await begun(api)
    await tell(api, over)
    assert await counted(api, over) == {**NONE, "shown": 1}
    await api.store.ledgers.drop(over, {"fcm": 3})
    await api.store.alerts.ledgers_dropped(over)

    assert [await tell(api, alert) for alert in (queued, over)] == [204, 204]

    assert await counted(api, queued) == NONE
    assert await counted(api, over) == {**NONE, "shown": 1}


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "nothing": ({}, ["alert", "event"]),
    "no id": ({"alert": "x", "event": "shown"}, ["alert"]),
    "an id in capitals": ({"alert": "A" * 22, "event": "shown"}, ["alert"]),
    "a line break behind": ({"alert": f"{UNKNOWN}\n", "event": "shown"}, ["alert"]),
    "another event": ({"alert": UNKNOWN, "event": "ignored"}, ["event"]),
    "no text": ({"alert": 1, "event": None}, ["alert", "event"]),
    "an unknown field": ({"alert": UNKNOWN, "event": "shown", "user": 1}, ["user"]),
}


@pytest.mark.parametrize(("body", "fields"), BAD.values(), ids=BAD)
async def test_what_makes_no_sense_is_refused(api: Served, body: dict[str, Any], fields: list[str]) -> None:
    async with api.nothing_kept():
        assert_problem(await api.call("POST", PATH, body), 422, "invalid", *fields)
        await api.services.tally.flush()


@pytest.mark.parametrize("receipts", ["off", "aggregate"])
async def test_who_is_not_asked_for_a_name_may_not_send_one(api: Served, settings: Settings, receipts: str) -> None:
    async with serve(changed(settings, receipts=receipts)) as served:
        named = {"alert": UNKNOWN, "event": "shown", "subscription": "A" * 22, "token": "B" * 43}
        assert_problem(await served.call("POST", PATH, named), 422, "invalid", "subscription", "token")


async def test_off_takes_them_and_keeps_nothing(api: Served, settings: Settings) -> None:
    """A worker from before the change must not be made to fail."""
    async with serve(changed(settings, receipts="off")) as served:
        alert = await begun(served)
        async with served.nothing_kept():
            assert await tell(served, alert) == 204
            await served.services.tally.flush()
        assert await counted(served, alert) == NONE


async def readers(
    api: Served, simulator: SimulatorClient, count: int, version: str = "2026-03"
) -> list[dict[str, str]]:
    """The names under which so many browsers may send receipts, who agreed to it; their numbers are 0, 1, …"""
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    given = {"consent": {"text_version": version}} if version else {}
    views = await simulator.create_browsers(count, "fcm", key)
    made = [await api.register(subscription_of(view), **given) for view in views]
    return [{"subscription": reply.json["id"], "token": reply.json["token"]} for reply in made]


@pytest.mark.parametrize("packed", [False, True])
async def test_individual_counts_each_browser_once(
    api: Served, settings: Settings, simulator: SimulatorClient, packed: bool
) -> None:
    async with serve(individual(settings)) as served:
        one, two = await readers(served, simulator, 2)
        alert = await begun(served)
        if packed:  # a receipt may come when the alert is long over
            await served.store.server.redis.set(ledger_key("fcm.0", alert), Ledger(b"aaa").packed())

        for event in ("shown", "clicked", "shown", "clicked", "shown"):
            assert await tell(served, alert, event, **one) == 204
        assert await tell(served, alert, **two) == 204

        assert await counted(served, alert) == {"shown": 2, "clicked": 1, "closed": 0}
        for named, events in ((one, ["shown", "clicked"]), (two, ["shown"])):
            path, token = f"/v1/subscriptions/{named['subscription']}", bearer(named["token"])
            (entry,) = (await served.call("GET", f"{path}/history", headers=token)).json["alerts"]
            exported = (await served.call("GET", f"{path}/export", headers=token)).json
            assert (entry["alert"], entry["receipts"]) == (alert, events)
            assert exported["receipts"] == {alert: events}


async def test_individual_needs_proof(api: Served, settings: Settings, simulator: SimulatorClient) -> None:
    async with serve(individual(settings)) as served:
        one, two = await readers(served, simulator, 2)
        alert = await begun(served)
        body = {"alert": alert, "event": "shown"}
        async with served.nothing_kept():
            for half, missing in (("subscription", "token"), ("token", "subscription")):
                assert_problem(await served.call("POST", PATH, {**body, half: one[half]}), 422, "invalid", missing)
            for wrong in (
                {**one, "token": two["token"]},
                {**one, "subscription": "x"},
                {**one, "subscription": "A" * 22},
                {**one, "token": "ä"},
                {**one, "token": ""},
            ):
                assert_problem(await served.call("POST", PATH, {**body, **wrong}), 404, "not_found")
            await served.services.tally.flush()
        assert await counted(served, alert) == NONE


async def test_consent_taken_back_takes_along_what_was_told_under_it(
    api: Served, settings: Settings, simulator: SimulatorClient
) -> None:
    async with serve(individual(settings)) as served:
        (view,) = await simulator.create_browsers(1, "fcm", served.services.application_server.public_key)
        reply = await served.register(subscription_of(view), consent={"text_version": "2026-03"})
        alert = await begun(served)
        assert await tell(served, alert, subscription=reply.json["id"], token=reply.json["token"]) == 204
        assert await served.store.receipts.of(Address("fcm", 0), [alert]) == {alert: ["shown"]}

        assert (await served.register(subscription_of(view), consent=None)).status == 200

        assert await served.store.receipts.of(Address("fcm", 0), [alert]) == {}
        assert await counted(served, alert) == {**NONE, "shown": 1}


async def test_without_consent_it_is_counted_and_no_name_kept(
    api: Served, settings: Settings, simulator: SimulatorClient
) -> None:
    async with serve(individual(settings)) as served:
        (one,) = await readers(served, simulator, 1, version="")
        alert = await begun(served)

        assert await tell(served, alert, **one) == 204
        assert await tell(served, alert) == 204  # a worker that knows need not name itself

        assert await counted(served, alert) == {**NONE, "shown": 2}
        assert await served.store.receipts.of(Address("fcm", 0), [alert]) == {}
    async with serve(changed(individual(settings), consent_text_version="2026-04")) as served:
        (two,) = await readers(served, simulator, 1, version="2026-04")
        assert await tell(served, alert, **two) == 204
        assert await served.store.receipts.of(Address("fcm", 1), [alert]) == {alert: ["shown"]}
    async with serve(individual(settings)) as served:
        assert await tell(served, alert, "clicked", **two) == 204
        assert await served.store.receipts.of(Address("fcm", 1), [alert]) == {alert: ["shown"]}


async def test_individual_takes_none_of_an_alert_that_was_not_for_this_browser(
    api: Served, settings: Settings, simulator: SimulatorClient
) -> None:
    async with serve(individual(settings)) as served:
        names = await readers(served, simulator, 6)
        alert = await begun(served, "".join((Mark.OUTSIDE, Mark.QUIET_HOURS, Mark.NOBODY, Mark.PENDING, Mark.EXPIRED)))

        assert {await tell(served, alert, **named) for named in names} == {204}
        assert await tell(served, UNKNOWN, **names[3]) == 204

        assert await counted(served, alert) == {**NONE, "shown": 2}  # who is pending, and whose answer was lost
        found = [await served.store.receipts.of(Address("fcm", number), [alert]) for number in range(6)]
        assert found == [{}, {}, {}, {alert: ["shown"]}, {alert: ["shown"]}, {}]
        assert await served.store.server.redis.keys(f"*receipts:{UNKNOWN}") == []


async def test_each_browsers_own_go_with_the_ledgers(
    api: Served, settings: Settings, simulator: SimulatorClient
) -> None:
    async with serve(individual(settings)) as served:
        (one,) = await readers(served, simulator, 1)
        alert = await begun(served)
        await tell(served, alert, **one)
        assert await counted(served, alert) == {**NONE, "shown": 1}

        await served.store.ledgers.drop(alert, {"fcm": 1})
        await served.store.alerts.ledgers_dropped(alert)

        assert await tell(served, alert, "clicked", **one) == 204
        assert await served.store.server.redis.keys("{fcm.0}:receipts:*") == []
        assert await counted(served, alert) == {**NONE, "shown": 1}
