"""HTTP/2's frames, settings and error codes (RFC 9113 §4, §6, §7), and the limits that we hold a peer to."""

from struct import Struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

# Frames (§6). CONTINUATION carries on HEADERS; PRIORITY says nothing any more (§5.3.2).
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

# Settings (§6.5.2).
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 1, 2, 3, 4, 5

# Error codes (§7).
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0x0, 0x1, 0x2, 0x3
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 0x5, 0x6, 0x7, 0x8, 0x9
ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = 0xB, 0xC, 0xD
# What a peer says when it takes us to be at fault, or wants another protocol.
AT_ODDS = frozenset(
    {
        PROTOCOL_ERROR,
        FLOW_CONTROL_ERROR,
        STREAM_CLOSED,
        FRAME_SIZE_ERROR,
        COMPRESSION_ERROR,
        INADEQUATE_SECURITY,
        HTTP_1_1_REQUIRED,
    }
)

MAX_WINDOW = MAX_STREAM = 2**31 - 1
# What either side starts with (§6.5.2, §6.9.2).
FIRST_WINDOW = 65_535
FIRST_FRAME_SIZE = 16_384

# Of a reply at most 4 KB are read, so that a stream needs no more than one frame's worth of window.
OUR_STREAM_WINDOW = 16_384
# A reply's header block, CONTINUATION and all: real ones have less than 1 KB.
MAX_BLOCK = 32_768
MAX_CONTINUATIONS = 16
# Frames that bring no answer (SETTINGS, PING, empty DATA, …) by which a peer may be ahead of its answers, each of which
# makes up for so many: a busy one sends a WINDOW_UPDATE or two with each.
MAX_IDLE_FRAMES = 1_000
FRAMES_AN_ANSWER = 10

# Streams that we have given up and the peer has not ended: then there is a new connection.
MAX_GIVEN_UP = 1_000

# Length (24 bits) and kind (8), flags, stream.
HEAD = Struct(">IBI")
HEAD_SIZE = HEAD.size
SETTING = Struct(">HI")
NUMBER = Struct(">I")


class Fault(Exception):
    """A peer broke the rules so that the connection must end (§5.4.1)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return HEAD.pack(len(payload) << 8 | kind, flags, stream) + payload


def settings(values: dict[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(SETTING.pack(*pair) for pair in values.items()))


def number(payload: bytes) -> int:
    """The only 31 bits of RST_STREAM (32) and WINDOW_UPDATE. Raises Fault for another length."""
    if len(payload) != NUMBER.size:
        raise Fault(FRAME_SIZE_ERROR)
    return int(NUMBER.unpack(payload)[0])


def unpadded(flags: int, payload: bytes) -> bytes:
    """What DATA or HEADERS carry without padding and priority (§6.1, §6.2). Raises Fault where there is too little."""
    start, end = 0, len(payload)
    if flags & PADDED:
        if not payload:
            raise Fault(FRAME_SIZE_ERROR)
        start, end = 1, end - payload[0]
    if flags & WITH_PRIORITY:
        start += 5
    if start > end:
        raise Fault(PROTOCOL_ERROR)
    return payload[start:end]
