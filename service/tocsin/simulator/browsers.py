"""Simulated browsers: each has keys of its own, gets messages, and may be offline or unsubscribed."""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import lru_cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tocsin.simulator.encoding import encode
from tocsin.simulator.messages import Message, Reception, Receptions, Storage
from tocsin.simulator.payload import Payload, Payloads
from tocsin.simulator.services import HOSTS, PushServiceName, new_path

# Counts stay exact beyond this; only the oldest messages are forgotten.
MESSAGES_KEPT = 100
# Loading a key takes 16 µs, a twentieth of a request; this many take 22 MB.
KEYS_LOADED = 10_000
# A hundred thousand key pairs take seconds: the push services go on answering in between.
CREATED_AT_ONCE = 250


class Browser(ABC):
    """One subscription: an endpoint, the application server's key, and what became of its messages."""

    __slots__ = (
        "application_server_key",
        "host",
        "id",
        "messages",
        "online",
        "path",
        "push_service",
        "received",
        "requests",
        "unsubscribed",
        "waiting",
    )

    def __init__(
        self, browser_id: str, push_service: PushServiceName, application_server_key: str, host: str | None = None
    ) -> None:
        self.id = browser_id
        self.push_service = push_service
        self.host = host or HOSTS[push_service][0]
        self.path = new_path(push_service)
        self.application_server_key = application_server_key
        self.online = True
        self.unsubscribed = False
        self.requests = 0  # pushes that reached its endpoint, whatever was answered
        self.received = 0
        self.messages: list[Reception] = []
        self.waiting: Storage | None = None  # made when first needed: most browsers are never offline

    # Whether messages keep their encrypted bytes: a real browser decrypts by itself.
    needs_body = False

    @property
    def endpoint(self) -> str:
        return f"https://{self.host}{self.path}"

    @property
    @abstractmethod
    def keys(self) -> Mapping[str, str] | None:
        """p256dh and auth (base64url); None for a real browser, which keeps them to itself."""

    @abstractmethod
    def read(self, body: bytes, payloads: Payloads) -> Payload:
        """What the body says, as far as the simulator can know."""

    @abstractmethod
    def accept(self, message: Message, receptions: Receptions) -> None:
        """Take a message that the push service accepted."""

    def store(self, message: Message) -> None:
        if message.ttl == 0:
            return  # RFC 8030 §5.2: now or never
        if self.waiting is None:
            self.waiting = Storage()
        self.waiting.put(message)

    def take_waiting(self, now: float) -> tuple[Message, ...]:
        waiting = self.waiting.current(now) if self.waiting is not None else ()
        self.waiting = None
        return waiting

    def receive(self, message: Message, now: float, receptions: Receptions) -> None:
        self.received += 1
        if len(self.messages) >= MESSAGES_KEPT:
            del self.messages[0]
        self.messages.append(Reception(message, now))
        if message.payload.alert is not None:
            receptions.add(message.payload.alert, self.id)


class SimulatedBrowser(Browser):
    """A browser that exists only here: the simulator holds its keys and reads its messages."""

    __slots__ = ("_private_key", "_public_key", "auth")

    def __init__(
        self, browser_id: str, push_service: PushServiceName, application_server_key: str, host: str | None = None
    ) -> None:
        super().__init__(browser_id, push_service, application_server_key, host)
        key = ec.generate_private_key(ec.SECP256R1())
        # DER, not the key object: 138 bytes against 2.2 kB.
        self._private_key = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._public_key = key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.auth = os.urandom(16)

    @property
    def keys(self) -> Mapping[str, str]:
        return {"p256dh": encode(self._public_key), "auth": encode(self.auth)}

    def private_key(self) -> ec.EllipticCurvePrivateKey:
        return _load_key(self._private_key)

    def read(self, body: bytes, payloads: Payloads) -> Payload:
        return payloads.open(body, self.private_key, self.auth)

    def accept(self, message: Message, receptions: Receptions) -> None:
        if self.online:
            self.receive(message, message.accepted_at, receptions)
        else:
            self.store(message)

    def go_offline(self) -> None:
        self.online = False

    def come_online(self, now: float, receptions: Receptions) -> None:
        """Receive what waited and has not expired."""
        self.online = True
        for message in self.take_waiting(now):
            self.receive(message, now, receptions)


@lru_cache(maxsize=KEYS_LOADED)
def _load_key(der: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_der_private_key(der, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - written by SimulatedBrowser
    return key


class Browsers:
    """All browsers, by id and by endpoint."""

    def __init__(self) -> None:
        self._by_id: dict[str, Browser] = {}
        self._by_endpoint: dict[tuple[str, str], Browser] = {}
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Browser]:
        return iter(self._by_id.values())

    def get(self, browser_id: str) -> Browser | None:
        return self._by_id.get(browser_id)

    def at(self, host: str, path: str) -> Browser | None:
        return self._by_endpoint.get((host, path))

    def new_id(self, push_service: PushServiceName) -> str:
        self._numbers += 1
        return f"{push_service}-{self._numbers}"

    def add(self, browser: Browser) -> None:
        self._by_id[browser.id] = browser
        self._by_endpoint[browser.host, browser.path] = browser

    def clear(self) -> None:
        self._by_id.clear()
        self._by_endpoint.clear()

    async def create(
        self, counts: Mapping[PushServiceName, int], application_server_key: str, host: str | None = None
    ) -> list[Browser]:
        """New simulated browsers, so many at each push service."""
        created: list[Browser] = []
        for push_service, count in counts.items():
            for _ in range(count):
                browser = SimulatedBrowser(self.new_id(push_service), push_service, application_server_key, host)
                self.add(browser)
                created.append(browser)
                if len(created) % CREATED_AT_ONCE == 0:
                    await asyncio.sleep(0)
        return created


def apportion(count: int, shares: Mapping[PushServiceName, float]) -> dict[PushServiceName, int]:
    """`count` divided as `shares` say (any scale), by largest remainder, so that the sum is exact."""
    whole = sum(shares.values())
    exact = {name: count * share / whole for name, share in shares.items()}
    counts = {name: int(part) for name, part in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: count - sum(counts.values())]:
        counts[name] += 1
    return counts
