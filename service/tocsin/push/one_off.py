"""One push to one browser, such as a reader's own test: encrypted by pywebpush, sent like any other."""

from datetime import datetime
from urllib.parse import urlsplit

from pywebpush import WebPusher

from tocsin.domain.deliveries import Answer
from tocsin.domain.endpoints import Endpoint
from tocsin.domain.errors import TooLarge
from tocsin.domain.subscriptions import Record, encode_base64url
from tocsin.push.encryption import MAX_PLAINTEXT
from tocsin.push.sender import Envelope, Sender
from tocsin.push.vapid import ApplicationServer


async def push_once(
    sender: Sender, server: ApplicationServer, record: Record, payload: bytes, *, ttl: int, urgency: str, now: datetime
) -> Answer:
    """The push service's answer. `payload` is 1 to 3,993 bytes (TooLarge above), `ttl` in seconds, `now` aware.

    Only pywebpush's encryption is used: its sending has no timeout, follows redirects and goes to any address.
    """
    if len(payload) > MAX_PLAINTEXT:
        raise TooLarge(f"a push message holds {MAX_PLAINTEXT:,} bytes at most, not {len(payload):,}")
    keys = {"p256dh": encode_base64url(record.p256dh), "auth": encode_base64url(record.auth)}
    body = WebPusher({"endpoint": record.endpoint, "keys": keys}).encode(payload)["body"]
    origin = Endpoint(record.endpoint, urlsplit(record.endpoint).hostname or "").origin
    envelope = Envelope(record.endpoint, server.authorization(origin, now), body, ttl, urgency)
    (answer,) = await sender.send([envelope])
    return answer
