"""Firefox's protocol, spoken by a WebSocket client."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from simulator_sender import Sender, payload
from tocsin.simulator.client import SimulatorClient, SimulatorError
from tocsin.simulator.encoding import decode
from tocsin.simulator.models import BrowserView, Keys
from tocsin.simulator.server import Simulator


class Firefox:
    """The browser's side of one connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        await self.socket.send_json(message)

    async def hear(self) -> dict[str, Any]:
        heard: dict[str, Any] = await self.socket.receive_json(timeout=5)
        return heard

    async def hello(self, uaid: str | None = None) -> str:
        known = {"uaid": uaid} if uaid else {}
        await self.say(messageType="hello", broadcasts={"remote-settings": "v1"}, use_webpush=True, **known)
        answer = await self.hear()
        assert (answer["messageType"], answer["status"], answer["use_webpush"]) == ("hello", 200, True)
        return str(answer["uaid"])

    async def register(self, key: str | None) -> tuple[str, str]:
        """A new channel and its endpoint."""
        channel = str(uuid.uuid4())
        await self.say(messageType="register", channelID=channel, key=key)
        answer = await self.hear()
        assert (answer["messageType"], answer["channelID"], answer["status"]) == ("register", channel, 200)
        return channel, str(answer["pushEndpoint"])

    async def acknowledge(self, notification: dict[str, Any]) -> None:
        update = {"channelID": notification["channelID"], "version": notification["version"], "code": 100}
        await self.say(messageType="ack", updates=[update])

    async def ping(self) -> None:
        """A round trip: what was said before has been taken."""
        await self.socket.send_str("{}")
        assert await self.hear() == {}


@pytest_asyncio.fixture(loop_scope="session")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def connect(session: aiohttp.ClientSession, simulator: Simulator, **headers: str) -> Firefox:
    return Firefox(await session.ws_connect(simulator.autopush_url, protocols=("push-notification",), headers=headers))


async def subscription(client: SimulatorClient, sender: Sender, endpoint: str) -> BrowserView:
    """The view of Firefox's subscription, with keys that Firefox would have told the page."""
    [stranger] = await client.create_browsers(1, "mozilla", sender.key)
    [view] = [browser for browser in await client.browsers() if browser.subscription.endpoint == endpoint]
    assert view.subscription.keys is None
    keys: Keys | None = stranger.subscription.keys
    return view.model_copy(update={"subscription": view.subscription.model_copy(update={"keys": keys})})


async def test_register_notification_ack(
    simulator: Simulator, client: SimulatorClient, sender: Sender, session: aiohttp.ClientSession
) -> None:
    firefox = await connect(session, simulator)
    await firefox.hello()
    channel, endpoint = await firefox.register(sender.key + "=")
    assert endpoint.startswith("https://updates.push.services.mozilla.com/wpush/v2/")
    browser = await subscription(client, sender, endpoint)
    body = sender.encrypt(browser, payload())
    assert (await sender.push(browser, body=body)).status == 201
    notification = await firefox.hear()
    assert (notification["messageType"], notification["channelID"]) == ("notification", channel)
    assert decode(notification["data"]) == body
    assert notification["headers"] == {"encoding": "aes128gcm"}
    assert (await client.browser(browser.id)).received == 0
    await firefox.acknowledge(notification)
    await firefox.ping()
    detail = await client.browser(browser.id)
    assert (detail.received, detail.messages[0].problem) == (1, "encrypted for a real browser")
    [line] = await client.log()
    assert (line.browser, line.status, line.alert) == (browser.id, 201, None)
    await firefox.socket.close()


async def test_key_is_bound(
    simulator: Simulator, client: SimulatorClient, sender: Sender, session: aiohttp.ClientSession
) -> None:
    firefox = await connect(session, simulator)
    await firefox.hello()
    browser = await subscription(client, sender, (await firefox.register(sender.key))[1])
    other = Sender(sender.ca_file, sender.connect_to)
    assert (await other.push(browser)).status == 401
    open_to_all = await subscription(client, sender, (await firefox.register(None))[1])
    assert (await other.push(open_to_all)).status == 201
    await firefox.socket.close()


