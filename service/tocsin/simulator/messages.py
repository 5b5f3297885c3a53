"""Messages: accepted by a push service, waiting for a browser, received by it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.simulator.payload import Payload


@dataclass(frozen=True, slots=True)
class Message:
    """One accepted push; times in seconds since 1970, `ttl` in seconds."""

    id: str
    accepted_at: float
    ttl: int
    urgency: str | None
    topic: str | None
    payload: Payload
    body: bytes  # kept only for real browsers, which decrypt by themselves; else empty

    def has_expired(self, now: float) -> bool:
        return now >= self.accepted_at + self.ttl


@dataclass(frozen=True, slots=True)
class Reception:
    """A message that reached the browser, and when."""

    message: Message
    at: float


class Storage:
    """Messages that wait for a browser: `Topic` replaces (RFC 8030 §5.4), `TTL` ends (§5.2)."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[Message] = []

    def put(self, message: Message) -> None:
        if message.topic is not None:
            self._waiting = [other for other in self._waiting if other.topic != message.topic]
        self._waiting.append(message)

    def current(self, now: float) -> tuple[Message, ...]:
        """What still waits, in the order of arrival."""
        self._waiting = [message for message in self._waiting if not message.has_expired(now)]
        return tuple(self._waiting)


class Receptions:
    """Who received which alert how often, over all browsers: alert id → browser id → count."""

    def __init__(self) -> None:
        self._by_alert: dict[str, Counter[str]] = {}

    def add(self, alert: str, browser_id: str) -> None:
        self._by_alert.setdefault(alert, Counter())[browser_id] += 1

    def of(self, alert: str) -> Mapping[str, int]:
        return self._by_alert.get(alert, {})

    def clear(self) -> None:
        self._by_alert.clear()
