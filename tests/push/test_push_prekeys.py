"""Keys made ahead: the same bytes as without, for the same browser, in the same life of the server, within a week."""

from datetime import UTC, datetime

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from hypothesis import given
from hypothesis import strategies as st
from push_browser import Browser
from test_push_encryption import AUTH, BODY, OUR_PRIVATE, P256DH, PLAINTEXT, SALT

from tocsin.push.encryption import MessageKey, derive, pad, seal
from tocsin.push.prekeys import ENTRY_SIZE, HEAD, KEEP_DAYS, Seal, day_of, head_of, is_fresh

SECRET, LIFE, TODAY = b"s" * 32, b"a life", 20_000
SEAL = Seal(SECRET, LIFE)


def rfc_key() -> MessageKey:
    return derive(P256DH, AUTH, salt=SALT, private_key=derive_private_key(int.from_bytes(OUR_PRIVATE), SECP256R1()))


def test_the_rfc_example_byte_for_byte_by_way_of_an_entry() -> None:
    entry = SEAL.close(rfc_key(), P256DH, AUTH, TODAY)
    assert len(entry) == ENTRY_SIZE
    opened = SEAL.open(entry, P256DH, AUTH, TODAY)
    assert opened == rfc_key()
    assert seal(opened, pad(PLAINTEXT, step=1)) == BODY


@given(plaintext=st.binary(min_size=1, max_size=300))
def test_a_browser_reads_what_was_encrypted_with_one(browser: Browser, plaintext: bytes) -> None:
    entry = SEAL.close(derive(browser.p256dh, browser.auth), browser.p256dh, browser.auth, TODAY)
    key = SEAL.open(entry, browser.p256dh, browser.auth, TODAY)
    assert key is not None
    body = seal(key, pad(plaintext))
    assert http_ece.decrypt(body, private_key=browser.private_key, auth_secret=browser.auth) == plaintext


def test_nothing_of_the_key_is_shown() -> None:
    key = rfc_key()
    entry = SEAL.close(key, P256DH, AUTH, TODAY)
    assert key.cek not in entry
    assert key.nonce not in entry


@given(at=st.integers(0, ENTRY_SIZE * 8 - 1))
def test_an_entry_with_any_bit_changed_does_not_open(at: int) -> None:
    entry = bytearray(SEAL.close(rfc_key(), P256DH, AUTH, TODAY))
    entry[at // 8] ^= 1 << at % 8
    assert SEAL.open(bytes(entry), P256DH, AUTH, TODAY) is None


@given(at=st.integers(0, 65 * 8 - 1), in_auth=st.booleans())
def test_other_keys_do_not_open_it(at: int, in_auth: bool) -> None:
    entry = SEAL.close(rfc_key(), P256DH, AUTH, TODAY)
    point, secret = bytearray(P256DH), bytearray(AUTH)
    changed = secret if in_auth else point
    changed[at // 8 % len(changed)] ^= 1 << at % 8
    assert SEAL.open(entry, bytes(point), bytes(secret), TODAY) is None


@pytest.mark.parametrize("other", [Seal(SECRET, b"another life"), Seal(b"t" * 32, LIFE)])
def test_another_life_or_another_secret_does_not_open_it(other: Seal) -> None:
    assert other.open(SEAL.close(rfc_key(), P256DH, AUTH, TODAY), P256DH, AUTH, TODAY) is None


@given(age=st.integers(-30, 30))
def test_an_entry_is_used_for_a_week(age: int) -> None:
    entry = SEAL.close(rfc_key(), P256DH, AUTH, TODAY)
    assert (SEAL.open(entry, P256DH, AUTH, TODAY + age) is not None) == (-1 <= age < KEEP_DAYS)
    assert is_fresh(TODAY, TODAY + age) == (-1 <= age < KEEP_DAYS)


@pytest.mark.parametrize("entry", [b"", bytes(ENTRY_SIZE), bytes(ENTRY_SIZE - 1), b"x" * ENTRY_SIZE])
def test_what_is_no_entry_does_not_open(entry: bytes) -> None:
    assert SEAL.open(entry, P256DH, AUTH, TODAY) is None


def test_the_head_tells_day_and_keys() -> None:
    entry = SEAL.close(rfc_key(), P256DH, AUTH, TODAY)
    assert entry[: HEAD.size] == head_of(P256DH, AUTH, TODAY)
    assert entry[0] != 0  # by which an entry is told from none
    assert head_of(P256DH, bytes(16), TODAY)[:2] == entry[:2]
    assert head_of(P256DH, bytes(16), TODAY)[2:] != entry[2:4]
    assert day_of(datetime(1970, 1, 3, 23, tzinfo=UTC)) == 2
