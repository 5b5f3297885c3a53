"""base64url without padding, as Web Push writes keys and tokens (RFC 4648 §5)."""

import base64
import binascii
import re

# The standard library takes + and / as well.
_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of `text`; padding is tolerated. ValueError for anything else."""
    digits = text.rstrip("=")
    if not _ALPHABET.fullmatch(digits):
        raise ValueError("not base64url")
    try:
        return base64.urlsafe_b64decode(digits + "=" * (-len(digits) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
