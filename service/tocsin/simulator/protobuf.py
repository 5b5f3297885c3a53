"""As much of Protocol Buffers' wire format as Chromium's push connection needs: numbers, fixed numbers, bytes."""

import struct
from collections.abc import Iterator, Sequence

_NUMBER, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Fields = dict[int, list[int | bytes]]


class MalformedError(ValueError):
    """The bytes are no message."""


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3 | _NUMBER) + varint(value)


def fixed64(field: int, value: int) -> bytes:
    return varint(field << 3 | _FIXED64) + struct.pack("<Q", value)


def data(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | _BYTES) + varint(len(raw)) + raw


def parse(message: bytes) -> Fields:
    """Field number → its values in order; fixed numbers come as numbers."""
    fields: Fields = {}
    for field, value in _read(message):
        fields.setdefault(field, []).append(value)
    return fields


def first_text(fields: Fields, field: int) -> str:
    """The field's first value as text; empty where it is missing or no text."""
    values: Sequence[int | bytes] = fields.get(field, ())
    return values[0].decode(errors="replace") if values and isinstance(values[0], bytes) else ""


def first_number(fields: Fields, field: int) -> int:
    """The field's first value as a number; 0 where it is missing."""
    values: Sequence[int | bytes] = fields.get(field, ())
    return values[0] if values and isinstance(values[0], int) else 0


def _read(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(message):
        key, at = _varint_at(message, at)
        kind = key & 7
        if kind == _NUMBER:
            value, at = _varint_at(message, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint_at(message, at)
        elif kind in {_FIXED64, _FIXED32}:
            size = 8 if kind == _FIXED64 else 4
        else:
            raise MalformedError(f"wire type {kind}")
        raw = message[at : at + size]
        if len(raw) < size:
            raise MalformedError("cut short")
        at += size
        yield key >> 3, raw if kind == _BYTES else int.from_bytes(raw, "little")


def _varint_at(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
    raise MalformedError("a number without an end")
