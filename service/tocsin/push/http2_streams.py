"""The streams of one connection: which request is on which, and what the peer may say about it when (RFC 9113 §5.1,
§8.1)."""

from collections.abc import Iterable
from typing import Generic, TypeVar

from tocsin.push import http2_frames as h2
from tocsin.push.answers import MAX_DETAIL
from tocsin.push.http2_frames import Fault
from tocsin.push.http2_replies import BROKEN, UNPROCESSED, Reply, read_head

Tag = TypeVar("Tag")
Ended = list[tuple[Tag, Reply]]


class Parts:
    """What is known of a stream that is neither a request that went out whole nor a reply in one piece."""

    __slots__ = ("body", "read", "retry_after", "status", "unsent", "window")

    def __init__(self, unsent: bytes = b"", window: int = 0) -> None:
        self.unsent = unsent
        self.window = window  # what may still be sent; only kept while something is unsent
        self.status = 0
        self.retry_after: bytes | None = None
        self.body = b""
        self.read = 0  # bytes of DATA, padding and all

    def reply(self) -> Reply:
        """A final status stands, whatever befell the rest: after a 201 the push service has the message."""
        return Reply(self.status, self.retry_after, self.body) if self.status else BROKEN


class Streams(Generic[Tag]):
    """`open` has the request under way on each stream, `parts` what else there is of it, which is nearly always
    nothing. What is to be said to the peer is appended to `out`. All that ends a request appends it to `ended`."""

    def __init__(self, out: list[bytes]) -> None:
        self.open: dict[int, Tag] = {}
        self.parts: dict[int, Parts] = {}
        self.next = 1
        self._given_up: set[int] = set()  # by us, and the peer may not know it yet
        self._out = out
        self._unread = 0  # of our window on the connection
        self.is_at_odds = False
        """Whether either side has found fault with the other."""

    @property
    def is_spent(self) -> bool:
        """Of numbers there are 2^30 (§5.1.1). What was given up is remembered until the peer ends it too."""
        return self.next > h2.MAX_STREAM or len(self._given_up) > h2.MAX_GIVEN_UP

    def begin(self, tag: Tag) -> int:
        stream = self.next
        self.next = stream + 2
        self.open[stream] = tag
        return stream

    def end(self, stream: int, reply: Reply, ended: Ended[Tag]) -> None:
        """The peer is done with it."""
        parts = self.parts.pop(stream, None)
        if parts is not None and parts.unsent:  # it has seen enough of the request (§8.1)
            self._out.append(h2.frame(h2.RST_STREAM, 0, stream, h2.NUMBER.pack(h2.CANCEL)))
        ended.append((self.open.pop(stream), reply))

    def reset(self, stream: int, code: int, ended: Ended[Tag]) -> None:
        """We are done with it; whatever else comes of it is passed over."""
        self._given_up.add(stream)
        self._out.append(h2.frame(h2.RST_STREAM, 0, stream, h2.NUMBER.pack(code)))
        self.leave([stream], BROKEN, ended)

    def leave(self, streams: Iterable[int], unanswered: Reply, ended: Ended[Tag]) -> None:
        """Without a word. `unanswered` is for those of which no status has come."""
        for stream in list(streams):
            parts = self.parts.pop(stream, None)
            reply = parts.reply() if parts is not None and parts.status else unanswered
            ended.append((self.open.pop(stream), reply))

    def check_begun(self, stream: int) -> None:
        """§5.1: nothing may come on a stream that is idle, and a server begins none, as it may not push."""
        if not stream & 1 or stream >= self.next:
            raise Fault(h2.PROTOCOL_ERROR)

    def take_block(self, stream: int, is_end: bool, block: bytes, ended: Ended[Tag]) -> None:
        """The whole header block of a reply, of what precedes one (1xx), or of its trailers."""
        if self._is_over(stream, is_end):
            return
        parts = self.parts.get(stream)
        if parts is not None and parts.status:
            if is_end:
                self.end(stream, parts.reply(), ended)
            else:
                self._malformed(stream, ended)
            return
        head = read_head(block)
        if head is None or (head.status < 200 and is_end):
            self._malformed(stream, ended)
        elif is_end:
            self.end(stream, Reply(*head), ended)
        elif head.status >= 200:
            parts = self.parts.setdefault(stream, Parts())
            parts.status, parts.retry_after = head

    def take_data(self, stream: int, is_end: bool, size: int, chunk: bytes, ended: Ended[Tag]) -> None:
        """`size` is with padding, which counts for the windows."""
        self._count(size)
        if self._is_over(stream, is_end):
            return
        parts = self.parts.get(stream)
        if parts is None or not parts.status:
            self._malformed(stream, ended)
            return
        parts.read += size
        if parts.read > h2.OUR_STREAM_WINDOW:
            raise Fault(h2.FLOW_CONTROL_ERROR)
        room = MAX_DETAIL - len(parts.body)
        parts.body += chunk[:room]
        if is_end:
            self.end(stream, parts.reply(), ended)
        elif len(chunk) > room:
            self.reset(stream, h2.CANCEL, ended)

    def _count(self, size: int) -> None:
        """§6.9.1: what we read on the connection, whichever stream it was on; given back by halves of the window."""
        self._unread += size
        if self._unread > h2.FIRST_WINDOW:
            raise Fault(h2.FLOW_CONTROL_ERROR)
        if self._unread > h2.FIRST_WINDOW // 2:
            self._out.append(h2.frame(h2.WINDOW_UPDATE, 0, 0, h2.NUMBER.pack(self._unread)))
            self._unread = 0

    def take_reset(self, stream: int, code: int, ended: Ended[Tag]) -> bool:
        """Whether it was about a request under way."""
        self._given_up.discard(stream)
        if stream not in self.open:
            return False
        self.is_at_odds |= code in h2.AT_ODDS
        self.leave([stream], UNPROCESSED if code == h2.REFUSED_STREAM else BROKEN, ended)
        return True

    def _malformed(self, stream: int, ended: Ended[Tag]) -> None:
        self.is_at_odds = True
        self.reset(stream, h2.PROTOCOL_ERROR, ended)

    def _is_over(self, stream: int, is_end: bool) -> bool:
        """Whether we have given it up. Raises Fault where the peer itself had ended it."""
        if stream in self.open:
            return False
        if stream not in self._given_up:
            raise Fault(h2.STREAM_CLOSED)
        if is_end:
            self._given_up.discard(stream)
        return True
