"""RFC 8291 against its own example, the reference library and pywebpush."""

import base64
from collections.abc import Callable

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key, generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st
from push_browser import Browser
from pywebpush import WebPusher

from tocsin.domain.errors import TooLarge
from tocsin.domain.subscriptions import encode_base64url
from tocsin.push.encryption import MAX_PLAINTEXT, derive, encrypt, pad, seal


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# RFC 8291, Appendix A.
PLAINTEXT = b"When I grow up, I want to be a watermelon"
OUR_PRIVATE = decode("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
P256DH = decode("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
SALT = decode("DGv6ra1nlYgDCS1FRnbzlw")
AUTH = decode("BTBZMqHH6r4Tts7J_aSIgg")
CEK = decode("oIhVW04MRdy2XN9CiKLxTg")
NONCE = decode("4h_95klXJ5E_qnoN")
BODY = decode(
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
    "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_rfc_example_byte_for_byte() -> None:
    private_key = derive_private_key(int.from_bytes(OUR_PRIVATE, "big"), SECP256R1())
    key = derive(P256DH, AUTH, salt=SALT, private_key=private_key)
    assert (key.cek, key.nonce) == (CEK, NONCE)
    assert seal(key, pad(PLAINTEXT, step=1)) == BODY
    assert encrypt(pad(PLAINTEXT, step=1), P256DH, AUTH, salt=SALT, private_key=private_key) == BODY


@pytest.fixture(scope="module")
def read(browser: Browser) -> Callable[[bytes], bytes]:
    def decrypt(body: bytes) -> bytes:
        plain = http_ece.decrypt(body, private_key=browser.private_key, auth_secret=browser.auth, version="aes128gcm")
        assert isinstance(plain, bytes)
        return plain

    return decrypt


@settings(max_examples=60, deadline=None)
@given(plaintext=st.integers(0, MAX_PLAINTEXT).map(lambda size: bytes(n % 251 for n in range(size))))
def test_a_browser_reads_every_length(browser: Browser, read: Callable[[bytes], bytes], plaintext: bytes) -> None:
    body = encrypt(pad(plaintext), browser.p256dh, browser.auth)
    assert len(body) <= 4_096
    assert read(body) == plaintext


@settings(max_examples=30, deadline=None)
@given(plaintext=st.binary(min_size=1, max_size=MAX_PLAINTEXT), salt=st.binary(min_size=16, max_size=16))
def test_the_reference_library_makes_the_same_bytes(browser: Browser, plaintext: bytes, salt: bytes) -> None:
    private_key = generate_private_key(SECP256R1())
    theirs = http_ece.encrypt(
        plaintext,
        salt=salt,
        private_key=private_key,
        dh=browser.p256dh,
        auth_secret=browser.auth,
        version="aes128gcm",
    )
    assert encrypt(pad(plaintext, step=1), browser.p256dh, browser.auth, salt=salt, private_key=private_key) == theirs


def test_pywebpush_makes_bodies_of_the_same_form(browser: Browser) -> None:
    keys = {"p256dh": encode_base64url(browser.p256dh), "auth": encode_base64url(browser.auth)}
    theirs = WebPusher({"endpoint": "https://push.example.com/1", "keys": keys}).encode(PLAINTEXT)["body"]
    ours = encrypt(pad(PLAINTEXT, step=1), browser.p256dh, browser.auth)
    assert len(ours) == len(theirs)
    assert ours[16:21] == theirs[16:21]


@settings(max_examples=60)
@given(size=st.integers(0, MAX_PLAINTEXT))
def test_the_length_tells_only_the_step(size: int) -> None:
    padded = pad(b"x" * size)
    assert padded.rstrip(b"\0") == b"x" * size + b"\x02"
    assert len(padded) == min(-(-(size + 1) // 256) * 256, 2_701 if size <= 2_700 else 3_994)


def test_each_message_has_its_own_key_and_salt(browser: Browser) -> None:
    keys = {derive(browser.p256dh, browser.auth) for _ in range(20)}
    assert len({key.header[:16] for key in keys}) == 20
    assert len({key.header[21:] for key in keys}) == 20
    assert len({(key.cek, key.nonce) for key in keys}) == 20


def test_too_large_is_refused_before_it_is_split(browser: Browser) -> None:
    with pytest.raises(TooLarge, match="3,993"):
        pad(b"x" * (MAX_PLAINTEXT + 1))
    with pytest.raises(TooLarge, match="3,994"):
        encrypt(b"x" * 3_995, browser.p256dh, browser.auth)


def test_a_point_off_the_curve_is_refused(browser: Browser) -> None:
    with pytest.raises(ValueError):
        derive(b"\x04" + b"\1" * 64, browser.auth)
