"""The frames of MCS, over which Chromium gets its pushes: a tag, a length, a Protocol Buffers message.

The tags and fields are those of Chromium's google_apis/gcm/protocol/mcs.proto.
"""

import asyncio
from dataclasses import dataclass
from enum import IntEnum

from tocsin.simulator import protobuf
from tocsin.simulator.protobuf import Fields, MalformedError, data, first_number, first_text, number, varint

VERSION = 41
LARGEST_FRAME = 2**16


class Tag(IntEnum):
    """What a frame is; the others of the protocol are not needed here."""

    HEARTBEAT_PING = 0
    HEARTBEAT_ACK = 1
    LOGIN_REQUEST = 2
    LOGIN_RESPONSE = 3
    IQ_STANZA = 7
    DATA_MESSAGE_STANZA = 8


@dataclass(frozen=True, slots=True)
class Login:
    """Who connects; `received` are the messages of earlier connections that need not be sent again."""

    device: str
    token: str
    received: tuple[str, ...]


async def read_version(reader: asyncio.StreamReader) -> None:
    """The first byte of each direction. MalformedError for another version."""
    version = (await reader.readexactly(1))[0]
    if version != VERSION:
        raise MalformedError(f"version {version}")


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, Fields]:
    """The next frame's tag and message. MalformedError, or IncompleteReadError at the end."""
    tag = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
        if shift > 28:
            raise MalformedError("a length without an end")
    if size > LARGEST_FRAME:
        raise MalformedError(f"a frame of {size} bytes")
    return tag, protobuf.parse(await reader.readexactly(size))


def frame(tag: Tag, message: bytes = b"") -> bytes:
    return bytes([tag]) + varint(len(message)) + message


def login(fields: Fields) -> Login:
    received = (value.decode(errors="replace") for value in fields.get(10, ()) if isinstance(value, bytes))
    return Login(first_text(fields, 4), first_text(fields, 5), tuple(received))


def last_stream_id_received(fields: Fields) -> int:
    """Of an IQ stanza: the frame up to which all have come; the answer to the login was the first."""
    return first_number(fields, 10)


LOGIN_ANSWER = frame(Tag.LOGIN_RESPONSE, data(1, "1"))
HEARTBEAT_ANSWER = frame(Tag.HEARTBEAT_ACK)


def data_message(*, message_id: str, sender: str, app: str, app_data: dict[str, str], ttl: int, body: bytes) -> bytes:
    """A push; asks to be acknowledged at once."""
    pairs = b"".join(data(7, data(1, key) + data(2, value)) for key, value in app_data.items())
    return frame(
        Tag.DATA_MESSAGE_STANZA,
        data(3, sender)
        + data(5, app)
        + pairs
        + data(9, message_id)
        + number(17, ttl)
        + (data(21, body) if body else b"")
        + number(24, 1),
    )
