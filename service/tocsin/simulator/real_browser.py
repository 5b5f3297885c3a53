"""What real browsers have in common: they decrypt by themselves, and have received what they acknowledged."""

from abc import abstractmethod
from typing import Generic, TypeVar

from tocsin.simulator.browsers import Browser
from tocsin.simulator.messages import Message, Receptions
from tocsin.simulator.payload import EMPTY, Payload, Payloads
from tocsin.simulator.services import PushServiceName

REAL_BROWSER = Payload(None, "encrypted for a real browser")

LinkT = TypeVar("LinkT")


class RealBrowser(Browser, Generic[LinkT]):
    """One subscription of a real browser; `LinkT` is the connection over which its messages leave."""

    __slots__ = ("_link", "_unacknowledged")

    needs_body = True

    def __init__(
        self, browser_id: str, push_service: PushServiceName, application_server_key: str, host: str | None = None
    ) -> None:
        super().__init__(browser_id, push_service, application_server_key, host)
        self.online = False
        self._link: LinkT | None = None
        self._unacknowledged: dict[str, Message] = {}

    @abstractmethod
    def _send(self, link: LinkT, message: Message) -> None:
        """Write the message in the words of the browser's protocol."""

    @property
    def keys(self) -> None:
        return None

    def read(self, body: bytes, payloads: Payloads) -> Payload:
        return REAL_BROWSER if body else EMPTY

    def accept(self, message: Message, receptions: Receptions) -> None:
        if self._link is None:
            self.store(message)
        else:
            self._hand_over(self._link, message)

    def connect(self, link: LinkT, now: float) -> None:
        self._link, self.online = link, True
        for message in self.take_waiting(now):
            self._hand_over(link, message)

    def disconnect(self) -> None:
        """What was sent and not acknowledged waits for the next connection."""
        self._link, self.online = None, False
        for message in self._unacknowledged.values():
            self.store(message)
        self._unacknowledged.clear()

    def acknowledge(self, message_id: str, now: float, receptions: Receptions) -> None:
        message = self._unacknowledged.pop(message_id, None)
        if message is not None:
            self.receive(message, now, receptions)

    def refuse(self, message_id: str) -> None:
        """The browser could not use the message: it is not sent again."""
        self._unacknowledged.pop(message_id, None)

    def _hand_over(self, link: LinkT, message: Message) -> None:
        self._unacknowledged[message.id] = message
        self._send(link, message)
