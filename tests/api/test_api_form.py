"""The form of a body, and the order in which refusals come: 401, 403, 413/415, 400, 422."""

import asyncio
import gzip
import json
from typing import Any

import pytest
from api_served import Served, assert_problem, raw_call

from tocsin.api.route import ANSWER_SECONDS
from town import ALERT

JSON = {"Content-Type": "application/json"}
TOO_MANY_BYTES = 16 * 1024 + 1


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def nested_objects(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


BROKEN = {
    "empty": b"",
    "blank": b"   ",
    "words": b"hello",
    "half": b'{"headline": "x"',
    "comma": b'{"headline": "x",}',
    "two values": b"{} {}",
    "single quotes": b"{'headline': 'x'}",
    "NaN": b'{"headline": NaN}',
    "infinity": b'{"ttl": Infinity}',
    "minus infinity": b'{"ttl": [-Infinity]}',
    "not UTF-8": b'{"headline": "\xff"}',
    "UTF-16": '{"headline": "x"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "surrogate bytes": b'{"headline": "\xed\xa0\x80"}',
    "high surrogate": b'{"headline": "\\ud800"}',
    "low surrogate": b'{"headline": "\\udc00 x"}',
    "surrogates in the wrong order": b'{"headline": "\\udc00\\ud800"}',
    "surrogate in a key": b'{"\\ud800": 1}',
    "control character in a string": b'{"headline": "a\nb"}',
    "endless number": b'{"ttl": ' + b"9" * 5_000 + b"}",
    "nested 9 deep": nested(9),
    "nested objects 9 deep": nested_objects(9),
    "key twice": b'{"headline": "a", "headline": "b"}',
    "key twice, escaped": b'{"headline": "a", "h\\u0065adline": "b"}',
    "key twice, deep": b'{"a": [{"b": {"c": 1, "c": 1}}]}',
    "surrogate key twice": b'{"\\ud800": 1, "\\ud800": 2}',
}
# As deep as the parser goes, and around where its own limit and ours meet.
DEPTHS = [*range(940, 1_000, 3), 2_700, 8_000]


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_what_is_no_json_is_400_and_changes_nothing(api: Served, body: bytes) -> None:
    async with api.nothing_kept():
        for path, headers in (("/v1/subscriptions", {}), ("/v1/alerts", api.with_key()), ("/v1/keys", api.editor)):
            assert_problem(await api.call("POST", path, data=body, headers={**headers, **JSON}), 400, "malformed")


async def test_no_depth_of_nesting_breaks_the_parser(api: Served) -> None:
    for depth in DEPTHS:
        for body in (nested(depth), nested_objects(depth)[: TOO_MANY_BYTES - 1]):
            assert_problem(await api.call("POST", "/v1/subscriptions", data=body, headers=JSON), 400, "malformed")


async def test_eight_deep_is_looked_into(api: Served) -> None:
    for body in (nested(8), nested_objects(8)):
        assert (await api.call("POST", "/v1/subscriptions", data=body, headers=JSON)).status == 422


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "x"]
)
async def test_another_content_type_is_415(api: Served, content_type: str) -> None:
    reply = await api.call("POST", "/v1/subscriptions", data=b"{}", headers={"Content-Type": content_type})

    assert_problem(reply, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"],
)
async def test_json_by_any_of_its_names_is_read(api: Served, content_type: str) -> None:
    reply = await api.call("POST", "/v1/subscriptions", data=b"{}", headers={"Content-Type": content_type})

    assert_problem(reply, 422, "invalid", "subscription")


async def test_a_compressed_body_is_415_however_it_would_expand(api: Served) -> None:
    for packed in (gzip.compress(b"{}"), gzip.compress(b" " * 10_000_000), b"no gzip at all"):
        head = b"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n" % len(packed)
        answer = await raw_call(api, "POST /v1/subscriptions", head, packed)
        assert answer.startswith(b"HTTP/1.1 415 ")


