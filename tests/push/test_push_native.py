"""Message keys by the system's libcrypto: the same as encryption.py's, or not used at all."""

import os
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from test_push_encryption import AUTH, BODY, CEK, NONCE, OUR_PRIVATE, P256DH, SALT

from tocsin.push.encryption import derive, derive_portably
from tocsin.push.native import LIBRARY, NATIVE, Native, load

# Whoever sets TOCSIN_BUILD_DERIVE=1, as .ci/run does, wants it built and tested.
pytestmark = pytest.mark.skipif(
    NATIVE is None and os.environ.get("TOCSIN_BUILD_DERIVE") != "1", reason="not built: no C compiler, or no headers"
)

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
POINTS = st.integers(1, ORDER - 1).map(
    lambda number: (
        derive_private_key(number, SECP256R1()).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    )
)


@pytest.fixture(scope="module")
def native() -> Native:
    assert NATIVE is not None
    return NATIVE


def test_the_rfc_example_byte_for_byte(native: Native) -> None:
    assert native.derive_with(P256DH, AUTH, SALT, OUR_PRIVATE) == BODY[:86] + CEK + NONCE


@settings(max_examples=100, deadline=None)
@given(POINTS, st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.integers(1, ORDER - 1))
def test_it_makes_what_the_portable_one_makes(
    native: Native, point: bytes, auth: bytes, salt: bytes, number: int
) -> None:
    portable = derive_portably(point, auth, salt=salt, private_key=derive_private_key(number, SECP256R1()))
    assert native.derive_with(point, auth, salt, number.to_bytes(32)) == b"".join(portable)


def test_each_message_has_a_key_pair_and_a_salt_of_its_own(native: Native) -> None:
    made = [native.derive(P256DH, AUTH) for _ in range(200)]
    assert len({each[:16] for each in made}) == len({each[21:86] for each in made}) == 200
    assert derive(P256DH, AUTH).header[16:21] == made[0][16:21] == BODY[16:21]


def test_a_forked_process_draws_others(native: Native) -> None:
    native.derive(P256DH, AUTH)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, native.derive(P256DH, AUTH))
        os._exit(0)
    ours = native.derive(P256DH, AUTH)
    os.waitpid(child, 0)
    theirs = os.read(reading, len(ours))
    os.close(reading)
    os.close(writing)
    assert len(theirs) == len(ours)
    assert theirs[:16] != ours[:16]
    assert theirs[21:86] != ours[21:86]


def test_what_is_no_point_is_refused(native: Native) -> None:
    for point in (b"\x04" + b"\1" * 64, b"\x04" + bytes(64), b"\x04" + b"\xff" * 64):
        with pytest.raises(ValueError, match="point"):
            native.derive(point, AUTH)
    # What it cannot take never reaches it, and is refused all the same.
    compressed = generate_private_key(SECP256R1()).public_key()
    for point in (b"", P256DH[:-1], P256DH + b"\0", b"\x06" + P256DH[1:], b"\x04" * 64):
        assert not native.takes(point, AUTH)
        with pytest.raises(ValueError, match=r"."):
            derive(point, AUTH)
    assert not native.takes(compressed.public_bytes(Encoding.X962, PublicFormat.CompressedPoint), AUTH)
    assert not native.takes(P256DH, AUTH[:-1])


def test_a_point_that_is_refused_leaves_no_error_to_tls(native: Native) -> None:
    """Python's ssl has the same libcrypto, and takes an error that it finds there for its own."""
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="example.com")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with pytest.raises(ValueError, match="point"):
        native.derive(b"\x04" + b"\1" * 64, AUTH)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()


def test_where_the_library_fails_the_message_has_a_key_all_the_same(
    native: Native, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> int:
        return 2

    monkeypatch.setattr(native, "_derive", fails)
    with pytest.raises(RuntimeError):
        native.derive(P256DH, AUTH)
    assert len(b"".join(derive(P256DH, AUTH))) == 86 + 16 + 12


def test_it_leaks_nothing(native: Native) -> None:
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        pytest.skip("no /proc here")

    def pages() -> int:
        for _ in range(4_000):
            native.derive(P256DH, AUTH)
        return int(statm.read_text().split()[1])

    pages()
    before = pages()
    assert pages() - before < 40  # one point lost each time would be 150


def test_a_library_that_computes_something_else_is_not_used(tmp_path: Path) -> None:
    wrong = tmp_path / "_derive.so"
    assert load(wrong) is None
    wrong.write_bytes(LIBRARY.read_bytes().replace(b"Content-Encoding: nonce", b"Content-Encoding: n0nce"))
    assert load(wrong) is None
    wrong.unlink()  # the loader may have it open: a new file, not new bytes in the old one
    wrong.write_bytes(b"no library at all")
    assert load(wrong) is None
