"""The other end of `Http2Core` in the tests: frames as bytes, and the package h2 as a server that knows the rules."""

import h2.config
import h2.connection
import h2.events
import h2.settings

from tocsin.push import http2_frames as frames
from tocsin.push.http2_core import Http2Core
from tocsin.push.http2_replies import Reply

HEAD = ("vapid t=a.b.c, k=d", 60, "high", "c" * 32)
AUTHORITY = "push.example.com"
CREATED = b"\x08\x03201"
SETTINGS = frames.settings({})


def core(settings: bytes = SETTINGS, streams: int = 100) -> "Http2Core[str]":
    """One that has its peer's settings."""
    made: Http2Core[str] = Http2Core(AUTHORITY, streams)
    assert made.receive(settings) == []
    made.outgoing()
    return made


def start(one: "Http2Core[str]", *tags: str, body: bytes = b"sealed") -> bytes:
    for tag in tags:
        one.start(tag, b"/" + tag.encode(), HEAD, body)
    return one.outgoing()


def headers(stream: int, block: bytes = CREATED, flags: int = frames.END_HEADERS | frames.END_STREAM) -> bytes:
    return frames.frame(frames.HEADERS, flags, stream, block)


def number(kind: int, stream: int, value: int) -> bytes:
    return frames.frame(kind, 0, stream, frames.NUMBER.pack(value))


def goaway(last: int, code: int = 0) -> bytes:
    return frames.frame(frames.GOAWAY, 0, 0, frames.NUMBER.pack(last) + frames.NUMBER.pack(code))


def split(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Kind, flags, stream and payload of each frame."""
    found, at = [], 0
    while at < len(data):
        head, flags, stream = frames.HEAD.unpack_from(data, at)
        end = at + frames.HEAD_SIZE + (head >> 8)
        found.append((head & 0xFF, flags, stream, data[at + frames.HEAD_SIZE : end]))
        at = end
    return found


class Server:
    """The package h2 as the peer of a core: `hear` takes what the core says, `say` gives what there is to answer."""

    def __init__(self, **settings: int) -> None:
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        codes = {getattr(h2.settings.SettingCodes, name): value for name, value in settings.items()}
        self.http.initiate_connection()
        self.http.update_settings(codes)
        self.heads: dict[int, list[tuple[str, str]]] = {}
        self.bodies: dict[int, bytes] = {}
        self.whole: list[int] = []

    def hear(self, data: bytes) -> None:
        for event in self.http.receive_data(data):
            match event:
                case h2.events.RequestReceived(stream_id=stream, headers=fields):
                    self.heads[stream], self.bodies[stream] = list(fields), b""
                case h2.events.DataReceived(stream_id=stream, data=data):
                    self.bodies[stream] += data
                case h2.events.StreamEnded(stream_id=stream):
                    self.whole.append(stream)

    def read(self, size: int) -> None:
        """Gives the connection's window back, and each open stream's."""
        self.http.increment_flow_control_window(size)
        for stream in set(self.heads) - set(self.whole):
            self.http.increment_flow_control_window(size, stream)

    def say(self) -> bytes:
        return self.http.data_to_send()


def talk(one: "Http2Core[str]", server: Server) -> list[tuple[str, Reply]]:
    """To and fro until both have said all."""
    ended = []
    while True:
        asked, said = one.outgoing(), b""
        if asked:
            server.hear(asked)
        said = server.say()
        if said:
            ended += one.receive(said)
        if not (asked or said):
            return ended
