"""Retry-After and libcurl's codes."""

from datetime import UTC, datetime

import pycurl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.deliveries import Failure
from tocsin.push.answers import failure, parse_retry_after

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("3600", 3_600),
        ("86400", 3_600),
        ("9" * 400, 3_600),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90),
        ("Sunday, 01-Mar-26 12:01:30 GMT", 90),
        ("Sun Mar  1 12:01:30 2026", 90),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Sun, 01 Mar 2099 12:00:00 GMT", 3_600),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("1e3", None),
        ("٣٠", None),
        ("Sun, 99 Mar 2026 12:00:00 GMT", None),
        ("Sun, 01 Mar 99999999999 12:00:00 GMT", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds


@given(st.text())
def test_no_text_of_a_stranger_raises(text: str) -> None:
    seconds = parse_retry_after(text, NOW)
    assert seconds is None or 0 <= seconds <= 3_600


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (pycurl.E_OPERATION_TIMEDOUT, Failure.TIMEOUT),
        (pycurl.E_COULDNT_RESOLVE_HOST, Failure.DNS),
        (pycurl.E_COULDNT_CONNECT, Failure.CONNECT),
        (pycurl.E_SSL_CONNECT_ERROR, Failure.TLS),
        (pycurl.E_PEER_FAILED_VERIFICATION, Failure.TLS),
        (pycurl.E_UNSUPPORTED_PROTOCOL, Failure.REFUSED_ADDRESS),
        (pycurl.E_HTTP2, Failure.BROKEN),
        (92, Failure.BROKEN),
        (pycurl.E_RECV_ERROR, Failure.BROKEN),
        (pycurl.E_GOT_NOTHING, Failure.BROKEN),
        (9_999, Failure.BROKEN),
    ],
)
def test_libcurls_codes(code: int, expected: Failure) -> None:
    assert failure(code) is expected
