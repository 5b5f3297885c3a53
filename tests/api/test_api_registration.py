"""What a registration may hold: each fault is named by its field, nothing is stored and no push leaves."""

import base64
import copy
from typing import Any

import pytest
from api_served import Served, assert_problem, subscription_of
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tocsin.domain.subscriptions import endpoint_digest
from tocsin.simulator.client import SimulatorClient

ABSENT = object()
ENDPOINT, P256DH, AUTH = "subscription.endpoint", "subscription.keys.p256dh", "subscription.keys.auth"
FCM = "https://fcm.googleapis.com/fcm/send/abc"


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def point(form: PublicFormat = PublicFormat.UncompressedPoint, curve: Any = SECP256R1) -> bytes:
    return generate_private_key(curve()).public_key().public_bytes(Encoding.X962, form)


def registration(**preferences: Any) -> dict[str, Any]:
    keys = {"p256dh": encoded(point()), "auth": encoded(bytes(16))}
    return {"subscription": {"endpoint": FCM, "expirationTime": None, "keys": keys}, "preferences": preferences}


def with_value(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`body` with another value at `a.b.c`."""
    made = copy.deepcopy(body)
    *way, last = path.split(".")
    place = made
    for name in way:
        place = place[name]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return made


ENDPOINTS = {
    "http": "http://fcm.googleapis.com/fcm/send/abc",
    "upper-case scheme": "HTTPS://fcm.googleapis.com/fcm/send/abc",
    "no scheme": "fcm.googleapis.com/fcm/send/abc",
    "empty": "",
    "a stranger's": "https://push.evil.example/abc",
    "a suffix of an exact host": "https://evil-fcm.googleapis.com/abc",
    "an exact host as a subdomain": "https://fcm.googleapis.com.evil.example/abc",
    "a dot-suffix without its dot": "https://evilpush.apple.com/abc",
    "a dot-suffix alone": "https://.push.apple.com/abc",
    "the bare domain of a dot-suffix": "https://push.apple.com/abc",
    "an allowed host in the path": "https://169.254.169.254/.push.apple.com/",
    "an allowed host in the query": "https://evil.example/?x=.push.apple.com",
    "IPv4": "https://127.0.0.1/abc",
    "IPv4 as a number": "https://2130706433/abc",
    "IPv4 in hexadecimal": "https://0x7f.1/abc",
    "IPv6": "https://[::1]/abc",
    "IPv6 with a zone": "https://[fe80::1%25eth0]/abc",
    "localhost": "https://localhost/abc",
    "user": "https://user@fcm.googleapis.com/abc",
    "user and password": "https://fcm.googleapis.com:443@evil.example/abc",
    "an empty user": "https://@fcm.googleapis.com/abc",
    "another port": "https://fcm.googleapis.com:8443/abc",
    "port 0": "https://fcm.googleapis.com:0/abc",
    "an empty port": "https://fcm.googleapis.com:/abc",
    "a port that is none": "https://fcm.googleapis.com:x/abc",
    "a backslash": "https://evil.example\\@fcm.googleapis.com/abc",
    "a fragment": "https://fcm.googleapis.com/abc#x",
    "a space": "https://fcm.googleapis.com/a b",
    "a line break": "https://fcm.googleapis.com/a\r\nX: y",
    "a tab in the host": "https://fcm.google\tapis.com/abc",
    "a zero byte": "https://fcm.googleapis.com/\0",
    "a full stop at the end of the host": "https://fcm.googleapis.com./abc",
    "a full-width full stop": "https://fcm．googleapis．com/abc",
    "a percent-escaped host": "https://fcm%2egoogleapis.com/abc",
    "letters beyond ASCII": "https://fcm.googleapis.com/ä",
    "2,049 characters": "https://fcm.googleapis.com/".ljust(2_049, "a"),
}
PREFERENCES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "an unknown topic": ({"topics": ["world", "nowhere"]}, ["topics[1]"]),
    "an unknown topic's level": ({"topic_levels": {"nowhere": "flash"}}, ["topic_levels.nowhere"]),
    "a topic that is no id": ({"topics": ["World News"]}, ["topics[0]"]),
    "topics as text": ({"topics": "world"}, ["topics"]),
    "topics as numbers": ({"topics": [1]}, ["topics[0]"]),
    "too many topics": ({"topics": ["world"] * 201}, ["topics"]),
    "a level for what is no topic": ({"topic_levels": {"World News": "flash"}}, ["topic_levels.World News"]),
    "an unknown level": ({"min_level": "loud"}, ["min_level"]),
    "a level as a number": ({"min_level": 2}, ["min_level"]),
    "a topic's unknown level": ({"topic_levels": {"world": "loud"}}, ["topic_levels.world"]),
    "levels as a list": ({"topic_levels": ["world"]}, ["topic_levels"]),
    "quiet hours without an end": ({"quiet_hours": {"start": "22:00"}}, ["quiet_hours.end"]),
    "quiet hours of no time": (
        {"quiet_hours": {"start": "7:00", "end": "24:00"}},
        ["quiet_hours.start", "quiet_hours.end"],
    ),
    "quiet hours from noon to noon": ({"quiet_hours": {"start": "12:00", "end": "12:00"}}, ["quiet_hours"]),
    "quiet hours then nothing": (
        {"quiet_hours": {"start": "22:00", "end": "07:00", "then": "wait"}},
        ["quiet_hours.then"],
    ),
    "a time zone that is none": ({"time_zone": "Europe/Londen"}, ["time_zone"]),
    "a path as a time zone": ({"quiet_hours": {"time_zone": "../../etc/passwd"}}, ["quiet_hours.time_zone"]),
    "a snooze without a zone": ({"snoozed_until": "2030-01-01T00:00:00"}, ["snoozed_until"]),
    "a story that is no id": ({"muted_stories": ["aleppo", "Not An Id"]}, ["muted_stories[1].story"]),
    "a story until a number": ({"followed_stories": [{"story": "a", "until": 5}]}, ["followed_stories[0].until"]),
    "too many stories": ({"muted_stories": [f"s-{number}" for number in range(101)]}, ["muted_stories"]),
    "a cap without a count": ({"daily_cap": {"flash_exempt": True}}, ["daily_cap.count"]),
    "a cap below nothing": ({"daily_cap": {"count": -1}}, ["daily_cap.count"]),
    "a language that is none": ({"language": "english!"}, ["language"]),
    "a misspelling": ({"topcis": []}, ["topcis"]),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)
async def test_an_endpoint_that_is_no_push_services_is_refused(
    api: Served, simulator: SimulatorClient, endpoint: str
) -> None:
    async with api.nothing_kept():
        reply = await api.call("POST", "/v1/subscriptions", with_value(registration(), ENDPOINT, endpoint))

    assert_problem(reply, 422, "invalid", ENDPOINT)
    assert (await simulator.summary()).requests == 0


BAD_KEYS = {
    "p256dh: not base64": (P256DH, "!" * 87),
    "p256dh: empty": (P256DH, ""),
    "p256dh: short": (P256DH, encoded(point()[:-1])),
    "p256dh: long": (P256DH, encoded(point() + b"x")),
    "p256dh: not on the curve": (P256DH, encoded(b"\x04" + b"\x01" * 64)),
    "p256dh: the point at infinity": (P256DH, encoded(b"\0" * 65)),
    "p256dh: compressed": (P256DH, encoded(point(PublicFormat.CompressedPoint))),
    "p256dh: of another curve": (P256DH, encoded(point(curve=SECP384R1))),
    "p256dh: full-width letters": (P256DH, "Ａ" * 87),
    "p256dh: endless": (P256DH, "A" * 5_000),
    "auth: 15 bytes": (AUTH, encoded(bytes(15))),
    "auth: 17 bytes": (AUTH, encoded(bytes(17))),
    "auth: empty": (AUTH, ""),
    "auth: not base64": (AUTH, "****************"),
    "auth: endless": (AUTH, "A" * 5_000),
}


@pytest.mark.parametrize(("field", "value"), BAD_KEYS.values(), ids=BAD_KEYS)
async def test_keys_that_nothing_can_be_encrypted_with_are_refused(api: Served, field: str, value: str) -> None:
    async with api.nothing_kept():
        reply = await api.call("POST", "/v1/subscriptions", with_value(registration(), field, value))

    assert_problem(reply, 422, "invalid", field)


WRONG_TYPES = [None, True, 1, 1.5, "x", [], {}]


@pytest.mark.parametrize("path", ["subscription", "subscription.keys", ENDPOINT, P256DH, AUTH, "preferences"])
async def test_a_value_of_another_type_is_refused_by_its_field(api: Served, path: str) -> None:
    fits = {"preferences": dict, "subscription": dict, "subscription.keys": dict}.get(path, str)
    async with api.nothing_kept():
        for value in WRONG_TYPES:
            if not isinstance(value, fits):
                reply = await api.call("POST", "/v1/subscriptions", with_value(registration(), path, value))
                assert_problem(reply, 422, "invalid", path)


@pytest.mark.parametrize("value", ["1", "soon", True, [], {}])
async def test_an_expiration_time_is_a_number_or_null(api: Served, value: Any) -> None:
    body, field = registration(), "subscription.expirationTime"

    refused = await api.call("POST", "/v1/subscriptions", with_value(body, field, value))

    assert_problem(refused, 422, "invalid", field)
    for good in (None, 1_893_456_000_000, 1_893_456_000_000.5):
        assert (await api.call("POST", "/v1/subscriptions", with_value(body, field, good))).status in (200, 201)


@pytest.mark.parametrize("path", ["subscription", "subscription.keys", ENDPOINT, P256DH, AUTH])
async def test_a_missing_field_is_named(api: Served, path: str) -> None:
    reply = await api.call("POST", "/v1/subscriptions", with_value(registration(), path, ABSENT))

    assert_problem(reply, 422, "invalid", path)


@pytest.mark.parametrize("path", ["x", "subscription.x", "subscription.keys.x", "preferences.x", "consent", "replaces"])
async def test_an_unknown_field_is_named_wherever_it_stands(api: Served, path: str) -> None:
    async with api.nothing_kept():
        reply = await api.call("POST", "/v1/subscriptions", with_value(registration(), path, 1))

    assert_problem(reply, 422, "invalid", path)


@pytest.mark.parametrize(("preferences", "fields"), PREFERENCES.values(), ids=PREFERENCES)
async def test_preferences_that_make_no_sense_are_refused_in_both_calls(
    api: Served, simulator: SimulatorClient, preferences: dict[str, Any], fields: list[str]
) -> None:
    key = (await api.call("GET", "/v1/site")).json["application_server_key"]
    (view,) = await simulator.create_browsers(1, "fcm", key)
    known = (await api.register(subscription_of(view))).json
    async with api.nothing_kept():
        made = await api.call("POST", "/v1/subscriptions", registration(**preferences))
        again = await api.register(subscription_of(view), preferences)
        patched = await api.call(
            "PATCH",
            f"/v1/subscriptions/{known['id']}/preferences",
            preferences,
            {"Authorization": f"Bearer {known['token']}"},
        )

    for reply in (made, again):
        assert_problem(reply, 422, "invalid", *(f"preferences.{field}" for field in fields))
    assert_problem(patched, 422, "invalid", *fields)


async def test_every_endpoint_that_browsers_give_is_taken_byte_for_byte(api: Served) -> None:
    endpoints = [
        "https://fcm.googleapis.com/fcm/send/a:APA91b-_~",
        "https://fcm.googleapis.com:443/fcm/send/b",
        "https://FCM.googleapis.com/fcm/send/c",
        "https://jmt17.google.com/fcm/send/d",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAAA==",
        "https://web.push.apple.com/Qabc",
        "https://db5p.notify.windows.com/w/?token=BQ%2fYA%3d%3d",
        "https://fcm.googleapis.com/".ljust(2_048, "a"),
    ]
    for endpoint in endpoints:
        reply = await api.call("POST", "/v1/subscriptions", with_value(registration(), ENDPOINT, endpoint))
        assert reply.status == 201, reply.text
        kept = await api.store.subscriptions.get(endpoint_digest(endpoint))
        assert kept
        assert kept.record.endpoint == endpoint


async def test_keys_in_plain_base64_with_padding_are_read_too(api: Served) -> None:
    body = registration()
    keys = body["subscription"]["keys"]
    padded = {name: base64.b64encode(base64.urlsafe_b64decode(text + "==")).decode() for name, text in keys.items()}

    first = await api.call("POST", "/v1/subscriptions", body)
    again = await api.call("POST", "/v1/subscriptions", with_value(body, "subscription.keys", padded))

    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
