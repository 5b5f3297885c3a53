"""Simulated browsers: their endpoints, what they receive, and what waits for them."""

import re

import pytest

from simulator_sender import Sender, payload
from tocsin.simulator.browsers import apportion
from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.messages import Message, Storage
from tocsin.simulator.payload import EMPTY
from tocsin.simulator.services import PushServiceName

SHAPES = {
    "fcm": r"https://fcm\.googleapis\.com/fcm/send/[\w-]{22}:APA91b[\w-]{134}",
    "mozilla": r"https://updates\.push\.services\.mozilla\.com/wpush/v2/gAAAAA[\w-]{170}",
    "apple": r"https://web\.push\.apple\.com/Q[\w-]{171}",
    "wns": r"https://wns2-par02p\.notify\.windows\.com/w/\?token=BQYAAAC[\w%]{170,}%3d",
}


def message(name: str, *, at: float = 0, ttl: int = 60, topic: str | None = None) -> Message:
    return Message(name, at, ttl, None, topic, EMPTY, b"")


def waiting(storage: Storage, now: float) -> list[str]:
    return [message.id for message in storage.current(now)]


def test_topic_replaces_only_what_waits_under_the_same_topic() -> None:
    storage = Storage()
    for name, topic in [("a", "one"), ("b", None), ("c", "two"), ("d", None), ("e", "one")]:
        storage.put(message(name, topic=topic))
    assert waiting(storage, 1) == ["b", "c", "d", "e"]


def test_ttl_ends_the_waiting() -> None:
    storage = Storage()
    storage.put(message("short", ttl=10))
    storage.put(message("long", ttl=20))
    assert waiting(storage, 9.9) == ["short", "long"]
    assert waiting(storage, 10) == ["long"]
    assert waiting(storage, 20) == []


def test_shares_add_up() -> None:
    shares = {PushServiceName.FCM: 0.6, PushServiceName.APPLE: 0.3, PushServiceName.WNS: 0.1}
    assert list(apportion(10, shares).values()) == [6, 3, 1]
    assert sum(apportion(101, shares).values()) == 101
    assert list(apportion(2, dict.fromkeys(shares, 5.0)).values()) == [1, 1, 0]


@pytest.mark.parametrize("push_service", SHAPES)
async def test_endpoints_look_like_real_ones(push_service: str, client: SimulatorClient, sender: Sender) -> None:
    browsers = await client.create_browsers(20, push_service, sender.key)
    endpoints = {browser.subscription.endpoint for browser in browsers}
    assert len(endpoints) == 20
    assert all(re.fullmatch(SHAPES[push_service], endpoint) for endpoint in endpoints)


async def test_message_is_received_as_it_was_sent(client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, "apple", sender.key)
    await sender.push(browser, payload("al_2", "Flood"), headers={"TTL": "30", "Urgency": "high", "Topic": "abcd"})
    detail = await client.browser(browser.id)
    assert (detail.requests, detail.received) == (1, 1)
    [received] = detail.messages
    assert (received.ttl, received.urgency, received.topic, received.alert) == (30, "high", "abcd", "al_2")
    assert received.payload["notification"]["title"] == "Flood"
    assert received.accepted_at == received.received_at


async def test_message_for_other_keys_is_accepted_and_noted(client: SimulatorClient, sender: Sender) -> None:
    one, other = await client.create_browsers(2, "fcm", sender.key)
    assert (await sender.push(one, body=sender.encrypt(other, payload()))).status == 201
    [received] = (await client.browser(one.id)).messages
    assert (received.text, received.problem) == (None, "encrypted for other keys, or damaged")
    [line] = await client.log()
    assert line.reason == received.problem


async def test_offline_browser_gets_what_waited(client: SimulatorClient, sender: Sender) -> None:
    [browser] = await client.create_browsers(1, "mozilla", sender.key)
    await client.change_browser(browser.id, online=False)
    for title, headers in [("old", {"Topic": "t"}), ("now or never", {"TTL": "0"}), ("new", {"Topic": "t"})]:
        assert (await sender.push(browser, payload("al_3", title), headers=headers)).status == 201
    assert (await client.browser(browser.id)).received == 0
    assert await client.received("al_3") == {}
    await client.change_browser(browser.id, online=True)
    detail = await client.browser(browser.id)
    assert (detail.requests, detail.received) == (3, 1)
    assert detail.messages[0].payload["notification"]["title"] == "new"
    assert await client.received("al_3") == {browser.id: 1}
    await sender.push(browser, payload("al_3"), headers={"Topic": "t"})
    assert await client.received("al_3") == {browser.id: 2}
