"""One HTTP/2 connection to a push service on the event loop."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import NamedTuple, Protocol

from tocsin.push.batch import Batch
from tocsin.push.http2_core import Http2Core
from tocsin.push.http2_heads import Head
from tocsin.push.http2_streams import Ended
from tocsin.push.http2_tls import TlsSocket
from tocsin.push.sender import Envelope

# Of 64 KB each, from a peer that has closed: no socket holds more.
_MOST_READS = 1_000


class Request(NamedTuple):
    """The envelope with this number in its batch; `path` and `head` are of the envelope."""

    batch: Batch
    number: int
    path: bytes
    head: Head
    envelope: Envelope


class Owner(Protocol):
    def heard(self, connection: "Http2Connection", ended: Ended[Request]) -> None:
        """These requests have ended; there may be room for others, or the connection is over."""
        ...


class Http2Connection:
    """`idle_since` is when the last request ended, `heard_at` when anything came, by the loop's clock."""

    def __init__(self, tls: TlsSocket, authority: str, streams: int, owner: Owner) -> None:
        self.core: Http2Core[Request] = Http2Core(authority, streams)
        self._loop = asyncio.get_running_loop()
        self.idle_since = self.heard_at = self._loop.time()
        self.is_retired = False
        """Whether it is to be given no more requests."""
        self.ready: asyncio.Future[bool] = self._loop.create_future()
        """Whether the peer's settings came, or the connection ended before."""
        self._tls = tls
        self._owner = owner
        self._is_writing = False
        self._is_closed = self._is_last = False
        self._loop.add_reader(tls.socket, self._read)
        self._loop.call_soon(self._begin)

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come of it."""
        return self._is_closed or ((self.is_retired or self.core.is_leaving) and not self.core.under_way)

    def take(self, waiting: deque[Request]) -> None:
        """Starts as many as there is room for, in one write."""
        if not self.core.under_way:
            self._look()
        if self._is_closed or self.is_retired or self._tls.is_blocked:
            return
        core = self.core
        start = core.start
        for _ in range(min(core.room, len(waiting))):
            request = waiting.popleft()
            start(request, request.path, request.head, request.envelope.body)
            if not core.has_window:
                break
        self._flush()

    def give_up(self, batch: Batch) -> Ended[Request]:
        """Ends the requests of a batch; for whoever asks, not for the owner."""
        ended = self.core.give_up(lambda request: request.batch is batch)
        if ended and not self._is_closed:
            self._flush()
        return ended

    def close(self) -> Ended[Request]:
        """What was under way, for whoever asks."""
        if self._is_closed:
            return []
        self.core.close()
        with suppress(OSError):
            self._tls.write(self.core.outgoing())
        return self._end()

    def _begin(self) -> None:
        self._flush()
        self._read()  # what came with the end of the handshake is here already

    def _look(self) -> None:
        """An idle peer may have gone meanwhile, and the loop not have run: a worker's stands still between two jobs."""
        for _ in range(_MOST_READS):
            self._read()
            if self._is_closed or self._tls.is_dry:
                break

    def _read(self) -> None:
        if self._is_closed:
            return
        ended = self._receive()
        if self._is_last:
            with suppress(OSError):
                self._tls.write(self.core.outgoing())  # why
            ended += self._end()
        elif self._tls.is_dry:
            return
        else:
            self._flush()
        self._owner.heard(self, ended)

    def _receive(self) -> Ended[Request]:
        try:
            data, self._is_last = self._tls.read()
        except OSError:
            data, self._is_last = b"", True
        if not data:
            return []
        ended = self.core.receive(data)
        self._is_last = self._is_last or self.core.is_over
        self.heard_at = self._loop.time()
        if not self.core.under_way:
            self.idle_since = self.heard_at
        if self.core.is_ready and not self.ready.done():
            self.ready.set_result(True)
        return ended

    def _flush(self) -> None:
        if self._is_closed:
            return
        try:
            self._tls.write(self.core.outgoing())
        except OSError:
            self._lose()
            return
        if self._tls.is_blocked != self._is_writing:
            self._is_writing = self._tls.is_blocked
            if self._is_writing:
                self._loop.add_writer(self._tls.socket, self._go_on)
            else:
                self._loop.remove_writer(self._tls.socket)

    def _go_on(self) -> None:
        self._flush()
        if not self._is_writing:
            self._owner.heard(self, [])

    def _lose(self) -> None:
        """The peer takes nothing any more. What it had said before is still to be read: answers, and GOAWAY."""
        ended = self._receive()
        for _ in range(_MOST_READS):
            if self._is_last or self._tls.is_dry:
                break
            ended += self._receive()
        self._owner.heard(self, ended + self._end())

    def _end(self) -> Ended[Request]:
        self._is_closed = True
        self._loop.remove_reader(self._tls.socket)
        self._loop.remove_writer(self._tls.socket)
        self._tls.close()
        if not self.ready.done():
            self.ready.set_result(False)
        return self.core.lose()
