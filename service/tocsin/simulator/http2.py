"""One HTTP/2 connection of a push service, over TLS: frames in, `PushService` decides, frames out."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from tocsin.simulator.checks import MAX_BODY_BYTES
from tocsin.simulator.push_service import Exchange, PushService
from tocsin.simulator.request import Answer, Head, Manner, Reply
from tocsin.simulator.transports import reset

MAX_CONCURRENT_STREAMS = 1000
# The connection's window is so large that no sender waits for us; it is opened again by whole megabytes.
CONNECTION_WINDOW = 2**30
WINDOW_STEP = 2**20
ENDLESS_CHUNK = b"x" * 16_384


class _Incoming:
    """A request whose body is still coming: at most the bytes that a push may have are kept."""

    __slots__ = ("body", "exchange", "size")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.body = bytearray()
        self.size = 0

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if self.size <= MAX_BODY_BYTES:
            self.body += data


class Http2Connection(asyncio.Protocol):
    """`closed` is told when the connection ends."""

    def __init__(self, service: PushService, closed: Callable[["Http2Connection"], None]) -> None:
        self._service = service
        self._closed = closed
        # Without h2's checks of every header, which cost a fifth of the speed. A head that lacks what it needs is
        # answered like an unknown endpoint.
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding=None,
                validate_inbound_headers=False,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self._incoming: dict[int, _Incoming] = {}
        self._oversized: set[int] = set()
        self._unacknowledged = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._window_opened = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._h2.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: MAX_CONCURRENT_STREAMS,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 65_535,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._incoming.clear()
        for task in self._tasks:
            task.cancel()
        self._closed(self)

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except h2.exceptions.ProtocolError:
            self._flush()
            self.abort()
            return
        for event in events:
            self._take(event)
            if self._transport is None or self._transport.is_closing():
                return
        if self._unacknowledged >= WINDOW_STEP:
            self._h2.increment_flow_control_window(self._unacknowledged)
            self._unacknowledged = 0
        self._flush()

    # Events

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.DataReceived():
                self._unacknowledged += event.flow_controlled_length
                self._take_data(event.stream_id, event.data)
            case h2.events.RequestReceived():
                self._take_head(event)
            case h2.events.StreamEnded():
                self._complete(event.stream_id)
            case h2.events.StreamReset():
                self._incoming.pop(event.stream_id, None)
            case h2.events.WindowUpdated():
                self._window_opened.set()
            case h2.events.ConnectionTerminated():
                self.abort()

    def _take_head(self, event: h2.events.RequestReceived) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        head = Head(headers.get(":method", ""), headers.get(":authority", ""), headers.get(":path", ""), headers)
        exchange = self._service.begin(head)
        if exchange.is_cut_short:
            self._service.cut_short(exchange)
            self.reset()
            return
        self._incoming[event.stream_id] = _Incoming(exchange)

    def _take_data(self, stream_id: int, data: bytes) -> None:
        incoming = self._incoming.get(stream_id)
        if incoming is None:
            return
        incoming.add(data)
        if incoming.size > MAX_BODY_BYTES:
            self._oversized.add(stream_id)
            self._complete(stream_id)

    def _complete(self, stream_id: int) -> None:
        incoming = self._incoming.pop(stream_id, None)
        if incoming is None:
            return
        reply = self._service.complete(incoming.exchange, bytes(incoming.body), incoming.size)
        if reply.delay:
            asyncio.get_running_loop().call_later(reply.delay, self._send_late, stream_id, reply)
        else:
            self._send(stream_id, reply)

    # Answers

    def _send_late(self, stream_id: int, reply: Reply) -> None:
        if self._transport is not None:
            self._send(stream_id, reply)
            self._flush()

    def _send(self, stream_id: int, reply: Reply) -> None:
        match reply.manner:
            case Manner.WHOLE:
                self._send_whole(stream_id, reply.answer)
            case Manner.DRIBBLE:
                self._start(self._dribble(stream_id, reply))
            case Manner.ENDLESS:
                self._start(self._send_endlessly(stream_id, reply))
            case Manner.RESET:
                self.reset()
            case Manner.HANG:
                pass

    def _send_whole(self, stream_id: int, answer: Answer) -> None:
        # A client that gave up in the meantime has closed the stream.
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self._h2.send_headers(stream_id, _headers(answer), end_stream=not answer.body)
            if answer.body:
                self._h2.send_data(stream_id, answer.body, end_stream=True)
            if stream_id in self._oversized:
                # Answered before its end, and the rest is not wanted (RFC 9113 §8.1).
                self._h2.reset_stream(stream_id, h2.errors.ErrorCodes.NO_ERROR)
        self._oversized.discard(stream_id)

    def _start(self, sending: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(sending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _dribble(self, stream_id: int, reply: Reply) -> None:
        body = reply.answer.body
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self._h2.send_headers(stream_id, _headers(reply.answer))
            for index in range(len(body)):
                self._h2.send_data(stream_id, body[index : index + 1], end_stream=index == len(body) - 1)
                self._flush()
                await asyncio.sleep(reply.every)

    async def _send_endlessly(self, stream_id: int, reply: Reply) -> None:
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self._h2.send_headers(stream_id, _headers(reply.answer))
            while True:
                size = min(self._h2.local_flow_control_window(stream_id), len(ENDLESS_CHUNK))
                if size:
                    self._h2.send_data(stream_id, ENDLESS_CHUNK[:size])
                    self._flush()
                else:
                    self._window_opened.clear()
                    await self._window_opened.wait()
                await self._may_write.wait()
                await asyncio.sleep(0)

    def _flush(self) -> None:
        if self._transport is not None and (data := self._h2.data_to_send()):
            self._transport.write(data)

    def abort(self) -> None:
        """End the connection at once, without another byte."""
        if self._transport is not None:
            self._transport.abort()

    def reset(self) -> None:
        """End the connection with a TCP RST."""
        if self._transport is not None:
            reset(self._transport)


def _headers(answer: Answer) -> list[tuple[str, str]]:
    return [(":status", str(answer.status)), *answer.headers]
