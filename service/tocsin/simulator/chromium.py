"""Real Chromiums: their subscriptions, and the connections over which messages leave for them."""

import asyncio
import time
from dataclasses import dataclass

from tocsin.simulator import mcs
from tocsin.simulator.messages import Message, Receptions
from tocsin.simulator.real_browser import RealBrowser
from tocsin.simulator.services import HOSTS, PushServiceName

SEND_PATH = "/fcm/send/"
# Chromium builds that are not Google's subscribe at the second host of FCM; the app's name tells them.
OWN_BUILD = "org.chromium."


@dataclass(frozen=True, slots=True)
class Registration:
    """What a Chromium registers: `subtype` names the page's worker, `sender` is the application server's key."""

    app: str
    subtype: str
    sender: str

    @property
    def host(self) -> str:
        google, own_build = HOSTS[PushServiceName.FCM]
        return own_build if self.app.startswith(OWN_BUILD) else google


class Link:
    """The open MCS connection of one Chromium. Frames are counted: it acknowledges by their numbers."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._count = 0
        self._messages: dict[int, tuple[ChromiumBrowser, str]] = {}

    def send(self, frame: bytes) -> None:
        self._count += 1
        self._writer.write(frame)

    def send_message(self, frame: bytes, browser: "ChromiumBrowser", message_id: str) -> None:
        self.send(frame)
        self._messages[self._count] = browser, message_id

    def acknowledge(self, last: int, now: float, receptions: Receptions) -> None:
        """All frames up to this number have come."""
        for count in [count for count in self._messages if count <= last]:
            browser, message_id = self._messages.pop(count)
            browser.acknowledge(message_id, now, receptions)

    def close(self) -> None:
        self._writer.close()


class ChromiumBrowser(RealBrowser[Link]):
    """One subscription of a real Chromium."""

    __slots__ = ("registration",)

    def __init__(self, browser_id: str, registration: Registration) -> None:
        super().__init__(browser_id, PushServiceName.FCM, registration.sender, registration.host)
        self.registration = registration

    @property
    def token(self) -> str:
        """What Chromium makes the endpoint from."""
        return self.path.removeprefix(SEND_PATH)

    def _send(self, link: Link, message: Message) -> None:
        encoding = {"content-encoding": "aes128gcm"} if message.body else {}
        frame = mcs.data_message(
            message_id=message.id,
            sender=self.registration.sender,
            app=self.registration.app,
            app_data={"subtype": self.registration.subtype, **encoding},
            ttl=message.ttl,
            body=message.body,
        )
        link.send_message(frame, self, message.id)


class Device:
    """One Chromium, by the number that its check-in gave it: its subscriptions, and its connection."""

    def __init__(self, number: int, token: int) -> None:
        self.number, self.token = number, token
        self.link: Link | None = None
        self.browsers: dict[Registration, ChromiumBrowser] = {}

    def connect(self, link: Link, received: tuple[str, ...], receptions: Receptions) -> None:
        """Take over the connection; an older one of the same Chromium is closed."""
        older, self.link = self.link, link
        if older is not None:
            older.close()
        now = time.time()
        for browser in self.browsers.values():
            for message_id in received:
                browser.acknowledge(message_id, now, receptions)
            browser.disconnect()
            browser.connect(link, now)

    def disconnect(self, link: Link) -> None:
        if self.link is link:
            self.link = None
            for browser in self.browsers.values():
                browser.disconnect()

    def remove(self, subtype: str) -> None:
        """The page unsubscribed."""
        for registration in [known for known in self.browsers if known.subtype == subtype]:
            browser = self.browsers.pop(registration)
            browser.unsubscribed = True
            browser.disconnect()
