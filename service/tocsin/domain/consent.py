"""What a reader agreed to, and when."""

import struct
from dataclasses import dataclass

from tocsin.domain.errors import UnknownRecord

MAX_VERSION = 40
_VERSION = 1
_HEAD = struct.Struct(">BI")


@dataclass(frozen=True)
class Consent:
    """`given` is in seconds since 1970; `text_version` names the text that was on the screen."""

    given: int
    text_version: str

    def pack(self) -> bytes:
        return _HEAD.pack(_VERSION, self.given) + self.text_version.encode()

    @classmethod
    def unpack(cls, packed: bytes) -> "Consent | None":
        """None for nothing. Raises UnknownRecord for a form that a newer version wrote."""
        if not packed:
            return None
        if packed[0] != _VERSION or len(packed) < _HEAD.size:
            raise UnknownRecord("a consent has a form that this program does not know")
        return cls(_HEAD.unpack_from(packed)[1], packed[_HEAD.size :].decode())
