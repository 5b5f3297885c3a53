"""Why a push is refused, and the words in which each push service says so: one table."""

import json
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType

from tocsin.simulator.request import Answer
from tocsin.simulator.services import PushServiceName


class Refusal(Enum):
    """Everything that a push service finds wrong with a request."""

    METHOD = auto()
    UNKNOWN_ENDPOINT = auto()
    GONE = auto()
    TOO_LARGE = auto()
    NO_TOKEN = auto()  # no `Authorization: vapid` at all
    BAD_TOKEN = auto()  # signature, aud or exp of RFC 8292
    BAD_SUBJECT = auto()
    OTHER_KEY = auto()  # signed well, but not with the key of the subscription
    TTL = auto()
    URGENCY = auto()
    TOPIC = auto()
    ENCODING = auto()
    THROTTLED = auto()


_MOZILLA_HELP = "http://autopush.readthedocs.io/en/latest/http.html#error-codes"


def _plain(status: int, text: str) -> Answer:
    return Answer(status, (("content-type", "text/plain; charset=utf-8"),), text.encode())


def _mozilla(status: int, errno: int, error: str, message: str) -> Answer:
    body = {"code": status, "errno": errno, "error": error, "message": message, "more_info": _MOZILLA_HELP}
    return Answer(status, (("content-type", "application/json"),), json.dumps(body).encode())


def _apple(status: int, reason: str) -> Answer:
    return Answer(status, (("content-type", "application/json"),), json.dumps({"reason": reason}).encode())


def _wns(status: int, description: str) -> Answer:
    return Answer(status, (("x-wns-error-description", description), ("x-wns-status", "dropped")))


_FCM = {
    Refusal.METHOD: _plain(405, "method not allowed"),
    Refusal.UNKNOWN_ENDPOINT: _plain(404, "A valid push subscription endpoint should be specified in the URL"),
    Refusal.GONE: _plain(410, "push subscription has unsubscribed or expired."),
    Refusal.TOO_LARGE: _plain(413, "payload too large"),
    Refusal.NO_TOKEN: _plain(401, "authorization header must be specified."),
    Refusal.BAD_TOKEN: _plain(403, "invalid JWT provided"),
    Refusal.BAD_SUBJECT: _plain(403, "invalid JWT provided: sub"),
    Refusal.OTHER_KEY: _plain(
        403,
        "the VAPID credentials in the authorization header do not correspond to the credentials "
        "used to create the subscriptions.",
    ),
    Refusal.TTL: _plain(400, "TTL header is required and must be a non-negative integer"),
    Refusal.URGENCY: _plain(400, "Urgency header is not valid"),
    Refusal.TOPIC: _plain(400, "Topic header is not valid"),
    Refusal.ENCODING: _plain(400, "Content-Encoding must be aes128gcm"),
    Refusal.THROTTLED: _plain(429, "too many requests"),
}

_MOZILLA = {
    Refusal.METHOD: _mozilla(405, 0, "Method Not Allowed", "Method not allowed"),
    Refusal.UNKNOWN_ENDPOINT: _mozilla(404, 102, "Not Found", "Invalid URL endpoint"),
    Refusal.GONE: _mozilla(410, 106, "Gone", "Subscription is no longer valid"),
    Refusal.TOO_LARGE: _mozilla(413, 104, "Payload Too Large", "This message is intended for smaller payloads"),
    Refusal.NO_TOKEN: _mozilla(401, 109, "Unauthorized", "Missing VAPID token"),
    Refusal.BAD_TOKEN: _mozilla(401, 109, "Unauthorized", "Invalid VAPID token"),
    Refusal.BAD_SUBJECT: _mozilla(401, 109, "Unauthorized", "Invalid VAPID sub"),
    Refusal.OTHER_KEY: _mozilla(401, 109, "Unauthorized", "VAPID public key mismatch"),
    Refusal.TTL: _mozilla(400, 111, "Bad Request", "Missing or invalid TTL header"),
    Refusal.URGENCY: _mozilla(400, 114, "Bad Request", "Invalid Urgency header"),
    Refusal.TOPIC: _mozilla(400, 113, "Bad Request", "Invalid Topic header"),
    Refusal.ENCODING: _mozilla(400, 110, "Bad Request", "Unknown Content-Encoding"),
    Refusal.THROTTLED: _mozilla(429, 201, "Too Many Requests", "Please slow down"),
}

_APPLE = {
    Refusal.METHOD: _apple(405, "MethodNotAllowed"),
    Refusal.UNKNOWN_ENDPOINT: _apple(404, "BadPath"),
    Refusal.GONE: _apple(410, "Unregistered"),
    Refusal.TOO_LARGE: _apple(413, "PayloadTooLarge"),
    Refusal.NO_TOKEN: _apple(403, "BadJwtToken"),
    Refusal.BAD_TOKEN: _apple(403, "BadJwtToken"),
    Refusal.BAD_SUBJECT: _apple(403, "BadJwtToken"),
    Refusal.OTHER_KEY: _apple(400, "VapidPkHashMismatch"),
    Refusal.TTL: _apple(400, "BadTtl"),
    Refusal.URGENCY: _apple(400, "BadUrgency"),
    Refusal.TOPIC: _apple(400, "BadWebPushTopic"),
    Refusal.ENCODING: _apple(400, "BadContentEncoding"),
    Refusal.THROTTLED: _apple(429, "TooManyRequests"),
}

_WNS = {
    Refusal.METHOD: _wns(405, "Method not allowed"),
    Refusal.UNKNOWN_ENDPOINT: _wns(404, "Channel not found"),
    Refusal.GONE: _wns(410, "Channel expired"),
    Refusal.TOO_LARGE: _wns(413, "Payload too large"),
    Refusal.NO_TOKEN: _wns(401, "Missing authorization"),
    Refusal.BAD_TOKEN: _wns(403, "Invalid JWT"),
    Refusal.BAD_SUBJECT: _wns(403, "Invalid JWT: sub"),
    Refusal.OTHER_KEY: _wns(403, "Key does not match the channel's"),
    Refusal.TTL: _wns(400, "Invalid TTL"),
    Refusal.URGENCY: _wns(400, "Invalid Urgency"),
    Refusal.TOPIC: _wns(400, "Invalid Topic"),
    Refusal.ENCODING: _wns(400, "Invalid Content-Encoding"),
    # WNS says "slow down" with 406 where the others say 429.
    Refusal.THROTTLED: Answer(406, (("x-wns-error-description", "Throttled"), ("x-wns-status", "channelthrottled"))),
}

ANSWERS: Mapping[PushServiceName, Mapping[Refusal, Answer]] = MappingProxyType(
    {
        PushServiceName.FCM: _FCM,
        PushServiceName.MOZILLA: _MOZILLA,
        PushServiceName.APPLE: _APPLE,
        PushServiceName.WNS: _WNS,
    }
)
