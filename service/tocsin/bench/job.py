"""What a client is told and what it gives back, as JSON: the clients are processes, in three languages."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel, ConfigDict, Field

from tocsin.domain.subscriptions import encode_base64url

SUBJECT = "mailto:ops@newsroom.example"
# What a headline, a body, a link and an icon come to as Declarative Web Push.
PAYLOAD_SIZE = 322
# As long as Mozilla's and Google's: the path is the one header that no message shares with another.
_TOKEN_BYTES = 105
READY = "ready"

Recipient = dict[str, Any]
"""`PushSubscription.toJSON()`."""


class Job(BaseModel):
    """`recipients_file` holds a list of `PushSubscription.toJSON()`, of which the first `warm_up` are sent to before
    the clock starts and the next `messages` after; `connect_to` is the sink as curl's `--connect-to`."""

    model_config = ConfigDict(frozen=True)

    leg: str
    messages: int
    warm_up: int
    in_flight: int
    payload: str
    subject: str
    ca_file: Path
    connect_to: str
    recipients_file: Path
    vapid_file: Path
    vapid_public_key: str
    vapid_private_key: str


class Result(BaseModel):
    """`percentiles[n]` is when n percent of the messages had been accepted, in seconds after the first was begun."""

    model_config = ConfigDict(frozen=True)

    messages: int
    seconds: float
    percentiles: Annotated[list[float], Field(min_length=101, max_length=101)]


class LegSender(Protocol):
    """One way to send. `prepare` is what is done before the clock starts, `send` calls `accepted` for each 201."""

    async def prepare(self, recipients: Sequence[Recipient]) -> None: ...

    async def send(self, recipients: Sequence[Recipient], accepted: Callable[[], None]) -> None: ...

    async def close(self) -> None: ...


MakeSender = Callable[[Job], LegSender]


def payload() -> str:
    """A notification of PAYLOAD_SIZE bytes."""
    notification = {
        "title": "Parliament votes to dissolve; early election on 14 December",
        "navigate": "https://newsroom.example/politics/2026/11/parliament-votes-to-dissolve",
        "lang": "en",
        "tag": "n2vQ0y3mUqk4h8rT1xWbZ6eJ5cLd7pSf",
        "body": "",
    }
    empty = json.dumps({"web_push": 8030, "notification": notification}, separators=(",", ":"))
    notification["body"] = "Members voted 312 to 201 after nine hours of debate. ".ljust(PAYLOAD_SIZE, ".")[
        : PAYLOAD_SIZE - len(empty)
    ]
    return json.dumps({"web_push": 8030, "notification": notification}, separators=(",", ":"))


def write_recipients(path: Path, port: int, count: int) -> None:
    """As many browsers as there are messages, each with a key pair and an endpoint of its own."""
    curve = SECP256R1()
    path.write_text(json.dumps([_recipient(curve, port) for _ in range(count)]))


def _recipient(curve: SECP256R1, port: int) -> Recipient:
    point = generate_private_key(curve).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "endpoint": f"https://localhost:{port}/wpush/v2/{encode_base64url(os.urandom(_TOKEN_BYTES))}",
        "keys": {"p256dh": encode_base64url(point), "auth": encode_base64url(os.urandom(16))},
    }