async def test_messages_wait_until_acknowledged(
    simulator: Simulator, client: SimulatorClient, sender: Sender, session: aiohttp.ClientSession
) -> None:
    firefox = await connect(session, simulator)
    uaid = await firefox.hello()
    _, endpoint = await firefox.register(sender.key)
    browser = await subscription(client, sender, endpoint)
    await sender.push(browser)
    first = await firefox.hear()
    await firefox.socket.close()  # without ack

    firefox = await connect(session, simulator)
    assert await firefox.hello(uaid) == uaid
    again = await firefox.hear()
    assert again["version"] == first["version"]
    await firefox.acknowledge(again)
    await firefox.ping()
    await firefox.socket.close()
    while (await client.browser(browser.id)).online:
        pass
    for text in (b"old", b"new"):
        assert (await sender.push(browser, text, headers={"Topic": "t"})).status == 201
    assert (await sender.push(browser, b"now or never", headers={"TTL": "0"})).status == 201

    firefox = await connect(session, simulator)
    await firefox.hello(uaid)
    waited = await firefox.hear()
    await firefox.say(messageType="nack", code=301, version=waited["version"])
    await firefox.ping()  # nothing else waited
    assert (await client.browser(browser.id)).received == 1
    await firefox.socket.close()


async def test_newer_connection_takes_over(
    simulator: Simulator, client: SimulatorClient, sender: Sender, session: aiohttp.ClientSession
) -> None:
    older = await connect(session, simulator)
    uaid = await older.hello()
    _, endpoint = await older.register(sender.key)
    browser = await subscription(client, sender, endpoint)
    newer = await connect(session, simulator)
    hello = newer.hello(uaid)
    [_, closed] = [await hello, await older.socket.receive(timeout=5)]
    assert closed.type is aiohttp.WSMsgType.CLOSE
    await sender.push(browser)
    assert (await newer.hear())["messageType"] == "notification"
    await newer.socket.close()


async def test_unregister(
    simulator: Simulator, client: SimulatorClient, sender: Sender, session: aiohttp.ClientSession
) -> None:
    firefox = await connect(session, simulator)
    await firefox.hello()
    channel, endpoint = await firefox.register(sender.key)
    browser = await subscription(client, sender, endpoint)
    await firefox.say(messageType="unregister", channelID=channel, code=200)
    assert await firefox.hear() == {"messageType": "unregister", "channelID": channel, "status": 200}
    assert (await sender.push(browser)).status == 410
    await firefox.socket.close()


async def test_other_frames(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    firefox = await connect(session, simulator)
    await firefox.hello(uaid="unknown")
    await firefox.say(messageType="broadcast_subscribe", broadcasts={"a": "b"})
    await firefox.say(messageType="ping")
    assert await firefox.hear() == {}
    await firefox.socket.close()


@pytest.mark.parametrize("frame", ["[]", "rubbish", '{"messageType": "sing"}', '{"messageType": "register"}'])
async def test_broken_frames_end_the_connection(
    frame: str, simulator: Simulator, session: aiohttp.ClientSession
) -> None:
    firefox = await connect(session, simulator)
    await firefox.hello()
    await firefox.socket.send_str(frame)
    assert (await firefox.socket.receive(timeout=5)).data == aiohttp.WSCloseCode.POLICY_VIOLATION


async def test_hello_comes_first(simulator: Simulator, session: aiohttp.ClientSession) -> None:
    firefox = await connect(session, simulator)
    await firefox.say(messageType="register", channelID="a")
    assert (await firefox.socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}])
async def test_pages_are_refused(headers: dict[str, str], simulator: Simulator, session: aiohttp.ClientSession) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        await connect(session, simulator, **headers)


async def test_real_browser_is_online_by_itself(
    simulator: Simulator, client: SimulatorClient, sender: Sender, session: aiohttp.ClientSession
) -> None:
    firefox = await connect(session, simulator)
    await firefox.hello()
    browser = await subscription(client, sender, (await firefox.register(sender.key))[1])
    with pytest.raises(SimulatorError, match="online"):
        await client.change_browser(browser.id, online=False)
    await firefox.socket.close()
