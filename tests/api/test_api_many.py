"""What the API answers when there is much to look at, or something that it cannot read."""

from datetime import timedelta
from typing import Any

import pytest
from api_served import Served, bearer, subscription_of

from tocsin import clock, searching
from tocsin.domain.alerts import AlertState
from tocsin.domain.deliveries import Mark
from tocsin.domain.progress import Times
from tocsin.domain.queues import QUEUES
from tocsin.domain.subscriptions import parse_public_id
from tocsin.publishing import account
from tocsin.simulator.client import SimulatorClient
from tocsin.store.failures import KILLED_ITS_WORKER, UNREADABLE, Failure
from tocsin.store.ledgers import Window
from tocsin.store.runs import ROUND, Claim
from tocsin.store.shards import shard_key


async def a_reader(api: Served, simulator: SimulatorClient, **preferences: Any) -> dict[str, Any]:
    """What a browser got when it registered."""
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    (view,) = await simulator.create_browsers(1, "fcm", key)
    reply = await api.register(subscription_of(view), {"topics": ["world"], **preferences})
    assert reply.status == 201, reply.text
    registered: dict[str, Any] = reply.json
    return registered


async def test_a_record_that_cannot_be_read_hides_no_other_failure(api: Served, simulator: SimulatorClient) -> None:
    registered = [await a_reader(api, simulator) for _ in range(3)]
    addresses = [kept.address for one in registered if (kept := await api.store.subscriptions.get(_digest(one)))]
    for address, written in zip(addresses[1:], (b"\xff of the future", b"\x01" + b"\xff" * 200), strict=True):
        await api.store.server.redis.hset(shard_key(address.shard, "records"), str(address.slot), written)
    reasons = (KILLED_ITS_WORKER, UNREADABLE, UNREADABLE)
    made = zip(addresses, reasons, strict=True)
    failures = [Failure("a" * 22, address, reason, n) for n, (address, reason) in enumerate(made)]
    await api.store.failures.add(failures)

    reply = await api.call("GET", "/v1/ops/failures", headers=api.editor)

    assert reply.status == 200, reply.text
    assert [view["subscription"] for view in reply.json["failures"]] == [None, None, registered[0]["id"]]


def _digest(registered: dict[str, Any]) -> bytes:
    digest = parse_public_id(registered["id"])
    assert digest is not None
    return digest


@pytest.mark.parametrize(
    ("hours", "changes", "asked"),
    [
        ({}, {"time_zone": "Asia/Tokyo"}, True),
        ({}, {"time_zone": None}, True),
        ({"time_zone": "Europe/London"}, {"time_zone": "Asia/Tokyo"}, False),
        ({}, {"quiet_hours": {"end": "08:00"}}, True),
        ({}, {"quiet_hours": None}, True),
        ({}, {"min_level": "flash"}, False),
        (None, {"time_zone": "Asia/Tokyo"}, False),
    ],
)
async def test_who_wakes_at_another_hour_is_asked_again(
    api: Served, simulator: SimulatorClient, hours: dict[str, Any] | None, changes: dict[str, Any], asked: bool
) -> None:
    quiet = None if hours is None else {"start": "22:00", "end": "07:00", **hours}
    registered = await a_reader(api, simulator, quiet_hours=quiet, time_zone="Europe/Berlin")
    path = f"/v1/subscriptions/{registered['id']}/preferences"

    reply = await api.call("PATCH", path, changes, bearer(registered["token"]))

    assert reply.status == 200, reply.text
    assert await api.store.runs.has_due(ROUND, clock.milliseconds(clock.now()) + 1_000) is asked


@pytest.mark.parametrize("query", ["state=stopped", "q=needle", "state=stopped&q=needle"])
async def test_a_search_looks_at_so_many_and_says_where_it_goes_on(
    api: Served, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    monkeypatch.setattr(searching, "SEARCHED", 4)
    monkeypatch.setattr(searching, "_AT_ONCE", 2)
    ids = [(await api.queue({"headline": "Needle" if at in (0, 9) else f"No {at}"})).json["id"] for at in range(10)]
    for alert_id in (ids[0], ids[9]):
        await api.call("POST", f"/v1/alerts/{alert_id}/stop", headers=api.editor)

    pages, cursor = [], ""
    while cursor is not None:
        path = f"/v1/alerts?limit=1&{query}" + (f"&cursor={cursor}" if cursor else "")
        reply = await api.call("GET", path, headers=api.editor)
        assert reply.status == 200, reply.text
        pages.append([alert["id"] for alert in reply.json["alerts"]])
        cursor = reply.json["next"]
        assert ("Link" in reply.headers) is (cursor is not None)

    assert pages == [[ids[9]], [], [ids[0]]]  # four are looked at, four more, and the rest


async def test_a_search_for_a_state_does_not_walk_the_whole_archive(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "SEARCHED", 6)
    monkeypatch.setattr(searching, "_AT_ONCE", 3)
    ids = [(await api.queue({"headline": f"No {at}"})).json["id"] for at in range(20)]

    page = (await api.call("GET", "/v1/alerts?limit=1&state=expired", headers=api.editor)).json

    assert page == {"alerts": [], "next": ids[14]}


async def test_a_list_shows_alerts_that_readers_wait_for_without_counting_anew(
    api: Served, simulator: SimulatorClient
) -> None:
    await a_reader(api, simulator)
    alert_id = (await api.queue()).json["id"]
    alerts, runs = api.store.alerts, api.store.runs
    await runs.begin(alert_id, {"fcm": 1}, clock.now(), clock.now() + timedelta(hours=1))
    claim = await runs.claim(QUEUES, [])
    assert isinstance(claim, Claim)
    await api.store.ledgers.begin(claim)
    marks = {0: Mark.DEFERRED, 1: Mark.DEFERRED}
    await api.store.ledgers.write(claim, Window({alert_id: marks}, Times(), {}, plans=True, number=1), 0)
    await alerts.defers(alert_id)
    await runs.finish(claim)
    counted = (await account(api.store, await alerts.get(alert_id))).as_json()
    assert await alerts.close(alert_id, AlertState.SENT, counted, 0, None)
    await api.store.ledgers.drop(alert_id, {"fcm": 1})  # whoever counts finds nothing

    listed = (await api.call("GET", "/v1/alerts", headers=api.editor)).json["alerts"]
    single = (await api.call("GET", f"/v1/alerts/{alert_id}", headers=api.editor)).json

    assert [(each["id"], each["progress"]["deferred"]) for each in listed] == [(alert_id, 2)]
    assert single["progress"]["deferred"] == 0
    counted["unaccounted"] = 3
    await alerts.settle(alert_id, counted)
    reply = await api.call("GET", "/v1/ops/queues", headers=api.editor)
    assert reply.json["unaccounted"] == 3
    await alerts.settle(alert_id, counted | {"deferred": 0, "unaccounted": 0})
    status = await alerts.get(alert_id)
    assert status.totals is not None
    assert status.interim is None
    assert await alerts.deferring() == []
