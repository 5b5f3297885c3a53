"""Endpoints: what is refused, and whose an endpoint is. A mistake here sends our requests where a stranger wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.endpoints import DEFAULT_PUSH_HOSTS, MAX_ENDPOINT, Endpoint, host_allowed, parse_endpoint
from tocsin.domain.errors import Invalid

FCM = "https://fcm.googleapis.com/fcm/send/abc:def-123_%2F"


@pytest.mark.parametrize(
    ("text", "push_service", "origin"),
    [
        (FCM, "fcm", "https://fcm.googleapis.com"),
        ("https://jmt17.google.com/fcm/send/x", "fcm", "https://jmt17.google.com"),
        ("https://android.googleapis.com/gcm/x", "fcm", "https://android.googleapis.com"),
        ("https://fcm.googleapis.com:443/x", "fcm", "https://fcm.googleapis.com"),
        ("https://FCM.GoogleAPIs.com/x", "fcm", "https://fcm.googleapis.com"),
        (
            "https://updates.push.services.mozilla.com/wpush/v2/gAAA=",
            "mozilla",
            "https://updates.push.services.mozilla.com",
        ),
        ("https://web.push.apple.com/QO", "apple", "https://web.push.apple.com"),
        ("https://a.b.push.apple.com/QO", "apple", "https://a.b.push.apple.com"),
        ("https://db5p.notify.windows.com/w/?token=BQ%3d", "wns", "https://db5p.notify.windows.com"),
        ("https://fcm.googleapis.com", "fcm", "https://fcm.googleapis.com"),
        ("https://fcm.googleapis.com/@x", "fcm", "https://fcm.googleapis.com"),
    ],
)
def test_push_services_endpoints_pass_byte_for_byte(text: str, push_service: str, origin: str) -> None:
    endpoint = parse_endpoint(text, DEFAULT_PUSH_HOSTS)
    assert (endpoint.url, endpoint.push_service, endpoint.origin) == (text, push_service, origin)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://",
        "https:///fcm.googleapis.com",
        "https:fcm.googleapis.com/x",
        "http://fcm.googleapis.com/x",
        "HTTPS://fcm.googleapis.com/x",
        " https://fcm.googleapis.com/x",
        "ftp://fcm.googleapis.com/x",
        "javascript:alert(1)",
        "//fcm.googleapis.com/x",
        # Addresses, in every way to write one; and an allowed name elsewhere than in the host.
        "https://169.254.169.254/.push.apple.com/",
        "https://169.254.169.254/",
        "https://127.0.0.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0x7f.0x0.0x0.0x1/x",
        "https://0177.0.0.1/x",
        "https://0251.0376.0251.0376/x",
        "https://127.1/x",
        "https://[::1]/x",
        "https://[::ffff:169.254.169.254]/x",
        "https://[::ffff:a9fe:a9fe]/x",
        "https://[fe80::1%25eth0]/x",
        "https://[::1].push.apple.com/x",
        "https://[::1]fcm.googleapis.com/x",
        "https://[fcm.googleapis.com]/x",
        "https://localhost/x",
        "https://evil.example/fcm.googleapis.com",
        "https://evil.example/?fcm.googleapis.com",
        "https://evil.example?@fcm.googleapis.com/",
        "https://evil.example;.push.apple.com/x",
        "https://evil.example,web.push.apple.com/x",
        # User information.
        "https://fcm.googleapis.com@evil.example/x",
        "https://evil.example@fcm.googleapis.com/x",
        "https://user:secret@fcm.googleapis.com/x",
        "https://@fcm.googleapis.com/x",
        "https://:@fcm.googleapis.com/x",
        # Ports.
        "https://fcm.googleapis.com:80/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com:/x",
        "https://fcm.googleapis.com:0/x",
        "https://fcm.googleapis.com:65979/x",
        "https://fcm.googleapis.com:-443/x",
        "https://fcm.googleapis.com:443:443/x",
        "https://fcm.googleapis.com:44３/x",
        # Names that only look like an allowed one.
        "https://fcm.googleapis.com./x",
        "https://.push.apple.com/x",
        "https://push.apple.com/x",
        "https://evilpush.apple.com/x",
        "https://push.apple.com.evil.example/x",
        "https://xfcm.googleapis.com/x",
        "https://x.fcm.googleapis.com/x",
        "https://googleapis.com/x",
        "https://web..push.apple.com/x",
        "https://-web.push.apple.com/x",
        "https://web-.push.apple.com/x",
        "https://w%65b.push.apple.com/x",
        "https://web。push.apple.com/x",
        "https://wéb.push.apple.com/x",
        "https://xn--fcm-.googleapis.com/x",
        # What parsers disagree about.
        "https://fcm.googleapis.com\\@evil.example/x",
        "https://fcm.googleapis.com/x\\y",
        "https://fcm.googleapis.com#@evil.example/x",
        "https://fcm.googleapis.com/x#y",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/x\n",
        "https://fcm.goo\tgleapis.com/x",
        "https://fcm.googleapis.com/x\r\nHost: evil",
        "https://fcm.googleapis.com/\0",
        "https://fcm.googleapis.com/\x7f",
        "https://fcm.googleapis.com/é",
        "https://fcm.googleapis.com[/x",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_endpoint(text, DEFAULT_PUSH_HOSTS)
    (fault,) = refusal.value.faults
    assert fault.field == "subscription.endpoint"


def test_a_capability_is_not_in_its_refusal() -> None:
    with pytest.raises(Invalid) as refusal:
        parse_endpoint("https://evil.example/the-secret-part", DEFAULT_PUSH_HOSTS)
    assert "the-secret-part" not in str(refusal.value)


def test_lengths() -> None:
    longest = "https://fcm.googleapis.com/".ljust(MAX_ENDPOINT, "x")
    assert parse_endpoint(longest, DEFAULT_PUSH_HOSTS).url == longest
    with pytest.raises(Invalid):
        parse_endpoint(longest + "x", DEFAULT_PUSH_HOSTS)


@pytest.mark.parametrize(
    ("host", "is_name"),
    [
        ("a" * 63 + ".example.com", True),
        ("a" * 64 + ".example.com", False),
        (".".join(["a" * 49] * 5) + ".com", True),  # 253 characters
        (".".join(["a" * 49] * 5) + ".comm", False),
        ("xn--bcher-kva.example.com", True),
        ("_push.example.com", True),
        ("push.example.123", False),
        ("push", False),
    ],
)
def test_dns_names(host: str, is_name: bool) -> None:
    if is_name:
        assert parse_endpoint(f"https://{host}/x", [host]).push_service == host
    else:
        with pytest.raises(Invalid):
            parse_endpoint(f"https://{host}/x", [host])


@pytest.mark.parametrize(
    ("host", "allowed", "is_allowed"),
    [
        ("a.example.com", ["a.example.com"], True),
        ("b.a.example.com", ["a.example.com"], False),
        ("ba.example.com", ["a.example.com"], False),
        ("a.example.com", [".example.com"], True),
        ("b.a.example.com", [".example.com"], True),
        ("example.com", [".example.com"], False),
        ("aexample.com", [".example.com"], False),
        ("a.example.com.evil.test", [".example.com"], False),
        ("a.example.com", ["*.example.com"], False),
        ("a.example.com", [".*"], False),
        ("a.example.com", [], False),
    ],
)
def test_whole_hosts_and_dot_suffixes(host: str, allowed: list[str], is_allowed: bool) -> None:
    assert host_allowed(host, allowed) is is_allowed


@given(st.text() | st.text(st.sampled_from("https:/.@?#\\[]%0127aefcm")).map("https://fcm.googleapis.com".__add__))
def test_no_text_of_a_stranger_raises_anything_else(text: str) -> None:
    try:
        endpoint = parse_endpoint(text, DEFAULT_PUSH_HOSTS)
    except Invalid:
        return
    assert endpoint == Endpoint(text, "fcm.googleapis.com")
    assert text.partition("//")[2].lower().startswith("fcm.googleapis.com")
