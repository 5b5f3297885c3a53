"""Our requests as frames: HEADERS and DATA within what the peer allows (RFC 9113 §5.2, §8.1)."""

from typing import Generic

from tocsin.push import http2_frames as h2
from tocsin.push.http2_frames import Fault
from tocsin.push.http2_heads import Head, Heads, path_prefix
from tocsin.push.http2_peer import Peer
from tocsin.push.http2_streams import Parts, Streams, Tag


class Requests(Generic[Tag]):
    """What is to be sent is appended to `out`."""

    def __init__(self, authority: str, peer: Peer, streams: Streams[Tag], out: list[bytes]) -> None:
        self._heads = Heads(authority)
        self._around = (b"", b"", 0)
        self._around_for: tuple[Head, int, int] | None = None
        self._peer = peer
        self._streams = streams
        self._out = out
        self._stream_window = peer.stream_window

    def start(self, tag: Tag, path: bytes, head: Head, body: bytes) -> None:
        """The block fits one frame: path and head have less than 8,192 bytes each."""
        size, peer, heads = len(body), self._peer, self._heads
        wanted = (head, size, heads.changes)
        if wanted != self._around_for:
            before, after = heads.parts(head, size)
            self._around = (before, after, len(before) + len(after))
            # A block that changed the table is for this once: the next one finds its fields there.
            self._around_for = wanted if heads.changes == wanted[2] else None
        before, after, around = self._around
        prefix, path_size = path_prefix(len(path))
        length = around + path_size
        stream = self._streams.begin(tag)
        self._out += (h2.HEAD.pack(length << 8 | h2.HEADERS, h2.END_HEADERS, stream), before, prefix, path, after)
        if size <= peer.window and size <= peer.stream_window and size <= peer.frame_size:
            peer.window -= size
            self._out += (h2.HEAD.pack(size << 8 | h2.DATA, h2.END_STREAM, stream), body)
        else:
            parts = self._streams.parts[stream] = Parts(body, peer.stream_window)
            self._send_rest(stream, parts)

    def go_on(self) -> None:
        """There is more room, perhaps."""
        for stream, parts in list(self._streams.parts.items()):
            if parts.unsent:
                self._send_rest(stream, parts)

    def settings_changed(self) -> None:
        """§6.9.2: a change of the first window is one of all windows; some may be less than nothing then."""
        peer = self._peer
        if peer.table_size is not None:
            self._heads.resize(peer.table_size)
        more, self._stream_window = peer.stream_window - self._stream_window, peer.stream_window
        for parts in self._streams.parts.values():
            parts.window += more
            if parts.unsent and parts.window > h2.MAX_WINDOW:
                raise Fault(h2.FLOW_CONTROL_ERROR)
        self.go_on()

    def _send_rest(self, stream: int, parts: Parts) -> None:
        """As much of a body as the windows allow."""
        peer = self._peer
        while parts.unsent and (room := min(peer.window, parts.window, peer.frame_size)) > 0:
            chunk, parts.unsent = parts.unsent[:room], parts.unsent[room:]
            peer.window -= len(chunk)
            parts.window -= len(chunk)
            self._out.append(h2.frame(h2.DATA, 0 if parts.unsent else h2.END_STREAM, stream, chunk))
        if not parts.unsent and not parts.status:
            del self._streams.parts[stream]
