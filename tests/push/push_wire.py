"""A real TLS push service for the sender's tests: HTTP/2 (h2) or HTTP/1.1, and every way in which one can misbehave."""

import asyncio
import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass, field
from enum import Enum, auto

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

HOST = "push.example.com"


class Manner(Enum):
    WHOLE = auto()
    HANG = auto()
    ENDLESS = auto()
    RESET = auto()
    CUT = auto()  # the headers, some of the body, then RST


@dataclass(frozen=True)
class Reply:
    status: int = 201
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    manner: Manner = Manner.WHOLE


@dataclass(frozen=True)
class Received:
    connection: int
    protocol: str
    path: str
    headers: dict[str, str]
    body: bytes


class PushServer:
    """Answers by path: `replies` maps a path to its reply; any other gets a 201."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.replies: dict[str, Reply] = {}
        self.requests: list[Received] = []
        self.connections = 0
        self.gone_streams = 0
        self._context = context
        self._server: asyncio.Server | None = None
        self._arrived = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._server
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connect_to(self) -> str:
        return f"{HOST}:443:127.0.0.1:{self.port}"

    async def __aenter__(self) -> "PushServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def received(self, count: int) -> None:
        """Waits until so many requests are here."""
        while len(self.requests) < count:
            self._arrived.clear()
            await self._arrived.wait()

    async def abandoned(self, count: int) -> None:
        """Waits until the client has given up so many streams or connections with a request under way."""
        while self.gone_streams < count:
            self._arrived.clear()
            await self._arrived.wait()

    def _take(self, request: Received) -> Reply:
        self.requests.append(request)
        self._arrived.set()
        return self.replies.get(request.path, Reply())

    def _gone(self) -> None:
        self.gone_streams += 1
        self._arrived.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            protocol = writer.get_extra_info("ssl_object").selected_alpn_protocol()
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                if protocol == "h2":
                    await _Http2(self, self.connections, reader, writer).serve()
                else:
                    await self._serve_http1(self.connections, reader, writer)
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _serve_http1(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            first, *lines = head.decode("latin-1").rstrip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            reply = self._take(Received(number, "http/1.1", first.split(" ")[1], headers, body))
            fields = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
            start = f"HTTP/1.1 {reply.status} X\r\n{fields}"
            match reply.manner:
                case Manner.WHOLE:
                    writer.write(f"{start}Content-Length: {len(reply.body)}\r\n\r\n".encode() + reply.body)
                case Manner.HANG:
                    await reader.read()
                    self._gone()
                case Manner.ENDLESS:
                    writer.write(f"{start}\r\n".encode())
                    while True:
                        writer.write(b"x" * 16_384)
                        await writer.drain()
                case Manner.RESET:
                    reset(writer)
                case Manner.CUT:
                    writer.write(f"{start}Content-Length: 1000\r\n\r\nhalf".encode())
                    return


class _Http2:
    def __init__(
        self, server: PushServer, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.number, self.reader, self.writer = server, number, reader, writer
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="latin-1"))
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.hanging: set[int] = set()
        self.endless: set[int] = set()

    async def serve(self) -> None:
        self.http.initiate_connection()
        self.writer.write(self.http.data_to_send())
        try:
            while data := await self.reader.read(65_536):
                for event in self.http.receive_data(data):
                    self.handle(event)
                for stream in self.endless:
                    self.pour(stream)
                self.writer.write(self.http.data_to_send())
        finally:
            for _ in self.hanging:
                self.server._gone()

    def handle(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived(stream_id=stream, headers=headers):
                self.heads[stream], self.bodies[stream] = dict(headers), b""
            case h2.events.DataReceived(stream_id=stream, data=data):
                self.bodies[stream] += data
                self.http.acknowledge_received_data(event.flow_controlled_length, stream)
            case h2.events.StreamEnded(stream_id=stream):
                head = self.heads.pop(stream)
                body = self.bodies.pop(stream)
                self.reply(stream, self.server._take(Received(self.number, "h2", head[":path"], head, body)))
            case h2.events.StreamReset(stream_id=stream):
                self.endless.discard(stream)
                self.hanging.discard(stream)
                self.server._gone()

    def reply(self, stream: int, reply: Reply) -> None:
        headers = [(":status", str(reply.status)), *reply.headers.items()]
        match reply.manner:
            case Manner.WHOLE:
                self.http.send_headers(stream, headers, end_stream=not reply.body)
                if reply.body:
                    self.http.send_data(stream, reply.body, end_stream=True)
            case Manner.HANG:
                self.hanging.add(stream)
            case Manner.ENDLESS:
                self.http.send_headers(stream, headers)
                self.endless.add(stream)
            case Manner.RESET:
                reset(self.writer)
            case Manner.CUT:
                self.http.send_headers(stream, headers)
                self.http.send_data(stream, b"half")
                self.http.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)

    def pour(self, stream: int) -> None:
        while room := min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size):
            self.http.send_data(stream, b"x" * room)


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection with RST instead of FIN (SO_LINGER of zero seconds)."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
