"""What the tests of the domain and of the store make their cases from."""

import base64
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tocsin.domain.alerts import Alert, AlertDraft
from tocsin.domain.endpoints import parse_endpoint
from tocsin.domain.subscriptions import Subscription

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POINT = derive_private_key(7, SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
DRAFT: dict[str, Any] = {
    "headline": "Aid convoy reaches Aleppo",
    "body": "The first in three weeks.",
    "url": "https://news.example.com/aleppo",
    "topics": ["world"],
    "level": "breaking",
}


def a_draft(**changes: Any) -> AlertDraft:
    return AlertDraft.model_validate({**DRAFT, **changes})


def an_alert(author: str = "desk", now: datetime = NOW, **changes: Any) -> Alert:
    return Alert.take(a_draft(**changes), author, now)


def a_subscription(name: str, host: str = "fcm.googleapis.com", auth: bytes = bytes(16)) -> Subscription:
    url = f"https://{host}/send/{name}"
    return Subscription(parse_endpoint(url, [host]), POINT, auth)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
