"""How many browsers one address may register, and whose word on addresses counts."""

import base64
import secrets
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from api_served import Served, assert_problem, changed, serve
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from multidict import CIMultiDict

from tocsin.api.auth import client_address, counted_as, is_local

P256DH = generate_private_key(SECP256R1()).public_key()
POINT = base64.urlsafe_b64encode(P256DH.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)).decode()


def subscription() -> dict[str, Any]:
    keys = {"p256dh": POINT, "auth": secrets.token_urlsafe(16)}
    return {"endpoint": f"https://fcm.googleapis.com/fcm/send/{secrets.token_urlsafe(8)}", "keys": keys}


async def register(api: Served, forwarded: str = "", body: dict[str, Any] | None = None) -> Any:
    headers = {"X-Forwarded-For": forwarded} if forwarded else None
    return await api.call("POST", "/v1/subscriptions", {"subscription": body or subscription()}, headers)


async def test_an_address_over_its_rate_waits(api: Served) -> None:
    async with serve(changed(api.settings, subscribe_rate="3/hour")) as slow:
        first = subscription()
        assert [(await register(slow, body=first)).status] + [(await register(slow)).status for _ in range(2)] == [
            201
        ] * 3
        async with api.nothing_kept():
            refused = await register(slow)

        assert_problem(refused, 429, "too_many_requests")
        assert 1 <= int(refused.headers["Retry-After"]) <= 3_600
        assert (await register(slow, body=first)).status == 200  # who is known is not new


async def test_what_is_refused_does_not_use_up_the_rate(api: Served) -> None:
    async with serve(changed(api.settings, subscribe_rate="1/hour")) as slow:
        for _ in range(3):
            assert (await register(slow, body={**subscription(), "endpoint": "https://evil.example/"})).status == 422
        assert (await register(slow)).status == 201


async def test_nobody_but_a_trusted_proxy_says_for_whom_it_asks(api: Served) -> None:
    async with serve(changed(api.settings, subscribe_rate="1/hour")) as slow:
        assert (await register(slow, "203.0.113.1")).status == 201
        assert (await register(slow, "203.0.113.2")).status == 429


async def test_behind_a_trusted_proxy_each_reader_has_a_rate(api: Served) -> None:
    trusting = changed(api.settings, subscribe_rate="1/hour", trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))
    async with serve(trusting) as slow:
        for number in range(5):
            assert (await register(slow, f"203.0.113.{number}")).status == 201
        # What a reader puts in front is not believed: the last proxy's word counts, then that of the one before it.
        assert (await register(slow, "198.51.100.9, 203.0.113.1")).status == 429
        assert (await register(slow, "198.51.100.9, 203.0.113.1, 10.1.2.3")).status == 429
        assert (await register(slow, "198.51.100.9, 10.1.2.3")).status == 201


TRUSTED = ("127.0.0.1", "10.0.0.0/8", "2001:db8:f::/48")
ADDRESSES = {
    "alone": ("203.0.113.9", [], "203.0.113.9"),
    "untrusted": ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
    "one": ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
    "spaces": ("127.0.0.1", [" 198.51.100.1 "], "198.51.100.1"),
    "a chain": ("127.0.0.1", ["198.51.100.7, 198.51.100.1, 10.0.0.1"], "198.51.100.1"),
    "two headers": ("127.0.0.1", ["198.51.100.7", "198.51.100.1, 10.0.0.1"], "198.51.100.1"),
    "all trusted": ("127.0.0.1", ["10.0.0.2, 10.0.0.1"], "10.0.0.2"),
    "unknown": ("127.0.0.1", ["unknown"], "127.0.0.1"),
    "nonsense behind": ("127.0.0.1", ["198.51.100.1, <script>, 10.0.0.1"], "10.0.0.1"),
    "empty": ("127.0.0.1", [""], "127.0.0.1"),
    "IPv6": ("2001:db8:f::1", ["2001:db8:1::5"], "2001:db8:1::5"),
    "IPv4 written as IPv6": ("::ffff:127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
}


def request(remote: str, headers: list[tuple[str, str]]) -> Any:
    return make_mocked_request("GET", "/", CIMultiDict(headers)).clone(remote=remote)


@pytest.mark.parametrize(("remote", "forwarded", "address"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_readers_address(remote: str, forwarded: list[str], address: str) -> None:
    asked = request(remote, [("X-Forwarded-For", value) for value in forwarded])

    assert client_address(asked, TRUSTED) == address


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    assert counted_as("2001:db8:1:2::5") == counted_as("2001:db8:1:2:ffff::9")
    assert counted_as("2001:db8:1:2::5") != counted_as("2001:db8:1:3::5")
    assert counted_as("203.0.113.1") == counted_as("::ffff:203.0.113.1") == "203.0.113.1"


PROXIED = ["X-Forwarded-For", "x-forwarded-host", "Forwarded", "Via", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP"]


def test_a_caller_on_this_machine_with_no_proxy_before_it_is_local() -> None:
    assert all(is_local(request(remote, [])) for remote in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"))
    assert not any(is_local(request(remote, [])) for remote in ("203.0.113.1", "10.0.0.1", "", "localhost"))
    assert not any(is_local(request("127.0.0.1", [(name, "x")])) for name in PROXIED)


async def test_a_proxy_that_nobody_told_us_of_is_noted_for_the_doctor(api: Served) -> None:
    async with serve(changed(api.settings, trusted_proxies=("127.0.0.1",))) as trusting:
        await register(trusting, "203.0.113.1")
    assert await api.store.server.redis.get("{site}:untrusted-proxy") is None

    await register(api, "203.0.113.1")
    assert await api.store.server.redis.get("{site}:untrusted-proxy") == b"127.0.0.1"
