"""Real Firefoxes: their subscriptions, and the connections over which messages leave for them."""

import asyncio
import time
from collections.abc import Mapping

from aiohttp import WSCloseCode, web

from tocsin.simulator.encoding import encode
from tocsin.simulator.messages import Message
from tocsin.simulator.real_browser import RealBrowser
from tocsin.simulator.services import PushServiceName


class Link:
    """The open connection to one Firefox: frames are queued, since pushes come in faster than a socket takes them."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._frames: asyncio.Queue[Mapping[str, object]] = asyncio.Queue()

    def send(self, frame: Mapping[str, object]) -> None:
        self._frames.put_nowait(frame)

    async def write(self) -> None:
        """Write what is queued, until cancelled."""
        while True:
            await self._socket.send_json(await self._frames.get())

    async def close(self) -> None:
        await self._socket.close(code=WSCloseCode.GOING_AWAY)


class FirefoxBrowser(RealBrowser[Link]):
    """One subscription of a real Firefox."""

    __slots__ = ("channel",)

    def __init__(self, browser_id: str, channel: str, application_server_key: str) -> None:
        super().__init__(browser_id, PushServiceName.MOZILLA, application_server_key)
        self.channel = channel

    def _send(self, link: Link, message: Message) -> None:
        frame: dict[str, object] = {
            "messageType": "notification",
            "channelID": self.channel,
            "version": message.id,
            "ttl": message.ttl,
        }
        if message.body:
            frame |= {"data": encode(message.body), "headers": {"encoding": "aes128gcm"}}
        link.send(frame)


class Agent:
    """One Firefox, by the `uaid` that it keeps: its subscriptions by channel, and its connection."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.channels: dict[str, FirefoxBrowser] = {}

    async def connect(self, link: Link) -> None:
        """Take over the connection; an older one of the same Firefox is closed."""
        older, self.link = self.link, link
        if older is not None:
            await older.close()
        now = time.time()
        for browser in self.channels.values():
            browser.disconnect()
            browser.connect(link, now)

    def disconnect(self, link: Link) -> None:
        if self.link is link:
            self.link = None
            for browser in self.channels.values():
                browser.disconnect()

    def refuse(self, version: str) -> None:
        for browser in self.channels.values():
            browser.refuse(version)
