"""Which addresses a connection may go to, as tables."""

import pytest

from tocsin.domain.errors import Misconfigured
from tocsin.push.guard import Guard, is_public

PUBLIC = [
    "8.8.8.8",
    "142.250.74.106",
    "17.188.143.34",
    "2a00:1450:4001:80b::200a",
    "2620:149:a44::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.1.2.3",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.1",
    "192.0.0.200",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%lo",
    "2a00:1450::1%eth0",
    "fec0::1",
    "ff02::1",
    "",
    "localhost",
    "fcm.googleapis.com",
    "0x7f.1",
    "2130706433",
    "/var/run/docker.sock",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_server_may_be_reached(address: str) -> None:
    assert is_public(address)
    assert Guard().admits(address, 443)


@pytest.mark.parametrize("address", PRIVATE)
def test_nothing_else_may_be_reached(address: str) -> None:
    assert not is_public(address)
    assert not Guard().admits(address, 443)


@pytest.mark.parametrize(
    ("address", "port", "admitted"),
    [
        ("127.0.0.1", 9443, True),
        ("127.0.0.1", 443, False),
        ("127.0.0.1", 9444, False),
        ("127.0.0.2", 9443, False),
        ("192.168.7.7", 8443, True),
        ("192.168.7.7", 9443, False),
        ("10.0.0.1", 9443, False),
        ("8.8.8.8", 443, True),
    ],
)
def test_exactly_the_targets_of_connect_to_are_admitted(address: str, port: int, admitted: bool) -> None:
    guard = Guard(["fcm.googleapis.com:443:127.0.0.1:9443", "web.push.apple.com:443:192.168.7.7:8443"])
    assert guard.admits(address, port) is admitted


def test_a_target_may_be_a_name() -> None:
    guard = Guard(["fcm.googleapis.com:443:localhost:9443"])
    assert guard.admits("127.0.0.1", 9443)
    assert not guard.admits("127.0.0.1", 443)


def test_a_target_that_does_not_resolve_is_told_at_start() -> None:
    entry = "fcm.googleapis.com:443:nobody.invalid:9443"
    with pytest.raises(Misconfigured, match=r"TOCSIN_PUSH_CONNECT_TO.*nobody\.invalid"):
        Guard([entry])