async def test_a_body_over_16_kib_is_413_by_its_length_or_by_its_bytes(api: Served) -> None:
    body = json.dumps({"a": "x" * TOO_MANY_BYTES}).encode()

    async def chunks() -> Any:
        for start in range(0, len(body), 4_096):
            yield body[start : start + 4_096]

    for data in (body, chunks()):
        assert_problem(await api.call("POST", "/v1/subscriptions", data=data, headers=JSON), 413, "too_large")


async def test_a_length_over_16_kib_is_not_waited_for(api: Served) -> None:
    head = b"Content-Type: application/json\r\nContent-Length: 1000000000\r\n"

    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"POST /v1/subscriptions HTTP/1.1\r\nHost: news.example\r\n" + head + b"\r\n{")
    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()
    await writer.wait_closed()


async def test_exactly_16_kib_is_read(api: Served) -> None:
    body = b'{"a":' + b"1}".rjust(TOO_MANY_BYTES - 1 - len(b'{"a":'))
    assert len(body) == TOO_MANY_BYTES - 1

    assert (await api.call("POST", "/v1/subscriptions", data=body, headers=JSON)).status == 422


async def test_who_sends_too_slowly_is_told_so(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.api.body.BODY_SECONDS", 0.1)

    answer = await raw_call(
        api, "POST /v1/subscriptions", b"Content-Type: application/json\r\nContent-Length: 100\r\n", b'{"sub'
    )

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in answer


async def test_a_phone_may_send_for_longer_than_the_store_may_take(api: Served) -> None:
    async def slowly() -> Any:
        yield b"{"
        await asyncio.sleep(ANSWER_SECONDS + 0.2)
        yield b"}"

    reply = await api.call("POST", "/v1/subscriptions", data=slowly(), headers=JSON)

    assert_problem(reply, 422, "invalid", "subscription")


async def test_who_hangs_up_amid_the_body_leaves_no_error(api: Served) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = b"Content-Type: application/json\r\nContent-Length: 100\r\n"
    writer.write(b"POST /v1/subscriptions HTTP/1.1\r\nHost: news.example\r\n" + head + b"\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await api.call("GET", "/livez")).status == 200


async def test_a_thousand_faults_are_not_all_repeated(api: Served) -> None:
    body = json.dumps({f"{number:x}": 1 for number in range(1_500)}).encode()

    reply = await api.call("POST", "/v1/subscriptions", data=body, headers=JSON)

    assert reply.status == 422
    assert len(reply.json["errors"]) == 50
    assert len(reply.body) < 10_000


async def test_refusals_come_in_their_order(api: Served) -> None:
    everything_wrong: dict[str, Any] = {"data": b"[" * TOO_MANY_BYTES}
    reporter, editor = await api.api_key("reporter"), await api.api_key("editor")

    async def post(headers: dict[str, str], **body: Any) -> int:
        return (await api.call("POST", "/v1/alerts", headers=headers, **body)).status

    assert await post({}, **everything_wrong) == 401
    assert await post(reporter, **everything_wrong) == 403
    assert await post(editor, **everything_wrong) in (413, 415)
    assert await post(editor, data=b"[" * 100) == 415
    assert await post({**editor, **JSON}, data=b"[" * 100) == 400
    assert await post({**editor, **JSON}, data=b'{"level": 1, "level": 1}') == 400
    assert await post({**editor, **JSON}, data=b'{"level": 1}') == 422
    assert await post({**editor, **JSON}, data=json.dumps(ALERT).encode()) == 422  # no Idempotency-Key


async def test_no_refusal_repeats_what_was_sent_in_secret(api: Served) -> None:
    secret = "https://fcm.googleapis.com:8443/fcm/send/a-capability"
    body = {"subscription": {"endpoint": secret, "keys": {"p256dh": "a-capability", "auth": ["a-capability"]}}}
    for sent in (body, {"subscription": {**body["subscription"], "keys": {"p256dh": "a-capability", "auth": "AAAA"}}}):
        reply = await api.call("POST", "/v1/subscriptions", sent)
        assert reply.status == 422
        assert "a-capability" not in reply.text
