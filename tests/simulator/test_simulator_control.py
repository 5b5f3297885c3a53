"""The control interface: what it tells, what it refuses, and who may use it."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from simulator_sender import Sender, payload
from tocsin.simulator.client import SimulatorClient, SimulatorError
from tocsin.simulator.server import Simulator
from tocsin.simulator.services import PushServiceName


async def call(simulator: Simulator, method: str, path: str, **options: Any) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, simulator.control_url + path, **options) as response,
    ):
        return response.status, json.loads(await response.text() or "null")


async def test_livez(simulator: Simulator) -> None:
    assert await call(simulator, "GET", "/livez") == (200, {"status": "ok"})


async def test_browsers_are_made_in_shares(client: SimulatorClient, sender: Sender) -> None:
    browsers = await client.create_browsers(600, {"fcm": 0.5, "apple": 0.5}, sender.key)
    assert [browser.push_service for browser in browsers].count(PushServiceName.APPLE) == 300
    assert len({browser.id for browser in browsers}) == 600
    assert await client.browsers() == browsers
    await client.delete_browsers()
    assert (await client.summary()).browsers == 0


async def test_subscription_is_what_a_page_would_send(
    simulator: Simulator, client: SimulatorClient, sender: Sender
) -> None:
    body = {"count": 1, "push_services": "wns", "application_server_key": sender.key}
    status, [browser] = await call(simulator, "POST", "/browsers", json=body)
    assert status == 201
    assert list(browser["subscription"]) == ["endpoint", "expirationTime", "keys"]
    assert [len(value) for value in browser["subscription"]["keys"].values()] == [87, 22]
    assert (await client.browser(browser["id"])).messages == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"count": 0}, "count"),
        ({"push_services": "yahoo"}, "push_services"),
        ({"application_server_key": "AAAA"}, "application_server_key"),
        ({"application_server_key": "!"}, "application_server_key"),
        ({"host": "evil.example"}, "host"),
        ({"push_services": {"fcm": 0}}, "push_services"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_errors_name_the_field(change: dict[str, Any], field: str, simulator: Simulator, sender: Sender) -> None:
    body = {"count": 1, "push_services": "fcm", "application_server_key": sender.key} | change
    status, problem = await call(simulator, "POST", "/browsers", json=body)
    assert (status, problem["code"]) == (422, "invalid")
    assert field in problem["detail"]


async def test_only_json_is_read(simulator: Simulator) -> None:
    for options in ({"data": "{}"}, {"data": {"count": "1"}}):
        status, problem = await call(simulator, "POST", "/browsers", **options)
        assert (status, problem["code"]) == (415, "unsupported_media_type")
    headers = {"Content-Type": "application/json"}
    status, problem = await call(simulator, "POST", "/browsers", data="{", headers=headers)
    assert (status, problem["errors"][0]["field"]) == (422, "body")


async def test_other_host_names_are_refused(simulator: Simulator) -> None:
    port = simulator.control_url.rpartition(":")[2]
    for host, status in [("evil.example", 403), ("127.0.0.1.evil.example", 403), (f"localhost:{port}", 200)]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{simulator.control_url}/livez", headers={"Host": host}) as response,
        ):
            assert response.status == status


async def test_unknown_things(simulator: Simulator, client: SimulatorClient) -> None:
    with pytest.raises(SimulatorError, match="no such browser") as caught:
        await client.browser("fcm-0")
    assert caught.value.status == 404
    assert (await call(simulator, "GET", "/nothing"))[0] == 404
    assert (await call(simulator, "GET", "/received"))[0] == 422
    assert (await call(simulator, "GET", "/log?limit=many"))[0] == 422


async def test_log_and_summary(client: SimulatorClient, sender: Sender) -> None:
    one, other = await client.create_browsers(2, "fcm", sender.key)
    await sender.push(one, payload("al_1"), headers={"Topic": "first"})
    await sender.push(one, headers={"TTL": None})
    await sender.push(other, payload("al_2"))
    lines = await client.log()
    assert [(line.browser, line.status, line.alert, line.topic, line.reason) for line in lines] == [
        (one.id, 201, "al_1", "first", None),
        (one.id, 400, None, None, "ttl"),
        (other.id, 201, "al_2", None, None),
    ]
    assert await client.log(browser=one.id, status=400) == [lines[1]]
    assert await client.log(alert="al_2", push_service="fcm") == [lines[2]]
    assert await client.log(limit=1) == [lines[2]]
    assert await client.log(push_service="apple") == []
    summary = await client.summary()
    assert (summary.requests, summary.statuses, summary.browsers) == (3, {"201": 2, "400": 1}, 2)
    assert summary.push_services[PushServiceName.FCM].requests == 3
    assert (summary.first_at, summary.last_at) == (lines[0].at, lines[2].at)
    await client.clear_log()
    assert await client.log() == []
    assert (await client.summary()).requests == 0
    assert await client.received("al_1") == {}
    assert (await client.browser(one.id)).received == 1


async def test_received_counts_every_browser(client: SimulatorClient, sender: Sender) -> None:
    browsers = await client.create_browsers(12, dict.fromkeys(PushServiceName, 1.0), sender.key)
    await asyncio.gather(*(sender.push(browser, payload("al_9")) for browser in [*browsers, browsers[0]]))
    expected = dict.fromkeys((browser.id for browser in browsers), 1) | {browsers[0].id: 2}
    assert await client.received("al_9") == expected
