"""A reader takes along everything that is held on its browser."""

import json

from api_served import Served, bearer, subscription_of

from tocsin import clock
from tocsin.simulator.client import SimulatorClient


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
    assert held["counted"] is None
    await api.store.server.redis.hset("{fcm.0}:caps", "0", "20454 3")
    held = (await api.call("GET", f"{path}/export", headers=token)).json
    assert held["counted"] == {"day": "2026-01-01", "count": 3}
    assert registered["token"] not in json.dumps(held)


async def test_nobody_elses(api: Served, simulator: SimulatorClient) -> None:
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    views = await simulator.create_browsers(2, "fcm", key)
    mine, other = [(await api.register(subscription_of(view))).json for view in views]

    for headers in ({}, bearer(other["token"]), api.editor):
        reply = await api.call("GET", f"/v1/subscriptions/{mine['id']}/export", headers=headers)
        assert reply.status == 404
        assert "Content-Disposition" not in reply.headers
