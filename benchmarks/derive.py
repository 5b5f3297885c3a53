"""What one message's key costs, by the system's libcrypto (derive.c) and portably: interleaved pairs, one process."""

import os
import statistics
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tocsin.push.encryption import MessageKey, derive, derive_portably
from tocsin.push.native import NATIVE

MESSAGES, PAIRS = 1_000, 25


def readers() -> list[tuple[bytes, bytes]]:
    keys = (generate_private_key(SECP256R1()).public_key() for _ in range(MESSAGES))
    return [(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint), os.urandom(16)) for key in keys]


def microseconds(make: Callable[[bytes, bytes], MessageKey], to: list[tuple[bytes, bytes]]) -> float:
    """CPU time of one."""
    began = time.process_time()
    for p256dh, auth in to:
        make(p256dh, auth)
    return (time.process_time() - began) / MESSAGES * 1e6


def main() -> None:
    if NATIVE is None:
        raise SystemExit(
            "derive.c is not built here: it takes a C compiler and OpenSSL's headers, and `make setup-dev`"
        )
    to = readers()
    pairs = [(microseconds(derive, to), microseconds(derive_portably, to)) for _ in range(PAIRS)]
    native, portable = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(slow / quick for quick, slow in pairs)
    print(f"{NATIVE.version}: {native:.1f} µs of CPU a message; portable: {portable:.1f}; {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
