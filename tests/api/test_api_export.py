"""A reader takes along everything that is held on its browser."""

import json
import re
from datetime import timedelta
from pathlib import Path

from api_served import Served, bearer, subscription_of

from tocsin import clock
from tocsin.api.export import SubscriptionExport
from tocsin.domain.deliveries import Mark
from tocsin.domain.subscriptions import Address, parse_public_id
from tocsin.simulator.client import SimulatorClient
from tocsin.store.failures import KILLED_ITS_WORKER, Failure
from tocsin.store.ledgers import ledger_key


async def test_everything_held_on_a_browser(api: Served, simulator: SimulatorClient) -> None:
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    (view,) = await simulator.create_browsers(1, "fcm", key)
    subscription = subscription_of(view)
    preferences = {"topics": ["sport"], "min_level": "breaking", "topic_levels": {"sport": "flash"}}
    registered = (await api.register(subscription, preferences)).json
    path, token = f"/v1/subscriptions/{registered['id']}", bearer(registered["token"])

    reply = await api.call("GET", f"{path}/export", headers=token)
    shown = (await api.call("GET", path, headers=token)).json

    assert reply.status == 200
    assert reply.headers["Content-Disposition"] == 'attachment; filename="tocsin-subscription.json"'
    assert reply.headers["Cache-Control"] == "no-store"
    held = reply.json
    assert {name: held[name] for name in shown} == shown
    assert held["endpoint"] == subscription["endpoint"]
    assert held["keys"] == {name: value.rstrip("=") for name, value in subscription["keys"].items()}
    assert held["number"] == 0
    assert held["vapid_key_id"]
    assert held["last_heard_of"] == f"{clock.now():%Y-%m-%d}"
    assert (held["counted"], held["not_reached_since"]) == (None, None)
    await api.store.server.redis.delete("{fcm.0}:seen")
    await api.store.activity.not_reached("fcm.0", [0], 20_454)
    await api.store.server.redis.hset("{fcm.0}:caps", "0", "20454 3")
    held = (await api.call("GET", f"{path}/export", headers=token)).json
    assert held["counted"] == {"day": "2026-01-01", "count": 3}
    assert (held["last_heard_of"], held["not_reached_since"]) == (None, "2026-01-01")
    assert registered["token"] not in json.dumps(held)


async def test_nobody_elses(api: Served, simulator: SimulatorClient) -> None:
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    views = await simulator.create_browsers(2, "fcm", key)
    mine, other = [(await api.register(subscription_of(view))).json for view in views]

    for headers in ({}, bearer(other["token"]), api.editor):
        reply = await api.call("GET", f"/v1/subscriptions/{mine['id']}/export", headers=headers)
        assert reply.status == 404
        assert "Content-Disposition" not in reply.headers


def test_the_export_holds_what_the_map_says_is_held() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "privacy.md").read_text()
    table = text.partition("## What is held of a browser")[2].partition("\n\n")[2].partition("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]
    named = [re.findall(r"`(\w+)`", row[-1]) for row in rows]
    assert all(named), "whatever is held is in the export"
    assert {field for fields in named for field in fields} == set(SubscriptionExport.model_fields)


async def test_what_became_of_alerts_is_in_it(api: Served, simulator: SimulatorClient) -> None:
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    (view,) = await simulator.create_browsers(1, "fcm", key)
    registered = (await api.register(subscription_of(view), {"topics": ["sport"]})).json
    path, token = f"/v1/subscriptions/{registered['id']}", bearer(registered["token"])
    ids = [(await api.queue()).json["id"] for _ in range(2)]
    for alert_id in ids:
        begun = await api.store.runs.now()
        await api.store.runs.begin(alert_id, {"fcm": 1}, begun, begun + timedelta(hours=1))
    await api.store.server.redis.set(ledger_key("fcm.0", ids[0]), bytes(Mark.SET_ASIDE, "ascii"))
    await api.store.server.redis.set(ledger_key("fcm.0", ids[1]), bytes(Mark.OUTSIDE, "ascii"))
    address = Address("fcm", 0)
    await api.store.failures.add([Failure(ids[0], address, KILLED_ITS_WORKER, 1_700_000_000_000)])
    await api.store.failures.add([Failure(ids[1], Address("fcm", 1), KILLED_ITS_WORKER, 1_700_000_000_000)])

    held = (await api.call("GET", f"{path}/export", headers=token)).json

    history = (await api.call("GET", f"{path}/history", headers=token)).json["alerts"]
    assert held["alerts"] == history
    became = {entry["alert"]: (entry["outcome"], entry["reason"]) for entry in held["alerts"]}
    assert became == {ids[0]: ("set_aside", None), ids[1]: ("skipped", "not_followed")}
    assert held["set_aside"] == [{"alert": ids[0], "reason": KILLED_ITS_WORKER, "at": "2023-11-14T22:13:20Z"}]
    assert (held["called_gone_at"], held["message_keys"]) == (None, 0)


async def test_who_is_called_gone_has_it_too(api: Served, simulator: SimulatorClient) -> None:
    """Until the record is deleted it is held, and only its own token opens it."""
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    views = await simulator.create_browsers(2, "fcm", key)
    gone, other = [
        (await api.register(subscription_of(view), {"topics": ["sport"], "muted_stories": ["aleppo"]})).json
        for view in views
    ]
    path = f"/v1/subscriptions/{gone['id']}/export"
    before = (await api.call("GET", path, headers=bearer(gone["token"]))).json
    kept = await api.store.subscriptions.get(parse_public_id(gone["id"]) or b"")
    assert kept
    assert await api.store.quarantine.add(kept.address, kept.packed, 1_700_000_000_000)

    held = (await api.call("GET", path, headers=bearer(gone["token"]))).json

    assert held == {**before, "called_gone_at": "2023-11-14T22:13:20Z"}
    assert await api.store.quarantine.record(kept.address), "a look brings nobody back"
    assert (await api.call("GET", path, headers=bearer(other["token"]))).status == 404


async def test_message_keys_made_ahead_are_told(api: Served, simulator: SimulatorClient) -> None:
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    (view,) = await simulator.create_browsers(1, "fcm", key)
    registered = (await api.register(subscription_of(view))).json
    prekeys = api.services.prekeys
    leave = await prekeys.claim("fcm.0")
    assert leave
    assert await prekeys.put(leave, [{0: b"\1" * 128}])

    path = f"/v1/subscriptions/{registered['id']}/export"
    held = (await api.call("GET", path, headers=bearer(registered["token"]))).json

    assert held["message_keys"] == 1
    await prekeys.drop(Address("fcm", 0))
