"""What a peer has said about its side of a connection: settings, windows, and that it leaves (RFC 9113 §6.5, §6.8)."""

from tocsin.push import http2_frames as h2
from tocsin.push.http2_frames import Fault


class Peer:
    """`is_known` once its settings are here; `streams` is how many it allows at once, `table_size` what it keeps of our
    headers, `window` how many bytes of DATA it takes on the connection, `stream_window` on a new stream. `last_stream`
    is the last that it deals with or has dealt with."""

    def __init__(self) -> None:
        self.is_known = False
        self.streams = h2.MAX_STREAM  # no limit, where it names none
        self.table_size: int | None = None
        self.window = h2.FIRST_WINDOW
        self.stream_window = h2.FIRST_WINDOW
        self.frame_size = h2.FIRST_FRAME_SIZE
        self.is_leaving = False
        self.last_stream = h2.MAX_STREAM

    def take_settings(self, flags: int, stream: int, payload: bytes) -> bool:
        """§6.5. Whether they are new ones, to be acknowledged. Raises Fault, as all here do."""
        if stream:
            raise Fault(h2.PROTOCOL_ERROR)
        if flags & h2.ACK:
            if payload:
                raise Fault(h2.FRAME_SIZE_ERROR)
            if not self.is_known:
                raise Fault(h2.PROTOCOL_ERROR)
            return False
        if len(payload) % h2.SETTING.size:
            raise Fault(h2.FRAME_SIZE_ERROR)
        for name, value in h2.SETTING.iter_unpack(payload):
            self._set(name, value)
        self.is_known = True
        return True

    def _set(self, name: int, value: int) -> None:
        match name:
            case h2.HEADER_TABLE_SIZE:
                self.table_size = value
            case h2.ENABLE_PUSH if value:
                raise Fault(h2.PROTOCOL_ERROR)  # §6.5.2: not for a server to allow
            case h2.MAX_CONCURRENT_STREAMS:
                self.streams = value
            case h2.INITIAL_WINDOW_SIZE:
                if value > h2.MAX_WINDOW:
                    raise Fault(h2.FLOW_CONTROL_ERROR)
                self.stream_window = value
            case h2.MAX_FRAME_SIZE:
                if not h2.FIRST_FRAME_SIZE <= value < 1 << 24:
                    raise Fault(h2.PROTOCOL_ERROR)
                self.frame_size = value

    def widen(self, more: int) -> None:
        """§6.9: a WINDOW_UPDATE for the connection."""
        if not more:
            raise Fault(h2.PROTOCOL_ERROR)
        self.window += more
        if self.window > h2.MAX_WINDOW:
            raise Fault(h2.FLOW_CONTROL_ERROR)

    def take_ping(self, flags: int, stream: int, payload: bytes) -> bool:
        """§6.7. Whether it is to be answered."""
        if stream:
            raise Fault(h2.PROTOCOL_ERROR)
        if len(payload) != 8:
            raise Fault(h2.FRAME_SIZE_ERROR)
        return not flags & h2.ACK

    def take_goaway(self, stream: int, payload: bytes) -> int:
        """§6.8: the error code. The first of two often names no stream yet, so that the second may name a lower one;
        a higher one would be about requests that have been sent again already, and is passed over."""
        if stream:
            raise Fault(h2.PROTOCOL_ERROR)
        if len(payload) < 8:
            raise Fault(h2.FRAME_SIZE_ERROR)
        last, code = (int(h2.NUMBER.unpack_from(payload, at)[0]) for at in (0, 4))
        self.is_leaving = True
        self.last_stream = min(self.last_stream, last & h2.MAX_STREAM)
        return code
