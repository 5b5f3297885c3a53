"""A browser's subscription: what is taken of it, and that a record comes back as it was packed."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from samples import POINT, base64url
from tocsin.domain.endpoints import DEFAULT_PUSH_HOSTS
from tocsin.domain.errors import Invalid, UnknownRecord
from tocsin.domain.subscriptions import (
    SHARD_SIZE,
    Address,
    PushSubscription,
    Record,
    endpoint_digest,
    parse_public_id,
    public_id,
    shard_push_service,
)

AUTH = bytes(range(250, 256)) + bytes(10)  # holds both characters in which the two alphabets differ
GIVEN: dict[str, Any] = {
    "endpoint": "https://fcm.googleapis.com/fcm/send/one",
    "expirationTime": None,
    "keys": {"p256dh": base64url(POINT), "auth": base64url(AUTH)},
}


def given_with(**keys: str) -> PushSubscription:
    return PushSubscription.model_validate({**GIVEN, "keys": {**GIVEN["keys"], **keys}})


@pytest.mark.parametrize(
    "write",
    [base64url, lambda data: base64.urlsafe_b64encode(data).decode(), lambda data: base64.b64encode(data).decode()],
    ids=["base64url", "padded", "plain"],
)
def test_keys_in_every_base64_that_is_about(write: Any) -> None:
    subscription = given_with(p256dh=write(POINT), auth=write(AUTH)).checked(DEFAULT_PUSH_HOSTS)
    assert (subscription.p256dh, subscription.auth) == (POINT, AUTH)
    assert subscription.endpoint.url == GIVEN["endpoint"]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("p256dh", ""),
        ("p256dh", base64url(POINT[:64])),
        ("p256dh", base64url(POINT + b"\0")),
        ("p256dh", base64url(b"\x02" + POINT[1:33])),  # compressed
        ("p256dh", base64url(b"\x03" + POINT[1:])),
        ("p256dh", base64url(POINT[:-1] + bytes([POINT[-1] ^ 1]))),  # not on the curve
        ("p256dh", base64url(b"\x04" + bytes(64))),
        ("p256dh", base64url(b"\x04" + b"\xff" * 64)),
        ("p256dh", "=" * 8),
        ("p256dh", base64url(POINT)[:-1] + "!"),
        ("p256dh", base64url(POINT)[:-1] + "é"),
        ("p256dh", base64url(POINT)[:40] + "\n" + base64url(POINT)[40:]),
        ("auth", ""),
        ("auth", base64url(bytes(15))),
        ("auth", base64url(bytes(17))),
        ("auth", "A" * 21),
        ("auth", "AA==AA"),
        ("auth", " " + base64url(AUTH)),
    ],
)
def test_keys_that_no_push_could_use(field: str, text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        given_with(**{field: text}).checked(DEFAULT_PUSH_HOSTS)
    assert [fault.field for fault in refusal.value.faults] == [f"subscription.keys.{field}"]


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": None},
        {"endpoint": 7},
        {"expirationTime": "soon"},
        {"keys": {"p256dh": "x"}},
        {"keys": {"p256dh": "x", "auth": "y", "more": "z"}},
        {"keys": {"p256dh": "x" * 257, "auth": "y"}},
        {"keys": {"p256dh": "x", "auth": "y" * 65}},
        {"extra": 1},
    ],
)
def test_what_is_no_subscription(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PushSubscription.model_validate({**GIVEN, **changes})


@pytest.mark.parametrize("expiration", [None, 0, 1_793_000_000_000, 1_793_000_000_000.5])
def test_what_browsers_say_of_expiry(expiration: float | None) -> None:
    text = json.dumps({**GIVEN, "expirationTime": expiration})
    assert PushSubscription.model_validate_json(text).checked(DEFAULT_PUSH_HOSTS).auth == AUTH


records = st.builds(
    Record,
    endpoint=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=2_048),
    p256dh=st.binary(min_size=64, max_size=64).map(b"\x04".__add__),
    auth=st.binary(min_size=16, max_size=16),
    vapid_key_id=st.binary(min_size=4, max_size=4),
    created=st.integers(0, 2**32 - 1),
    token_counter=st.integers(0, 2**16 - 1),
)


@given(records)
def test_records_come_back_as_they_were(record: Record) -> None:
    packed = record.pack()
    assert Record.unpack(packed) == record
    assert len(packed) == 91 + len(record.endpoint)
    assert record.digest == endpoint_digest(record.endpoint)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_newer_form_is_refused_and_not_taken_for_nobody(version: int) -> None:
    packed = Record("https://fcm.googleapis.com/x", POINT, AUTH, b"vkey", 1).pack()
    with pytest.raises(UnknownRecord):
        Record.unpack(bytes([version]) + packed[1:])


@pytest.mark.parametrize("packed", [b"", b"\x01", b"\x01" + bytes(89)])
def test_a_cut_record_is_refused(packed: bytes) -> None:
    with pytest.raises(UnknownRecord):
        Record.unpack(packed)


@given(st.binary(min_size=16, max_size=16))
def test_public_ids_come_back(digest: bytes) -> None:
    text = public_id(digest)
    assert len(text) == 22
    assert parse_public_id(text) == digest


@pytest.mark.parametrize("text", ["", "x", "A" * 21, "A" * 23, "A" * 21 + "B", "é" * 22, "+" * 22, "A" * 22 + "=="])
def test_what_is_no_public_id(text: str) -> None:
    assert parse_public_id(text) is None


@given(st.text())
def test_no_text_of_a_stranger_raises(text: str) -> None:
    digest = parse_public_id(text)
    assert digest is None or public_id(digest) == text


@pytest.mark.parametrize("push_service", ["fcm", "push.example.com"])
@pytest.mark.parametrize("number", [0, 999, 1_000, 17_999])
def test_an_address_has_one_shard_and_slot(push_service: str, number: int) -> None:
    address = Address(push_service, number)
    assert address.shard == f"{push_service}.{number // 1_000}"
    assert number // 1_000 * SHARD_SIZE + address.slot == number
    assert shard_push_service(address.shard) == push_service
