"""`derive` by the system's libcrypto, where it was built when Tocsin was installed (derive.c, scripts/build_derive.py).

It makes what encryption.py makes, in two thirds of the time (docs/decisions/0032). Before it is used it has to repeat
the example of RFC 8291; where it is missing or does not, nothing is different but the time.
"""

import base64
import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger()

LIBRARY: Final = Path(__file__).with_name("_derive.so")

# header (86), content encryption key (16), nonce (12)
_Out = ctypes.c_char * 114
_POINT, _AUTH, _NO_POINT = 65, 16, 1


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# RFC 8291, Appendix A: the browser's point and secret, our salt and private key; key and nonce that follow from them.
_EXAMPLE = tuple(
    map(
        _decode,
        (
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "BTBZMqHH6r4Tts7J_aSIgg",
            "DGv6ra1nlYgDCS1FRnbzlw",
            "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
        ),
    )
)
_EXPECTED = _decode("oIhVW04MRdy2XN9CiKLxTg") + _decode("4h_95klXJ5E_qnoN")


class Native:
    """The library. `version` is libcrypto's own text."""

    def __init__(self, path: Path = LIBRARY) -> None:
        # PyDLL: with Python's lock held, since the library shares its working memory among calls.
        library = ctypes.PyDLL(str(path))
        self._derive: Callable[..., int] = library.tocsin_derive
        library.tocsin_derive.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
        self._derive_with: Callable[..., int] = library.tocsin_derive_with
        library.tocsin_derive_with.argtypes = [ctypes.c_char_p] * 4 + [ctypes.c_void_p]
        library.tocsin_libcrypto.restype = ctypes.c_char_p
        self.version: str = library.tocsin_libcrypto().decode()

    @staticmethod
    def takes(p256dh: bytes, auth: bytes) -> bool:
        """Whether the lengths are such that it reads nothing beyond them."""
        return len(p256dh) == _POINT and p256dh[0] == 0x04 and len(auth) == _AUTH

    def derive(self, p256dh: bytes, auth: bytes) -> bytes:
        """Header, key and nonce of a new message, 114 bytes. Raises ValueError if `p256dh` is no point on P-256."""
        out = _Out()
        _check(self._derive(p256dh, auth, out))
        return out.raw

    def derive_with(self, p256dh: bytes, auth: bytes, salt: bytes, private_key: bytes) -> bytes:
        """The same for a known salt (16 bytes) and private key (32), to repeat an example."""
        out = _Out()
        _check(self._derive_with(p256dh, auth, salt, private_key, out))
        return out.raw

    def repeats_the_example(self) -> bool:
        return self.derive_with(*_EXAMPLE)[-28:] == _EXPECTED


def _check(code: int) -> None:
    if code == _NO_POINT:
        raise ValueError("p256dh is not a point on P-256")
    if code:
        raise RuntimeError("libcrypto could not derive a message key")


def load(path: Path = LIBRARY) -> Native | None:
    """None where it is not there or cannot be trusted."""
    if not path.is_file():
        return None
    try:
        native = Native(path)
        good = native.repeats_the_example()
    except (OSError, AttributeError, ValueError, RuntimeError) as error:
        log.warning("native encryption is not used", fault=type(error).__name__)
        return None
    if not good:
        log.warning("native encryption is not used", fault="it does not repeat the example of RFC 8291")
        return None
    return native


NATIVE: Final = load()
