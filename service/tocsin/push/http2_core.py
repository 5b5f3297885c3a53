"""HTTP/2 as a client speaks it (RFC 9113), without a socket: requests and bytes in, answers and bytes out.

The path that nearly every message takes is short: one HEADERS and one DATA out, one HEADERS with a bare 201 in. Rules
about one stream are in `http2_streams`, about what the peer allows in `http2_peer`, about what we send in
`http2_requests`, and all others here.
"""

from collections.abc import Callable
from typing import Generic

from tocsin.push import http2_frames as h2
from tocsin.push.http2_frames import Fault
from tocsin.push.http2_peer import Peer
from tocsin.push.http2_replies import BROKEN, CREATED, CREATED_BLOCKS, UNPROCESSED, Block
from tocsin.push.http2_requests import Requests
from tocsin.push.http2_streams import Ended, Streams, Tag

_OURS = {h2.HEADER_TABLE_SIZE: 0, h2.ENABLE_PUSH: 0, h2.INITIAL_WINDOW_SIZE: h2.OUR_STREAM_WINDOW}
_BARE = h2.END_HEADERS | h2.END_STREAM


class Http2Core(Generic[Tag]):
    """One connection. `authority` is the host, with the port where it is not 443; `streams` the most requests at once.

    A request is known by the `tag` that it came with, which is given back exactly once with its `Reply`: by `receive`,
    `give_up` or `lose`. After each call `outgoing` has what is to be sent.
    """

    def __init__(self, authority: str, streams: int) -> None:
        self._most = streams
        self._peer = Peer()
        self._out = [h2.PREFACE, h2.settings(_OURS)]
        self._streams: Streams[Tag] = Streams(self._out)
        self._requests = Requests(authority, self._peer, self._streams, self._out)
        self.start = self._requests.start
        """Only where there is `room`."""
        self._rest = b""
        self._block: Block | None = None
        self._idle_frames = 0
        self.is_over = False
        """Nothing more is to be sent or received."""
        self.fault: int | None = None  # the code of the error for which we ended the connection

    @property
    def is_ready(self) -> bool:  # the peer's settings, and with them all limits, are here
        return self._peer.is_known

    @property
    def is_leaving(self) -> bool:
        """No request can be started any more; those under way may still be answered."""
        return self.is_over or self._peer.is_leaving or self._streams.is_spent

    @property
    def is_at_odds(self) -> bool:
        """Whether either side has found fault with the other's HTTP/2, so that another client may do better."""
        return self._streams.is_at_odds

    @property
    def under_way(self) -> int:
        return len(self._streams.open)

    @property
    def room(self) -> int:
        """How many requests may be started now, as long as there `has_window`."""
        peer, streams = self._peer, self._streams
        if not peer.is_known or peer.window <= 0 or self.is_leaving:
            return 0
        left = (h2.MAX_STREAM - streams.next) // 2 + 1
        return max(0, min(self._most, peer.streams, left + len(streams.open)) - len(streams.open))

    @property
    def has_window(self) -> bool:
        """Of the last request that there is a window for, a part may have to wait."""
        return self._peer.window > 0

    def outgoing(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out

    def give_up(self, chosen: Callable[[Tag], bool]) -> Ended[Tag]:
        """Ends these requests; where a status had come it stands."""
        ended: Ended[Tag] = []
        for stream in [stream for stream, tag in self._streams.open.items() if chosen(tag)]:
            self._streams.reset(stream, h2.CANCEL, ended)
        return ended

    def lose(self) -> Ended[Tag]:
        """The connection is gone: whether what was under way has arrived is not known."""
        self.is_over = True
        ended: Ended[Tag] = []
        self._streams.leave(self._streams.open, BROKEN, ended)
        return ended

    def close(self) -> None:
        """Says goodbye (§6.8). What is under way is for `lose`."""
        if not self.is_over:
            self._out.append(h2.frame(h2.GOAWAY, 0, 0, bytes(8)))
            self.is_over = True

    def receive(self, data: bytes) -> Ended[Tag]:
        """What these bytes ended. What breaks the rules ends the connection, and is never raised."""
        ended: Ended[Tag] = []
        if self.is_over:
            return ended
        data = self._rest + data if self._rest else data
        try:
            self._rest = data[self._read(data, ended) :]
        except Fault as fault:
            self.fault = fault.code
            # A peer that only keeps us busy would do so with any other client.
            self._streams.is_at_odds |= fault.code != h2.ENHANCE_YOUR_CALM
            self._out.append(h2.frame(h2.GOAWAY, 0, 0, bytes(4) + h2.NUMBER.pack(fault.code)))
            ended += self.lose()
        return ended

    def _read(self, data: bytes, ended: Ended[Tag]) -> int:
        """Takes whole frames; gives how far they went."""
        at, size, streams, unpack = 0, len(data), self._streams, h2.HEAD.unpack_from
        while size - at >= h2.HEAD_SIZE:
            head, flags, stream = unpack(data, at)
            kind, length, start = head & 0xFF, head >> 8, at + h2.HEAD_SIZE
            if length > h2.FIRST_FRAME_SIZE:
                raise Fault(h2.FRAME_SIZE_ERROR)
            if start + length > size:
                break
            at = start + length
            if (
                kind == h2.HEADERS
                and flags == _BARE
                and data.startswith(CREATED_BLOCKS, start, at)
                and stream in streams.open
                and stream not in streams.parts
                and self._block is None
            ):
                ended.append((streams.open.pop(stream), CREATED))
                self._idle_frames -= h2.FRAMES_AN_ANSWER
            elif (
                kind == h2.WINDOW_UPDATE
                and length == h2.NUMBER.size
                and stream in streams.open
                and stream not in streams.parts
                and self._block is None
            ):
                self._idle()  # one for each request, of some: it is out, so nobody asks what its window is
            else:
                self._take(kind, flags, stream & h2.MAX_STREAM, data[start:at], ended)
        return at

    def _take(self, kind: int, flags: int, stream: int, payload: bytes, ended: Ended[Tag]) -> None:
        if not self._peer.is_known and kind != h2.SETTINGS:
            raise Fault(h2.PROTOCOL_ERROR)  # §3.4: a server says its settings first
        if (self._block is not None) != (kind == h2.CONTINUATION) or kind == h2.PUSH_PROMISE:
            raise Fault(h2.PROTOCOL_ERROR)  # §6.10; §8.4, for we have disabled push
        take = _TAKE.get(kind)
        if take is None:
            self._idle()  # §5.5: unknown ones are passed over; so is PRIORITY
        else:
            take(self, flags, stream, payload, ended)

    def _idle(self) -> None:
        self._idle_frames = max(0, self._idle_frames) + 1
        if self._idle_frames > h2.MAX_IDLE_FRAMES:
            raise Fault(h2.ENHANCE_YOUR_CALM)

    def _take_headers(self, flags: int, stream: int, payload: bytes, ended: Ended[Tag]) -> None:
        self._streams.check_begun(stream)
        block, is_end = h2.unpadded(flags, payload), bool(flags & h2.END_STREAM)
        if flags & h2.END_HEADERS:
            self._take_block(stream, is_end, block, ended)
        else:
            self._block = Block(stream, is_end, block)

    def _take_continuation(self, flags: int, stream: int, payload: bytes, ended: Ended[Tag]) -> None:
        block = self._block
        if block is None or block.stream != stream:
            raise Fault(h2.PROTOCOL_ERROR)
        block.add(payload)
        if flags & h2.END_HEADERS:
            self._block = None
            self._take_block(stream, block.is_end, block.whole, ended)

    def _take_block(self, stream: int, is_end: bool, block: bytes, ended: Ended[Tag]) -> None:
        before = len(ended)
        self._streams.take_block(stream, is_end, block, ended)
        if len(ended) > before:
            self._idle_frames -= h2.FRAMES_AN_ANSWER
        else:
            self._idle()

    def _take_data(self, flags: int, stream: int, payload: bytes, ended: Ended[Tag]) -> None:
        self._streams.check_begun(stream)
        chunk = h2.unpadded(flags & ~h2.WITH_PRIORITY, payload)
        before = len(ended)
        self._streams.take_data(stream, bool(flags & h2.END_STREAM), len(payload), chunk, ended)
        if len(ended) > before:
            self._idle_frames -= h2.FRAMES_AN_ANSWER
        elif not chunk:
            self._idle()

    def _take_window(self, _flags: int, stream: int, payload: bytes, ended: Ended[Tag]) -> None:
        self._idle()
        more = h2.number(payload) & h2.MAX_WINDOW
        if not stream:
            self._peer.widen(more)
            self._requests.go_on()
            return
        self._streams.check_begun(stream)
        parts = self._streams.parts.get(stream)
        if parts is None or not parts.unsent:
            return
        parts.window += more
        if not more or parts.window > h2.MAX_WINDOW:
            self._streams.reset(stream, h2.FLOW_CONTROL_ERROR if more else h2.PROTOCOL_ERROR, ended)
            self._streams.is_at_odds = True
        else:
            self._requests.go_on()

    def _take_reset(self, _flags: int, stream: int, payload: bytes, ended: Ended[Tag]) -> None:
        self._streams.check_begun(stream)
        if not self._streams.take_reset(stream, h2.number(payload), ended):
            self._idle()

    def _take_goaway(self, _flags: int, stream: int, payload: bytes, ended: Ended[Tag]) -> None:
        """What the peer does not deal with may be sent again (§6.8), unless it is too much for it."""
        self._idle()
        code = self._peer.take_goaway(stream, payload)
        self._streams.is_at_odds |= code in h2.AT_ODDS
        late = [stream for stream in self._streams.open if stream > self._peer.last_stream]
        self._streams.leave(late, BROKEN if code == h2.ENHANCE_YOUR_CALM else UNPROCESSED, ended)

    def _take_settings(self, flags: int, stream: int, payload: bytes, _ended: Ended[Tag]) -> None:
        self._idle()
        if self._peer.take_settings(flags, stream, payload):
            self._out.append(h2.frame(h2.SETTINGS, h2.ACK, 0))
            self._requests.settings_changed()

    def _take_ping(self, flags: int, stream: int, payload: bytes, _ended: Ended[Tag]) -> None:
        self._idle()
        if self._peer.take_ping(flags, stream, payload):
            self._out.append(h2.frame(h2.PING, h2.ACK, 0, payload))


_TAKE = {
    h2.DATA: Http2Core._take_data,
    h2.HEADERS: Http2Core._take_headers,
    h2.RST_STREAM: Http2Core._take_reset,
    h2.SETTINGS: Http2Core._take_settings,
    h2.PING: Http2Core._take_ping,
    h2.GOAWAY: Http2Core._take_goaway,
    h2.WINDOW_UPDATE: Http2Core._take_window,
    h2.CONTINUATION: Http2Core._take_continuation,
}
