"""Real Firefoxes: their subscriptions, and the connections over which messages leave for them."""

import asyncio
import time
from collections.abc import Mapping

from aiohttp import WSCloseCode, web

from tocsin.simulator.browsers import Browser
from tocsin.simulator.encoding import encode
from tocsin.simulator.messages import Message, Receptions
from tocsin.simulator.payload import EMPTY, Payload, Payloads
from tocsin.simulator.services import PushServiceName

REAL_BROWSER = Payload(None, "encrypted for a real browser")


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


class FirefoxBrowser(Browser):
    """One subscription of a real Firefox; it has received what it has acknowledged."""

    __slots__ = ("_link", "_unacknowledged", "channel")

    needs_body = True

    def __init__(self, browser_id: str, channel: str, application_server_key: str) -> None:
        super().__init__(browser_id, PushServiceName.MOZILLA, application_server_key)
        self.channel = channel
        self.online = False
        self._link: Link | None = None
        self._unacknowledged: dict[str, Message] = {}

    @property
    def keys(self) -> None:
        return None

    def read(self, body: bytes, payloads: Payloads) -> Payload:
        return REAL_BROWSER if body else EMPTY

    def accept(self, message: Message, receptions: Receptions) -> None:
        if self._link is None:
            self.store(message)
        else:
            self._send(self._link, message)

    def connect(self, link: Link, now: float) -> None:
        self._link, self.online = link, True
        for message in self.take_waiting(now):
            self._send(link, message)

    def disconnect(self) -> None:
        """What was sent and not acknowledged waits for the next connection."""
        self._link, self.online = None, False
        for message in self._unacknowledged.values():
            self.store(message)
        self._unacknowledged.clear()

    def acknowledge(self, version: str, now: float, receptions: Receptions) -> None:
        message = self._unacknowledged.pop(version, None)
        if message is not None:
            self.receive(message, now, receptions)

    def refuse(self, version: str) -> None:
        """Firefox could not use the message: it is not sent again."""
        self._unacknowledged.pop(version, None)

    def _send(self, link: Link, message: Message) -> None:
        self._unacknowledged[message.id] = message
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
