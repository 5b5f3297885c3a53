"""The requests of a load on the readers' API, as they go over the wire."""

import base64
import itertools
import json
import random
import secrets
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_FIRST_ADDRESS = int(IPv4Address("10.0.0.0"))
TOPICS = ("world", "politics", "business", "sport", "culture")


def request(method: str, path: str, body: Any, *headers: str, text: bool = False) -> bytes:
    packed = json.dumps(body, separators=(",", ":")).encode()
    kind = "text/plain;charset=UTF-8" if text else "application/json"
    lines = [f"{method} {path} HTTP/1.1", "Host: news.example", f"Content-Type: {kind}", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(packed)}", "", ""]).encode() + packed


def address(number: int) -> str:
    """Each reader's own, as a trusted proxy tells it: all of them count under SUBSCRIBE_RATE."""
    return str(IPv4Address(_FIRST_ADDRESS + number))


def registration(topics: Sequence[str]) -> dict[str, Any]:
    """A browser with a real key pair of its own."""
    point = generate_private_key(SECP256R1()).public_key()
    keys = {
        "p256dh": _text(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)),
        "auth": _text(secrets.token_bytes(16)),
    }
    endpoint = f"https://fcm.googleapis.com/fcm/send/{secrets.token_urlsafe(114)}"  # as long as FCM's own
    subscription = {"endpoint": endpoint, "expirationTime": None, "keys": keys}
    return {"subscription": subscription, "preferences": {"topics": list(topics)}}


def registrations(chance: random.Random | None = None) -> Iterator[bytes]:
    chance = chance or random.Random(2)
    for number in itertools.count():
        topics = chance.sample(TOPICS, chance.randint(1, 3))
        yield request("POST", "/v1/subscriptions", registration(topics), f"X-Forwarded-For: {address(number)}")


def changes(readers: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """Each is a real change: the topics turn with each round through the readers."""
    for turn in itertools.count():
        topics = [TOPICS[1 + turn % 4]]
        for reader in readers:
            path = f"/v1/subscriptions/{reader['id']}/preferences"
            yield request("PATCH", path, {"topics": topics}, f"Authorization: Bearer {reader['token']}")


def receipts(alert: str, readers: Sequence[dict[str, Any]] = ()) -> Iterator[bytes]:
    """As beacons; of readers, where there are any, each event once in a round."""
    for event in itertools.cycle(("shown", "clicked", "closed")):
        told = {"alert": alert, "event": event}
        named = [{**told, "subscription": reader["id"], "token": reader["token"]} for reader in readers]
        for body in named or [told]:
            yield request("POST", "/v1/receipts", body, text=True)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
