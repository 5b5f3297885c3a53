"""What each push service asks of a request: RFC 8030, 8188 and 8292, and Apple's own rules."""

import re

from tocsin.simulator.browsers import Browser
from tocsin.simulator.refusals import Refusal
from tocsin.simulator.request import Head
from tocsin.simulator.services import PushServiceName
from tocsin.simulator.vapid import Token, Vapid, refuse_claims

MAX_BODY_BYTES = 4096  # RFC 8030 §7.2
URGENCIES = frozenset({"very-low", "low", "normal", "high"})

_TTL = re.compile(r"[0-9]{1,10}")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")


def refuse(head: Head, size: int, browser: Browser | None, vapid: Vapid, now: float) -> Refusal | None:
    """The first thing wrong with a push of `size` bytes, in the order in which the services look."""
    if head.method != "POST":
        return Refusal.METHOD
    if browser is None:
        return Refusal.UNKNOWN_ENDPOINT
    if size > MAX_BODY_BYTES:
        return Refusal.TOO_LARGE
    return (
        _refuse_token(head, browser, vapid, now)
        or (Refusal.GONE if browser.unsubscribed else None)
        or _refuse_headers(head, size, browser.push_service)
    )


def _refuse_token(head: Head, browser: Browser, vapid: Vapid, now: float) -> Refusal | None:
    token = vapid.read(head.headers.get("authorization"))
    if not isinstance(token, Token):
        return token
    if browser.application_server_key not in {"", token.key}:
        return Refusal.OTHER_KEY
    is_apple = browser.push_service is PushServiceName.APPLE
    return refuse_claims(token, origin=head.origin, now=now, sub_required=is_apple)


def _refuse_headers(head: Head, size: int, push_service: PushServiceName) -> Refusal | None:
    if not _TTL.fullmatch(head.headers.get("ttl", "")):
        return Refusal.TTL
    if head.headers.get("urgency", "normal") not in URGENCIES:
        return Refusal.URGENCY
    topic = head.headers.get("topic")
    if topic is not None and not _is_topic(topic, push_service):
        return Refusal.TOPIC
    if size and head.headers.get("content-encoding") != "aes128gcm":
        return Refusal.ENCODING
    return None


def _is_topic(topic: str, push_service: PushServiceName) -> bool:
    """Apple decodes the topic as base64url, which no length of 1 mod 4 can be."""
    if push_service is PushServiceName.APPLE and len(topic) % 4 == 1:
        return False
    return _TOPIC.fullmatch(topic) is not None
