"""Chromium's protocol, spoken by a client of these tests over TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from simulator_sender import Sender
from tocsin.simulator import mcs, protobuf
from tocsin.simulator.client import SimulatorClient
from tocsin.simulator.models import BrowserView
from tocsin.simulator.protobuf import Fields, data, first_number, first_text
from tocsin.simulator.server import Simulator


class Chromium:
    """The browser's side: checked in, perhaps connected."""

    def __init__(self, simulator: Simulator, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._urls = dict(switch.split("=", 1) for switch in simulator.chromium_switches)
        self._context = ssl.create_default_context(cafile=str(simulator.ca_file))
        self.device, self.token = 0, 0

    async def check_in(self, **headers: str) -> int:
        async with self._session.post(self._urls["--gcm-checkin-url"], data=b"", headers=headers) as response:
            answer = protobuf.parse(await response.read()) if response.ok else {}
            self.device, self.token = first_number(answer, 7), first_number(answer, 8)
            return response.status

    async def register(self, sender: str, **more: str) -> tuple[int, str]:
        form = {"app": "com.chrome.linux", "X-subtype": "wp:https://news.example/#1", "sender": sender, **more}
        headers = {"Authorization": f"AidLogin {self.device}:{self.token}"}
        async with self._session.post(self._urls["--gcm-registration-url"], data=form, headers=headers) as response:
            return response.status, (await response.text()).removeprefix("token=")

    async def connect(self, *, received: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        place = urlsplit(self._urls["--gcm-mcs-endpoint"])
        reader, writer = await asyncio.open_connection(place.hostname, place.port, ssl=self._context)
        login = data(4, str(self.device)) + data(5, str(self.token)) + (data(10, received) if received else b"")
        writer.write(bytes([mcs.VERSION]) + mcs.frame(mcs.Tag.LOGIN_REQUEST, login))
        return reader, writer


async def hear(reader: asyncio.StreamReader) -> tuple[int, Fields]:
    async with asyncio.timeout(5):
        return await mcs.read_frame(reader)


async def logged_in(reader: asyncio.StreamReader) -> None:
    await mcs.read_version(reader)
    assert (await hear(reader))[0] == mcs.Tag.LOGIN_RESPONSE


@pytest_asyncio.fixture(loop_scope="session")
async def chromium(simulator: Simulator) -> AsyncIterator[Chromium]:
    async with aiohttp.ClientSession() as session:
        opened = Chromium(simulator, session)
        assert await opened.check_in() == 200
        yield opened


async def subscription(client: SimulatorClient, sender: Sender, token: str) -> BrowserView:
    """The view of Chromium's subscription, with keys that Chromium would have told the page."""
    [stranger] = await client.create_browsers(1, "fcm", sender.key)
    [view] = [browser for browser in await client.browsers() if browser.subscription.endpoint.endswith(f"/{token}")]
    assert view.subscription.keys is None
    keys: Any = stranger.subscription.keys
    return view.model_copy(update={"subscription": view.subscription.model_copy(update={"keys": keys})})


async def test_a_message_waits_until_it_is_acknowledged(
    chromium: Chromium, client: SimulatorClient, sender: Sender
) -> None:
    status, token = await chromium.register(sender.key)
    assert (status, await chromium.register(sender.key)) == (200, (200, token))
    browser = await subscription(client, sender, token)
    assert browser.subscription.endpoint == f"https://fcm.googleapis.com/fcm/send/{token}"
    body = sender.encrypt(browser, b"{}")
    assert (await sender.push(browser, body=body)).status == 201

    reader, writer = await chromium.connect()
    await logged_in(reader)
    tag, first = await hear(reader)
    assert (tag, first[21], first_text(first, 5)) == (mcs.Tag.DATA_MESSAGE_STANZA, [body], "com.chrome.linux")
    pairs = [protobuf.parse(pair) for pair in first[7] if isinstance(pair, bytes)]
    app_data = {first_text(pair, 1): first_text(pair, 2) for pair in pairs}
    assert app_data == {"subtype": "wp:https://news.example/#1", "content-encoding": "aes128gcm"}
    writer.close()

    reader, writer = await chromium.connect()
    await logged_in(reader)
    assert first_text((await hear(reader))[1], 9) == first_text(first, 9)
    assert (await client.browser(browser.id)).received == 0
    writer.write(mcs.frame(mcs.Tag.IQ_STANZA, protobuf.number(10, 2)) + mcs.frame(mcs.Tag.HEARTBEAT_PING))
    assert (await hear(reader))[0] == mcs.Tag.HEARTBEAT_ACK
    assert (await client.browser(browser.id)).received == 1
    writer.close()


async def test_what_was_received_before_is_not_sent_again(
    chromium: Chromium, client: SimulatorClient, sender: Sender
) -> None:
    browser = await subscription(client, sender, (await chromium.register(sender.key))[1])
    reader, writer = await chromium.connect()
    await logged_in(reader)
    await sender.push(browser)
    message = first_text((await hear(reader))[1], 9)

    reader, other = await chromium.connect(received=message)
    await logged_in(reader)
    other.write(mcs.frame(mcs.Tag.HEARTBEAT_PING))
    assert (await hear(reader))[0] == mcs.Tag.HEARTBEAT_ACK
    assert (await client.browser(browser.id)).received == 1
    for each in (writer, other):
        each.close()


async def test_who_unsubscribed_is_gone(chromium: Chromium, client: SimulatorClient, sender: Sender) -> None:
    _, token = await chromium.register(sender.key)
    browser = await subscription(client, sender, token)
    await chromium.register("*", delete="true")
    assert (await sender.push(browser)).status == 410
    assert (await chromium.register(sender.key))[1] != token


async def test_pages_and_strangers_are_turned_away(chromium: Chromium, sender: Sender) -> None:
    assert await chromium.check_in(Origin="https://evil.example") == 403
    assert (await chromium.register(sender.key))[0] == 401
    reader, writer = await chromium.connect()
    with pytest.raises(asyncio.IncompleteReadError):
        await mcs.read_version(reader)
    writer.close()


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x29\x02\xff\xff\xff\xff\xff\xff", b"\x29\x02\x02\x0a\x7f"]
)
async def test_garbage_ends_the_connection(chromium: Chromium, garbage: bytes) -> None:
    place = urlsplit(chromium._urls["--gcm-mcs-endpoint"])
    reader, writer = await asyncio.open_connection(place.hostname, place.port, ssl=chromium._context)
    writer.write(garbage)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
